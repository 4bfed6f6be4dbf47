//! Purges that the Redis of a cache has not heard of. How they reach it is `purge`'s.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::generations::EpochTable;
use super::key::Key;
use super::purge_request::PurgeKind;

/// A purge that Redis has not heard of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PendingPurge {
    pub(super) family: String,
    pub(super) entry: Option<(Key, Duration)>,
    pub(super) kind: PurgeKind,
}

/// Purges that the Redis of one cache has not heard of. While there are any of a query, nothing in
/// Redis is used for it; with the cache, that ends.
pub(super) struct PendingPurges {
    purges: Mutex<Vec<PendingPurge>>,
    generations: Arc<EpochTable>,
}

impl PendingPurges {
    pub(super) fn new(generations: &Arc<EpochTable>, purges: Vec<PendingPurge>) -> PendingPurges {
        for purge in &purges {
            generations.query_epochs(&purge.family).begin_pending();
        }
        PendingPurges {
            purges: Mutex::new(purges),
            generations: Arc::clone(generations),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<PendingPurge>> {
        self.purges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PendingPurges {
    fn drop(&mut self) {
        for purge in self.lock().iter() {
            self.generations.query_epochs(&purge.family).end_pending();
        }
    }
}
