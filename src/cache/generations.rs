//! The purges of each query that this process knows of, and the place of a load among them. The
//! numbers come from Redis; a copy that was loaded without Redis has none, and is placed by the
//! order of events in this process. Other instances hear of a purge by `purge` and `backplane`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::key::KeyDigest;
use super::purge_request::PurgeKind;
use super::rank::{LoadVersion, next_sequence};
use super::recent::RecentPurges;

/// All numbers are below it: the clock they come from gets here in the year 2112.
pub(super) const NEVER_DRAWN: u64 = 1 << 52;

/// Microseconds by which numbers cannot go back, however late an answer comes.
const LATE: u64 = 3_600_000_000;

/// The generations of a query as Redis has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RedisEpochs {
    /// An entry of another hard generation is absent.
    pub(super) hard: u64,
    /// An entry that was loaded before it is stale.
    pub(super) soft: u64,
    /// The hard generation was made because there was none, and not by a purge.
    pub(super) made: bool,
    /// The highest number drawn for this query.
    pub(super) last: u64,
}

/// The known purges of one query.
#[derive(Debug, Default)]
pub(super) struct QueryEpochs {
    hard: EpochMark,
    soft: EpochMark,
    /// Hard purges of any kind: a copy of theirs that was on its way meanwhile is not kept.
    hard_purges: RecentPurges,
    /// Soft purges of single entries: a copy of theirs that was on its way meanwhile is stale.
    soft_purges: RecentPurges,
    /// Purges that Redis has not heard of yet.
    pending: AtomicUsize,
}

/// Everything that began before it is concerned.
#[derive(Debug, Default)]
struct EpochMark {
    /// The mark for copies with a number.
    number: AtomicU64,
    /// The mark for copies without a number, as a place in the order of events.
    unnumbered: AtomicU64,
    /// The mark for all copies, as a place in the order of events: a purge without a number.
    all: AtomicU64,
}

impl EpochMark {
    fn raise_to(&self, number: u64) {
        if self.number.fetch_max(number, Ordering::SeqCst) < number {
            self.unnumbered.fetch_max(next_sequence(), Ordering::SeqCst);
        }
    }

    /// Forgets what was known: it is worth nothing.
    fn forget_known(&self) {
        self.number.store(0, Ordering::SeqCst);
    }

    fn is_impossible(&self, last: u64) -> bool {
        self.number.load(Ordering::SeqCst) > last.saturating_add(LATE)
    }

    fn raise_all(&self) {
        self.all.fetch_max(next_sequence(), Ordering::SeqCst);
    }

    fn is_after(&self, rank: LoadVersion) -> bool {
        let numbered = match rank.order {
            0 => rank.sequence <= self.unnumbered.load(Ordering::SeqCst),
            order => order <= self.number.load(Ordering::SeqCst),
        };
        numbered || rank.sequence <= self.all.load(Ordering::SeqCst)
    }
}

impl QueryEpochs {
    /// A hard purge of the whole query; without a number when Redis was not reached.
    pub(super) fn note_purge(&self, number: Option<u64>) {
        match number {
            Some(number) => self.hard.raise_to(number),
            None => self.hard.raise_all(),
        }
        self.hard_purges
            .note_purge(None, number.unwrap_or(u64::MAX));
    }

    /// A soft purge of the whole query; without a number when Redis was not reached.
    pub(super) fn note_expiry(&self, number: Option<u64>) {
        match number {
            Some(number) => self.soft.raise_to(number),
            None => self.soft.raise_all(),
        }
    }

    /// Takes over what Redis says. A generation that was made because there was none tells only
    /// that something may have been missed: it makes stale and removes nothing.
    pub(super) fn merge_stored(&self, stored: &RedisEpochs) {
        if self.hard.is_impossible(stored.last) || self.soft.is_impossible(stored.last) {
            // Somebody had put numbers of the future there, or Redis has lost its numbers and its
            // time: against such, every load to come would be old.
            self.hard.raise_all();
            self.hard_purges.note_purge(None, u64::MAX);
            self.hard.forget_known();
            self.soft.forget_known();
        }
        if stored.made {
            self.soft.raise_to(stored.hard);
        } else {
            self.hard.raise_to(stored.hard);
        }
        self.soft.raise_to(stored.soft);
    }

    pub(super) fn is_purged(&self, rank: LoadVersion) -> bool {
        self.hard.is_after(rank)
    }

    pub(super) fn is_expired(&self, rank: LoadVersion) -> bool {
        self.soft.is_after(rank)
    }

    /// There has been a purge of one entry.
    pub(super) fn note_entry_purge(&self, digest: &KeyDigest, kind: PurgeKind, number: u64) {
        let purges = match kind {
            PurgeKind::Soft => &self.soft_purges,
            PurgeKind::Hard => &self.hard_purges,
        };
        purges.note_purge(Some(*digest), number);
    }

    /// Returns how many purges there have been, …
    pub(super) fn purge_cursor(&self) -> PurgeCursor {
        PurgeCursor {
            hard: self.hard_purges.purge_count(),
            soft: self.soft_purges.purge_count(),
        }
    }

