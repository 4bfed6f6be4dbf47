//! A database that hangs under a fleet: an instance that waited while another one tried does not
//! wait for as long again. The arithmetic is the unit tests' of cache and database.

use std::time::{Duration, Instant};

use crate::end_to_end::{File, original, start};
use crate::faults::{ECHO, echo};
use crate::fleet_support::counted;
use crate::servers::redis::Options;
use crate::servers::{Postgres, Redis, wait_until as until};
use crate::unslow::Unslow;

const OTHER: File<'_> = ("queries/other.sql", "select 1 as one");
/// The place where the leases that an instance has taken are counted.
const TAKEN: &str = "/fleet/leases_taken";

/// Two instances on one Redis and a database that is stopped, and what each says of a cold key: the
/// second is asked while the first holds the lease.
fn ask_both(test: impl Fn(&[Unslow; 2], [(u16, Duration); 2])) {
    let (server, redis) = (Postgres::start(), Redis::with(&Options::default()));
    let ini = original(&server, "postgres", &redis) + "timeout = 20s\n";
    let fleet = [0, 1].map(|_| start(&ini, &[ECHO, OTHER]));
    for unslow in &fleet {
        // The identity of the database decides its keys. Nothing is known of `echo`: it may be
        // slow.
        assert_eq!(unslow.get("/q/other.json").status, 200);
    }
    let taken = [0, 1].map(|n| counted(&fleet[n], TAKEN));
    server.stop();
    let ask = |unslow: &Unslow| {
        let begun = Instant::now();
        let status = echo(unslow, 1).status;
        (status, begun.elapsed())
    };
    let ends = std::thread::scope(|scope| {
        let holder = scope.spawn(|| ask(&fleet[0]));
        until("one holds the lease", || {
            counted(&fleet[0], TAKEN) == taken[0] + 1
        });
        let follower = scope.spawn(|| ask(&fleet[1]));
        [holder.join().unwrap(), follower.join().unwrap()]
    });
    assert!(counted(&fleet[1], "/fleet/lease_waits") >= 1);
    assert_eq!(counted(&fleet[1], TAKEN), taken[1] + 1);
    server.cont();
    for unslow in &fleet {
        until("it is answered", || echo(unslow, 1).status == 200);
    }
    test(&fleet, ends);
}

/// The time that an instance says that it gave the database, in milliseconds.
fn patience(unslow: &Unslow) -> u64 {
    let log = unslow.log();
    let words = log.split("no answer within ").nth(1);
    let words = words.unwrap_or_else(|| panic!("{log}"));
    let word = words
        .split(|c: char| c.is_whitespace() || c == '"')
        .next()
        .unwrap();
    let (seconds, millis) = match word.split_once('s') {
        Some((seconds, millis)) if !seconds.ends_with('m') => (seconds, millis),
        _ => ("0", word),
    };
    let number = |text: &str| text.trim_end_matches("ms").parse::<u64>().unwrap_or(0);
    number(seconds) * 1000 + number(millis)
}

#[test]
fn who_has_waited_while_another_instance_tried_a_hung_database_gives_it_less_time() {
    ask_both(|fleet, ends| {
        assert_eq!(ends.map(|(status, _)| status), [503, 503]);
        let [holder, follower] = [&fleet[0], &fleet[1]].map(patience);
        assert!(follower < holder, "{follower} ms and {holder} ms");
    });
}

#[test]
#[ignore = "the time it takes: make soak"]
fn soak_a_database_that_hangs_costs_no_instance_three_seconds() {
    ask_both(|_, ends| {
        for (status, took) in ends {
            assert_eq!(status, 503);
            assert!(took < Duration::from_secs(3), "{took:?}");
        }
    });
}
