//! The slowest loads: of the stretch of time that is under way, and of all since the start. A load
//! takes so long that a lock is nothing beside it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::load::{LoadError, Trigger};

/// The number that is kept of each stretch.
const KEPT: usize = 20;

/// One load that has ended.
#[derive(Clone)]
pub(super) struct SlowRecord {
    /// The time that it took, in microseconds.
    pub(super) took: u64,
    /// The moment when it ended, in seconds since 1970.
    pub(super) at: f64,
    /// The number of its query.
    pub(super) query: u32,
    pub(super) digest: u128,
    pub(super) trigger: Trigger,
    pub(super) error: Option<LoadError>,
    pub(super) canonical: Option<Bytes>,
}

/// The slowest loads of one stretch, the slowest first.
#[derive(Clone, Default)]
pub(super) struct SlowTop(Vec<SlowRecord>);

impl SlowTop {
    pub(super) fn add(&mut self, load: &SlowRecord) {
        let place = self.0.partition_point(|other| other.took >= load.took);
        if place < KEPT {
            self.0.truncate(KEPT - 1);
            self.0.insert(place, load.clone());
        }
    }

    pub(super) fn merge(&mut self, other: &SlowTop) {
        other.0.iter().for_each(|load| self.add(load));
    }

    pub(super) fn all_records(&self) -> &[SlowRecord] {
        &self.0
    }

    /// Lets go of the parameters of a query.
    pub(super) fn forget_query(&mut self, query: u32) {
        for load in self.0.iter_mut().filter(|load| load.query == query) {
            load.canonical = None;
        }
    }
}

/// See the head of this file.
#[derive(Default)]
pub(super) struct SlowestLoads(Mutex<SlowStretches>);

#[derive(Default)]
struct SlowStretches {
    open: SlowTop,
    all: SlowTop,
}

impl SlowestLoads {
    pub(super) fn add(&self, load: &SlowRecord) {
        let mut stretches = self.lock();
        stretches.open.add(load);
        stretches.all.add(load);
    }

    /// Returns those of the stretch under way, which ends with this.
    pub(super) fn take(&self) -> SlowTop {
        std::mem::take(&mut self.lock().open)
    }

    /// Returns those of the stretch under way.
    pub(super) fn open(&self) -> SlowTop {
        self.lock().open.clone()
    }

    /// Returns those since the start.
    pub(super) fn since_start(&self) -> SlowTop {
        self.lock().all.clone()
    }

    /// Lets go of the parameters of a query.
    pub(super) fn forget_query(&self, query: u32) {
        let mut stretches = self.lock();
        stretches.open.forget_query(query);
        stretches.all.forget_query(query);
    }

    fn lock(&self) -> MutexGuard<'_, SlowStretches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(took: u64) -> SlowRecord {
        SlowRecord {
            took,
            at: 0.0,
            query: 0,
            digest: 0,
            trigger: Trigger::Request,
            error: None,
            canonical: None,
        }
    }

    fn times(top: &SlowTop) -> Vec<u64> {
        top.all_records().iter().map(|load| load.took).collect()
    }

    #[test]
    fn the_slowest_are_kept_and_those_of_two_stretches_are_those_of_both() {
        let slowest = SlowestLoads::default();
        for number in 0..100 {
            slowest.add(&load(number * 37 % 101));
        }
        let first = slowest.take();
        assert_eq!(times(&first).len(), KEPT);
        assert!(times(&slowest.open()).is_empty());
        slowest.add(&load(1000));
        slowest.add(&load(0));
        let mut both = slowest.take();
        assert_eq!(times(&both), [1000, 0]);
        both.merge(&first);
        assert_eq!(times(&both), times(&slowest.since_start()));
        assert!(times(&both).is_sorted_by(|a, b| a >= b));
    }
}
