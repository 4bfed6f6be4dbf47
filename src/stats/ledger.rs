//! What all catalogs of one process count into: a query that stays keeps its counters, and what
//! a query that is gone has counted stays in the totals.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::{QuerySnapshot, QueryStats, TierStats};

/// The counters of a process, whatever its catalog.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) started: Instant,
    pub(super) tiers: TierStats,
    queries: Mutex<BTreeMap<String, Arc<QueryStats>>>,
}

impl Default for Ledger {
    /// From now on.
    fn default() -> Ledger {
        Ledger {
            started: Instant::now(),
            tiers: TierStats::default(),
            queries: Mutex::default(),
        }
    }
}

impl Ledger {
    /// The counters of these queries, in their order; new ones where there are none of that name.
    pub(super) fn open<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<Arc<QueryStats>> {
        let mut queries = self.lock();
        // Who is in no catalog and has counted nothing would be kept for ever.
        queries.retain(|_, known| Arc::strong_count(known) > 1 || known.has_counted());
        let mut of = |name: &str| {
            let known = queries
                .entry(name.to_owned())
                .or_insert_with(|| Arc::new(QueryStats::new(name)));
            Arc::clone(known)
        };
        names.map(&mut of).collect()
    }

    /// The queries that are none of these and have counted something.
    pub(super) fn others(&self, present: &[Arc<QueryStats>], over: f64) -> Vec<QuerySnapshot> {
        let is_present = |known: &Arc<QueryStats>| present.iter().any(|p| Arc::ptr_eq(p, known));
        let queries = self.lock();
        queries
            .values()
            .filter(|known| !is_present(known) && known.has_counted())
            .map(|known| QuerySnapshot {
                removed: true,
                ..known.snapshot(over)
            })
            .collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<QueryStats>>> {
        self.queries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
