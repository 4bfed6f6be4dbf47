//! Statements that do not end by their cancellation: there are never more backends than the pool
//! has connections, the others are served, and what cannot be ended counts as taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use unslow::db::{Database, Limits};
use unslow::error::RequestError;
use unslow::query::{Arguments, Catalog};
use unslow::settings::DatabaseTarget;

use crate::db_support::{LIMITS, json, on_postgres, open_with, postgres, run, run_with};
use crate::servers::{self, Postgres, until, wait_until};
use crate::unslow::Unslow;

/// A function that no cancellation ends.
const STUBBORN: &str = "create function stubborn() returns int language plpgsql as \
     'begin loop begin perform pg_sleep(1000); \
     exception when query_canceled then null; end; end loop; end'";

fn briefly(millis: u64) -> Limits {
    Limits {
        timeout: Duration::from_millis(millis),
        ..LIMITS
    }
}

/// The backends that serve this database.
fn backends(server: &Postgres, database: &str) -> usize {
    let sql = format!(
        "select count(*) from pg_stat_activity where datname = '{database}' \
         and backend_type = 'client backend' and pid <> pg_backend_pid()"
    );
    server.psql("postgres", &sql).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_statement_that_catches_its_cancellation_keeps_no_more_backends_than_the_pool_has() {
    let server = servers::postgres();
    let name = server.database();
    server.psql(&name, STUBBORN);
    let target = DatabaseTarget::Postgres(on_postgres(server.port(), &name));
    let database: Arc<Database> = Arc::new(open_with(target, |settings| {
        settings.limits.pool_size = 4;
    }));
    let (most, watched) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(true)),
    );
    let watch = std::thread::spawn({
        let (most, watched, name) = (Arc::clone(&most), Arc::clone(&watched), name.clone());
        move || {
            while watched.load(Ordering::SeqCst) {
                most.fetch_max(backends(server, &name), Ordering::SeqCst);
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file("other.sql", "select 1 as a");
    file(
        "stubborn.sql",
        "-- param: n integer\nselect stubborn() as a, :n as b",
    );
    let catalog = Catalog::load(database.kind(), Some(folder.path())).unwrap();
    let find = |name: &str| Arc::clone(catalog.get(name).unwrap());
    let (other, stubborn) = (find("other"), find("stubborn"));
    let visitors: Vec<_> = (0..8)
        .map(|n| {
            let (database, stubborn) = (Arc::clone(&database), Arc::clone(&stubborn));
            let pair = ("n".to_owned(), n.to_string());
            let arguments = stubborn.read_arguments(&[pair]).unwrap();
            tokio::spawn(async move { database.run(&stubborn, &arguments, briefly(100)).await })
        })
        .collect();
    // A query of another kind goes on beside them.
    for _ in 0..5 {
        let rows = database.run(&other, &Arguments(Vec::new()), LIMITS).await;
        assert_eq!(json(&rows.unwrap()), r#"{"a":1}"#);
    }
    for visitor in visitors {
        let end = visitor.await.unwrap();
        let in_time = matches!(
            end,
            Err(RequestError::Timeout { .. }
                | RequestError::Unavailable { .. }
                | RequestError::Busy { .. })
        );
        assert!(in_time, "{end:?}");
    }
    until("nothing is stubborn any more", || {
        server.running("stubborn()") == 0
    })
    .await;
    until("all slots are free", || database.pool_state().used == 0).await;
    watched.store(false, Ordering::SeqCst);
    watch.join().unwrap();
    let most = most.load(Ordering::SeqCst);
    assert!((1..=4).contains(&most), "{most} backends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_nothing_ends_counts_as_taken_until_it_is_gone() {
    let (database, name) = postgres();
    let server = servers::postgres();
    let sql = "select pg_sleep(271)::text as a, pg_backend_pid() as b";
    let running = run_with(&database, sql, &[], briefly(1000));
    let frozen = async {
        until("it runs", || server.running("pg_sleep(271)") == 1).await;
        let pid = server.psql(
            &name,
            "select pid from pg_stat_activity where query like '%pg_sleep(271)%' \
             and state = 'active' and pid <> pg_backend_pid()",
        );
        let pid = Pid::from_raw(pid.parse().unwrap());
        kill(pid, Signal::SIGSTOP).unwrap();
        pid
    };
    let (end, pid) = tokio::join!(running, frozen);
    assert!(matches!(end, Err(RequestError::Timeout { .. })), "{end:?}");
    until("it is stuck", || database.pool_state().stuck == 1).await;
    assert_eq!(database.pool_state().used, 1);
    // The others go on.
    run(&database, "select 1 as a").await.unwrap();
    kill(pid, Signal::SIGCONT).unwrap();
    until("its slot is free", || {
        let state = database.pool_state();
        (state.used, state.stuck) == (0, 0)
    })
    .await;
    assert_eq!(server.running("pg_sleep(271)"), 0);
}

#[test]
fn no_backend_outlives_a_killed_program() {
    let server = servers::postgres();
    let name = server.database();
    let url = format!(
        "postgres://postgres@127.0.0.1:{}/{name}?sslmode=disable",
        server.port()
    );
    let program = Unslow::start_with(
        &["--database-url", &url, "--queries", "queries"],
        &[("queries/sleepy.sql", "select pg_sleep(314)::text as a")],
        &[],
    );
    let _asked = program.send("GET", "/q/sleepy.json", &[]);
    wait_until("it runs", || server.running("pg_sleep(314)") == 1);
    program.signal(Signal::SIGKILL);
    wait_until("its backend is gone", || {
        server.running("pg_sleep(314)") == 0
    });
}
