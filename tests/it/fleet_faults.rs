//! Faults of Redis under steady load on three processes: no request is lost, every body belongs
//! to its key, and Redis is used again by itself. What faults cost in time is compared in
//! `soak_fleet`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::end_to_end::File;
use crate::fleet_support::{Fleet, SIZE, counted};
use crate::servers::{UntilDropped, wait_until as until};

/// So short-lived that Redis and the database are asked all the time.
const BRIEF: File<'_> = (
    "queries/brief.sql",
    "-- ttl: 300ms\n-- stale-while-revalidate: 200ms\n-- param: n integer\n\
     select value, :n as n, 'body of ' || :n as body from facts",
);

const KEYS: u64 = 10;
/// A client rests between two requests, so that the tests beside this one get on.
const REST: Duration = Duration::from_millis(5);

/// Runs `act` while two clients per instance ask without end. All must be answered.
fn under_load(fleet: &Fleet, act: impl FnOnce()) {
    let (over, asked) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for client in 0..2 * SIZE {
            let (over, asked) = (&over, &asked);
            scope.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    let n = asked.fetch_add(1, Ordering::SeqCst) % KEYS;
                    check(fleet, client % SIZE, n);
                    std::thread::sleep(REST);
                }
            });
        }
        let _end = UntilDropped(&over);
        until_asked(&asked, 100);
        act();
        until_asked(&asked, 100);
    });
    for unslow in fleet.each() {
        assert_eq!(unslow.numbers("brief")["error"], 0, "no request is lost");
    }
}

#[track_caller]
fn check(fleet: &Fleet, instance: usize, n: u64) {
    let answer = fleet.at(instance).get(&format!("/q/brief.json?n={n}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = answer.json();
    assert_eq!(json["rows"][0]["n"], n);
    assert_eq!(json["rows"][0]["body"], format!("body of {n}"));
}

fn until_asked(asked: &AtomicU64, more: u64) {
    let goal = asked.load(Ordering::SeqCst) + more;
    until("requests are answered", || {
        asked.load(Ordering::SeqCst) >= goal
    });
}

/// Waits until every instance has met the fault.
fn until_met(fleet: &Fleet, classes: &[&str]) {
    until("every instance has met it", || {
        fleet.each().all(|unslow| {
            let met = |class: &&str| counted(unslow, &format!("/redis/errors/{class}")) > 0;
            classes.iter().any(met)
        })
    });
}

/// Waits until what one instance stores another finds in Redis.
fn until_healed(fleet: &Fleet) {
    let mut n = 1000;
    until("Redis is shared again", || {
        n += 1;
        check(fleet, 0, n);
        let path = format!("/q/brief.json?n={n}");
        let found = |at: usize| fleet.at(at).get(&path).header("cache-status").to_owned();
        (1..SIZE).all(|at| found(at).contains("hit"))
    });
    for unslow in fleet.each() {
        until("it is said to be up", || {
            unslow.get("/q/brief.json?n=1");
            unslow.get("/stats.json").json()["redis"]["up"] == true
        });
    }
}

#[test]
fn no_request_is_lost_while_redis_hangs() {
    let fleet = Fleet::with(&[BRIEF], "");
    under_load(&fleet, || {
        fleet.redis.stop();
        until_met(&fleet, &["timeout"]);
        fleet.redis.cont();
        until_healed(&fleet);
    });
}

#[test]
fn no_request_is_lost_when_redis_is_killed_and_comes_back_empty() {
    let mut fleet = Fleet::with(&[BRIEF], "");
    let mut redis = fleet.take_redis();
    under_load(&fleet, || {
        redis.kill();
        until_met(&fleet, &["closed", "connect"]);
        redis.start_again();
        until_healed(&fleet);
    });
}

#[test]
fn no_request_is_lost_while_redis_is_a_replica() {
    let fleet = Fleet::with(&[BRIEF], "");
    under_load(&fleet, || {
        assert_eq!(fleet.redis.command("REPLICAOF 127.0.0.1 1"), "+OK");
        until_met(&fleet, &["read_only"]);
        assert_eq!(fleet.redis.command("REPLICAOF NO ONE"), "+OK");
        until_healed(&fleet);
    });
}

#[test]
fn no_request_is_lost_while_redis_wants_a_password() {
    let fleet = Fleet::with(&[BRIEF], "");
    under_load(&fleet, || {
        assert_eq!(fleet.redis.command("CONFIG SET requirepass s3cret"), "+OK");
        // A connection that is open stays so, but for this.
        let done = fleet.redis.lines(
            "AUTH s3cret\r\nCLIENT KILL TYPE normal\r\nCLIENT KILL TYPE pubsub",
            3,
        );
        assert!(done.iter().all(|line| !line.starts_with('-')), "{done:?}");
        until_met(&fleet, &["auth"]);
        let done = fleet
            .redis
            .lines("AUTH s3cret\r\nCONFIG SET requirepass \"\"", 2);
        assert_eq!(done, ["+OK", "+OK"]);
        until_healed(&fleet);
    });
}

#[test]
fn no_request_is_lost_while_redis_is_full() {
    let fleet = Fleet::with(&[BRIEF], "");
    under_load(&fleet, || {
        fleet
            .redis
            .command("CONFIG SET maxmemory-policy noeviction");
        assert_eq!(fleet.redis.command("CONFIG SET maxmemory 1"), "+OK");
        until_met(&fleet, &["out_of_memory"]);
        assert_eq!(fleet.redis.command("CONFIG SET maxmemory 0"), "+OK");
        until_healed(&fleet);
    });
}
