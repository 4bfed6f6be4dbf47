//! An App and the one that follows it, on the embedded demo; with servers, in `tests/it/renew.rs`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use super::*;
use crate::cache::Reply;
use crate::error::RequestError;
use crate::outcome::{Outcome, Tier};

const HIT: Outcome = Outcome::Hit(Tier::Memory);

/// A folder of queries.
struct Queries(tempfile::TempDir);

impl Queries {
    fn new(files: &[(&str, &str)]) -> Queries {
        let queries = Queries(tempfile::tempdir().unwrap());
        for (name, text) in files {
            queries.write(name, text);
        }
        queries
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.file(name)).unwrap();
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(format!("{name}.sql"))
    }

    fn settings(&self, flags: &[&str]) -> Settings {
        Settings::from_flags(&self.flags(flags)).unwrap()
    }

    /// These flags, after the defaults of those that are not among them.
    fn flags<'a>(&'a self, flags: &[&'a str]) -> Vec<&'a str> {
        let folder = self.0.path().to_str().unwrap();
        let defaults = [("--ttl", "1h"), ("--queries", folder)];
        let defaults = defaults.iter().filter(|(flag, _)| !flags.contains(flag));
        let defaults = defaults.flat_map(|(flag, value)| [*flag, *value]);
        defaults.chain(flags.iter().copied()).collect()
    }

    fn open(&self) -> App {
        App::open(self.settings(&[])).unwrap()
    }
}

async fn ask(app: &App, query: &str) -> Result<Reply, RequestError> {
    let query = app.find_query(query)?;
    app.answer_query(query, query.read_arguments(&[])?).await
}

async fn outcome(app: &App, query: &str) -> Outcome {
    ask(app, query).await.unwrap().outcome
}

