//! The main job: the real binary with the original's settings file, on a real PostgreSQL and a
//! real Redis, while they are up, and while they are not.

use std::process::Output;

use serde_json::json;

use crate::servers::{Postgres, Redis, postgres, wait_until as until};
use crate::unslow::{Unslow, command};

/// The settings file of the original, as it stood there.
pub(crate) fn original(postgres: &Postgres, database: &str, redis: &Redis) -> String {
    format!(
        "[postgres]\ndatabase={database}\nhost=127.0.0.1\npassword=secret\nuser=master\nport={}\n\
         \n[redis]\nurl={}\n",
        postgres.port(),
        redis.url(),
    )
}

/// A query of the user's own.
pub(crate) type File<'a> = (&'a str, &'a str);

pub(crate) fn start(ini: &str, queries: &[File<'_>]) -> Unslow {
    let mut files = vec![("app.ini", ini)];
    files.extend(queries);
    Unslow::start_with(&["--config", "app.ini"], &files, &[])
}

pub(crate) fn one_off(ini: &str, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("app.ini"), ini).unwrap();
    command(&[&["--config", "app.ini"], args].concat())
        .current_dir(folder.path())
        .output()
        .unwrap()
}

#[track_caller]
fn assert_succeeded(output: &Output) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
}

/// A `slow_version()` that tests can wait for, in place of the one that sleeps for seconds.
const QUICK_VERSION: &str = "create or replace function slow_version() returns text as \
    $$ select pg_sleep(0.3); select version() $$ language sql";

#[test]
fn the_originals_settings_file_installs_and_serves() {
    let redis = Redis::start();
    let database = postgres().database();
    let ini = original(postgres(), &database, &redis);
    for _ in 0..2 {
        assert_succeeded(&one_off(&ini, &["install"]));
    }
    let function = "select prosrc like '%pg_sleep(5)%' from pg_proc where proname = 'slow_version'";
    assert_eq!(postgres().psql(&database, function), "t");
    postgres().psql(&database, QUICK_VERSION);

    let unslow = start(&ini, &[]);
    let first = unslow.get("/");
    assert_eq!(first.status, 200, "{}", first.text());
    let page = first.text();
    for words in [
        "Database Host",
        "127.0.0.1",
        "Database Version",
        "PostgreSQL",
        "Elapsed Time",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("secret"));
    assert!(
        unslow
            .get("/")
            .header("cache-status")
            .ends_with("detail=memory")
    );

    // A second instance finds in Redis what the first has stored.
    until("the answer is in Redis", || redis.entries().len() == 1);
    let other = start(&ini, &[]);
    let answer = other.get("/q/version.json");
    assert!(
        answer.header("cache-status").ends_with("detail=redis"),
        "{answer:?}"
    );
    assert_eq!(answer.body, unslow.get("/q/version.json").body);
    assert_eq!(other.numbers("version")["loads"], 0);
}

#[test]
fn check_online_asks_database_and_redis_and_names_what_is_wrong() {
    let mut redis = Redis::start();
    let database = postgres().database();
    let ini = original(postgres(), &database, &redis);
    assert_succeeded(&one_off(&ini, &["install"]));
    assert_succeeded(&one_off(&ini, &["check", "--online"]));
    let wrong = ini.replace("secret", "hunter2");
    let output = one_off(&wrong, &["check", "--online"]);
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("password authentication failed"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    redis.kill();
    let output = one_off(&ini, &["check", "--online"]);
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.to_lowercase().contains("redis"), "{said}");
}

#[test]
fn a_redis_that_is_down_hangs_or_refuses_costs_no_request() {
    let mut redis = Redis::start();
    let database = postgres().database();
    let ini = original(postgres(), &database, &redis) + "\n[cache]\nmemory = 0\n";
    let query = [(
        "queries/answer.sql",
        "-- param: n integer = 1\nselect :n as answer",
    )];
    let unslow = start(&ini, &query);
    let ask = |n: u32| {
        let answer = unslow.get(&format!("/q/answer.json?n={n}"));
        assert_eq!(answer.json()["rows"][0]["answer"], n, "{answer:?}");
        answer.header("cache-status").to_owned()
    };
    assert!(ask(1).contains("fwd=uri-miss"));
    until("the entry is stored", || ask(1).ends_with("detail=redis"));

    redis.stop();
    for n in 2..8 {
        assert!(ask(n).contains("fwd=uri-miss"));
    }
    redis.cont();
    redis.kill();
    for n in 12..18 {
        assert!(ask(n).contains("fwd=uri-miss"));
    }
    let stats = unslow.get("/stats.json").json();
    assert_eq!(stats["redis"]["up"], false, "{stats}");
    assert!(unslow.get("/stats").text().contains("Redis"));
    assert_eq!(unslow.get("/readyz").json()["redis"], "down");
    assert_eq!(unslow.get("/readyz").status, 200);

    redis.start_again();
    redis.command("CONFIG SET requirepass other");
    assert!(ask(21).contains("fwd=uri-miss"));
    redis.restart();
    until("Redis is used again", || ask(22).ends_with("detail=redis"));
    assert_eq!(unslow.numbers("answer")["error"], 0);
}

