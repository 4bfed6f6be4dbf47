//! Which numbers are metrics, and under which names. Names and labels are an interface: dashboards
//! and alert rules hold on to them. Labels hold names of queries and fixed words, never a key, a
//! parameter or an address.
//!
//! What has counted once keeps its series until the process ends, also a query that a reload
//! removed: a counter that disappears would be counted twice when it comes back.

mod program;
mod tiers;

use std::collections::BTreeMap;

use super::exposition::{Dialect, Exposition, Kind};
use crate::stats::{Distribution, Process, QuerySnapshot, Snapshot, Timed};

/// What the metrics are made of.
#[derive(Debug, Clone, Copy)]
pub struct Metrics<'a> {
    /// All numbers since the start: a window would make counters fall.
    pub snapshot: &'a Snapshot,
    /// What the system says of this process.
    pub process: &'a Process,
    /// How reloads went.
    pub reloads: Reloads,
    /// From which commit this program was built; `None`: nobody said.
    pub commit: Option<&'a str>,
}

/// Reloads of settings and queries.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reloads {
    /// How many there were.
    pub all: u64,
    /// How many of them changed nothing, because something was wrong.
    pub failed: u64,
    /// Whether the latest was one of these.
    pub last_failed: bool,
    /// Since when the settings are in force, in seconds since 1970.
    pub settings_since: u64,
}

/// All metrics.
pub fn metrics(of: &Metrics<'_>, dialect: Dialect) -> String {
    let mut all = Exposition::new(dialect);
    requests(&mut all, of.snapshot);
    loads(&mut all, of.snapshot);
    times(&mut all, of.snapshot);
    tiers::memory(&mut all, of.snapshot);
    tiers::pools(&mut all, of.snapshot);
    tiers::targets(&mut all, of.snapshot);
    if let Some(redis) = &of.snapshot.redis {
        tiers::redis_tier(&mut all, redis);
        tiers::redis_server(&mut all, redis.info.as_ref());
    }
    program::program(&mut all, of);
    program::process(&mut all, of.process);
    all.finish()
}

/// A metric with one value for each query.
type PerQuery = (&'static str, &'static str, fn(&QuerySnapshot) -> f64);

/// A count as a metric's value.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
fn value(count: u64) -> f64 {
    count as f64
}

fn per_query(all: &mut Exposition, snapshot: &Snapshot, metrics: &[PerQuery]) {
    for (name, help, of) in metrics {
        let mut family = all.family(name, Kind::Counter, help);
        for query in &snapshot.queries {
            family.sample(&[("query", &query.query)], of(query));
        }
    }
}

fn requests(all: &mut Exposition, snapshot: &Snapshot) {
    let help = "Requests that were answered, however.";
    let metrics: [PerQuery; 1] = [("unslow_requests", help, |q| value(q.numbers.requests))];
    per_query(all, snapshot, &metrics);
    let help = "Requests answered with a fresh copy, by where that was found.";
    let mut family = all.family("unslow_hits", Kind::Counter, help);
    for QuerySnapshot { query, numbers, .. } in &snapshot.queries {
        let tiers = [("memory", numbers.hit_memory), ("redis", numbers.hit_redis)];
        for (tier, count) in tiers {
            family.sample(&[("query", query), ("tier", tier)], count);
        }
    }
    let help = "Requests answered with a copy past its TTL, by why.";
    let mut family = all.family("unslow_stale_served", Kind::Counter, help);
    for QuerySnapshot { query, numbers, .. } in &snapshot.queries {
        let reasons = [
            ("revalidating", numbers.stale_revalidating),
            ("load_error", numbers.stale_load_error),
        ];
        for (reason, count) in reasons {
            family.sample(&[("query", query), ("reason", reason)], count);
        }
    }
    let metrics: [PerQuery; 8] = [
        (
            "unslow_coalesced",
            "Requests that waited for another request's load and got its result.",
            |q| value(q.numbers.coalesced),
        ),
        (
            "unslow_misses",
            "Requests whose own load ran and succeeded.",
            |q| value(q.numbers.miss),
        ),
        (
            "unslow_bypassed",
            "Requests past the cache, on purpose.",
            |q| value(q.numbers.bypass),
        ),
        (
            "unslow_request_errors",
            "Requests that got no value.",
            |q| value(q.numbers.error),
        ),
        (
            "unslow_time_saved_seconds",
            "Over the served copies: how long their loads took, less the requests' own time.",
            |q| q.numbers.time_saved_seconds,
        ),
        (
            "unslow_coalesced_time_saved_seconds",
            "The same over requests that waited for another request's load.",
            |q| q.numbers.coalesced_saved_seconds,
        ),
        (
            "unslow_served_bytes",
            "Bytes of bodies served from the cache.",
            |q| value(q.numbers.served_bytes),
        ),
        (
            "unslow_compressions",
            "Variants of bodies that were encoded.",
            |q| value(q.numbers.compressions),
        ),
    ];
    per_query(all, snapshot, &metrics);
}

fn loads(all: &mut Exposition, snapshot: &Snapshot) {
    let help = "Statements run on the database, refreshes included, by what began them.";
    let mut family = all.family("unslow_loads", Kind::Counter, help);
    for QuerySnapshot { query, numbers, .. } in &snapshot.queries {
        for (trigger, count) in known(&numbers.loads_by_trigger, numbers.loads) {
            family.sample(&[("query", query), ("trigger", trigger)], count);
        }
    }
    let help = "Loads that failed, by the class of the error.";
    let mut family = all.family("unslow_load_errors", Kind::Counter, help);
    for QuerySnapshot { query, numbers, .. } in &snapshot.queries {
        for (class, count) in known(&numbers.load_errors_by_class, numbers.load_errors) {
            family.sample(&[("query", query), ("class", class)], count);
        }
    }
    all.family("unslow_loads_in_flight", Kind::Gauge, "Loads that run now.")
        .sample(&[], snapshot.total.loads_in_flight);
}

/// The parts of a count; the whole of it, with no word for it, where none are known.
fn known(parts: &BTreeMap<String, u64>, whole: u64) -> impl Iterator<Item = (&str, u64)> {
    let unknown = parts.is_empty().then_some(("", whole));
    let parts = parts.iter().map(|(word, count)| (word.as_str(), *count));
    parts.chain(unknown)
}

fn times(all: &mut Exposition, snapshot: &Snapshot) {
    let help = "How long requests took in the cache, by how they were answered.";
    let mut family = all.family("unslow_request_duration_seconds", Kind::Histogram, help);
    for outcome in Timed::ALL {
        if outcome == Timed::Load {
            continue;
        }
        let mut sum = Distribution::default();
        for query in &snapshot.queries {
            sum.add(query.tally.time(outcome));
        }
        family.distribution(&[("outcome", outcome.name())], &sum);
    }
    let help = "How long loads took, however they ended.";
    let mut family = all.family("unslow_load_duration_seconds", Kind::Histogram, help);
    for query in &snapshot.queries {
        family.distribution(&[("query", &query.query)], query.tally.time(Timed::Load));
    }
}
