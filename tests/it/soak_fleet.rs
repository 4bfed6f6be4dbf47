//! What faults of Redis cost in time on a fleet of three: compared within one run, by `make soak`
//! alone, on a release build and a quiet machine. That no request is lost is `fleet_faults`'.

use std::time::{Duration, Instant};

use crate::end_to_end::File;
use crate::fleet_support::{Fleet, SIZE, counted, value};
use crate::servers::wait_until as until;

const HOT: File<'_> = (
    "queries/hot.sql",
    "-- ttl: 2s\n-- param: n integer\nselect value, :n as n from facts",
);

/// Asked in each round, in turns over instances and keys.
const REQUESTS: usize = 3000;
const KEYS: usize = 20;
/// What the whole may cost more than without the fault.
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