#[test]
fn it_starts_while_the_database_is_away_and_heals_by_itself() {
    let mut postgres = Postgres::start();
    let redis = Redis::start();
    let database = postgres.database();
    postgres.psql(&database, QUICK_VERSION);
    postgres.psql(
        &database,
        "grant execute on function slow_version() to public",
    );
    let ini = original(&postgres, &database, &redis);
    postgres.kill();

    let unslow = start(&ini, &[]);
    let page = unslow.get("/");
    assert_eq!(page.status, 503);
    assert!(
        page.text()
            .contains("we're currently experiencing technical difficulties")
            || page
                .text()
                .contains("we&#39;re currently experiencing technical difficulties")
    );
    assert!(!page.text().contains("refused"), "no cause without debug");
    // Failures of one kind share a line for a minute; the first of them is named.
    let id = page.header("x-request-id");
    assert!(
        unslow.log().lines().any(|line| line.contains(id)),
        "{}",
        unslow.log()
    );
    assert!(
        unslow.log().contains("refused"),
        "the log has the cause: {}",
        unslow.log()
    );
    let answer = unslow.get("/q/version.json");
    assert_eq!(answer.status, 503);
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(unslow.get("/readyz").json()["database"], "down");

    postgres.start_again();
    until("it is served again", || {
        unslow.get("/q/version.json").status == 200
    });
    assert_eq!(unslow.get("/readyz").json()["database"], "up");

    // Gone again: what it has is served past its TTL, and says so.
    postgres.kill();
    until("a stale copy is served", || {
        let answer = unslow.get("/q/version.json");
        assert_eq!(answer.status, 200);
        answer.header("cache-status").contains("detail=stale")
    });
}

#[test]
fn a_wrong_password_is_said_under_debug_only_and_never_itself() {
    let redis = Redis::start();
    let ini = original(postgres(), "postgres", &redis).replace("secret", "hunter2");
    let unslow = start(&ini, &[]);
    let answer = unslow.get("/q/version.json");
    assert_eq!(answer.status, 503);
    assert!(!answer.text().contains("master"));
    let debug = start(&(ini + "\n[server]\ndebug = true\n"), &[]);
    let answer = debug.get("/");
    assert_eq!(answer.status, 503);
    assert!(
        answer.text().contains("password authentication failed"),
        "{}",
        answer.text()
    );
    for unslow in [&unslow, &debug] {
        assert!(!unslow.log().contains("hunter2"));
        assert!(!unslow.get("/stats").text().contains("hunter2"));
    }
}

#[test]
fn tls_to_both_is_verified() {
    let postgres = Postgres::start_tls();
    let redis = Redis::with(&crate::servers::redis::Options {
        tls: true,
        ..Default::default()
    });
    let database = postgres.database();
    let ini = format!(
        "[postgres]\ndatabase={database}\nhost=localhost\nport={}\nuser=master\npassword=secret\n\
         sslmode=verify-full\nsslrootcert={}\n[redis]\nurl={}\nca_file={}\n",
        postgres.port(),
        postgres.ca().display(),
        redis.url(),
        redis.ca().display(),
    );
    assert_succeeded(&one_off(&ini, &["install"]));
    assert_succeeded(&one_off(&ini, &["check", "--online"]));
    let used = "select count(*) > 0 from pg_stat_ssl join pg_stat_activity using (pid) \
                where ssl and datname is not null";
    let query = [("queries/tls.sql", used)];
    let answer = start(&ini, &query).get("/q/tls.json");
    assert!(answer.text().contains("true"), "{}", answer.text());
    // Another authority than the one that is trusted.
    let stranger = ini.replace(
        &postgres.ca().display().to_string(),
        &redis.ca().display().to_string(),
    );
    let output = one_off(&stranger, &["check", "--online"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn two_instances_on_another_namespace_or_database_share_nothing() {
    let redis = Redis::start();
    let one = postgres().database();
    let other = postgres().database();
    let query = [("queries/db.sql", "select current_database() as db")];
    for database in [&one, &other] {
        let unslow = start(&original(postgres(), database, &redis), &query);
        let answer = unslow.get("/q/db.json");
        assert_eq!(answer.json()["rows"][0]["db"], database.as_str());
        assert!(answer.header("cache-status").contains("uri-miss"));
    }
}

#[test]
fn who_runs_the_original_s_settings_is_told_to_install_its_function() {
    let redis = Redis::start();
    for debug in [false, true] {
        let ini = original(postgres(), &postgres().database(), &redis);
        let unslow = start(&format!("{ini}[server]\ndebug={debug}\n"), &[]);
        let home = unslow.get("/");
        assert_eq!(home.status, 503, "{}", home.text());
        assert_eq!(
            home.text().contains("unslow install"),
            debug,
            "{}",
            home.text()
        );
        assert!(!home.headers.contains_key("retry-after"), "{}", home.text());
        assert!(
            unslow.log().contains("`unslow install`"),
            "{}",
            unslow.log()
        );
    }
}

#[test]
fn without_the_sample_function_the_page_at_home_is_the_catalog_of_ones_own_queries() {
    let redis = Redis::start();
    let database = postgres().database();
    let ini = original(postgres(), &database, &redis);
    let query = [("queries/mine.sql", "-- title: Of my own\nselect 1 as n")];
    assert_succeeded(&one_off(&ini, &["check", "--online"]));
    let unslow = start(&ini, &query);
    for _ in 0..5 {
        let home = unslow.get("/");
        assert_eq!(home.status, 200, "{}", unslow.log());
        let text = home.text();
        assert!(
            text.contains("Of my own") && !text.contains("Database version"),
            "{text}"
        );
    }
    let numbers = unslow.numbers("version");
    assert_eq!(
        (&numbers["requests"], &numbers["error"]),
        (&json!(1), &json!(1)),
        "{numbers}"
    );
    let document = unslow.get("/openapi.json");
    let paths = &document.json()["paths"];
    assert!(paths.get("/q/mine.json").is_some(), "{paths}");
    assert!(!document.text().contains("/q/version"), "{paths}");
    let list = unslow.get("/q").text();
    assert!(
        list.contains("Of my own") && !list.contains("Database version"),
        "{list}"
    );
}
