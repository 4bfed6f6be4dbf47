//! Numbers as they could be on a good day, on a bad one, and on three machines.

use std::collections::BTreeMap;

use crate::stats::{
    DatabaseSnapshot, HotKey, InstanceInfo, InstanceSnapshot, InstanceTotals, MemorySnapshot,
    Percentiles, PoolSnapshot, QuerySnapshot, RedisInfo, RedisSnapshot, SeriesPoint, SlowLoad,
    SnapshotSeries, StatsSnapshot, SummaryNumbers, Window,
};

type Text<'a> = &'a dyn Fn(&str) -> String;

/// One instance, all well. `name` is that of a query.
pub(super) fn good(text: Text<'_>, name: &str) -> StatsSnapshot {
    let all = numbers(1);
    let little = SummaryNumbers {
        requests: 12,
        loads: 12,
        load_seconds: 0.4,
        ..SummaryNumbers::default()
    };
    let gone = QuerySnapshot {
        removed: true,
        ..row("gone", &SummaryNumbers::default())
    };
    StatsSnapshot {
        window_seconds: 187_245.0,
        generated_at: 1_795_417_200.0,
        uptime_seconds: 187_245.0,
        instance: instance(text, "web-1:4711", "0.1.0"),
        total: all.clone(),
        queries: vec![row(name, &little), row("version", &all), gone],
        series: series(),
        slowest: slowest(text, name),
        hottest: hottest(text, name),
        memory: MemorySnapshot {
            entries: 1_204,
            bytes: 18_874_368,
            max_bytes: 67_108_864,
            evictions: counts(&[("size", 0), ("expired", 20_412), ("replaced", 4_012)]),
        },
        redis: Some(redis(text)),
        database: database(Some(true)),
        instances: InstanceTotals {
            alone_because: Some("no redis".to_owned()),
            ..InstanceTotals::default()
        },
        ..StatsSnapshot::default()
    }
}

/// Everything that a verdict speaks of.
pub(super) fn worse(text: Text<'_>, name: &str) -> StatsSnapshot {
    let bad = SummaryNumbers {
        load_errors: 3_000,
        hit_ratio: Some(0.41),
        ..numbers(3)
    };
    let redis = RedisSnapshot {
        up: Some(false),
        breaker: text("open"),
        last_error: Some(text("timeout")),
        errors: counts(&[("timeout", 12), ("connect", 3), ("auth", 0)]),
        rejected: counts(&[("version", 2)]),
        info: Some(RedisInfo {
            age_seconds: 44.0,
            used_memory: Some(1_020_054_732),
            maxmemory: Some(1_073_741_824),
            maxmemory_policy: Some("noeviction".to_owned()),
            ..RedisInfo::default()
        }),
        ..redis(text)
    };
    let mut database = database(Some(false));
    database.breaker = "open".to_owned();
    database.last_error = Some(text("connect"));
    database.pool.waiting = 3;
    let good = good(text, name);
    StatsSnapshot {
        window: Window::FiveMinutes,
        total: bad.clone(),
        queries: vec![row(name, &bad), row("version", &SummaryNumbers::default())],
        redis: Some(redis),
        database,
        instances: InstanceTotals {
            alone_because: Some("redis away".to_owned()),
            each: good.instances.each.clone(),
            ..InstanceTotals::default()
        },
        ..good
    }
}

/// Three instances, one of another version and without its database.
pub(super) fn fleet(text: Text<'_>, name: &str) -> StatsSnapshot {
    let one = |id: &str, version: &str, is_self, up| InstanceSnapshot {
        instance: InstanceInfo {
            id: id.to_owned(),
            ..instance(text, id, version)
        },
        is_self,
        age_seconds: 2.4,
        uptime_seconds: 187_245.4,
        database_up: up,
        numbers: numbers(1),
        ..InstanceSnapshot::default()
    };
    let sums = [(name, numbers(3)), ("version", numbers(2))];
    StatsSnapshot {
        window: Window::Hour,
        instances: InstanceTotals {
            alone_because: None,
            each: vec![
                one("web-1:4711", "0.1.0", true, Some(true)),
                one("web-2:902", "0.1.0", false, Some(false)),
                one("web-3:1310", "0.2.0", false, None),
            ],
            total: numbers(3),
            queries: sums.map(|(name, n)| (name.to_owned(), n)).into(),
            ..InstanceTotals::default()
        },
        fleet: counts(&[("leases_taken", 5_586), ("lease_waits", 412), ("purges", 0)]),
        ..good(text, name)
    }
}

fn row(query: &str, numbers: &SummaryNumbers) -> QuerySnapshot {
    QuerySnapshot {
        query: query.to_owned(),
        ttl_seconds: Some(10.0),
        numbers: numbers.clone(),
        ..QuerySnapshot::default()
    }
}

