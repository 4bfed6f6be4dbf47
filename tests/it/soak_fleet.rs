//! The time that faults of Redis cost a fleet of three, and the delay until every instance has what
//! is new: measured by `make soak` alone, on a release build and a quiet machine. measured by `make
//! soak` alone, on a release build and a quiet machine. That no request is lost is `fleet_faults`'.

use std::time::{Duration, Instant};

use crate::end_to_end::{File, one_off};
use crate::fleet_support::{FACT, Fleet, SIZE, counted, post, value};
use crate::servers::wait_until as until;

const HOT: File<'_> = (
    "queries/hot.sql",
    "-- ttl: 2s\n-- param: n integer\nselect value, :n as n from facts",
);

/// Asked in each round, in turns over instances and keys.
const REQUESTS: usize = 3000;
const KEYS: usize = 20;
/// The time that the whole may cost more than without the fault.
const MORE: Duration = Duration::from_millis(60);

/// The time within which 99 of 100 requests are answered, and the longest.
fn round(fleet: &Fleet) -> (Duration, Duration) {
    let mut times: Vec<Duration> = (0..REQUESTS)
        .map(|n| {
            let path = format!("/q/hot.json?n={}", n % KEYS);
            let begun = Instant::now();
            let answer = fleet.at(n % SIZE).get(&path);
            let took = begun.elapsed();
            assert_eq!(value(&answer), "v1");
            took
        })
        .collect();
    times.sort_unstable();
    (times[REQUESTS / 100 * 99], times[REQUESTS - 1])
}

/// A fault by its name, how it is made and how it is ended.
type Fault = (&'static str, fn(&mut Fleet), fn(&mut Fleet));

const FAULTS: [Fault; 5] = [
    ("hangs", |f| f.redis.stop(), |f| f.redis.cont()),
    ("is killed", |f| f.redis.kill(), |f| f.redis.start_again()),
    (
        "is a replica",
        |f| drop(f.redis.command("REPLICAOF 127.0.0.1 1")),
        |f| drop(f.redis.command("REPLICAOF NO ONE")),
    ),
    (
        "wants a password",
        |f| {
            let words = "CONFIG SET requirepass s3cret\r\nAUTH s3cret\r\nCLIENT KILL TYPE normal";
            f.redis.lines(words, 3);
        },
        |f| {
            let words = "AUTH s3cret\r\nCONFIG SET requirepass \"\"";
            f.redis.lines(words, 2);
        },
    ),
    (
        "is full",
        |f| drop(f.redis.command("CONFIG SET maxmemory 1")),
        |f| drop(f.redis.command("CONFIG SET maxmemory 0")),
    ),
];

#[test]
#[ignore = "compares times: make soak"]
fn soak_hits_of_a_fleet_keep_their_pace_whatever_redis_does() {
    let mut fleet = Fleet::with(&[HOT], "");
    round(&fleet);
    for (fault, make, end) in FAULTS {
        let (usual, _) = round(&fleet);
        make(&mut fleet);
        let (p99, longest) = round(&fleet);
        end(&mut fleet);
        let ended = Instant::now();
        until("Redis is up for every instance", || {
            round_trip(&fleet);
            let up = |n| fleet.at(n).get("/stats.json").json()["redis"]["up"] == true;
            (0..SIZE).all(up)
        });
        let healed = ended.elapsed();
        println!(
            "Redis {fault}: p99 {p99:?}, before {usual:?}; longest {longest:?}; healed after {healed:?}"
        );
        assert!(p99 <= usual + MORE, "{fault}: {p99:?} against {usual:?}");
        assert!(longest < Duration::from_secs(3), "{fault}: {longest:?}");
        assert!(
            fleet
                .each()
                .all(|unslow| counted(unslow, "/total/error") == 0)
        );
    }
}

/// One request for every key of every instance.
fn round_trip(fleet: &Fleet) {
    for n in 0..KEYS * SIZE {
        let path = format!("/q/hot.json?n={}", n % KEYS);
        assert_eq!(value(&fleet.at(n % SIZE).get(&path)), "v1");
    }
}

/// The longest time, of several, until every instance gives the new value after `tell`.
fn seen(fleet: &Fleet, what: &str, tell: impl Fn(&str)) -> Duration {
    let path = "/q/fact.json";
    let mut longest = Duration::ZERO;
    for n in 0..10 {
        let new = format!("{what} {n}");
        tell(&new);
        let begun = Instant::now();
        for unslow in fleet.each() {
            until("the new value is there", || value(&unslow.get(path)) == new);
        }
        longest = longest.max(begun.elapsed());
        fleet.assert_all_give(path, &new);
    }
    println!("{what}: seen on every instance after {longest:?} at most");
    longest
}

#[test]
#[ignore = "measures time"]
fn soak_what_is_new_is_on_every_instance_in_time() {
    let fleet = Fleet::start(&[FACT]);
    let purge = seen(&fleet, "purge", |new| {
        fleet.change(new);
        post(fleet.at(0), "/q/fact/purge");
    });
    assert!(purge < Duration::from_secs(1));
    let deleted = seen(&fleet, "redis-cli DEL", |new| {
        fleet.change(new);
        for entry in fleet.redis.entries() {
            fleet.redis.ask(&["DEL", &entry]);
        }
    });
    // Five seconds until it is noticed, and the time of a load.
    assert!(deleted < Duration::from_secs(6));
    assert!(one_off(&fleet.settings(), &["install"]).status.success());
    fleet.psql("select unslow_watch('facts')");
    let update = seen(&fleet, "UPDATE", |new| fleet.change(new));
    assert!(update < Duration::from_secs(1));
}
