//! Real servers for the tests, and a relay to stand before them: PostgreSQL, Redis, PgBouncer, Prometheus, nginx, HAProxy and Caddy,
//! started on free loopback ports with their files in one temporary folder per test run.
//!
//! A server ends when its value is dropped. One that is kept for the whole run ([`postgres`]) ends
//! with the test binary, however that ends: see [`home`].

pub(crate) mod certificates;
pub(crate) mod front;
pub(crate) mod home;
pub(crate) mod pgbouncer;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod redis;
pub(crate) mod relay;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(crate) use pgbouncer::PgBouncer;
pub(crate) use postgres::Postgres;
pub(crate) use prometheus::Prometheus;
pub(crate) use redis::Redis;
pub(crate) use relay::{Manner, Relay};

/// The PostgreSQL that all tests share; each makes a database of its own in it. Tests that stop
/// or restart a server start their own.
pub(crate) fn postgres() -> &'static Postgres {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    SHARED.get_or_init(Postgres::start)
}

/// Returns the time for which a condition is waited for: far longer than any takes, so that it is
/// no measurement. It is expected to be in vain where a defence is off.
fn patience() -> Duration {
    match std::env::var_os("UNDEFENDED") {
        None => Duration::from_mins(1),
        Some(_) => Duration::from_secs(20),
    }
}

/// The mark that a test is over, which its clients look at. It is set when this is dropped, also
/// where a check failed: clients that went on would keep the whole run from its end.
pub(crate) struct UntilDropped<'a>(pub(crate) &'a AtomicBool);

impl Drop for UntilDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The pause between two looks at a condition.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until `condition` holds, and fails the test if it does not come true.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let give_up = Instant::now() + patience();
    while !condition() {
        assert!(Instant::now() < give_up, "waited in vain: {what}");
        std::thread::sleep(LOOK);
    }
}

/// The same where other futures of the task go on meanwhile.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let give_up = Instant::now() + patience();
    while !condition() {
        assert!(Instant::now() < give_up, "waited in vain: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

#[test]
fn every_server_starts_answers_and_comes_back_after_a_restart() {
    let mut postgres = Postgres::start();
    assert_eq!(postgres.psql("postgres", "select 6 * 7"), "42");
    postgres.restart();
    assert_eq!(postgres.psql("postgres", "select 6 * 7"), "42");
    let standby = postgres.standby();
    assert_eq!(standby.psql("postgres", "select pg_is_in_recovery()"), "t");
    standby.promote();
    assert_eq!(standby.psql("postgres", "select pg_is_in_recovery()"), "f");
    let pgbouncer = PgBouncer::start(&postgres, 3);
    assert_ne!(pgbouncer.port(), postgres.port());
    let mut redis = Redis::start();
    assert_eq!(redis.command("SET key value"), "+OK");
    redis.stop();
    redis.cont();
    assert_eq!(redis.command("GET key"), "$5");
    redis.restart();
    assert_eq!(redis.command("GET key"), "$-1");
    let locked = Redis::with(&redis::Options {
        password: Some("s3cret"),
        ..Default::default()
    });
    assert!(
        locked.command("GET key").starts_with("-NOAUTH"),
        "{}",
        locked.command("GET key")
    );
    let encrypted = Redis::with(&redis::Options {
        tls: true,
        ..Default::default()
    });
    assert!(
        encrypted.url().starts_with("rediss://"),
        "{}",
        encrypted.url()
    );
}
