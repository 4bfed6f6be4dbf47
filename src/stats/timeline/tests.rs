//! Windows over simulated time.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::cast_precision_loss,
    reason = "tests"
)]

use super::*;
use crate::outcome::{Outcome, Tier};
use crate::stats::Stats;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

fn hits(stats: &Stats, place: usize, count: u64) {
    for _ in 0..count {
        let own = Duration::from_micros(2);
        let query = stats.query_stats(place);
        query.record_request(Outcome::Hit(Tier::Memory), own, SECOND);
    }
}

/// Requests and covered seconds of each window, from the shortest.
fn windows(stats: &Stats, now: Duration) -> [(u64, f64); 4] {
    Window::ALL.map(|window| {
        let snapshot = stats.snapshot_at(window, now);
        let total = snapshot.total;
        assert_eq!(total.requests, total.hit_memory);
        assert_eq!(total.hit.count, total.requests);
        let of_rows = snapshot.queries.iter().map(|row| row.numbers.requests);
        assert_eq!(of_rows.sum::<u64>(), total.requests);
        (total.requests, snapshot.window_seconds)
    })
}

/// One hit a second, with a tick every second, from one time up to another.
fn run(stats: &Stats, from: Duration, to: Duration) {
    let mut now = from;
    while now < to {
        now += SECOND;
        hits(stats, 0, 1);
        stats.ledger.close_slot(now);
    }
}

#[test]
fn a_young_process_has_only_its_own_time_in_every_window() {
    let stats = Stats::new(["a"].into_iter());
    hits(&stats, 0, 3);
    assert_eq!(windows(&stats, Duration::ZERO), [(3, 0.0); 4]);
    assert_eq!(windows(&stats, 2 * SECOND), [(3, 2.0); 4]);
    hits(&stats, 0, 4);
    assert_eq!(windows(&stats, 7 * SECOND), [(7, 7.0); 4]);
    let series = stats.snapshot_at(Window::Minute, 9 * SECOND).series;
    assert_eq!((series.step_seconds, series.points.len()), (5, 60));
    assert!(series.points[..59].iter().all(Option::is_none));
    // All seven came before the tick at 7 s.
    assert_eq!(series.points[59].unwrap().requests_per_second, 1.0);
}

#[test]
fn each_window_has_what_came_in_it() {
    let stats = Stats::new(["a"].into_iter());
    run(&stats, Duration::ZERO, 2 * HOUR);
    let whole = [(60, 60.0), (300, 300.0), (3600, 3600.0), (7200, 7200.0)];
    assert_eq!(windows(&stats, 2 * HOUR), whole);
    // Between two ticks a window is whole slots and what has come since.
    run(&stats, 2 * HOUR, 2 * HOUR + 3 * SECOND);
    let now = 2 * HOUR + 3 * SECOND;
    let part = [(58, 58.0), (298, 298.0), (3543, 3543.0), (7203, 7203.0)];
    assert_eq!(windows(&stats, now), part);
    for window in Window::ALL {
        let points = stats.snapshot_at(window, now).series.points;
        let even = |point: &Option<SeriesPoint>| point.unwrap().requests_per_second == 1.0;
        assert!(points.iter().all(even), "{window:?} {points:?}");
    }
}

#[test]
fn what_is_over_leaves_the_windows_one_after_the_other() {
    let stats = Stats::new(["a"].into_iter());
    hits(&stats, 0, 9);
    let at = |seconds: u64| {
        let mut now = Duration::ZERO;
        while now < Duration::from_secs(seconds) {
            now += SHORT;
            stats.ledger.close_slot(now);
        }
        windows(&stats, now).map(|(requests, _)| requests)
    };
    assert_eq!(at(60), [9, 9, 9, 9]);
    assert_eq!(at(65), [0, 9, 9, 9]);
    assert_eq!(at(305), [0, 0, 9, 9]);
    assert_eq!(at(3600), [0, 0, 9, 9]);
    assert_eq!(at(3660), [0, 0, 0, 9]);
}

#[test]
fn a_process_that_slept_has_a_gap_and_no_burst() {
    let stats = Stats::new(["a"].into_iter());
    run(&stats, Duration::ZERO, HOUR);
    // Some came before it was stopped and some when it went on, before the next tick.
    hits(&stats, 0, 4);
    let woken = 2 * HOUR;
    let [minute, five, hour, start] = windows(&stats, woken);
    assert_eq!((minute, five), ((0, 0.0), (0, 0.0)));
    assert_eq!(hour, (4, 3600.0));
    assert_eq!(start, (3604, 7200.0));
    run(&stats, woken, woken + 30 * SECOND);
    let now = woken + 30 * SECOND;
    assert_eq!(windows(&stats, now)[..2], [(30, 30.0), (30, 30.0)]);
    let points = stats.snapshot_at(Window::Minute, now).series.points;
    let there = points
        .iter()
        .map(|point| point.map(|p| p.requests_per_second));
    let there: Vec<_> = there.collect();
    assert!(there[..54].iter().all(Option::is_none), "{there:?}");
    assert!(
        there[54..].iter().all(|rate| *rate == Some(1.0)),
        "{there:?}"
    );
    let long = stats.snapshot_at(Window::Hour, now).series.points;
    assert_eq!(long.iter().flatten().count(), 0, "{long:?}");
}