fn loads(app: &App, query: &str) -> u64 {
    let queries = app.stats.take_snapshot(crate::stats::Window::Start).queries;
    let one = queries.into_iter().find(|one| one.query == query);
    one.unwrap().numbers.loads
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_mins(1);
    while !condition() {
        assert!(Instant::now() < give_up, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn counters_and_memory_are_those_of_the_app_before() {
    let queries = Queries::new(&[("one", "select 1 as n")]);
    let before = queries.open();
    assert_eq!(outcome(&before, "one").await, Outcome::Miss);
    let after = before.reconfigure(queries.settings(&[])).await.unwrap();
    assert_eq!(outcome(&after, "one").await, HIT);
    assert_eq!(outcome(&before, "one").await, HIT);
    assert_eq!(after.started, before.started);
    drop(before);
    assert_eq!(outcome(&after, "one").await, HIT);
    let snapshot = after.stats.take_snapshot(crate::stats::Window::Start);
    assert_eq!((snapshot.total.requests, snapshot.total.loads), (4, 1));
    assert_eq!(snapshot.memory.entries, 1);
}

#[tokio::test]
async fn changed_settings_act_at_once_and_on_the_new_one_only() {
    let queries = Queries::new(&[("one", "select 1 as n")]);
    let before = queries.open();
    ask(&before, "one").await.unwrap();
    let after = before
        .reconfigure(queries.settings(&["--ttl", "1ms"]))
        .await;
    let reply = ask(&after.unwrap(), "one").await.unwrap();
    assert!(reply.ttl <= Duration::from_millis(1), "{:?}", reply.ttl);
    assert!(ask(&before, "one").await.unwrap().ttl > Duration::from_mins(50));
}

#[tokio::test]
async fn queries_that_were_added_removed_or_changed_are_so_at_once_and_on_the_new_one_only() {
    let files = [("gone", "select 1 as n"), ("other", "select 2 as n")];
    let queries = Queries::new(&files);
    let before = queries.open();
    for query in ["gone", "other"] {
        assert_eq!(outcome(&before, query).await, Outcome::Miss);
    }
    queries.remove("gone");
    queries.write("other", "select 3 as n");
    queries.write("added", "select 4 as n");
    let after = before.reconfigure(queries.settings(&[])).await.unwrap();
    assert_eq!(outcome(&after, "added").await, Outcome::Miss);
    assert_eq!(outcome(&after, "other").await, Outcome::Miss);
    let gone = ask(&after, "gone").await.unwrap_err();
    assert_eq!(gone.class(), "unknown_query");
    assert_eq!(outcome(&before, "gone").await, HIT);
    assert_eq!(outcome(&before, "other").await, HIT);
    assert_eq!((loads(&after, "gone"), loads(&after, "other")), (1, 2));
    assert_eq!(
        after
            .stats
            .take_snapshot(crate::stats::Window::Start)
            .total
            .requests,
        6
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_and_changes_nothing() {
    let queries = Queries::new(&[("one", "select 1 as n")]);
    let before = queries.open();
    ask(&before, "one").await.unwrap();
    let tasks = || before.engine.handle().metrics().num_alive_tasks();
    let quiet = tasks();
    let refused = async |flags: &[&str]| {
        let error = before
            .reconfigure(queries.settings(flags))
            .await
            .unwrap_err();
        error.to_string()
    };
    let password = queries.0.path().join("password");
    std::fs::write(&password, "secret").unwrap();
    let no_server = [
        "--database-url",
        "postgres://user@127.0.0.1:1/db",
        "--db-password-file",
        password.to_str().unwrap(),
    ];
    let words = refused(&no_server).await;
    assert!(
        words.contains("[postgres]") && words.contains("127.0.0.1:1"),
        "{words}"
    );
    assert!(!words.contains("secret"), "{words}");
    let no_file = format!("sqlite:{}", queries.file("one").display());
    let words = refused(&["--database-url", &no_file]).await;
    assert!(words.contains("[postgres] url"), "{words}");
    let redis = [("REDIS_URL", "redis://:secret@127.0.0.1:1")];
    let settings = Settings::from_flags_with(&queries.flags(&[]), &redis).unwrap();
    let words = before.reconfigure(settings).await.unwrap_err().to_string();
    assert!(words.contains("[redis] url"), "{words}");
    assert!(!words.contains("secret"), "{words}");
    assert!(refused(&["--home", "none"]).await.contains("--home"));
    queries.write("broken", "-- ttl: soon\nselect 1");
    assert!(refused(&[]).await.contains("broken.sql:1"));
    assert_eq!(outcome(&before, "one").await, HIT);
    assert_eq!(
        before
            .stats
            .take_snapshot(crate::stats::Window::Start)
            .queries
            .len(),
        before.catalog.iter().count()
    );
    until("nothing of it is left", || tasks() <= quiet).await;
    queries.remove("broken");
    assert!(before.reconfigure(queries.settings(&[])).await.is_ok());
}

#[tokio::test]
async fn the_database_goes_on_unless_its_settings_have_changed_and_memory_does_in_any_case() {
    let queries = Queries::new(&[("one", "select 1 as n")]);
    let before = queries.open();
    ask(&before, "one").await.unwrap();
    for (flags, same) in [
        (&["--ttl", "2h"][..], true),
        (&["--max-rows", "7"], true),
        (&["--pool-size", "3"], false),
        (&["--max-entry", "1MiB"], true),
        (&["--demo-delay", "1ms"], false),
    ] {
        let after = before.reconfigure(queries.settings(flags)).await.unwrap();
        assert_eq!(Arc::ptr_eq(&after.db, &before.db), same, "{flags:?}");
        // Another bound on rows is another statement.
        let kept = flags[0] != "--max-rows";
        assert_eq!(outcome(&after, "one").await == HIT, kept, "{flags:?}");
    }
}

#[tokio::test]
async fn what_only_a_restart_changes_stays_as_it_is() {
    let queries = Queries::new(&[("one", "select 1 as n")]);
    let before = queries.open();
    let settings = queries.settings(&["--memory", "1MiB"]);
    let names = settings::restart_only(&before.settings, &settings);
    assert_eq!(names, ["[cache] memory"]);
    let after = before.reconfigure(settings).await.unwrap();
    let bound = after
        .stats
        .take_snapshot(crate::stats::Window::Start)
        .memory
        .max_bytes;
    assert_eq!(bound, before.settings.cache.memory);
    assert_eq!(bound, after.settings.cache.memory);
}

#[tokio::test]
async fn a_warm_up_after_the_first_loads_only_what_memory_has_no_copy_of() {
    let warm = "-- warm: true\n-- ttl: 1ms\nselect 1 as n";
    let queries = Queries::new(&[("a", warm)]);
    let before = queries.open();
    until("it is warm", || {
        before
            .stats
            .take_snapshot(crate::stats::Window::Start)
            .memory
            .entries
            == 1
    })
    .await;
    queries.write("b", warm);
    let after = before.reconfigure(queries.settings(&[])).await.unwrap();
    // They are looked at in this order.
    until("the other is warm", || {
        after
            .stats
            .take_snapshot(crate::stats::Window::Start)
            .memory
            .entries
            == 2
    })
    .await;
    assert_eq!((loads(&after, "a"), loads(&after, "b")), (1, 1));
}

#[tokio::test]
async fn a_hundred_renewals_leave_nothing_behind() {
    let refreshed = "-- warm: true\n-- refresh: 1h\nselect 1 as n";
    let queries = Queries::new(&[("one", refreshed), ("two", "select 2 as n")]);
    let mut app = queries.open();
    until("it is warm", || {
        app.stats
            .take_snapshot(crate::stats::Window::Start)
            .memory
            .entries
            == 1
    })
    .await;
    let tasks = app.engine.handle().metrics();
    let at_first = tasks.num_alive_tasks();
    for number in 0..100 {
        let flags = match number % 10 {
            0 => &["--pool-size", "3"][..],
            1..4 => &["--max-entry", "1MiB"],
            4..7 => &["--ttl", "2h"],
            _ => &[],
        };
        let next = app.reconfigure(queries.settings(flags)).await.unwrap();
        drop(std::mem::replace(&mut app, next));
        assert_eq!(outcome(&app, "one").await, HIT);
        let refused = app.reconfigure(queries.settings(&["--home", "none"])).await;
        assert!(refused.is_err());
    }
    outcome(&app, "two").await;
    // One more may be what looks after the connections of the latest pool.
    let ended = || tasks.num_alive_tasks() <= at_first + 1;
    until("the tasks have ended", ended).await;
    assert_eq!(loads(&app, "one"), 1);
    assert_eq!(
        app.stats
            .take_snapshot(crate::stats::Window::Start)
            .total
            .requests,
        101
    );
}

#[tokio::test]
async fn a_query_that_the_database_refuses_is_not_taken_by_a_reload() {
    let queries = Queries::new(&[("one", "select 1 as n"), ("old", "select nothing as n")]);
    let before = queries.open();
    queries.write(
        "new",
        "-- param: a integer\nselect frm sqlite_schema where :a = 1",
    );
    let error = before
        .reconfigure(queries.settings(&[]))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("new.sql:2:8: the database does not take this query: "),
        "{error}"
    );
    assert!(
        error.contains("frm") && error.contains("mend the query"),
        "{error}"
    );
    assert_eq!(outcome(&before, "one").await, Outcome::Miss);
    // What was refused already when the program started stops no reload.
    queries.write(
        "new",
        "-- param: a integer\nselect name from sqlite_schema where :a = 1",
    );
    before.reconfigure(queries.settings(&[])).await.unwrap();
}
