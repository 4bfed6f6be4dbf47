//! The metrics of both tiers, of database and Redis, and of their connections.

use super::super::exposition::{MetricKind, MetricsExposition};
use crate::stats::{PoolSnapshot, RedisInfo, RedisSnapshot, StatsSnapshot};

pub(super) fn write_memory(all: &mut MetricsExposition, snapshot: &StatsSnapshot) {
    let memory = &snapshot.memory;
    let gauges = [
        (
            "unslow_memory_entries",
            "Entries in the memory tier.",
            memory.entries,
        ),
        (
            "unslow_memory_bytes",
            "What the entries in the memory tier weigh.",
            memory.bytes,
        ),
        (
            "unslow_memory_max_bytes",
            "The bound of the memory tier; 0: there is none of that tier.",
            memory.max_bytes,
        ),
    ];
    for (name, help, count) in gauges {
        all.begin_family(name, MetricKind::Gauge, help)
            .write_sample(&[], count);
    }
    let help = "Entries that left the memory tier, by why.";
    let mut family = all.begin_family("unslow_evictions", MetricKind::Counter, help);
    for (cause, count) in &memory.evictions {
        family.write_sample(&[("cause", cause)], count);
    }
}

/// The answers that wait to be sent, and the requests that could not be read.
pub(super) fn write_unsent(all: &mut MetricsExposition, snapshot: &StatsSnapshot) {
    let unsent = &snapshot.unsent;
    let metrics = [
        (
            "unslow_unsent_bytes",
            MetricKind::Gauge,
            "Memory held by answers that wait to be sent.",
            unsent.bytes,
        ),
        (
            "unslow_unsent_max_bytes",
            MetricKind::Gauge,
            "The bound on that memory.",
            unsent.max_bytes,
        ),
        (
            "unslow_unsent_refused",
            MetricKind::Counter,
            "Answers that got a 503 because there was no room for them.",
            unsent.refused,
        ),
    ];
    for (name, kind, help, count) in metrics {
        all.begin_family(name, kind, help).write_sample(&[], count);
    }
    let help = "Requests that were refused because they could not be read.";
    let mut family = all.begin_family("unslow_unread_requests", MetricKind::Counter, help);
    family.write_sample(&[], snapshot.unread);
}

/// Returns which there are, with their connections.
pub(super) fn write_pools(all: &mut MetricsExposition, snapshot: &StatsSnapshot) {
    let redis = snapshot.redis.as_ref();
    let pools: Vec<_> = std::iter::once(("database", snapshot.database.pool))
        .chain(redis.map(|redis| ("redis", redis.pool)))
        .collect();
    let help = "Connections of a pool, at work or idle.";
    let mut family = all.begin_family("unslow_pool_connections", MetricKind::Gauge, help);
    for (pool, numbers) in &pools {
        for (state, count) in [("used", numbers.used), ("idle", numbers.idle)] {
            family.write_sample(&[("pool", pool), ("state", state)], count);
        }
    }
    let metrics: [OfPool; 4] = [
        (
            "unslow_pool_max_connections",
            MetricKind::Gauge,
            "The most connections there may be.",
            |pool| pool.max,
        ),
        (
            "unslow_pool_waiting",
            MetricKind::Gauge,
            "Who waits for a connection.",
            |pool| pool.waiting,
        ),
        (
            "unslow_pool_timeouts",
            MetricKind::Counter,
            "How often somebody waited for a connection in vain.",
            |pool| pool.timeouts,
        ),
        (
            "unslow_pool_stuck_connections",
            MetricKind::Gauge,
            "Connections taken by statements that go on although their sessions were terminated.",
            |pool| pool.stuck,
        ),
    ];
    for (name, kind, help, of) in metrics {
        let mut family = all.begin_family(name, kind, help);
        for (pool, numbers) in &pools {
            family.write_sample(&[("pool", pool)], of(numbers));
        }
    }
}

/// A metric with one value for each pool.
type OfPool = (
    &'static str,
    MetricKind,
    &'static str,
    fn(&PoolSnapshot) -> u64,
);

/// Returns whether database and Redis are there, as far as that is known.
pub(super) fn write_targets(all: &mut MetricsExposition, snapshot: &StatsSnapshot) {
    let (database, redis) = (&snapshot.database, snapshot.redis.as_ref());
    let breakers = [
        ("database", Some(&database.breaker)),
        ("redis", redis.map(|redis| &redis.breaker)),
    ];
    let help = "1 for the state that a target's breaker is in, 0 for the others.";
    let mut family = all.begin_family("unslow_breaker_state", MetricKind::Gauge, help);
    for (target, now) in breakers {
        let Some(now) = now.filter(|now| !now.is_empty()) else {
            continue;
        };
        for state in ["closed", "open", "half-open"] {
            let is = u8::from(now == state);
            family.write_sample(&[("target", target), ("state", state)], is);
        }
    }
    let ups = [
        (
            "unslow_database_up",
            "Whether the latest contact with the database succeeded.",
            database.up,
        ),
        (
            "unslow_redis_up",
            "Whether the latest contact with Redis succeeded.",
            redis.and_then(|redis| redis.up),
        ),
    ];
    for (name, help, up) in ups {
        if let Some(up) = up {
            all.begin_family(name, MetricKind::Gauge, help)
                .write_sample(&[], u8::from(up));
        }
    }
}

pub(super) fn redis_tier(all: &mut MetricsExposition, redis: &RedisSnapshot) {
    let counters = [
        (
            "unslow_redis_reads",
            "Look-ups that Redis answered.",
            redis.reads,
        ),
        (
            "unslow_redis_writes",
            "Envelopes that Redis took.",
            redis.writes,
        ),
        (
            "unslow_redis_written_bytes",
            "The bytes of these envelopes.",
            redis.written_bytes,
        ),
    ];
    for (name, help, count) in counters {
        all.begin_family(name, MetricKind::Counter, help)
            .write_sample(&[], count);
    }
    let help = "Commands that failed, by class.";
    let mut family = all.begin_family("unslow_redis_errors", MetricKind::Counter, help);
    for (class, count) in &redis.errors {
        family.write_sample(&[("class", class)], count);
    }
}

/// Returns what Redis says of itself, of the whole server, so every instance says the same.
pub(super) fn redis_server(all: &mut MetricsExposition, info: Option<&RedisInfo>) {
    let Some(info) = info else { return };
    let metrics = [
        (
            "unslow_redis_evicted_keys",
            MetricKind::Counter,
            "Keys of the whole server that left for want of space, whosever they were.",
            info.evicted_keys,
        ),
        (
            "unslow_redis_keyspace_hits",
            MetricKind::Counter,
            "Reads of the whole server that found a key.",
            info.keyspace_hits,
        ),
        (
            "unslow_redis_keyspace_misses",
            MetricKind::Counter,
            "Reads of the whole server that found none.",
            info.keyspace_misses,
        ),
        (
            "unslow_redis_memory_used_bytes",
            MetricKind::Gauge,
            "Memory that the server uses.",
            info.used_memory,
        ),
        (
            "unslow_redis_memory_max_bytes",
            MetricKind::Gauge,
            "The server's bound on that; 0: no limit.",
            info.maxmemory,
        ),
    ];
    for (name, kind, help, known) in metrics {
        if let Some(count) = known {
            all.begin_family(name, kind, help).write_sample(&[], count);
        }
    }
}