fn instance(text: Text<'_>, name: &str, version: &str) -> InstanceInfo {
    InstanceInfo {
        name: text(name),
        version: version.to_owned(),
        generation: 3,
        ..InstanceInfo::default()
    }
}

fn numbers(factor: u64) -> SummaryNumbers {
    SummaryNumbers {
        requests: 1_284_310 * factor,
        hit_memory: 1_190_004 * factor,
        hit_redis: 61_200 * factor,
        stale: 18_400 * factor,
        coalesced: 9_120 * factor,
        miss: 5_586 * factor,
        loads: 24_061 * factor,
        load_errors: 3 * factor,
        loads_in_flight: 1,
        load_seconds: 120_713.0,
        last_load_seconds: Some(5.021_48),
        hit_ratio: Some(0.988),
        time_saved_seconds: 6_371_904.0,
        served_bytes: 5_812_204_118 * factor,
        requests_per_second: Some(6.858),
        loads_per_second: Some(0.128),
        hit: percentiles(1_269_604 * factor, 0.000_31, 0.001_24, 0.004_7),
        load: percentiles(24_061 * factor, 5.02, 5.31, 7.9),
        ..SummaryNumbers::default()
    }
}

fn percentiles(count: u64, p50: f64, p95: f64, p99: f64) -> Percentiles {
    Percentiles {
        count,
        p50_seconds: Some(p50),
        p95_seconds: Some(p95),
        p99_seconds: Some(p99),
    }
}

/// Waves, with a time before the process was there and a quiet moment.
fn series() -> SnapshotSeries {
    let point = |n: i32| {
        let wave = f64::from((n * 37 + n * n * 11) % 17) / 17.0;
        let quiet = (30..33).contains(&n);
        (n > 7).then(|| SeriesPoint {
            hit_ratio: (!quiet).then_some(0.9 + wave / 10.0),
            requests_per_second: if quiet { 0.0 } else { 6.0 + 8.0 * wave },
            loads_per_second: wave / 4.0,
            time_saved_seconds: 40.0 * wave,
            hit_p95_seconds: (!quiet).then_some(0.001 + wave / 1e3),
            load_p95_seconds: (n % 3 == 0).then_some(5.0 + wave),
        })
    };
    SnapshotSeries {
        step_seconds: 5,
        ends_at: 1_795_417_200.0,
        points: (0..60).map(point).collect(),
    }
}

fn slowest(text: Text<'_>, name: &str) -> Vec<SlowLoad> {
    let load = |seconds: f64, query: &str, params: Option<&str>, error: Option<&str>| SlowLoad {
        query: query.to_owned(),
        key: "9f31c07a".to_owned(),
        seconds,
        at: 1_795_416_012.0 + seconds,
        trigger: text("refresh_ahead"),
        error: error.map(text),
        params: params.map(text),
    };
    vec![
        load(30.0, "version", None, Some("timeout")),
        load(9.31, name, Some("region=eu, since=2026-01-01"), None),
        load(5.4, "version", None, None),
    ]
}

fn hottest(text: Text<'_>, name: &str) -> Vec<HotKey> {
    let key = |requests, over, query: &str, params: Option<&str>| HotKey {
        query: query.to_owned(),
        key: "03bb61e2".to_owned(),
        requests,
        over,
        params: params.map(text),
    };
    vec![
        key(1_204_312, 0, "version", None),
        key(31_041, 412, name, Some("region=eu, since=2026-01-01")),
    ]
}

fn redis(text: Text<'_>) -> RedisSnapshot {
    RedisSnapshot {
        up: Some(true),
        breaker: "closed".to_owned(),
        since_seconds: 187_200.0,
        reads: 94_306,
        writes: 24_058,
        written_bytes: 402_653_184,
        pool: PoolSnapshot {
            used: 1,
            idle: 3,
            max: 16,
            ..PoolSnapshot::default()
        },
        info: Some(RedisInfo {
            age_seconds: 4.2,
            redis_version: Some(text("7.1.0")),
            uptime_in_seconds: Some(9_201_112),
            role: Some(text("master")),
            connected_clients: Some(42),
            used_memory: Some(402_653_184),
            maxmemory: Some(0),
            maxmemory_policy: Some(text("volatile-lru")),
            evicted_keys: Some(0),
            expired_keys: Some(1_204_511),
            keyspace_hits: Some(99_120_441),
            keyspace_misses: None,
            rejected_connections: Some(0),
        }),
        ..RedisSnapshot::default()
    }
}

fn database(up: Option<bool>) -> DatabaseSnapshot {
    DatabaseSnapshot {
        kind: "postgres".to_owned(),
        up,
        breaker: "closed".to_owned(),
        since_seconds: 187_200.0,
        pool: PoolSnapshot {
            used: 1,
            idle: 4,
            max: 8,
            ..PoolSnapshot::default()
        },
        listening: Some(true),
        says_which: Some(true),
        ..DatabaseSnapshot::default()
    }
}

fn counts(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    counts
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}
