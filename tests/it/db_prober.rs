//! A database that is away is asked by one task and not by every load, and what is only a broken
//! session is not taken for an outage.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::Connection;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use unslow::error::RequestError;
use unslow::settings::DatabaseTarget;

use crate::db_support::{json, on_postgres, open, postgres, ready, run, writer};
use crate::servers::{self, Postgres, until};

const ONE: &str = "select 1 as a";

/// A port on which every connection is closed at once, and how many there were.
async fn slammed_door() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let came = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&came);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            // A connection that is closed unread is reset, and that may come before or after the
            // greeting.
            let _ = client.read(&mut [0; 1024]).await;
        }
    });
    (port, came)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_asked_by_the_prober_and_not_by_every_load() {
    let (port, came) = slammed_door().await;
    let database = open(DatabaseTarget::Postgres(on_postgres(port, "postgres")));
    let began = Instant::now();
    for _ in 0..100 {
        let error = run(&database, ONE).await.unwrap_err();
        assert!(error.retry_after().is_some());
        // The cause that was found.
        let place = format!("127.0.0.1:{port}: ");
        assert!(error.to_string().contains(&place), "{error}");
    }
    // The first load, the prober's first question, and one each second.
    let most = 2 + usize::try_from(began.elapsed().as_secs()).unwrap();
    let came = came.load(Ordering::SeqCst);
    assert!(came <= most, "{came} connections, at most {most}");
    assert_eq!(database.health().up, Some(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_server_is_back_is_noticed_without_a_load_and_told() {
    let mut server = Postgres::start();
    let database = open(DatabaseTarget::Postgres(on_postgres(
        server.port(),
        "postgres",
    )));
    ready(&database).await;
    let mut recoveries = database.watch_recoveries();
    server.kill();
    run(&database, ONE).await.unwrap_err();
    assert!(!recoveries.has_changed().unwrap());
    server.start_again();
    let told = tokio::time::timeout(Duration::from_mins(1), recoveries.changed());
    told.await.expect("the prober asks").unwrap();
    assert_eq!(database.health().up, Some(true));
    assert_eq!(json(&run(&database, ONE).await.unwrap()), r#"{"a":1}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_somebody_ends_is_no_outage() {
    let (database, name) = postgres();
    let server = servers::postgres();
    ready(&database).await;
    let recoveries = database.watch_recoveries();
    for _ in 0..3 {
        let sleeping = run(&database, "select pg_sleep(1618)::text as a");
        let ended = async {
            until("it sleeps", || server.running("pg_sleep(1618)") == 1).await;
            server.end_sessions(&name);
        };
        let (end, ()) = tokio::join!(sleeping, ended);
        assert!(
            matches!(end, Err(RequestError::Unavailable { .. })),
            "{end:?}"
        );
        run(&database, ONE).await.unwrap();
    }
    assert_eq!(database.health().up, Some(true));
    assert!(!recoveries.has_changed().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_is_up_and_every_load_tries() {
    let settings = ["max_connections=5", "superuser_reserved_connections=3"];
    let server = Postgres::with(&settings, false);
    let target = || DatabaseTarget::Postgres(on_postgres(server.port(), "postgres"));
    let holders = [open(target()), open(target())];
    for holder in &holders {
        run(holder, ONE).await.unwrap();
    }
    let late = open(target());
    let error = run(&late, ONE).await.unwrap_err();
    assert!(error.to_string().contains("connection slots"), "{error}");
    assert_eq!(late.health().up, Some(true));
    let cause = late.health().last_error.unwrap();
    assert!(cause.contains("connection slots"), "{cause}");
    drop(holders);
    // It is tried until the server has noticed that they are gone.
    run(&late, ONE).await.unwrap();
    assert_eq!(late.health().up, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_opened_is_away_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let database = open(DatabaseTarget::SqliteFile(path.clone()));
    let mut recoveries = database.watch_recoveries();
    run(&database, ONE).await.unwrap_err();
    assert_eq!(database.health().up, Some(false));
    std::fs::write(&path, "no database ".repeat(1000)).unwrap();
    run(&database, "select * from thing").await.unwrap_err();
    assert!(!recoveries.has_changed().unwrap());
    std::fs::remove_file(&path).unwrap();
    let mut made = writer(&path).await;
    sqlx::raw_sql("create table thing as select 7 as n")
        .execute(&mut made)
        .await
        .unwrap();
    made.close().await.unwrap();
    let told = tokio::time::timeout(Duration::from_mins(1), recoveries.changed());
    told.await.expect("the prober asks").unwrap();
    let rows = run(&database, "select n from thing").await.unwrap();
    assert_eq!(json(&rows), r#"{"n":7}"#);
}
