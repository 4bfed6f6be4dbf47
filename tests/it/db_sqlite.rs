//! SQLite: the embedded demo and files; parallel, interruptible, read-only.

use std::path::Path;
use std::time::Duration;

use sqlx::Connection;
use unslow::db::{Database, Limits};
use unslow::error::RequestError;
use unslow::query::{Arguments, Catalog, DatabaseKind};
use unslow::settings::DatabaseTarget;

use crate::db_support::{LIMITS, json, open, open_with, query, run, run_with, writer};
use crate::servers::until;

const HOUR: Duration = Duration::from_hours(1);
const ENDLESS: &str =
    "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) as c from n";

/// A file with what `sql` makes.
async fn file(folder: &Path, sql: &'static str) -> DatabaseTarget {
    let path = folder.join("shop.db");
    let mut connection = writer(&path).await;
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    DatabaseTarget::SqliteFile(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_stays_one_database_over_writes_and_another_under_its_name_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let make = "create table t (a); insert into t values (1)";
    let target = file(folder.path(), make).await;
    let path = folder.path().join("shop.db");
    let database = open(target);
    let rows = run(&database, "select a from t").await.unwrap();
    let system = rows.system.unwrap();
    assert_eq!(database.database_system().as_ref(), Some(&system));
    let mut connection = writer(&path).await;
    let write = sqlx::raw_sql("insert into t values (2); delete from t where a = 1");
    write.execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let rows = run(&database, "select a from t").await.unwrap();
    assert_eq!(
        (json(&rows), rows.system.as_ref()),
        (r#"{"a":2}"#, Some(&system))
    );
    // The same tables, written as often, in another file that takes the name.
    let other = tempfile::tempdir().unwrap();
    file(other.path(), make).await;
    std::fs::rename(other.path().join("shop.db"), &path).unwrap();
    let rows = run(&database, "select a from t").await.unwrap();
    assert_eq!(json(&rows), r#"{"a":1}"#);
    assert!(rows.system.is_some() && rows.system != Some(system));
    assert_eq!(database.database_system(), rows.system);
}

fn sleepy(delay: Duration) -> Database {
    open_with(DatabaseTarget::Demo, |settings| settings.demo_delay = delay)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_has_rows_and_slow_version() {
    let database = sleepy(Duration::from_millis(1));
    let rows = run(&database, "select slow_version() as version")
        .await
        .unwrap();
    assert!(
        json(&rows).starts_with(r#"{"version":"SQLite 3."#),
        "{}",
        json(&rows)
    );
    let tables = "select name from sqlite_master where type = 'table'";
    assert!(run(&database, tables).await.unwrap().count > 0);
    assert_eq!(database.health().up, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_queries_run_on_the_demo() {
    let database = sleepy(Duration::from_millis(1));
    let catalog = Catalog::load(DatabaseKind::Sqlite, None).unwrap();
    for query in catalog.iter() {
        let arguments = query.read_arguments(&[]).unwrap();
        let rows = database.run(query, &arguments, LIMITS).await;
        assert!(rows.is_ok_and(|rows| rows.count > 0), "{}", query.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sleeping_query_holds_up_no_other() {
    let database = sleepy(HOUR);
    let slow = query(
        database.kind(),
        "select slow_version() as v, count(*) as c from sqlite_master",
    );
    let none = Arguments(Vec::new());
    let sleeping = database.run(&slow, &none, LIMITS);
    let others = async {
        until("it sleeps", || database.pool_state().used == 1).await;
        for _ in 0..20 {
            run(&database, "select count(*) as c from sqlite_master")
                .await
                .unwrap();
        }
        assert_eq!(database.pool_state().used, 1);
    };
    tokio::select! {
        end = sleeping => panic!("it ended: {end:?}"),
        () = others => {}
    }
    until("it is given up", || database.pool_state().used == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_over_its_limit_is_a_timeout_asleep_or_busy() {
    let database = sleepy(HOUR);
    let limits = Limits {
        timeout: Duration::from_millis(100),
        ..LIMITS
    };
    run(&database, "select 1 as a").await.unwrap();
    for sql in ["select slow_version() as v", ENDLESS] {
        let end = run_with(&database, sql, &[], limits).await;
        assert!(
            matches!(end, Err(RequestError::Timeout { .. })),
            "{sql}: {end:?}"
        );
    }
    assert_eq!(
        json(&run(&database, "select 1 as a").await.unwrap()),
        r#"{"a":1}"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_given_up_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let target = file(folder.path(), "create table t (a)").await;
    let database = open_with(target, |settings| settings.demo_delay = HOUR);
    for sql in [
        "select slow_version() as v from (select 1) left join t",
        ENDLESS,
    ] {
        let query = query(database.kind(), sql);
        let none = Arguments(Vec::new());
        {
            let run = database.run(&query, &none, LIMITS);
            let running = until("it runs", || open_files(folder.path()) > 0);
            tokio::select! {
                biased;
                end = run => panic!("it ended: {end:?}"),
                () = running => {}
            }
        }
        // Its connection closes when the statement has ended, and not before.
        until("its connection is closed", || {
            open_files(folder.path()) == 0
        })
        .await;
    }
}

/// Returns how many descriptors of this process lead into a folder.
fn open_files(folder: &Path) -> usize {
    std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| target.starts_with(folder))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_cut_off_and_results_are_bounded() {
    let database = open_with(DatabaseTarget::Demo, |settings| {
        settings.limits.max_result = 1 << 20;
    });
    let limits = Limits {
        max_rows: 2,
        max_bytes: 1 << 20,
        ..LIMITS
    };
    let rows = run_with(&database, "values (1), (2), (3)", &[], limits)
        .await
        .unwrap();
    assert_eq!(
        (json(&rows), rows.truncated),
        (r#"{"column1":1},{"column1":2}"#, true)
    );
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) \
                   select hex(zeroblob(1000)) as x from n";
    let wide = Limits {
        max_rows: u64::MAX,
        ..limits
    };
    for sql in [endless, "select zeroblob(900000000) as x"] {
        let end = run_with(&database, sql, &[], wide).await;
        assert!(
            matches!(end, Err(RequestError::TooLarge { .. })),
            "{sql}: {end:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_known_when_empty_and_two_of_one_name_are_refused() {
    let database = sleepy(HOUR);
    let none = Arguments(Vec::new());
    let slow = query(
        database.kind(),
        "select slow_version() as z, 1 as a -- remark",
    );
    assert_eq!(
        database.column_names(&slow, &none).await.unwrap(),
        ["z", "a"]
    );
    let empty = run(&database, "select 1 as z, 2 as a where false")
        .await
        .unwrap();
    assert_eq!(
        (empty.columns.as_slice(), empty.count),
        (&["z", "a"].map(String::from)[..], 0)
    );
    let refusal = run(&database, "select 1 as a, 2 as a").await.unwrap_err();
    assert!(
        matches!(refusal, RequestError::BadQuery { .. }),
        "{refusal:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_and_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let sql = "create table t (id integer primary key, paid boolean, x real, b blob, n text); \
               insert into t values (1, 1, 0.5, x'00ff', 'a'), (2, 0, 2, null, null)";
    let database = open(file(folder.path(), sql).await);
    assert_eq!(database.host(), "shop.db");
    let rows = run(&database, "select * from t order by id").await.unwrap();
    assert_eq!(
        json(&rows),
        r#"{"id":1,"paid":true,"x":0.5,"b":"\\x00ff","n":"a"},{"id":2,"paid":false,"x":2,"b":null,"n":null}"#
    );
    let missing = DatabaseTarget::SqliteFile(folder.path().join("missing.db"));
    let end = run(&open(missing), "select 1 as a").await;
    assert!(
        matches!(end, Err(RequestError::Unavailable { .. })),
        "{end:?}"
    );
    assert!(!folder.path().join("missing.db").exists());
    let damaged = folder.path().join("damaged.db");
    std::fs::write(
        &damaged,
        "this is not a database, it only looks like a file of that name",
    )
    .unwrap();
    let end = run(
        &open(DatabaseTarget::SqliteFile(damaged)),
        "select * from sqlite_master",
    )
    .await;
    assert!(
        matches!(end, Err(RequestError::Unavailable { .. })),
        "{end:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_is_unavailable_until_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let target = file(
        folder.path(),
        "create table t (a); insert into t values (1)",
    )
    .await;
    let database = open(target);
    let mut writer = writer(&folder.path().join("shop.db")).await;
    sqlx::raw_sql("begin exclusive")
        .execute(&mut writer)
        .await
        .unwrap();
    let end = run(&database, "select a from t").await;
    assert!(
        matches!(end, Err(RequestError::Unavailable { .. })),
        "{end:?}"
    );
    sqlx::raw_sql("rollback")
        .execute(&mut writer)
        .await
        .unwrap();
    assert_eq!(
        json(&run(&database, "select a from t").await.unwrap()),
        r#"{"a":1}"#
    );
}
