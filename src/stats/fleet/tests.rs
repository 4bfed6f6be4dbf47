//! What is believed of others, and how it adds up.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]

use std::time::Duration;

use super::*;
use crate::outcome::{Outcome, Tier};
use crate::stats::Stats;

/// An instance that answered so many from memory and by loads of its own.
fn report(id: &str, hits: u64, misses: u64, over: f64) -> InstanceReport {
    let stats = Stats::new(["a"].into_iter());
    let (hit, load) = (Duration::from_millis(1), Duration::from_secs(1));
    for _ in 0..hits {
        stats
            .query_stats(0)
            .record_request(Outcome::Hit(Tier::Memory), hit, load);
    }
    for _ in 0..misses {
        stats.query_stats(0).record_load(load, None);
        stats
            .query_stats(0)
            .record_request(Outcome::Miss, load, Duration::ZERO);
    }
    let tally = stats.take_snapshot(Window::Start).queries[0].tally.clone();
    InstanceReport {
        schema: InstanceReport::SCHEMA,
        instance: InstanceInfo {
            id: id.to_owned(),
            name: format!("host:{id}"),
            version: "1.0.0".to_owned(),
            ..InstanceInfo::default()
        },
        uptime_seconds: over,
        loads_in_flight: 1,
        windows: Window::ALL
            .map(|window| (window, (over, tally.clone())))
            .into(),
        queries: BTreeMap::from([("a".to_owned(), tally)]),
        ..InstanceReport::default()
    }
}

fn sent(mut report: InstanceReport) -> serde_json::Value {
    serde_json::from_slice(&report.to_json(usize::MAX)).unwrap()
}

fn read(json: &serde_json::Value) -> Result<InstanceReport, UnusableReport> {
    InstanceReport::from_json(json.to_string().as_bytes())
}

fn together(own: &InstanceReport, others: &[InstanceReport]) -> InstanceTotals {
    let mut known = OtherInstances::default();
    for other in others {
        known.add(other.clone(), 2.0);
    }
    InstanceTotals::add_up(own, &known, 3.0, Window::Minute)
}

#[test]
fn counts_and_buckets_are_added_and_ratios_are_those_of_the_sums() {
    let (own, other) = (report("a", 99, 1, 10.0), report("b", 0, 100, 10.0));
    let all = together(&own, std::slice::from_ref(&other));
    let total = &all.total;
    assert_eq!(
        (total.requests, total.hit_memory, total.miss),
        (200, 99, 101)
    );
    assert_eq!((total.loads, total.loads_in_flight), (101, 2));
    assert_eq!(total.hit_ratio, Some(99.0 / 200.0));
    assert_eq!(total.offload, Some(1.0 - 101.0 / 200.0));
    assert_eq!(all.queries["a"].hit_ratio, total.hit_ratio);
    // The same of other sizes, where the mean of ratios would be another number.
    let small = together(&report("a", 9, 1, 10.0), std::slice::from_ref(&other));
    let ratios: Vec<_> = small
        .each
        .iter()
        .map(|one| one.numbers.hit_ratio.unwrap())
        .collect();
    assert_eq!(ratios, [0.9, 0.0]);
    assert_eq!(small.total.hit_ratio, Some(9.0 / 110.0));
    // Half of all loads and more took a second, whatever one instance alone has seen.
    assert_eq!(total.load.count, 101);
    assert_eq!(total.hit.count, 99);
    assert_eq!(total.load.p50_seconds, all.each[1].numbers.load.p50_seconds);
}

#[test]
fn what_happens_in_a_second_is_the_sum_over_instances_by_their_own_times() {
    let (old, young) = (report("a", 1000, 0, 1000.0), report("b", 10, 0, 10.0));
    let all = together(&old, &[young, report("c", 0, 0, 0.0)]);
    assert_eq!(all.total.requests_per_second, Some(2.0));
    assert_eq!(all.queries["a"].requests_per_second, Some(2.0));
    assert_eq!(all.each[2].numbers.requests_per_second, None);
    let none = together(&report("a", 0, 0, 0.0), &[]);
    assert_eq!(none.total.requests_per_second, None);
}

