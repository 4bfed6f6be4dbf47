//! The memory tier: entries of this process, bounded by weight. It holds and evicts; whether an
//! entry is fresh is the entry's own business.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::notification::RemovalCause;
use moka::ops::compute::Op;

use super::clock::Clock;
use super::entry::{Entry, EntryHome};
use super::key::{Key, KeyDigest};
use crate::stats::{Eviction, MemoryGauge, Stats};

/// The entries held by this process.
pub(super) struct Memory {
    /// `None`: no memory tier.
    held: Option<moka::sync::Cache<KeyDigest, MemorySlot>>,
    max_bytes: u64,
    clock: Clock,
}

#[derive(Clone)]
struct MemorySlot {
    entry: Arc<Entry>,
    /// Its physical life, counted from its load.
    keep: Duration,
    /// Replacements by itself that are on their way: not evictions.
    rewrites: Arc<AtomicU32>,
}

/// Ends an entry's physical life.
struct RetentionExpiry(Clock);

impl Expiry<KeyDigest, MemorySlot> for RetentionExpiry {
    fn expire_after_create(
        &self,
        _: &KeyDigest,
        slot: &MemorySlot,
        _: Instant,
    ) -> Option<Duration> {
        Some(slot.keep.saturating_sub(slot.entry.age(self.0.now())))
    }

    fn expire_after_update(
        &self,
        key: &KeyDigest,
        slot: &MemorySlot,
        at: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, slot, at)
    }
}

impl Memory {
    /// Makes a tier of at most `max_bytes` by weight; 0: none.
    pub(super) fn new(max_bytes: u64, clock: Clock, stats: Arc<Stats>) -> Arc<Memory> {
        let held = (max_bytes > 0).then(|| {
            moka::sync::Cache::builder()
                .max_capacity(max_bytes)
                .weigher(|_: &KeyDigest, slot: &MemorySlot| {
                    u32::try_from(slot.entry.memory_size()).unwrap_or(u32::MAX)
                })
                .expire_after(RetentionExpiry(clock.clone()))
                .eviction_listener(move |_, slot, cause| {
                    if let Some(cause) = counted_cause(&slot, cause) {
                        stats.tier_stats().count_evicted(cause);
                    }
                })
                .build()
        });
        Arc::new(Memory {
            held,
            max_bytes,
            clock,
        })
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.held.is_some()
    }

    /// Returns the bound on the weight of all entries.
    pub(super) fn max_bytes(&self) -> usize {
        usize::try_from(self.max_bytes).unwrap_or(usize::MAX)
    }

    /// Returns whether there is room for `entry`: one that alone is over the bound is never kept.
    pub(super) fn has_room(&self, entry: &Entry) -> bool {
        self.is_enabled() && entry.memory_size() <= self.max_bytes
    }

    /// Returns the copy for `key`, unless it has been purged: then it leaves now.
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        let entry = self.by_digest(key.digest())?;
        if entry.key != *key {
            return None;
        }
        if entry.is_gone() {
            self.remove(&entry);
            return None;
        }
        Some(entry)
    }

    /// Returns the copy under this digest, purged or not.
    pub(super) fn by_digest(&self, digest: &KeyDigest) -> Option<Arc<Entry>> {
        self.held.as_ref()?.get(digest).map(|slot| slot.entry)
    }

    /// Drops `entry`, if it is still the one held.
    pub(super) fn remove(&self, entry: &Entry) {
        let Some(held) = &self.held else { return };
        held.entry_by_ref(entry.key.digest())
            .and_compute_with(|current| match current.map(moka::Entry::into_value) {
                Some(slot) if std::ptr::eq(&raw const *slot.entry, entry) => Op::Remove,
                _ => Op::Nop,
            });
    }

    /// Keeps `entry` for `keep` from its load, unless a newer one of its key, or the same one, is
    /// there already. Gives the one that is to be served.
    pub(super) fn insert(self: &Arc<Self>, entry: Arc<Entry>, keep: Duration) -> Arc<Entry> {
        let Some(held) = &self.held else {
            return entry;
        };
        let now = self.clock.now();
        let mut served = Arc::clone(&entry);
        held.entry_by_ref(entry.key.digest())
            .and_compute_with(|current| {
                if let Some(current) = current.map(|current| current.into_value().entry)
                    && !current.is_gone()
                    && (current.is_same_load(&entry) || current.is_newer_than(&entry, now))
                {
                    served = current;
                    return Op::Nop;
                }
                let home = Arc::downgrade(self);
                entry.settle_in(home);
                Op::Put(MemorySlot {
                    entry: Arc::clone(&entry),
                    keep,
                    rewrites: Arc::default(),
                })
            });
        served
    }

    /// Returns how full it is.
    pub(super) fn memory_gauge(&self) -> MemoryGauge {
        let (entries, bytes) = self.held.as_ref().map_or((0, 0), |held| {
            // Entries may have been put in or have run out since moka last looked.
            held.run_pending_tasks();
            (held.entry_count(), held.weighted_size())
        });
        MemoryGauge {
            entries,
            bytes,
            max_bytes: self.max_bytes,
        }
    }
}

/// Returns the cause under which a removal is counted; an entry that was put in again to be weighed
/// has not left.
fn counted_cause(slot: &MemorySlot, cause: RemovalCause) -> Option<Eviction> {
    match cause {
        RemovalCause::Expired => Some(Eviction::Expired),
        RemovalCause::Explicit => Some(Eviction::Explicit),
        RemovalCause::Size => Some(Eviction::Size),
        RemovalCause::Replaced => slot
            .rewrites
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_err()
            .then_some(Eviction::Replaced),
    }
}

