//! A PostgreSQL that dies, hangs or comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use unslow::db::Limits;
use unslow::error::RequestError;
use unslow::settings::DatabaseTarget;

use crate::db_support::{LIMITS, json, on_postgres, open, ready, run, run_with};
use crate::servers::{self, Postgres, until};

const ONE: &str = "select 1 as a";

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_died_while_idle_are_replaced_without_an_error() {
    let mut server = Postgres::start();
    let database = open(DatabaseTarget::Postgres(on_postgres(
        server.port(),
        "postgres",
    )));
    let sleep = "select pg_sleep(0.2)::text as a";
    let (first, second, third) = tokio::join!(
        run(&database, sleep),
        run(&database, sleep),
        run(&database, sleep)
    );
    for end in [first, second, third] {
        assert!(end.is_ok(), "{end:?}");
    }
    until("all have ended", || database.pool_state().idle == 3).await;
    server.restart();
    assert_eq!(json(&run(&database, ONE).await.unwrap()), r#"{"a":1}"#);
    server.end_sessions("postgres");
    assert_eq!(json(&run(&database, ONE).await.unwrap()), r#"{"a":1}"#);
    until("no slot is taken", || database.pool_state().used == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_unavailable_until_it_is_back() {
    let mut server = Postgres::start();
    let database = open(DatabaseTarget::Postgres(on_postgres(
        server.port(),
        "postgres",
    )));
    assert_eq!(database.health().up, None);
    ready(&database).await;
    server.kill();
    let error = run(&database, ONE).await.unwrap_err();
    assert!(
        matches!(error, RequestError::Unavailable { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("refused"), "{error}");
    assert_eq!(database.health().up, Some(false));
    server.start_again();
    until("it is up", || database.health().up == Some(true)).await;
    ready(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_found_out_before_the_statement_is_sent() {
    let server = Postgres::start();
    let database = open(DatabaseTarget::Postgres(on_postgres(
        server.port(),
        "postgres",
    )));
    let fresh = open(DatabaseTarget::Postgres(on_postgres(
        server.port(),
        "postgres",
    )));
    ready(&database).await;
    server.stop();
    // On an idle connection, and on a new one.
    for database in [&database, &fresh] {
        let error = run(database, ONE).await.unwrap_err();
        assert!(
            matches!(error, RequestError::Unavailable { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains("no answer"), "{error}");
    }
    server.cont();
    until("it is up", || database.health().up == Some(true)).await;
    ready(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_in_mid_statement_is_given_up_after_the_limit() {
    let server = Postgres::start();
    let database = open(DatabaseTarget::Postgres(on_postgres(
        server.port(),
        "postgres",
    )));
    let limits = Limits {
        timeout: Duration::from_secs(3),
        ..LIMITS
    };
    ready(&database).await;
    let running = run_with(&database, "select pg_sleep(44)::text as a", &[], limits);
    let stopped = async {
        until("the statement runs", || server.running("pg_sleep(44)") == 1).await;
        server.stop();
    };
    let (end, ()) = tokio::join!(running, stopped);
    assert!(matches!(end, Err(RequestError::Timeout { .. })), "{end:?}");
    // It may have been this one connection: the prober finds out.
    until("it is down", || database.health().up == Some(false)).await;
    server.cont();
    until("it is up", || database.health().up == Some(true)).await;
    ready(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_in_mid_statement_is_unavailable() {
    let mut server = Postgres::start();
    let database = open(DatabaseTarget::Postgres(on_postgres(
        server.port(),
        "postgres",
    )));
    ready(&database).await;
    let running = run(&database, "select pg_sleep(66)::text as a");
    let killed = async {
        until("the statement runs", || server.running("pg_sleep(66)") == 1).await;
        server.kill();
    };
    let (end, ()) = tokio::join!(running, killed);
    assert!(
        matches!(end, Err(RequestError::Unavailable { .. })),
        "{end:?}"
    );
}

/// A way to a server on which the first connection that carries `fatal` breaks without a word.
async fn fragile(port: u16, fatal: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let broke = Arc::new(AtomicBool::new(false));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let broke = Arc::clone(&broke);
            let (mut from_client, mut to_client) = client.into_split();
            let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (mut from_server, mut to_server) = server.into_split();
            let back = tokio::spawn(async move {
                let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
            });
            tokio::spawn(async move {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
                    let carries = buffer[..length]
                        .windows(fatal.len())
                        .any(|text| text == fatal);
                    if carries && !broke.swap(true, Ordering::SeqCst) {
                        break;
                    }
                    to_server.write_all(&buffer[..length]).await.unwrap();
                }
                back.abort();
            });
        }
    });
    own
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_vanishes_before_the_first_row_is_replaced_once() {
    let port = fragile(servers::postgres().port(), b"the_fatal_word").await;
    let database = open(DatabaseTarget::Postgres(on_postgres(port, "postgres")));
    let rows = run(&database, "select 1 as the_fatal_word").await.unwrap();
    assert_eq!(json(&rows), r#"{"the_fatal_word":1}"#);
    assert_eq!(database.health().up, Some(true));
}