#[test]
fn this_one_comes_first_then_the_others_by_name_each_once_and_with_its_age() {
    let own = report("m", 1, 0, 1.0);
    let others = ["z", "a", "a", "k"].map(|id| report(id, 1, 0, 1.0));
    let all = together(&own, &others);
    let ids: Vec<_> = all.each.iter().map(|one| &*one.instance.id).collect();
    assert_eq!(ids, ["m", "a", "k", "z"]);
    let ages: Vec<_> = all.each.iter().map(|one| one.age_seconds).collect();
    assert_eq!(ages, [0.0, 5.0, 5.0, 5.0]);
    assert!(all.each[0].is_self && all.each[1..].iter().all(|one| !one.is_self));
    assert_eq!(all.total.requests, 4);
}

#[test]
fn a_report_comes_back_as_it_was_sent_and_what_a_later_version_adds_is_passed_over() {
    let written = report("a", 3, 2, 7.0);
    let mut json = sent(written.clone());
    let came = read(&json).unwrap();
    assert_eq!(came.queries, written.queries);
    assert_eq!(came.windows, written.windows);
    json["new"] = 1.into();
    json["windows"]["30d"] = json["windows"]["1m"].clone();
    json["queries"]["a"]["counts"]["new"] = 5.into();
    json["queries"]["a"]["times"]["new"] = json["queries"]["a"]["times"]["hit"].clone();
    let came = read(&json).unwrap();
    assert_eq!(came.queries, written.queries);
    assert_eq!(came.windows, written.windows);
}

#[test]
fn an_older_version_s_report_without_what_came_since_is_read() {
    let json = serde_json::json!({ "schema": 1, "instance": { "id": "x", "name": "y", "version": "0" },
        "windows": { "start": [1.0, { "counts": { "miss": 3 } }] } });
    let all = together(&report("a", 1, 0, 1.0), &[read(&json).unwrap()]);
    assert_eq!(all.each[1].instance.version, "0");
    assert_eq!(all.total.requests, 1, "it knows no minutes");
}

#[test]
fn what_no_instance_writes_is_not_believed() {
    assert_eq!(
        read(&serde_json::json!({ "schema": 2, "instance": 7 })).err(),
        Some(UnusableReport::Newer)
    );
    let huge = serde_json::json!([[1, u64::MAX], [2, u64::MAX]]);
    let good = sent(report("a", 1, 1, 1.0));
    for (path, value) in [
        ("/schema", 0.into()),
        ("/schema", "1".into()),
        ("/instance/id", "".into()),
        ("/instance/id", "x".repeat(65).into()),
        ("/instance/name", "a\nb".into()),
        ("/instance/version", "x".repeat(1000).into()),
        ("/uptime_seconds", (-1).into()),
        ("/uptime_seconds", 1e300.into()),
        ("/windows/1m/0", (-1).into()),
        ("/windows/1m/1/counts/miss", (1_u64 << 60).into()),
        ("/windows/1m/1/counts/miss", (-1).into()),
        (
            "/queries",
            serde_json::json!({ "No Query": { "counts": {} } }),
        ),
        ("/queries/a/times/hit/counts", huge),
        (
            "/queries/a/times/hit/counts",
            serde_json::json!([[3, 1], [3, 1]]),
        ),
        (
            "/queries/a/times/hit/counts",
            serde_json::json!([[3, 1], [2, 1]]),
        ),
        (
            "/queries/a/times/hit/counts",
            serde_json::json!([[9999, 1]]),
        ),
        ("/queries/a/times/hit/sum", u64::MAX.into()),
    ] {
        let mut json = good.clone();
        let place = json.pointer_mut(path).unwrap_or_else(|| panic!("{path}"));
        *place = value;
        assert_eq!(read(&json).err(), Some(UnusableReport::Foreign), "{path}");
    }
    for text in ["", "null", "[]", "{}", "{\"schema\":1", "\u{fffd}"] {
        assert_eq!(
            InstanceReport::from_json(text.as_bytes()).err(),
            Some(UnusableReport::Foreign)
        );
    }
    assert!(read(&good).is_ok());
}

