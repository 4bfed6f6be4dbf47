//! Every counter once. No rendering in here, and nothing that waits: recording is a few additions
//! in the thread's own place, and a snapshot is read from memory alone, so `/stats` works with
//! Redis and the database down.
//!
//! `counter` is the table of all counters. They are told by way of `query` (`load` has the words
//! for loads, `tiers` what is counted of the tiers) and kept in `cells` and `histogram`; `tally`
//! and `distribution` are what was counted in one stretch of time, which `timeline` cuts into slots
//! (`packed` is how it keeps them), and `numbers` what follows from it. `slowest` and `hottest` (a
//! `sketch` for each thread) rank loads and keys, shown as `mask` makes them. `ledger` holds all of
//! that for the process; `snapshot` is what readers read, `fleet` that of other instances.

mod cells;
mod counter;
mod distribution;
mod fleet;
mod gauges;
mod histogram;
mod hottest;
mod instance;
mod instance_sum;
mod ledger;
mod load;
mod mask;
mod numbers;
mod pace;
mod packed;
mod process;
mod query;
mod sent;
mod serving;
mod sketch;
mod slowest;
mod snapshot;
mod tally;
mod tiers;
mod timeline;
mod uptime;
mod window;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

pub use counter::{COUNTERS, Counter, CounterPart, CounterUnit, Family};
pub use distribution::Distribution;
pub use fleet::{InstanceReport, InstanceSnapshot, InstanceTotals, OtherInstances, UnusableReport};
pub use gauges::{Gauges, MemoryGauge, RedisGauge};
pub use instance::InstanceInfo;
pub use load::{KeyId, LoadEnd, LoadError, NotKept, Trigger};
pub use numbers::{Percentiles, SummaryNumbers};
pub use pace::CopySpeedup;
pub use process::ProcessNumbers;
pub use query::QueryStats;
pub use serving::{AsideSnapshot, UnsentSnapshot};
pub use snapshot::{
    DatabaseSnapshot, HotKey, MemorySnapshot, NotKeptSnapshot, PoolSnapshot, QuerySnapshot,
    RedisInfo, RedisSnapshot, SeriesPoint, SlowLoad, SnapshotSeries, StatsSnapshot, Window,
};
pub use tally::{CounterTally, Timed};
pub use tiers::{Eviction, Fleet, RedisError, Refused, Rejected, TierStats};
pub use uptime::{since_boot, wall_clock};

use ledger::StatsLedger;
use numbers::whole_seconds;
use timeline::WindowCounts;

/// All counters of this process, by the places of one catalog. They outlive reloads of everything
/// else: [`Stats::reconfigured`] has them by the places of the next.
pub struct Stats {
    queries: Vec<Arc<QueryStats>>,
    ledger: Arc<StatsLedger>,
    gauges: Mutex<Option<Box<dyn Fn() -> Gauges + Send>>>,
    spelling: Mutex<Option<Box<ParamSpelling>>>,
}

/// The function from a query's name and canonical parameters to the text that may be shown.
type ParamSpelling = dyn Fn(&str, &[u8]) -> Option<String> + Send;