impl EntryHome for Memory {
    fn weigh_again(&self, entry: &Entry) {
        let Some(held) = &self.held else { return };
        held.entry_by_ref(entry.key.digest())
            .and_compute_with(|current| match current.map(moka::Entry::into_value) {
                Some(slot) if std::ptr::eq(&raw const *slot.entry, entry) => {
                    slot.rewrites.fetch_add(1, Ordering::Relaxed);
                    Op::Put(slot)
                }
                _ => Op::Nop,
            });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use bytes::Bytes;

    use super::super::tests::{key, loaded, origin};
    use super::*;

    const KEEP: Duration = Duration::from_secs(100);

    struct Bench {
        memory: Arc<Memory>,
        stats: Arc<Stats>,
        clock: Clock,
    }

    fn bench(max_bytes: u64) -> Bench {
        let stats = Arc::new(Stats::new(std::iter::empty()));
        let clock = Clock::by_hand();
        let memory = Memory::new(max_bytes, clock.clone(), Arc::clone(&stats));
        Bench {
            memory,
            stats,
            clock,
        }
    }

    impl Bench {
        fn entry(&self, parameters: &str, body: &str) -> Arc<Entry> {
            let (key, now) = (key(parameters), self.clock.now());
            let load = Duration::ZERO;
            Arc::new(Entry::new_loaded(&key, origin(), loaded(body), load, now))
        }

        fn evictions(&self, cause: &str) -> u64 {
            self.stats
                .take_snapshot(crate::stats::Window::Start)
                .memory
                .evictions[cause]
        }
    }

    #[test]
    fn an_entry_is_found_by_its_key_and_weighed() {
        let bench = bench(1 << 20);
        let entry = bench.entry("p", "body");
        bench.memory.insert(Arc::clone(&entry), KEEP);
        assert!(Arc::ptr_eq(&bench.memory.get(&key("p")).unwrap(), &entry));
        assert!(bench.memory.get(&key("q")).is_none());
        let state = bench.memory.memory_gauge();
        assert_eq!((state.entries, state.bytes), (1, entry.memory_size()));
    }

    #[test]
    fn a_variant_adds_to_the_weight_held_and_is_no_eviction() {
        let bench = bench(1 << 20);
        let entry = bench.entry("p", "body");
        bench.memory.insert(Arc::clone(&entry), KEEP);
        let before = bench.memory.memory_gauge().bytes;
        for slot in 0..3 {
            entry.derived_body(slot, |_| Bytes::from(vec![0; 1000]));
        }
        assert_eq!(bench.memory.memory_gauge().bytes, before + 3000);
        assert_eq!(bench.memory.memory_gauge().entries, 1);
        assert_eq!(bench.evictions("replaced"), 0);
        assert!(Arc::ptr_eq(&bench.memory.get(&key("p")).unwrap(), &entry));
    }

    #[test]
    fn a_variant_of_an_entry_that_was_replaced_does_not_bring_it_back() {
        let bench = bench(1 << 20);
        let old = bench.entry("p", "old");
        bench.memory.insert(Arc::clone(&old), KEEP);
        bench.clock.advance(Duration::from_secs(1));
        let new = bench.entry("p", "new");
        bench.memory.insert(Arc::clone(&new), KEEP);
        old.derived_body(0, |_| Bytes::from(vec![0; 1000]));
        assert_eq!(bench.memory.get(&key("p")).unwrap().body, "new");
        assert_eq!(bench.memory.memory_gauge().bytes, new.memory_size());
        assert_eq!(bench.evictions("replaced"), 1);
    }

    #[test]
    fn an_older_copy_does_not_replace_a_newer_one() {
        let bench = bench(1 << 20);
        let old = bench.entry("p", "old");
        bench.clock.advance(Duration::from_secs(1));
        let new = bench.entry("p", "new");
        bench.memory.insert(Arc::clone(&new), KEEP);
        let served = bench.memory.insert(old, KEEP);
        assert!(Arc::ptr_eq(&served, &new));
        assert!(Arc::ptr_eq(&bench.memory.get(&key("p")).unwrap(), &new));
    }

    #[test]
    fn the_bound_holds_also_when_variants_grow_entries_past_it() {
        let bound = 50_000;
        let bench = bench(bound);
        for number in 0..20 {
            let entry = bench.entry(&number.to_string(), "body");
            bench.memory.insert(Arc::clone(&entry), KEEP);
            entry.derived_body(0, |_| Bytes::from(vec![0; 10_000]));
            assert!(bench.memory.memory_gauge().bytes <= bound);
        }
        assert!(bench.evictions("size") >= 15);
    }

    #[test]
    fn an_entry_past_its_physical_life_is_gone_and_counted() {
        let bench = bench(1 << 20);
        let entry = bench.entry("p", "body");
        bench.clock.advance(KEEP);
        bench.memory.insert(entry, KEEP);
        assert!(bench.memory.get(&key("p")).is_none());
        // moka's own timer, which no hand turns, removes it within a tick of about a second.
        let limit = Instant::now() + Duration::from_mins(1);
        while bench.memory.memory_gauge().entries > 0 && Instant::now() < limit {
            std::thread::yield_now();
        }
        assert_eq!(bench.evictions("expired"), 1);
    }

    #[test]
    fn without_a_memory_tier_nothing_is_held() {
        let bench = bench(0);
        bench.memory.insert(bench.entry("p", "body"), KEEP);
        assert!(bench.memory.get(&key("p")).is_none());
        assert!(!bench.memory.is_enabled());
    }
}
