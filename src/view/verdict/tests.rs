//! Each verdict, and what does not deserve one.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::super::frame::PagesHere;
use super::super::stats::{EvictionCounts, NotReloaded, StatsSort};
use super::*;
use crate::stats::{InstanceSnapshot, QuerySnapshot, RedisInfo, RedisSnapshot, StatsSnapshot};

/// All that is said, one line each.
fn said_of(snapshot: &StatsSnapshot, change: impl FnOnce(&mut StatsPage<'_>)) -> Vec<String> {
    let mut page = StatsPage {
        snapshot,
        sort: StatsSort::default(),
        refresh: None,
        not_reloaded: None,
        evicted: None,
        script: "",
        here: PagesHere::All,
        of_late: None,
        lines_lost: 0,
    };
    change(&mut page);
    let found = find_verdicts(&page).into_iter();
    found
        .map(|(level, words)| format!("{}: {words}", level.word()).replace('\u{a0}', " "))
        .collect()
}

fn said(snapshot: &StatsSnapshot) -> Vec<String> {
    said_of(snapshot, |_| {})
}

/// A busy day without a fault.
fn well() -> StatsSnapshot {
    let mut snapshot = StatsSnapshot::default();
    snapshot.total.requests = 1_000;
    snapshot.total.loads = 100;
    snapshot.total.load_errors = 1;
    snapshot.total.hit_ratio = Some(0.9);
    snapshot.database.up = Some(true);
    "closed".clone_into(&mut snapshot.database.breaker);
    snapshot.redis = Some(RedisSnapshot {
        up: Some(true),
        breaker: "closed".to_owned(),
        info: Some(RedisInfo {
            used_memory: Some(900),
            maxmemory: Some(1_000),
            maxmemory_policy: Some("allkeys-lru".to_owned()),
            evicted_keys: Some(4_000),
            ..RedisInfo::default()
        }),
        ..RedisSnapshot::default()
    });
    snapshot
}

/// What is said besides that all is well, after a change.
#[track_caller]
fn one(change: impl FnOnce(&mut StatsSnapshot)) -> String {
    let mut snapshot = well();
    change(&mut snapshot);
    let mut said = said(&snapshot);
    assert_eq!(
        said.pop().unwrap(),
        "Good: The cache answers 90.0 % of requests."
    );
    assert_eq!(said.len(), 1, "{said:?}");
    said.remove(0)
}

fn redis(snapshot: &mut StatsSnapshot) -> &mut RedisSnapshot {
    snapshot.redis.as_mut().unwrap()
}

fn info(snapshot: &mut StatsSnapshot) -> &mut RedisInfo {
    redis(snapshot).info.as_mut().unwrap()
}

#[test]
fn where_all_is_well_that_is_all_that_is_said() {
    assert_eq!(
        said(&well()),
        ["Good: The cache answers 90.0 % of requests."]
    );
}

#[test]
fn too_few_hits_are_said_once_there_are_enough_requests_to_judge() {
    let mut snapshot = well();
    snapshot.total.hit_ratio = Some(0.79);
    assert!(said(&snapshot)[0].starts_with("Attention: The cache answers 79.0 %"));
    snapshot.total.requests = 19;
    assert!(said(&snapshot)[0].starts_with("Note: The cache answered 79.0 % of 19 requests"));
}

#[test]
fn that_nothing_was_asked_is_said_of_the_window() {
    let mut snapshot = StatsSnapshot::default();
    assert_eq!(said(&snapshot), ["Note: Nothing has been asked yet."]);
    snapshot.window = Window::Minute;
    assert_eq!(
        said(&snapshot),
        ["Note: Nothing was asked in the last minute."]
    );
    snapshot.total.requests = 3;
    assert_eq!(said(&snapshot), ["Note: All requests went past the cache."]);
}

#[test]
fn more_than_one_failure_in_a_hundred_is_a_problem() {
    let words = one(|snapshot| snapshot.total.load_errors = 2);
    assert_eq!(words, "Problem: 2 of 100 loads since the start failed.");
    let words = one(|snapshot| {
        snapshot.total.error = 11;
        let row = |query: &str, error| {
            let mut row = QuerySnapshot::default();
            query.clone_into(&mut row.query);
            row.numbers.error = error;
            row
        };
        snapshot.queries = vec![row("a", 3), row("b", 0), row("c", 8)];
    });
    let expected = "Problem: 11 of 1,000 requests since the start got no value: c, a.";
    assert_eq!(words, expected);
    let words = one(|snapshot| {
        snapshot.window = Window::Hour;
        snapshot.total.stale_load_error = 11;
    });
    let expected =
        "Attention: 11 of 1,000 requests in the last hour got an old copy because loading failed.";
    assert_eq!(words, expected);
}

#[test]
fn failures_that_are_over_are_no_problem_any_more() {
    let mut snapshot = well();
    snapshot.total.load_errors = 2;
    let first = |late| {
        let said = said_of(&snapshot, |page| {
            page.of_late = Some(SummaryNumbers {
                load_errors: late,
                ..SummaryNumbers::default()
            });
        });
        said[0].clone()
    };
    let failed = "2 of 100 loads since the start failed.";
    assert_eq!(first(1), format!("Problem: {failed}"));
    assert_eq!(
        first(0),
        format!("Note: {failed} None in the last 5 minutes.")
    );
}

#[test]
fn who_is_away_and_a_breaker_that_is_not_closed_are_said_once() {
    let words = one(|s| {
        s.database.up = Some(false);
        "open".clone_into(&mut s.database.breaker);
        s.database.last_error = Some("too_many_connections".to_owned());
    });
    assert!(words.starts_with("Problem: The database cannot be reached (too many connections)."));
    let words = one(|s| "open".clone_into(&mut s.database.breaker));
    assert_eq!(words, "Problem: The database’s breaker is open.");
    let words = one(|s| {
        redis(s).up = Some(false);
        "open".clone_into(&mut redis(s).breaker);
    });
    assert!(
        words.starts_with("Problem: Redis cannot be reached."),
        "{words}"
    );
    let words = one(|s| {
        redis(s).up = Some(false);
        redis(s).last_error = Some("auth".to_owned());
    });
    let expected = "Look at user and password in [redis] url and password_file.";
    assert!(words.ends_with(expected), "{words}");
    let words = one(|s| "half-open".clone_into(&mut redis(s).breaker));
    assert!(
        words.starts_with("Attention: The breaker of Redis is half-open."),
        "{words}"
    );
    let mut snapshot = well();
    (snapshot.database.listening, snapshot.database.up) = (Some(false), None);
    assert_eq!(said(&snapshot).len(), 1, "it is not asked yet");
    let words = one(|s| s.database.listening = Some(false));
    assert!(
        words.starts_with("Attention: The database’s messages are not heard"),
        "{words}"
    );
}

#[test]
fn who_waits_for_a_connection_is_counted() {
    let words = one(|s| (s.database.pool.waiting, s.database.pool.max) = (3, 8));
    assert!(words.starts_with("Attention: 3 wait for one of the 8 connections to the database."));
    let words = one(|s| (redis(s).pool.waiting, redis(s).pool.max) = (1, 16));
    assert!(words.starts_with("Attention: 1 waits for one of the 16 connections to Redis."));
    // Nobody waits for want of connections there.
    let words = one(|s| {
        redis(s).pool.waiting = 1;
        redis(s).up = Some(false);
    });
    assert!(
        words.starts_with("Problem: Redis cannot be reached."),
        "{words}"
    );
    let words = one(|s| {
        redis(s).pool.waiting = 1;
        redis(s).complaint = Some("read_only".to_owned());
    });
    assert!(words.starts_with("Attention: Redis answers"), "{words}");
}

#[test]
fn redis_that_is_nearly_full_is_said_only_where_it_has_a_limit() {
    let words = one(|s| info(s).used_memory = Some(901));
    assert_eq!(
        words,
        "Attention: Redis uses 90.1 % of its 1000 B of memory."
    );
    let words = one(|s| info(s).maxmemory_policy = Some("noeviction".to_owned()));
    assert!(words.contains("maxmemory-policy is noeviction"), "{words}");
    for maxmemory in [Some(0), None] {
        let mut snapshot = well();
        info(&mut snapshot).maxmemory = maxmemory;
        info(&mut snapshot).maxmemory_policy = Some("noeviction".to_owned());
        assert_eq!(said(&snapshot).len(), 1);
    }
}

#[test]
fn evictions_are_said_while_they_go_on() {
    let evicted = |memory, redis| {
        said_of(&well(), |page| {
            page.evicted = Some(EvictionCounts {
                seconds: 240.2,
                memory,
                redis,
            });
        })
    };
    assert_eq!(evicted(0, 0).len(), 1);
    let both = evicted(312, 1);
    assert!(
        both[0].starts_with("Attention: Redis evicted 1 key in the last 4 min"),
        "{both:?}"
    );
    assert!(
        both[1].starts_with("Attention: The memory tier gave up 312"),
        "{both:?}"
    );
}

#[test]
fn a_reload_that_failed_is_a_problem_until_one_succeeds() {
    let failed = said_of(&well(), |page| {
        page.not_reloaded = Some(NotReloaded {
            at: "2026-11-23T05:06:40Z",
            message: "app.ini:7",
        });
    });
    assert!(
        failed[0].starts_with("Problem: The last reload failed"),
        "{failed:?}"
    );
}

#[test]
fn instances_that_differ_are_without_their_database_or_not_seen_are_said() {
    let instance = |name: &str, version: &str| {
        let mut one = InstanceSnapshot::default();
        name.clone_into(&mut one.instance.name);
        version.clone_into(&mut one.instance.version);
        one
    };
    let words = one(|s| s.instances.each = vec![instance("a", "0.1.0"), instance("b", "0.2.0")]);
    let expected = "0.1.0 on 1 instance, 0.2.0 on 1 instance.";
    assert!(
        words.ends_with(expected) && words.starts_with("Attention"),
        "{words}"
    );
    let words = one(|s| {
        s.instances.each = vec![instance("a", "1"), instance("b", "1")];
        s.instances.each[1].database_up = Some(false);
    });
    assert_eq!(words, "Problem: b cannot reach the database.");
    let words = one(|s| s.instances.alone_because = Some("redis away".to_owned()));
    assert!(
        words.starts_with("Attention: The other instances are not seen"),
        "{words}"
    );
    assert!(
        words.contains("until Redis, which is back, is asked again"),
        "{words}"
    );
    let mut snapshot = well();
    snapshot.instances.alone_because = Some("no redis".to_owned());
    assert_eq!(said(&snapshot).len(), 1);
}

#[test]
fn a_database_that_takes_no_more_connections_is_said_though_it_answers() {
    let words = one(|snapshot| snapshot.database.last_error = Some("full".to_owned()));
    let expected = "Attention: The database had no connection for some loads within the last seconds (full). \
                    Raise its max_connections";
    assert!(words.starts_with(expected), "{words}");
}

#[test]
fn a_redis_that_answers_and_takes_nothing_is_said_with_what_to_do() {
    let words = one(|s| redis(s).complaint = Some("read_only".to_owned()));
    let expected = "Attention: Redis answers, and does not do all that it is asked (read only). \
                    It is a replica and takes nothing new: [redis] url should lead to the primary.";
    assert_eq!(words, expected);
    let words = one(|s| {
        redis(s).complaint = Some("read_only".to_owned());
        redis(s).last_error = Some("timeout".to_owned());
        redis(s).up = Some(false);
    });
    assert!(
        words.starts_with("Problem: Redis cannot be reached (timeout)."),
        "{words}"
    );
}

#[test]
fn lines_of_logs_that_were_lost_are_said() {
    let said = said_of(&well(), |page| page.lines_lost = 1);
    assert!(
        said.iter()
            .any(|words| words.starts_with("Attention: 1 line of logs could not"))
    );
    let said = said_of(&well(), |_| {});
    assert!(!said.iter().any(|words| words.contains("logs")), "{said:?}");
}

#[test]
fn statements_that_nothing_ends_are_a_problem_with_a_remedy() {
    let words = one(|snapshot| snapshot.database.pool.stuck = 2);
    assert!(words.starts_with("Problem: 2 connections"), "{words}");
    assert!(words.contains("pg_stat_activity"), "{words}");
}
