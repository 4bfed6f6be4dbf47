//! Faults of a SQLite file under the real binary: damaged, replaced, removed, locked, and a
//! statement that would never end.

use std::path::Path;

use sqlx::Connection;
use tokio::runtime::Runtime;

use crate::db_support::writer;
use crate::servers::wait_until as until;
use crate::unslow::Unslow;

const VALUE: (&str, &str) = (
    "queries/value.sql",
    "-- param: k integer\n-- ttl: 1h\nselect n, :k as k from thing",
);

/// Makes a database of one value, as somebody who then closes it.
fn make(file: &Path, n: u32) {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let mut writer = writer(file).await;
        let sql = format!(
            "create table if not exists thing (n integer); delete from thing; \
             insert into thing values ({n})"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut writer)
            .await
            .unwrap();
        writer.close().await.unwrap();
    });
}

fn on(file: &Path) -> Unslow {
    let url = format!("sqlite:{}", file.display());
    Unslow::start_with(
        &["--queries", "queries", "--database-url", &url],
        &[VALUE],
        &[],
    )
}

/// The value, `None` while it cannot be had.
fn value(unslow: &Unslow, k: u32) -> Option<u64> {
    let answer = unslow.get(&format!("/q/value.json?k={k}"));
    if answer.status == 200 {
        let row = &answer.json()["rows"][0];
        assert_eq!(row["k"], k);
        return row["n"].as_u64();
    }
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.headers.contains_key("retry-after"));
    None
}

#[test]
fn a_damaged_file_is_503_for_cold_keys_and_heals_with_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("thing.db");
    make(&file, 7);
    let good = std::fs::read(&file).unwrap();
    let unslow = on(&file);
    assert_eq!(value(&unslow, 1), Some(7));
    std::fs::write(&file, "this is no database at all".repeat(1000)).unwrap();
    assert_eq!(value(&unslow, 2), None);
    assert_eq!(value(&unslow, 1), Some(7), "the copy is served");
    assert_eq!(unslow.get("/readyz").json()["database"], "down");
    std::fs::write(&file, good).unwrap();
    until("it is read again", || value(&unslow, 2) == Some(7));
    assert_eq!(unslow.get("/readyz").json()["database"], "up");
}

#[test]
fn a_file_that_is_replaced_is_read_anew_and_one_that_is_gone_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("thing.db");
    let next = folder.path().join("next.db");
    make(&file, 1);
    let unslow = on(&file);
    assert_eq!(value(&unslow, 1), Some(1));
    make(&next, 2);
    std::fs::rename(&next, &file).unwrap();
    assert_eq!(value(&unslow, 2), Some(2));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(value(&unslow, 3), None);
    assert!(!file.exists(), "and it is not made");
    make(&file, 3);
    until("it is read again", || value(&unslow, 3) == Some(3));
}

/// SQLite sees by a counter in the file that somebody wrote to it; a copy of another file has its own.
#[test]
fn a_file_that_is_copied_over_is_read_anew_although_its_counter_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (file, next) = (
        folder.path().join("thing.db"),
        folder.path().join("next.db"),
    );
    make(&file, 1);
    make(&next, 2);
    let unslow = on(&file);
    assert_eq!(value(&unslow, 1), Some(1));
    std::fs::copy(&next, &file).unwrap();
    assert_eq!(value(&unslow, 2), Some(2));
}

#[test]
fn a_file_that_somebody_has_locked_is_503_until_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("thing.db");
    make(&file, 7);
    let unslow = on(&file);
    assert_eq!(value(&unslow, 1), Some(7));
    let runtime = Runtime::new().unwrap();
    let mut other = runtime.block_on(writer(&file));
    let mut run = |sql| {
        runtime
            .block_on(sqlx::raw_sql(sql).execute(&mut other))
            .unwrap();
    };
    run("begin exclusive");
    assert_eq!(value(&unslow, 2), None);
    assert_eq!(value(&unslow, 1), Some(7), "the copy is served");
    let says = |words| unslow.get("/stats").text().contains(words);
    assert!(says("The database was locked by somebody else"));
    assert_eq!(unslow.get("/readyz").json()["database"], "up");
    run("rollback");
    until("it is free", || value(&unslow, 2) == Some(7));
}

#[test]
fn a_statement_without_an_end_is_504_and_ends() {
    let endless = (
        "queries/endless.sql",
        "-- timeout: 200ms\nwith recursive r(n) as (select 1 union all select n + 1 from r) \
         select max(n) as n from r",
    );
    let unslow = Unslow::start_with(&["--queries", "queries"], &[endless], &[]);
    for path in ["/q/endless.json", "/q/endless"] {
        assert_eq!(unslow.get(path).status, 504, "{path}");
    }
    assert_eq!(unslow.numbers("endless")["loads_in_flight"], 0);
    assert_eq!(unslow.get("/q/revenue.json").status, 200);
}

/// One step of SQLite's machine, which takes seconds and in which nothing is looked at.
const LONG_STEP: (&str, &str) = (
    "queries/step.sql",
    "-- param: k integer\n-- timeout: 100ms\n-- concurrency: 8\n\
     select instr(printf('%.*c', 1200000 + :k, 'a'), printf('%.*c', 600000, 'a') || 'b') as n",
);

/// The threads of a process that work for SQLite.
fn sqlite_threads(pid: u32) -> usize {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let names = threads.filter_map(|thread| {
        // It may have ended since.
        std::fs::read_to_string(thread.ok()?.path().join("comm")).ok()
    });
    names.filter(|name| name.starts_with("sqlx-sqlite")).count()
}

#[test]
fn a_single_long_step_keeps_its_slot_and_there_are_no_more_threads_than_slots() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("thing.db");
    make(&file, 7);
    let url = format!("sqlite:{}", file.display());
    let unslow = Unslow::start_with(
        &[
            "--queries",
            "queries",
            "--database-url",
            &url,
            "--pool-size",
            "3",
        ],
        &[VALUE, LONG_STEP],
        &[],
    );
    assert_eq!(value(&unslow, 1), Some(7));
    let pool = |name: &str| unslow.get("/stats.json").json()["database"]["pool"][name].as_u64();
    let answers: Vec<_> = (0..8)
        .map(|k| unslow.send("GET", &format!("/q/step.json?k={k}"), &[]))
        .collect();
    let mut statuses = std::collections::BTreeMap::new();
    for answer in answers {
        let answer = answer.answer();
        *statuses.entry(answer.status).or_insert(0) += 1;
        let threads = sqlite_threads(unslow.pid());
        assert!(threads <= 3, "{threads} threads for 3 slots");
    }
    // All loads together leave one slot to others, and those that got none are sent away.
    let all: Vec<_> = statuses.keys().copied().collect();
    assert_eq!(all, [503, 504], "{statuses:?}");
    assert_eq!(
        pool("used"),
        Some(2),
        "the steps go on, and so do their slots"
    );
    assert_eq!(pool("stuck"), Some(2));
    assert!(
        unslow
            .get("/stats")
            .text()
            .contains("cannot be interrupted within a step")
    );
    assert_eq!(value(&unslow, 1), Some(7), "the copy is served");
    until("the steps are over", || pool("used") == Some(0));
    assert_eq!(pool("stuck"), Some(0));
    assert_eq!(value(&unslow, 2), Some(7));
}
