//! The counters of all catalogs of one process: a query that stays keeps its counters, and what a
//! query that is gone has counted stays in the totals.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::mask::KeyMask;
use super::query::{LoadRanks, QueryStats};
use super::snapshot::SnapshotSeries;
use super::tiers::TierStats;
use super::timeline::{Timeline, WindowCounts};
use super::uptime::Uptime;
use super::window::Window;

/// The counters of a process, whatever its catalog.
#[derive(Default)]
pub(super) struct StatsLedger {
    pub(super) uptime: Uptime,
    pub(super) tiers: TierStats,
    pub(super) ranks: Arc<LoadRanks>,
    pub(super) mask: KeyMask,
    queries: Mutex<LedgerQueries>,
    timeline: Mutex<Timeline>,
}

#[derive(Default)]
struct LedgerQueries {
    by_name: BTreeMap<String, Arc<QueryStats>>,
    /// The number of the next.
    next: u32,
}

impl StatsLedger {
    /// Returns the counters of these queries, in their order; new ones where there are none of that
    /// name.
    pub(super) fn open<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<Arc<QueryStats>> {
        let mut queries = self.lock();
        // A query that is in no catalog and has counted nothing would be kept for ever.
        let is_kept = |known: &Arc<QueryStats>| Arc::strong_count(known) > 1 || known.has_counted();
        queries.by_name.retain(|_, known| is_kept(known));
        let mut of = |name: &str| {
            let LedgerQueries { by_name, next } = &mut *queries;
            let known = by_name.entry(name.to_owned()).or_insert_with(|| {
                *next += 1;
                Arc::new(QueryStats::new(name, *next, &self.ranks))
            });
            Arc::clone(known)
        };
        names.map(&mut of).collect()
    }

    /// Every query that has been counted, or may be.
    pub(super) fn all_queries(&self) -> Vec<Arc<QueryStats>> {
        self.lock().by_name.values().cloned().collect()
    }

    /// Closes the slot under way, if its time is over; gives how long the next has to go.
    pub(super) fn close_slot(&self, now: Duration) -> Duration {
        let mut timeline = self.lock_timeline();
        if now >= timeline.slot_end() {
            timeline.close_slot(now, &self.all_queries(), &self.ranks.slowest);
        }
        timeline.slot_end().saturating_sub(now)
    }

    /// Returns what was counted over a window by these, and how it has been.
    pub(super) fn count_window(
        &self,
        window: Window,
        now: Duration,
        all: &[Arc<QueryStats>],
    ) -> (WindowCounts, SnapshotSeries, Duration) {
        self.close_slot(now);
        let timeline = self.lock_timeline();
        let counted = timeline.window_counts(window, now, all, &self.ranks.slowest);
        let (series, ended) = timeline.snapshot_series(window, now);
        (counted, series, ended)
    }

    /// Lets go of the parameters of a query.
    pub(super) fn forget_query(&self, query: u32) {
        self.ranks.hottest.forget_query(query);
        self.ranks.slowest.forget_query(query);
        self.lock_timeline().forget_query(query);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().by_name.len()
    }

    pub(super) fn lock_timeline(&self) -> MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, LedgerQueries> {
        self.queries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
