//! `unslow check --online`: what is away is said once and with its remedy, and rights that no query
//! needs are named.

use std::process::Output;

use crate::end_to_end::one_off;
use crate::servers::redis::{Options, Redis};
use crate::servers::{PgBouncer, postgres, wait_until};
use crate::unslow::Unslow;

/// Returns a port where nobody listens.
fn nobody() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

struct Checked {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Checked {
    fn new(ini: &str) -> Checked {
        let output: Output = one_off(ini, &["check", "--online"]);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Checked {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// The lines that begin so.
    fn lines(&self, name: &str) -> Vec<&str> {
        let lines = self.out.lines();
        lines.filter(|line| line.starts_with(name)).collect()
    }

    #[track_caller]
    fn one_line(&self, name: &str, words: &[&str]) {
        let lines = self.lines(name);
        assert_eq!(lines.len(), 1, "{name}: {}", self.out);
        for word in words {
            assert!(lines[0].contains(word), "{word:?} is not in {}", lines[0]);
        }
    }
}

#[test]
fn a_wrong_password_is_one_line_with_its_remedy_and_no_query_is_checked() {
    let redis = Redis::with(&Options {
        password: Some("right"),
        ..Options::default()
    });
    let port = postgres().port();
    let ini = format!(
        "[postgres]\nhost=127.0.0.1\nport={port}\nuser=master\ndatabase=postgres\n\
         password=hunter2\n[redis]\nurl=redis://:hunter2@127.0.0.1:{}\n",
        redis.port()
    );
    let checked = Checked::new(&ini);
    assert_eq!(checked.code, Some(1), "{}", checked.err);
    checked.one_line(
        "database ",
        &["FAILED", "password authentication", "[postgres]"],
    );
    checked.one_line("redis ", &["FAILED", "password", "[redis] url"]);
    let queries = checked.lines("query ");
    assert!(queries.len() > 1, "{}", checked.out);
    for line in queries {
        assert!(line.contains("UNCHECKED"), "{line}");
        assert!(!line.contains("authentication"), "{line}");
    }
    assert!(checked.err.contains("2 checks failed"), "{}", checked.err);
    assert!(!(checked.out + &checked.err).contains("hunter2"));
}

#[test]
fn what_is_away_is_one_line_each_with_where_to_look() {
    let ini = format!(
        "[postgres]\nhost=127.0.0.1\nport={}\nuser=u\ndatabase=d\n[redis]\n\
         url=redis://127.0.0.1:{}\n",
        nobody(),
        nobody()
    );
    let checked = Checked::new(&ini);
    assert_eq!(checked.code, Some(1), "{}", checked.err);
    checked.one_line(
        "database ",
        &["refused", "is PostgreSQL running", "[postgres] host"],
    );
    checked.one_line("redis ", &["refused", "is Redis running", "[redis] url"]);
    assert_eq!(checked.out.matches("refused").count(), 2, "{}", checked.out);
    let no_database = format!(
        "[postgres]\nhost=127.0.0.1\nport={}\nuser=master\ndatabase=nowhere\npassword=secret\n",
        postgres().port()
    );
    let checked = Checked::new(&no_database);
    checked.one_line("database ", &["FAILED", "nowhere", "[postgres] database"]);
}

#[test]
fn a_user_that_may_do_more_than_read_is_warned_of_and_a_reader_is_not() {
    let server = postgres();
    let database = server.database();
    let name = |role: &str| format!("{role}_{database}");
    let (writer, signaller, reader) = (name("writer"), name("signaller"), name("reader"));
    server.psql(
        &database,
        &format!(
            "create table orders(id int); create table lines(id int); \
             create role {writer} login; grant select, update on orders, lines to {writer}; \
             create role {signaller} login; grant pg_signal_backend to {signaller}; \
             create role {reader} login; grant select on orders to {reader}"
        ),
    );
    let checked = |user: &str| {
        Checked::new(&format!(
            "[postgres]\nhost=127.0.0.1\nport={}\nuser={user}\ndatabase={database}\n",
            server.port()
        ))
    };
    for (user, words) in [
        ("postgres", &["superuser"][..]),
        (&writer, &["may write to 2 tables", "public.lines"]),
        (&signaller, &["member of pg_signal_backend"]),
    ] {
        let checked = checked(user);
        checked.one_line("database ", &["OK", "PostgreSQL", user]);
        for word in words {
            assert!(checked.err.contains(word), "{word}: {}", checked.err);
        }
        assert!(
            checked.err.contains("a role that only reads"),
            "{}",
            checked.err
        );
    }
    let checked = checked(&reader);
    checked.one_line("database ", &["OK"]);
    assert!(!checked.err.contains("warning"), "{}", checked.err);
}

#[test]
fn options_that_a_pooler_drops_are_named_and_those_that_arrive_are_not() {
    let server = postgres();
    let database = server.database();
    let dropping = PgBouncer::with(server, 2, "ignore_startup_parameters = options");
    // One in other units than the server's own, one that no extension has, and one that cannot be
    // set later.
    let ini = |port: u16, more: &str| {
        format!(
            "[postgres]\nhost=127.0.0.1\nport={port}\nuser=postgres\ndatabase={database}\n\
             sslmode=disable\noptions=-c work_mem=65536kB -c app.tenant=seven -c IntervalStyle=sql_standard {more}\n"
        )
    };
    let direct = Checked::new(&ini(server.port(), "-c log_disconnections=on"));
    direct.one_line("database ", &["OK"]);
    assert!(!direct.err.contains("options"), "{}", direct.err);
    let pooled = Checked::new(&ini(dropping.port(), ""));
    pooled.one_line("database ", &["OK"]);
    for word in [
        "[postgres] options",
        "work_mem (it is \"4MB\")",
        "app.tenant (it is \"\")",
        "IntervalStyle (it is \"postgres\")",
        "a pooler",
    ] {
        assert!(pooled.err.contains(word), "{word}: {}", pooled.err);
    }
    // The log of a server says it as well, once.
    let unslow = Unslow::start_with(
        &["--config", "own.ini"],
        &[("own.ini", &ini(dropping.port(), ""))],
        &[],
    );
    wait_until("it is in the log", || {
        unslow.log().contains("[postgres] options")
    });
    assert_eq!(unslow.log().matches("[postgres] options").count(), 1);
}
