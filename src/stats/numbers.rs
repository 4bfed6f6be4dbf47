//! The numbers of one query, of all, or of all instances, over one stretch of time: what was
//! counted, and what follows from it. Each ratio is computed here, from summed counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::counter::{Counter, CounterPart};
use super::distribution::Distribution;
use super::load::{LoadError, Trigger};
use super::tally::{CounterTally, Timed};

/// Fewer times than this have no 99th percentile worth the name.
const ENOUGH_FOR_P99: u64 = 100;

/// See the head of this file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SummaryNumbers {
    /// Requests that were answered: the sum of the seven outcomes below.
    pub requests: u64,
    /// Fresh copies from memory.
    pub hit_memory: u64,
    /// Fresh copies from Redis.
    pub hit_redis: u64,
    /// Stale copies, whatever the reason.
    pub stale: u64,
    /// Stale copies served while a refresh ran.
    pub stale_revalidating: u64,
    /// Stale copies served because loading failed.
    pub stale_load_error: u64,
    /// Answers that another request's load brought.
    pub coalesced: u64,
    /// Answers that the request's own load brought.
    pub miss: u64,
    /// Answers past the cache.
    pub bypass: u64,
    /// Requests without an answer.
    pub error: u64,
    /// Loads that have ended, refreshes included.
    pub loads: u64,
    /// Loads that run now.
    pub loads_in_flight: u64,
    /// Loads that failed.
    pub load_errors: u64,
    /// Loads that were not tried, and are in no other number of loads: the database was known to be
    /// away, or too many loads waited for it.
    #[serde(default)]
    pub loads_not_tried: u64,
    /// Loads by what began them.
    pub loads_by_trigger: BTreeMap<String, u64>,
    /// Failed loads by the class of their error.
    pub load_errors_by_class: BTreeMap<String, u64>,
    /// Loads that ended because the database refused a value that a client sent; in no other
    /// number of errors.
    #[serde(default)]
    pub refused_values: u64,
    /// Time spent in loads.
    pub load_seconds: f64,
    /// The time for which the latest load that succeeded took; `None` before the first.
    pub last_load_seconds: Option<f64>,
    /// (memory + Redis + stale) / (requests − bypass); `None` when nothing was asked.
    pub hit_ratio: Option<f64>,
    /// (answers − loads that brought rows for them) / (requests − bypass); a request that got an
    /// error was spared nothing. Below zero when loads outnumber answers; `None` when nothing was
    /// asked.
    pub offload: Option<f64>,
    /// The time saved over the served copies: load time stored with them − the request's own time,
    /// where positive.
    pub time_saved_seconds: f64,
    /// The same over the answers that another request's load brought.
    pub coalesced_saved_seconds: f64,
    /// Bytes of bodies served from the cache.
    pub served_bytes: u64,
    /// Variants that were encoded.
    pub compressions: u64,
    /// `requests` by the time they came in; `None` where there was none.
    pub requests_per_second: Option<f64>,
    /// `loads` likewise.
    pub loads_per_second: Option<f64>,
    /// The time for which requests took that were answered with a copy, fresh or stale.
    pub hit: Percentiles,
    /// The time for which requests took that waited for another request's load.
    pub coalesced_wait: Percentiles,
    /// The time for which loads took.
    pub load: Percentiles,
}

/// Percentiles by the nearest rank over buckets at most 9 % wide.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// The number of times; the others are `None` where there are none.
    pub count: u64,
    /// The median.
    pub p50_seconds: Option<f64>,
    /// The time that one in twenty passes.
    pub p95_seconds: Option<f64>,
    /// The time that one in a hundred passes; `None` also where there are fewer than a hundred.
    pub p99_seconds: Option<f64>,
}

impl Percentiles {
    pub(super) fn from_distribution(times: &Distribution) -> Percentiles {
        let count = times.count();
        Percentiles {
            count,
            p50_seconds: times.quantile(0.5),
            p95_seconds: times.quantile(0.95),
            p99_seconds: times.quantile(0.99).filter(|_| count >= ENOUGH_FOR_P99),
        }
    }
}

impl SummaryNumbers {
    /// Returns what follows from what was counted within `over` seconds.
    pub fn from_tally(tally: &CounterTally, over: f64) -> SummaryNumbers {
        let count = |counter| tally.counter_value(counter);
        let [stale, bypass, coalesced, miss, error, loads] = [
            CounterPart::Stale,
            CounterPart::Bypass,
            CounterPart::Coalesced,
            CounterPart::Miss,
            CounterPart::Error,
            CounterPart::Load,
        ]
        .map(|part| tally.part_sum(part));
        let refused_values = count(Counter::RefusedValues);
        let served = tally.part_sum(CounterPart::Hit) + stale;
        let cacheable = served + coalesced + miss + error;
        let load_errors = tally.part_sum(CounterPart::LoadError);
        // Each answer past the cache had a load of its own.
        let brought = loads.saturating_sub(load_errors + refused_values + bypass);
        let mut hits = tally.time_distribution(Timed::Hit).clone();
        hits.add(tally.time_distribution(Timed::Stale));
        SummaryNumbers {
            requests: cacheable + bypass,
            hit_memory: count(Counter::HitMemory),
            hit_redis: count(Counter::HitRedis),
            stale,
            stale_revalidating: count(Counter::StaleRevalidating),
            stale_load_error: count(Counter::StaleLoadError),
            coalesced,
            miss,
            bypass,
            error,
            loads,
            loads_in_flight: 0,
            load_errors,
            loads_not_tried: count(Counter::LoadsNotTried),
            loads_by_trigger: named_counts(
                Trigger::ALL.map(|word| (word.name(), count(word.counter()))),
            ),
            load_errors_by_class: named_counts(
                LoadError::failure_classes().map(|word| (word.name(), count(word.counter()))),
            ),
            refused_values,
            load_seconds: whole_seconds(count(Counter::LoadMicros)),
            last_load_seconds: None,
            hit_ratio: share_ratio(served, cacheable),
            offload: share_ratio(cacheable.saturating_sub(error), cacheable)
                .zip(share_ratio(brought, cacheable))
                .map(|(answered, brought)| answered - brought),
            time_saved_seconds: whole_seconds(count(Counter::SavedMicros)),
            coalesced_saved_seconds: whole_seconds(count(Counter::CoalescedSavedMicros)),
            served_bytes: count(Counter::ServedBytes),
            compressions: count(Counter::Compressions),
            requests_per_second: rate_per_second(cacheable + bypass, over),
            loads_per_second: rate_per_second(loads, over),
            hit: Percentiles::from_distribution(&hits),
            coalesced_wait: Percentiles::from_distribution(
                tally.time_distribution(Timed::Coalesced),
            ),
            load: Percentiles::from_distribution(tally.time_distribution(Timed::Load)),
        }
    }

    /// Returns how many times a copy was quicker than a load, by their medians: what the cache is
    /// for. `None` until both have been seen.
    pub fn speedup(&self) -> Option<f64> {
        let (hit, load) = (self.hit.p50_seconds?, self.load.p50_seconds?);
        Some(load / hit)
    }
}

fn named_counts<'a>(counts: impl IntoIterator<Item = (&'a str, u64)>) -> BTreeMap<String, u64> {
    let counts = counts.into_iter();
    counts
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "shown with a few digits; exact below 2^53"
)]
fn share_ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "shown with a few digits; exact below 2^53"
)]
fn rate_per_second(count: u64, over: f64) -> Option<f64> {
    (over > 0.0).then(|| count as f64 / over)
}
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds are exact below 2^53, 285 years"
)]
pub(super) fn whole_seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