impl Stats {
    /// Makes one set of counters per query, in the catalog's order.
    pub fn new<'a>(names: impl Iterator<Item = &'a str>) -> Stats {
        Stats::with_ledger(Arc::default(), names)
    }

    /// Returns the same counters for another catalog: those of a query that stays go on, and those
    /// of one that is gone stay in the totals. What is measured, and which parameters are shown,
    /// has to be given anew.
    #[must_use]
    pub fn reconfigured<'a>(&self, names: impl Iterator<Item = &'a str>) -> Stats {
        Stats::with_ledger(Arc::clone(&self.ledger), names)
    }

    fn with_ledger<'a>(ledger: Arc<StatsLedger>, names: impl Iterator<Item = &'a str>) -> Stats {
        Stats {
            queries: ledger.open(names),
            ledger,
            gauges: Mutex::default(),
            spelling: Mutex::default(),
        }
    }

    /// Returns the counters of the query at this place in the catalog.
    ///
    /// # Panics
    ///
    /// When the catalog has no such place.
    pub fn query_stats(&self, index: usize) -> &Arc<QueryStats> {
        &self.queries[index]
    }

    /// Returns the counters of the tiers.
    pub fn tier_stats(&self) -> &TierStats {
        &self.ledger.tiers
    }

    /// Sets where a snapshot reads what is measured; the latest one given counts.
    pub fn set_gauges(&self, gauges: impl Fn() -> Gauges + Send + 'static) {
        *self.gauges.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(gauges));
    }

    /// Parameters may be shown of the queries at the places that `shows` names, as `spelling`
    /// spells them. Of the others, none are kept from now on, and those that were are let go.
    pub fn show_params(
        &self,
        shows: impl Fn(usize) -> bool,
        spelling: impl Fn(&str, &[u8]) -> Option<String> + Send + 'static,
    ) {
        for (place, query) in self.queries.iter().enumerate() {
            let shows = shows(place);
            if query.show_params(shows) && !shows {
                self.ledger.forget_query(query.number());
            }
        }
        let mut held = self.spelling.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Some(Box::new(spelling));
    }

    /// Closes the slot of time under way, if it is over; gives how long the next has to go. To be
    /// called when that is over, so that windows are made of slots of equal length; whoever takes a
    /// snapshot later than that closes it as well.
    pub fn close_slot(&self) -> Duration {
        self.ledger.close_slot(self.ledger.uptime.now())
    }

    /// Returns all queries together over a window, and how many seconds that was.
    pub fn window_total(&self, window: Window) -> (f64, CounterTally) {
        let (now, all) = (self.ledger.uptime.now(), self.ledger.all_queries());
        let (counted, ..) = self.ledger.count_window(window, now, &all);
        let total = counted.tallies.values().sum();
        (counted.covered.as_secs_f64(), total)
    }

    /// Returns all numbers over a window, as far as they are counted or measured in here; whoever
    /// knows more about the process fills in the rest. While requests are being counted, two
    /// numbers may be from moments that lie a little apart; `requests` always is the sum of its
    /// outcomes, and the loads by trigger and the load errors by class are theirs.
    pub fn take_snapshot(&self, window: Window) -> StatsSnapshot {
        self.snapshot_at(window, self.ledger.uptime.now())
    }

    fn snapshot_at(&self, window: Window, now: Duration) -> StatsSnapshot {
        let all = self.ledger.all_queries();
        let (counted, mut series, ended) = self.ledger.count_window(window, now, &all);
        series.ends_at = wall_clock() - ended.as_secs_f64();
        let seconds = counted.covered.as_secs_f64();
        let queries = self.query_rows(&counted, &all);
        let total: CounterTally = queries.iter().map(|query| &query.tally).sum();
        let names = all.iter().map(|query| (query.number(), query.name()));
        let names: HashMap<u32, &str> = names.collect();
        let snapshot = StatsSnapshot {
            schema: snapshot::SCHEMA,
            window,
            window_seconds: seconds,
            uptime_seconds: now.as_secs_f64(),
            total: SummaryNumbers {
                loads_in_flight: all.iter().map(|query| query.in_flight()).sum(),
                ..SummaryNumbers::from_tally(&total, seconds)
            },
            queries,
            series,
            slowest: self.slowest_loads(&counted, &names),
            hottest: self.hottest_keys(&names),
            ..StatsSnapshot::default()
        };
        self.with_tiers(snapshot)
    }

    /// Returns those of the catalog, then those that are in none and have something to say.
    fn query_rows(&self, counted: &WindowCounts, all: &[Arc<QueryStats>]) -> Vec<QuerySnapshot> {
        let tally = |query: &QueryStats| counted.tallies.get(&query.number()).cloned();
        let row = |query: &QueryStats, tally: CounterTally, removed| QuerySnapshot {
            query: query.name().to_owned(),
            removed,
            ttl_seconds: None,
            numbers: SummaryNumbers {
                loads_in_flight: query.in_flight(),
                last_load_seconds: query.last_load().map(|time| time.as_secs_f64()),
                ..SummaryNumbers::from_tally(&tally, counted.covered.as_secs_f64())
            },
            not_kept: query.latest_not_kept().map(|it| NotKeptSnapshot {
                bytes: it.bytes,
                limit: it.limit,
                setting: it.setting.to_owned(),
                age_seconds: it.at.elapsed().as_secs_f64(),
            }),
            tally,
        };
        let is_present = |query: &QueryStats| {
            let mut present = self.queries.iter();
            present.any(|present| present.number() == query.number())
        };
        let present = self.queries.iter();
        let present = present.map(|query| row(query, tally(query).unwrap_or_default(), false));
        let gone = all.iter().filter(|query| !is_present(query));
        let gone = gone.filter_map(|query| {
            let tally = tally(query).filter(|tally| !tally.is_empty())?;
            Some(row(query, tally, true))
        });
        present.chain(gone).collect()
    }

    fn slowest_loads(&self, counted: &WindowCounts, names: &HashMap<u32, &str>) -> Vec<SlowLoad> {
        let loads = counted.slowest.all_records().iter();
        let shown = loads.map(|load| SlowLoad {
            query: query_name(names, load.query),
            key: self.ledger.mask.masked_digits(load.digest),
            seconds: whole_seconds(load.took),
            at: load.at,
            trigger: load.trigger.name().to_owned(),
            error: load.error.map(|error| error.name().to_owned()),
            params: self.spell_parameters(names, load.query, load.canonical.as_ref()),
        });
        shown.collect()
    }

    fn hottest_keys(&self, names: &HashMap<u32, &str>) -> Vec<HotKey> {
        let keys = self.ledger.ranks.hottest.read().into_iter();
        let shown = keys.map(|key| HotKey {
            query: query_name(names, key.query),
            key: self.ledger.mask.masked_digits(key.digest),
            requests: key.requests,
            over: key.over,
            params: self.spell_parameters(names, key.query, key.canonical.as_ref()),
        });
        shown.collect()
    }

    fn spell_parameters(
        &self,
        names: &HashMap<u32, &str>,
        query: u32,
        canonical: Option<&Bytes>,
    ) -> Option<String> {
        let spelling = self.spelling.lock().unwrap_or_else(PoisonError::into_inner);
        spelling.as_ref()?(names.get(&query)?, canonical?)
    }

    fn with_tiers(&self, snapshot: StatsSnapshot) -> StatsSnapshot {
        let gauges = self.gauges.lock().unwrap_or_else(PoisonError::into_inner);
        let gauges = gauges.as_ref().map(|read| read()).unwrap_or_default();
        let tiers = self.ledger.tiers.tier_numbers();
        StatsSnapshot {
            memory: MemorySnapshot {
                entries: gauges.memory.entries,
                bytes: gauges.memory.bytes,
                max_bytes: gauges.memory.max_bytes,
                evictions: tiers.evictions,
            },
            fleet: tiers.fleet,
            redis: gauges.redis.map(|redis| RedisSnapshot {
                up: redis.up,
                breaker: redis.breaker.to_owned(),
                since_seconds: redis.since.as_secs_f64(),
                last_error: redis.last_error.map(|error| error.name().to_owned()),
                complaint: redis.complaint.map(|error| error.name().to_owned()),
                reads: tiers.reads,
                writes: tiers.writes,
                written_bytes: tiers.written_bytes,
                errors: tiers.errors,
                rejected: tiers.rejected,
                refused: tiers.refused,
                ..RedisSnapshot::default()
            }),
            ..snapshot
        }
    }
}

impl fmt::Debug for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stats")
            .field("queries", &self.queries)
            .finish_non_exhaustive()
    }
}

fn query_name(names: &HashMap<u32, &str>, query: u32) -> String {
    names.get(&query).copied().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