#[test]
fn the_highest_numbers_that_are_believed_can_be_added_a_hundred_times() {
    let mut json = sent(report("a", 1, 1, 1.0));
    for (_, count) in json["queries"]["a"]["counts"].as_object_mut().unwrap() {
        *count = (1_u64 << 48).into();
    }
    json["queries"]["a"]["times"]["hit"]["counts"] = serde_json::json!([[1, 1_u64 << 48]]);
    json["queries"]["a"]["counts"]["time_saved_microseconds"] = (1_u64 << 60).into();
    let others: Vec<_> = (0..100)
        .map(|n| InstanceReport {
            instance: InstanceInfo {
                id: n.to_string(),
                ..InstanceInfo::default()
            },
            ..read(&json).unwrap()
        })
        .collect();
    let all = together(&report("own", 1, 1, 1.0), &others);
    assert!(all.queries["a"].requests > 100 << 48);
}

#[test]
fn a_report_that_would_be_too_large_leaves_out_the_queries_least_asked_for_and_says_how_many() {
    let mut own = report("a", 1, 0, 1.0);
    own.queries = (0..100)
        .map(|n| (format!("q{n}"), report("a", n, 0, 1.0).queries["a"].clone()))
        .collect();
    let whole = own.clone().to_json(usize::MAX).len();
    let json = own.to_json(whole / 3);
    assert!(json.len() <= whole / 3);
    let came = InstanceReport::from_json(&json).unwrap();
    assert_eq!((came.queries.len(), came.queries_left_out), (25, 75));
    assert!((75..100).all(|n| came.queries.contains_key(&format!("q{n}"))));
    assert_eq!(together(&came, &[]).each[0].queries_left_out, 75);
}

#[test]
fn there_is_a_bound_on_queries_of_one_and_of_all_together() {
    let tally = report("a", 1, 0, 1.0).queries["a"].clone();
    let many = |id: &str, from: usize, count: usize| InstanceReport {
        queries: (from..from + count)
            .map(|n| (format!("q{n}"), tally.clone()))
            .collect(),
        ..report(id, 1, 0, 1.0)
    };
    let json = serde_json::to_vec(&many("x", 0, MOST_QUERIES + 1)).unwrap();
    assert_eq!(
        InstanceReport::from_json(&json).err(),
        Some(UnusableReport::Foreign)
    );
    let written = many("x", 0, MOST_QUERIES + 1).to_json(usize::MAX);
    assert_eq!(
        InstanceReport::from_json(&written)
            .unwrap()
            .queries_left_out,
        1001
    );
    let mut known = OtherInstances::default();
    known.add(many("x", 0, MOST_QUERIES - 1), 1.0);
    known.add(many("y", 0, 5), 1.0);
    known.add(many("z", MOST_QUERIES, 3), 1.0);
    let all = InstanceTotals::add_up(&report("own", 1, 0, 1.0), &known, 0.0, Window::Start);
    assert_eq!(all.queries.len(), MOST_QUERIES + 1);
    assert_eq!(all.queries["q4"].requests, 2);
    let left_out: Vec<_> = all.each.iter().map(|one| one.queries_left_out).collect();
    assert_eq!(left_out, [0, 0, 0, 2]);
}

/// Prints what a report of a busy instance weighs; the bound is what others read at most.
#[test]
fn two_hundred_busy_queries_fit_into_what_is_read() {
    let stats = Stats::new(["a"].into_iter());
    for n in 1..=3000_u32 {
        let quick = Duration::from_micros(20) * (1 + n % 400);
        let slow = Duration::from_millis(7) * (1 + n % 900);
        let counted = stats.query_stats(0);
        counted.record_request(Outcome::Hit(Tier::Memory), quick, slow);
        counted.record_request(Outcome::Coalesced, slow, slow);
        counted.record_request(Outcome::Miss, slow, Duration::ZERO);
        counted.record_load(slow, None);
    }
    let tally = stats.take_snapshot(Window::Start).queries[0].tally.clone();
    let mut busy = report("a", 1, 0, 1.0);
    busy.windows = Window::ALL
        .map(|window| (window, (60.0, tally.clone())))
        .into();
    busy.queries = (0..200)
        .map(|n| (format!("query_{n}"), tally.clone()))
        .collect();
    let whole = busy.to_json(usize::MAX);
    println!("200 busy queries: {} bytes", whole.len());
    assert!(whole.len() < 1 << 20);
}