    /// … and what those since then do to a copy that was on its way meanwhile.
    pub(super) fn purged_since(
        &self,
        purges: PurgeCursor,
        digest: &KeyDigest,
        rank: LoadVersion,
    ) -> Option<PurgeKind> {
        if self.hard_purges.has_hit(digest, rank, purges.hard) {
            Some(PurgeKind::Hard)
        } else if self.soft_purges.has_hit(digest, rank, purges.soft) {
            Some(PurgeKind::Soft)
        } else {
            None
        }
    }

    /// A purge that Redis has not heard of, …
    pub(super) fn begin_pending(&self) {
        self.pending.fetch_add(1, Ordering::SeqCst);
    }

    /// … and now it has.
    pub(super) fn end_pending(&self) {
        self.pending.fetch_sub(1, Ordering::SeqCst);
    }

    /// Returns whether Redis lacks a purge, so that nothing in it may be used.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.load(Ordering::SeqCst) > 0
    }
}

/// The number of hard purges so far, and of soft ones of single entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct PurgeCursor {
    hard: u64,
    soft: u64,
}

/// The generations of all queries that were asked for.
#[derive(Debug, Default)]
pub(super) struct EpochTable(RwLock<HashMap<String, Arc<QueryEpochs>>>);

impl EpochTable {
    pub(super) fn query_epochs(&self, query: &str) -> Arc<QueryEpochs> {
        if let Some(known) = self.known_epochs(query) {
            return known;
        }
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(query.to_owned()).or_default())
    }

    /// Returns those of a query that this process has used: of others there is nothing to purge.
    fn known_epochs(&self, query: &str) -> Option<Arc<QueryEpochs>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(query).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(order: u64) -> LoadVersion {
        LoadVersion {
            hard: 1,
            order,
            sequence: next_sequence(),
        }
    }

    #[test]
    fn a_purge_concerns_what_began_before_it_and_nothing_else() {
        let generations = QueryEpochs::default();
        let before = [numbered(10), LoadVersion::without_redis()];
        generations.note_purge(Some(20));
        let after = [numbered(21), LoadVersion::without_redis()];
        assert!(before.iter().all(|rank| generations.is_purged(*rank)));
        assert!(!after.iter().any(|rank| generations.is_purged(*rank)));
        assert!(!before.iter().any(|rank| generations.is_expired(*rank)));
        generations.note_expiry(Some(30));
        assert!(after.iter().all(|rank| generations.is_expired(*rank)));
        assert!(!after.iter().any(|rank| generations.is_purged(*rank)));
    }

    #[test]
    fn a_purge_without_a_number_concerns_everything_until_now() {
        let generations = QueryEpochs::default();
        let before = [numbered(u64::MAX), LoadVersion::without_redis()];
        generations.note_purge(None);
        assert!(before.iter().all(|rank| generations.is_purged(*rank)));
        assert!(!generations.is_purged(numbered(1)));
        assert!(!generations.is_purged(LoadVersion::without_redis()));
    }

    #[test]
    fn what_is_known_already_is_no_news_for_what_has_no_number() {
        let generations = QueryEpochs::default();
        let stored = RedisEpochs {
            hard: 10,
            soft: 12,
            made: false,
            last: 20,
        };
        generations.merge_stored(&stored);
        let copy = LoadVersion::without_redis();
        generations.merge_stored(&stored);
        assert!(!generations.is_purged(copy) && !generations.is_expired(copy));
        generations.merge_stored(&RedisEpochs { soft: 15, ..stored });
        assert!(!generations.is_purged(copy) && generations.is_expired(copy));
    }

    #[test]
    fn numbers_of_the_future_are_forgotten_with_all_that_was_loaded_under_them() {
        let generations = QueryEpochs::default();
        let stored = RedisEpochs {
            hard: 100 * LATE,
            soft: 100 * LATE,
            made: false,
            last: 100 * LATE,
        };
        generations.merge_stored(&stored);
        let before = [
            numbered(10),
            numbered(100 * LATE + 1),
            LoadVersion::without_redis(),
        ];
        let now = RedisEpochs {
            hard: 10,
            soft: 10,
            made: true,
            last: 11,
        };
        generations.merge_stored(&now);
        let after = [numbered(12), LoadVersion::without_redis()];
        assert!(before.iter().all(|rank| generations.is_purged(*rank)));
        assert!(!after.iter().any(|rank| generations.is_purged(*rank)));
        assert!(!after.iter().any(|rank| generations.is_expired(*rank)));
        // An answer that comes late is none of these.
        generations.merge_stored(&RedisEpochs {
            last: LATE,
            hard: LATE,
            ..now
        });
        generations.merge_stored(&now);
        assert!(generations.is_expired(numbered(12)));
    }

    #[test]
    fn a_generation_made_because_there_was_none_removes_nothing() {
        let generations = QueryEpochs::default();
        let copies = [numbered(5), LoadVersion::without_redis()];
        generations.merge_stored(&RedisEpochs {
            hard: 10,
            soft: 10,
            made: true,
            last: 10,
        });
        assert!(copies.iter().all(|copy| generations.is_expired(*copy)));
        assert!(!copies.iter().any(|copy| generations.is_purged(*copy)));
    }
}
