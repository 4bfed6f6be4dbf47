//! A snapshot in which every number is there and differs from the others, for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::outcome::{BypassReason, Outcome, StaleReason, Tier};
use crate::stats::{
    DatabaseSnapshot, InstanceInfo, InstanceSnapshot, InstanceTotals, KeyId, LoadEnd, LoadError,
    MemorySnapshot, PoolSnapshot, ProcessNumbers, QueryStats, RedisInfo, RedisSnapshot, Stats,
    StatsSnapshot, SummaryNumbers, Trigger, Window,
};

/// Every outcome, each another number of times.
const OUTCOMES: [Outcome; 9] = [
    Outcome::Hit(Tier::Memory),
    Outcome::Hit(Tier::Redis),
    Outcome::Stale(StaleReason::Revalidating),
    Outcome::Stale(StaleReason::LoadError),
    Outcome::Coalesced,
    Outcome::Miss,
    Outcome::Bypass(BypassReason::CacheOff),
    Outcome::Bypass(BypassReason::TooLarge),
    Outcome::Error,
];

pub(super) fn snapshot() -> StatsSnapshot {
    let stats = Stats::new(["revenue", "a-b_c"].into_iter());
    count(stats.query_stats(0), 1);
    count(stats.query_stats(1), 20);
    let gone = stats.reconfigured(["revenue"].into_iter());
    let mut snapshot = gone.take_snapshot(Window::Start);
    for query in &mut snapshot.queries {
        query.ttl_seconds = (!query.removed).then_some(10.5);
    }
    StatsSnapshot {
        instance: InstanceInfo {
            id: "i1".to_owned(),
            name: "web-1:77".to_owned(),
            version: "1.2.3".to_owned(),
            generation: 4,
            started_at: 1_700_000_000,
        },
        generated_at: 1_700_007_384.5,
        uptime_seconds: 7384.5,
        window_seconds: 7384.5,
        memory: MemorySnapshot {
            entries: 71,
            bytes: 7200,
            max_bytes: 73_000,
            evictions: words(&[("expired", 74), ("size", 75)]),
        },
        redis: Some(redis()),
        database: DatabaseSnapshot {
            kind: "postgres".to_owned(),
            up: Some(true),
            breaker: "closed".to_owned(),
            since_seconds: 91.5,
            last_error: Some("timeout".to_owned()),
            pool: pool(100),
            listening: Some(true),
            says_which: Some(true),
        },
        instances: instances(),
        ..snapshot
    }
}

fn count(query: &QueryStats, times: u64) {
    for (place, outcome) in OUTCOMES.into_iter().enumerate() {
        for _ in 0..times + place as u64 {
            let took = Duration::from_micros(300 * (place as u64 + 1));
            query.record_request(outcome, took, Duration::from_secs(5));
        }
    }
    let canonical = Bytes::new();
    let key = KeyId {
        digest: &[7; 16],
        canonical: &canonical,
    };
    for (trigger, error) in [
        (Trigger::Request, None),
        (Trigger::Request, Some(LoadError::Timeout)),
        (Trigger::Refresh, None),
    ] {
        query.load_begins();
        query.load_ends(&LoadEnd {
            key,
            trigger,
            elapsed: Duration::from_millis(900 * times),
            error,
        });
    }
    query.load_begins();
    query.count_served(1000 * times);
    query.count_compression();
}

fn words(all: &[(&str, u64)]) -> BTreeMap<String, u64> {
    let owned = |(word, count): &(&str, u64)| ((*word).to_owned(), *count);
    all.iter().map(owned).collect()
}

fn pool(from: u64) -> PoolSnapshot {
    PoolSnapshot {
        used: from + 1,
        idle: from + 2,
        max: from + 3,
        waiting: from + 4,
        timeouts: from + 5,
        stuck: from + 6,
    }
}

fn redis() -> RedisSnapshot {
    RedisSnapshot {
        up: Some(false),
        breaker: "half-open".to_owned(),
        since_seconds: 12.5,
        last_error: Some("connect".to_owned()),
        reads: 81,
        writes: 82,
        written_bytes: 83,
        errors: words(&[("connect", 84), ("timeout", 85)]),
        pool: pool(200),
        info: Some(RedisInfo {
            age_seconds: 3.5,
            used_memory: Some(3 << 20),
            maxmemory: Some(0),
            evicted_keys: Some(86),
            keyspace_hits: Some(87),
            keyspace_misses: Some(88),
            ..RedisInfo::default()
        }),
        ..RedisSnapshot::default()
    }
}

fn instances() -> InstanceTotals {
    let instance = |name: &str, version: &str, requests| InstanceSnapshot {
        instance: InstanceInfo {
            name: name.to_owned(),
            version: version.to_owned(),
            ..InstanceInfo::default()
        },
        is_self: name == "web-1:77",
        uptime_seconds: 7384.5,
        numbers: SummaryNumbers {
            requests,
            ..SummaryNumbers::default()
        },
        ..InstanceSnapshot::default()
    };
    InstanceTotals {
        each: vec![
            instance("web-1:77", "1.2.3", 12),
            instance("web-2:78\u{1b}[1m", "1.2.2", 13),
        ],
        total: SummaryNumbers {
            requests: 25,
            ..SummaryNumbers::default()
        },
        ..InstanceTotals::default()
    }
}

pub(super) fn process() -> ProcessNumbers {
    ProcessNumbers {
        cpu_seconds: Some(1.25),
        resident_bytes: Some(20 << 20),
        virtual_bytes: Some(40 << 20),
        open_fds: Some(33),
        max_fds: Some(1024),
        started_at: Some(1_700_000_000.25),
    }
}
