//! Purges in a fleet of three processes: seen by all, and nothing old comes back, whatever loads
//! are in flight and whatever somebody does to Redis.

use crate::fleet_support::{FACT, Fleet, HELD, SIZE, counted, post, value};
use crate::servers::wait_until as until;

const ONE: &str = "/q/fact.json";

/// Every instance has the same copy in memory.
fn fill(fleet: &Fleet, path: &str) {
    for unslow in fleet.each() {
        until("it is in memory", || {
            let answer = unslow.get(path);
            assert_eq!(value(&answer), "v1");
            answer.header("cache-status").ends_with("detail=memory")
        });
    }
}

#[test]
fn a_purge_on_one_instance_is_seen_on_the_others() {
    let fleet = Fleet::start(&[FACT]);
    fill(&fleet, ONE);
    fill(&fleet, "/q/fact.json?n=2");
    fleet.change("v2");
    assert_eq!(value(&fleet.at(1).get(ONE)), "v1", "nobody was told");
    post(fleet.at(0), "/q/fact/purge");
    assert_eq!(value(&fleet.at(0).get(ONE)), "v2", "here it holds at once");
    fleet.until_all_give(ONE, "v2");
    fleet.until_all_give("/q/fact.json?n=2", "v2");
}

#[test]
fn an_expired_query_is_refreshed_on_every_instance_and_missed_on_none() {
    let fleet = Fleet::start(&[FACT]);
    fill(&fleet, ONE);
    fleet.change("v2");
    post(fleet.at(0), "/q/fact/expire");
    for unslow in fleet.each() {
        until("it is refreshed", || {
            let answer = unslow.get(ONE);
            let status = answer.header("cache-status");
            assert!(status.contains("hit"), "the old copy serves: {status}");
            value(&answer) == "v2"
        });
    }
    fleet.assert_all_give(ONE, "v2");
}

#[test]
fn an_entry_is_purged_by_its_parameters_alone() {
    let fleet = Fleet::start(&[FACT]);
    fill(&fleet, ONE);
    fill(&fleet, "/q/fact.json?n=2");
    fleet.change("v2");
    post(fleet.at(0), "/q/fact/purge?n=2");
    fleet.until_all_give("/q/fact.json?n=2", "v2");
    fleet.assert_all_give(ONE, "v1");
}

#[test]
fn purges_in_flight_with_loads_bring_nothing_old_back() {
    let fleet = Fleet::start(&[HELD]);
    let gate = fleet.gate();
    let path = "/q/held.json";
    let oldest = fleet.at(0).send("GET", path, &[]);
    until("the first load has read v1", || fleet.running() == 1);
    fleet.change("v2");
    post(fleet.at(1), "/q/held/purge");
    let older = fleet.at(1).send("GET", path, &[]);
    until(
        "who comes after a purge does not wait for what began before it",
        || fleet.running() == 2,
    );
    fleet.change("v3");
    post(fleet.at(2), "/q/held/purge");
    let newest = fleet.at(2).send("GET", path, &[]);
    until("the third load has read v3", || fleet.running() == 3);
    gate.open();
    assert_eq!(value(&newest.answer()), "v3");
    // These were asked for before the last purge.
    assert_eq!((oldest.answer().status, older.answer().status), (200, 200));
    fleet.until_all_give(path, "v3");
    assert!(fleet.running() == 0);
}

#[test]
fn an_evicted_counter_brings_nothing_old_back_and_blocks_nothing() {
    let fleet = Fleet::start(&[FACT]);
    fill(&fleet, ONE);
    let counter = &fleet.counter("fact");
    for (round, new) in [(0, "v2"), (1, "v3"), (2, "v4")] {
        fleet.change(new);
        post(fleet.at(round), "/q/fact/purge");
        fleet.redis.ask(&["DEL", counter]);
        fleet.until_all_give(ONE, new);
        fleet.redis.ask(&["DEL", counter]);
        fleet.until_all_give(ONE, new);
    }
    // A copy that is loaded from now on is shared again.
    let cold = "/q/fact.json?n=7";
    value(&fleet.at(0).get(cold));
    until("it is taken from Redis", || {
        value(&fleet.at(1).get(cold));
        fleet.at(1).get(cold).status == 200
            && fleet.at(2).get(cold).header("cache-status").contains("hit")
    });
    let loads = |n: usize| fleet.at(n).numbers("fact")["loads"].as_u64().unwrap();
    let before = loads(0) + loads(1) + loads(2);
    post(fleet.at(0), "/q/fact/purge");
    fleet.until_all_give(ONE, "v4");
    let after = loads(0) + loads(1) + loads(2);
    assert!(after > before);
}

#[test]
fn a_purge_while_a_counter_is_missing_is_one_all_the_same() {
    let fleet = Fleet::start(&[HELD]);
    let path = "/q/held.json";
    fill(&fleet, path);
    let gate = fleet.gate();
    fleet.change("v2");
    post(fleet.at(0), "/q/held/expire");
    // A refresh that reads v2 is on its way when the counter goes.
    until("a refresh has begun", || {
        fleet.at(0).get(path);
        fleet.running() > 0
    });
    fleet.redis.ask(&["DEL", &fleet.counter("held")]);
    fleet.change("v3");
    post(fleet.at(1), "/q/held/purge");
    let asked: Vec<_> = (0..SIZE)
        .map(|n| fleet.at(n).send("GET", path, &[]))
        .collect();
    gate.open();
    for asked in asked {
        assert_eq!(asked.answer().status, 200);
    }
    fleet.until_all_give(path, "v3");
}

#[test]
fn an_entry_that_is_deleted_in_redis_is_loaded_again_on_every_instance() {
    let fleet = Fleet::start(&[FACT]);
    fill(&fleet, ONE);
    fleet.change("v2");
    let entries = fleet.entries("fact");
    assert_eq!(entries.len(), 1, "{entries:?}");
    fleet.redis.ask(&["DEL", &entries[0]]);
    for unslow in fleet.each() {
        until("it is loaded again", || {
            let answer = unslow.get(ONE);
            let status = answer.header("cache-status");
            assert!(status.contains("hit"), "memory serves meanwhile: {status}");
            value(&answer) == "v2"
        });
    }
}

#[test]
fn a_redis_that_comes_back_empty_is_no_mass_miss() {
    const KEYS: u64 = 8;
    // Slow enough to be worth a lease.
    let slow = (
        "queries/slow.sql",
        "-- ttl: 1h\n-- param: n integer\n\
         select value, :n as n, pg_sleep(0.3)::text as slept from facts",
    );
    let mut fleet = Fleet::start(&[slow]);
    for n in 0..KEYS {
        fill(&fleet, &format!("/q/slow.json?n={n}"));
    }
    let before = fleet.calls("pg_sleep");
    fleet.redis.restart();
    until("all look again", || {
        for unslow in fleet.each() {
            for n in 0..KEYS {
                let answer = unslow.get(&format!("/q/slow.json?n={n}"));
                assert_eq!(value(&answer), "v1");
                let status = answer.header("cache-status");
                assert!(status.contains("hit"), "no miss: {status}");
            }
        }
        fleet.entries("slow").len() as u64 == KEYS
    });
    until("nothing runs", || fleet.running() == 0);
    let loads = fleet.calls("pg_sleep") - before;
    assert!(loads <= KEYS, "{loads} loads for {KEYS} keys");
    assert!(
        fleet
            .each()
            .all(|unslow| counted(unslow, "/total/error") == 0)
    );
}
