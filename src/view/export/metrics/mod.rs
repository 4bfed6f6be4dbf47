//! The numbers that are metrics, and their names. Names and labels are an interface: dashboards and
//! alert rules hold on to them. Labels hold names of queries and fixed words, never a key, a
//! parameter or an address.
//!
//! What has counted once keeps its series until the process ends, also a query that a reload
//! removed: a counter that disappears would be counted twice when it comes back.

mod input;
mod program;
mod tiers;

pub use input::{MetricsInput, ReloadCounts};

use super::exposition::{MetricKind, MetricsDialect, MetricsExposition, metric_value};
use crate::stats::{self, Counter, CounterUnit, Distribution, QuerySnapshot, StatsSnapshot, Timed};

/// Returns all metrics.
pub fn write_metrics(of: &MetricsInput<'_>, dialect: MetricsDialect) -> String {
    let mut all = MetricsExposition::new(dialect);
    write_counters(&mut all, of.snapshot);
    write_times(&mut all, of.snapshot);
    tiers::write_memory(&mut all, of.snapshot);
    tiers::write_unsent(&mut all, of.snapshot);
    tiers::write_pools(&mut all, of.snapshot);
    tiers::write_targets(&mut all, of.snapshot);
    if let Some(redis) = &of.snapshot.redis {
        tiers::redis_tier(&mut all, redis);
        tiers::redis_server(&mut all, redis.info.as_ref());
    }
    program::write_program(&mut all, of);
    program::write_process(&mut all, of.process);
    all.finish()
}

/// Returns what is counted of each query: the families of `stats`, with the name and the help they
/// have there.
fn write_counters(all: &mut MetricsExposition, snapshot: &StatsSnapshot) {
    for family in stats::Family::ALL {
        let name = family.name().trim_end_matches("_total");
        let mut metric = all.begin_family(
            &format!("unslow_{name}"),
            MetricKind::Counter,
            family.help(),
        );
        // Several counters may share a label's value, and then are one series.
        let mut series: Vec<(&str, Vec<Counter>)> = Vec::new();
        for (counter, label) in family.family_counters() {
            match series.iter_mut().find(|(known, _)| *known == label) {
                Some((_, counters)) => counters.push(counter),
                None => series.push((label, vec![counter])),
            }
        }
        for QuerySnapshot { query, tally, .. } in &snapshot.queries {
            for (label, counters) in &series {
                let sum = counters
                    .iter()
                    .map(|counter| tally.counter_value(*counter))
                    .sum();
                let labels = [("query", query.as_str())].into_iter();
                let labels = labels.chain(family.label().map(|name| (name, *label)));
                metric.write_sample(&labels.collect::<Vec<_>>(), in_unit(family.unit(), sum));
            }
        }
    }
    all.begin_family(
        "unslow_loads_in_flight",
        MetricKind::Gauge,
        "Loads that run now.",
    )
    .write_sample(&[], snapshot.total.loads_in_flight);
}

fn in_unit(unit: CounterUnit, count: u64) -> f64 {
    match unit {
        CounterUnit::Count | CounterUnit::Bytes => metric_value(count),
        CounterUnit::Microseconds => metric_value(count) / 1e6,
    }
}

fn write_times(all: &mut MetricsExposition, snapshot: &StatsSnapshot) {
    let help = "How long requests took in the cache, by how they were answered.";
    let mut family = all.begin_family(
        "unslow_request_duration_seconds",
        MetricKind::Histogram,
        help,
    );
    for outcome in Timed::ALL {
        if outcome == Timed::Load {
            continue;
        }
        let mut sum = Distribution::default();
        for query in &snapshot.queries {
            sum.add(query.tally.time_distribution(outcome));
        }
        family.write_distribution(&[("outcome", outcome.name())], &sum);
    }
    let help = "How long loads took, however they ended.";
    let mut family = all.begin_family("unslow_load_duration_seconds", MetricKind::Histogram, help);
    for query in &snapshot.queries {
        family.write_distribution(
            &[("query", &query.query)],
            query.tally.time_distribution(Timed::Load),
        );
    }
}
