//! The latest purges of a query, for what was on its way while they came: a copy that left Redis
//! before a purge of its entry must not be kept after it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::key::KeyDigest;
use super::rank::LoadVersion;

/// So many are known one by one; what is on its way while more come is taken to be concerned.
const KNOWN: usize = 64;

/// The latest purges.
#[derive(Debug, Default)]
pub(super) struct RecentPurges(Mutex<PurgeLog>);

#[derive(Debug, Default)]
struct PurgeLog {
    /// The number of all purges so far.
    count: u64,
    known: VecDeque<PurgeRecord>,
}

#[derive(Debug)]
struct PurgeRecord {
    /// `None`: all entries.
    digest: Option<KeyDigest>,
    /// Loads with a higher order number began after it.
    number: u64,
}

impl RecentPurges {
    /// There is a purge, of this entry or of all.
    pub(super) fn note_purge(&self, digest: Option<KeyDigest>, number: u64) {
        let mut log = self.lock();
        log.count += 1;
        log.known.truncate(KNOWN - 1);
        log.known.push_front(PurgeRecord { digest, number });
    }

    /// Returns how many there have been.
    pub(super) fn purge_count(&self) -> u64 {
        self.lock().count
    }

    /// Returns whether one that came when there had been so many concerns this copy.
    pub(super) fn has_hit(&self, copy: &KeyDigest, rank: LoadVersion, since: u64) -> bool {
        let log = self.lock();
        let count = usize::try_from(log.count - since).unwrap_or(usize::MAX);
        let concerns = |purge: &PurgeRecord| {
            let its = purge.digest.is_none_or(|digest| digest == *copy);
            its && rank.order <= purge.number
        };
        count > log.known.len() || log.known.iter().take(count).any(concerns)
    }

    fn lock(&self) -> MutexGuard<'_, PurgeLog> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::key;
    use super::*;

    /// Returns whether a copy of one entry that was loaded under this order number is hit.
    fn is_hit(recent: &RecentPurges, order: u64, since: u64) -> bool {
        let rank = LoadVersion {
            hard: 0,
            order,
            sequence: 0,
        };
        recent.has_hit(key("p").digest(), rank, since)
    }

    #[test]
    fn a_purge_concerns_its_own_entry_or_all_as_far_as_they_began_before() {
        for (digest, hit) in [
            (Some(*key("p").digest()), true),
            (Some(*key("q").digest()), false),
            (None, true),
        ] {
            let recent = RecentPurges::default();
            recent.note_purge(None, u64::MAX);
            let since = recent.purge_count();
            assert!(!is_hit(&recent, 7, since), "what was before is over");
            recent.note_purge(digest, 7);
            recent.note_purge(Some(*key("r").digest()), 8);
            assert_eq!(is_hit(&recent, 7, since), hit);
            assert!(!is_hit(&recent, 8, since));
        }
    }

    #[test]
    fn what_was_on_its_way_while_many_came_is_taken_to_be_concerned() {
        let recent = RecentPurges::default();
        let since = recent.purge_count();
        for _ in 0..KNOWN {
            recent.note_purge(Some(*key("q").digest()), 9);
        }
        assert!(!is_hit(&recent, 7, since));
        recent.note_purge(Some(*key("q").digest()), 9);
        assert!(is_hit(&recent, 7, since));
        assert!(!is_hit(&recent, 7, since + 1));
    }
}