#[test]
fn a_late_tick_loses_nothing_and_counts_with_its_true_length() {
    let stats = Stats::new(["a"].into_iter());
    run(&stats, Duration::ZERO, HOUR);
    hits(&stats, 0, 8);
    stats.ledger.close_slot(HOUR + 8 * SECOND);
    run(&stats, HOUR + 8 * SECOND, HOUR + 60 * SECOND);
    let now = HOUR + 60 * SECOND;
    assert_eq!(windows(&stats, now)[..2], [(60, 60.0), (300, 300.0)]);
    let points = stats.snapshot_at(Window::Minute, now).series.points;
    let rates = points.iter().flatten().map(|p| p.requests_per_second);
    assert!(rates.clone().all(|rate| rate == 1.0), "{points:?}");
    assert_eq!(rates.count(), 60, "the one after the late one is short");
}

#[test]
fn after_a_day_of_two_hundred_queries_the_windows_are_right_and_memory_is_flat() {
    let names: Vec<String> = (0..200).map(|n| format!("q{n}")).collect();
    let stats = Stats::new(names.iter().map(String::as_str));
    let (mut now, mut held) = (Duration::ZERO, Vec::new());
    while now < 24 * HOUR {
        let tick = now.as_secs() / SHORT.as_secs();
        // In turn, so that every query is active every 50 s, and each slot has a fifth of them.
        for place in (0..200).filter(|place| (place + tick).is_multiple_of(10)) {
            hits(&stats, usize::try_from(place).unwrap(), 2);
        }
        now += SHORT;
        stats.ledger.close_slot(now);
        if now.as_secs() % 3600 == 0 {
            held.push(stats.ledger.lock_timeline().held_bytes());
        }
    }
    let rate = 20 * 2 / SHORT.as_secs();
    let expected = [60, 300, 3600, 24 * 3600].map(|s| (rate * s, s as f64));
    assert_eq!(windows(&stats, now), expected);
    assert_eq!(stats.ledger.lock_timeline().slot_counts(), (60, 60));
    // From the second hour on everything is full.
    let (least, most) = (
        held[1..].iter().min().unwrap(),
        held[1..].iter().max().unwrap(),
    );
    assert!(most - least < most / 20, "{held:?}");
    assert!(*most < 2 << 20, "{most} bytes");
}

#[test]
fn queries_that_nobody_asks_cost_no_slot_anything() {
    let names: Vec<String> = (0..200).map(|n| format!("q{n}")).collect();
    let held = |names: &[String]| {
        let stats = Stats::new(names.iter().map(String::as_str));
        run(&stats, Duration::ZERO, HOUR);
        stats.ledger.lock_timeline().held_bytes()
    };
    assert_eq!(held(&names), held(&names[..1]));
}

#[test]
fn the_slowest_loads_of_a_window_are_those_that_ended_in_it() {
    use crate::stats::{KeyId, LoadEnd, Trigger};
    let stats = Stats::new(["a"].into_iter());
    let canonical = bytes::Bytes::new();
    let mut now = Duration::ZERO;
    // Ever quicker, so that later ones push none of the earlier out.
    for number in 0..720_u32 {
        stats.query_stats(0).load_begins();
        stats.query_stats(0).load_ends(&LoadEnd {
            key: KeyId {
                digest: &[0; 16],
                canonical: &canonical,
            },
            trigger: Trigger::Schedule,
            elapsed: Duration::from_millis(u64::from(1000 - number)),
            error: None,
        });
        now += SHORT;
        stats.ledger.close_slot(now);
    }
    let slowest = |window| {
        let shown = stats.snapshot_at(window, now).slowest;
        assert!(shown.is_sorted_by(|a, b| a.seconds >= b.seconds));
        (shown.len(), shown[0].seconds)
    };
    // A load every 5 s: 12 in a minute, 60 in five.
    assert_eq!(slowest(Window::Minute), (12, 0.292));
    assert_eq!(slowest(Window::FiveMinutes), (20, 0.340));
    assert_eq!(slowest(Window::Hour), (20, 1.0));
    assert_eq!(slowest(Window::Start), (20, 1.0));
}
