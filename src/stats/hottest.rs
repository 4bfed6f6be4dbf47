//! The keys asked for most since the start: a sketch for each thread, all of them put together when
//! somebody looks. The lock of a sketch is its thread's own; it waits for a reader alone, for as
//! long as it takes to copy a hundred counters.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use bytes::Bytes;

use super::cells::thread_number;
use super::load::KeyId;
use super::sketch::{HeldKey, KeySketch};

/// The number that is shown.
const SHOWN: usize = 20;
/// Threads share no sketch as long as there are no more of them than this.
const SHARDS: usize = 32;

/// See the head of this file.
#[derive(Default)]
pub(super) struct HottestKeys([OnceLock<Box<Mutex<KeySketch>>>; SHARDS]);

/// One of the keys asked for most.
pub(super) struct HotCandidate {
    pub(super) digest: u128,
    pub(super) query: u32,
    pub(super) requests: u64,
    pub(super) over: u64,
    pub(super) canonical: Option<Bytes>,
}

impl HottestKeys {
    /// Notes that a key of a query was asked for; `keep` says what is kept of it when it is new.
    pub(super) fn record_key(
        &self,
        query: u32,
        key: KeyId<'_>,
        keep: impl FnOnce() -> Option<Bytes>,
    ) {
        let shard =
            self.0[thread_number() % SHARDS].get_or_init(|| Box::new(Mutex::new(KeySketch::new())));
        let mut sketch = shard.lock().unwrap_or_else(PoisonError::into_inner);
        sketch.add(u128::from_le_bytes(*key.digest), || (query, keep()));
    }

    /// Returns the hottest keys, the hottest first.
    pub(super) fn read(&self) -> Vec<HotCandidate> {
        // Each with the floors of the sketches it is in.
        let mut found: HashMap<u128, (HotCandidate, u64)> = HashMap::new();
        let mut floors = 0;
        for shard in self.0.iter().filter_map(OnceLock::get) {
            let sketch = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let floor = sketch.count_floor();
            let copy: Vec<(HeldKey, u64)> = sketch
                .counted_keys()
                .map(|(key, n)| (key.clone(), n))
                .collect();
            drop(sketch);
            floors += floor;
            for (key, count) in copy {
                let new = HotCandidate {
                    digest: key.digest,
                    query: key.query,
                    requests: 0,
                    over: 0,
                    canonical: None,
                };
                let (hot, known) = found.entry(key.digest).or_insert((new, 0));
                hot.requests += count;
                hot.over += key.over;
                hot.canonical = hot.canonical.take().or(key.canonical);
                *known += floor;
            }
        }
        // In a sketch where it has no counter, it may have come as often as the rarest that has.
        let whole = |(hot, known): (HotCandidate, u64)| HotCandidate {
            requests: hot.requests + (floors - known),
            over: hot.over + (floors - known),
            ..hot
        };
        let mut all: Vec<HotCandidate> = found.into_values().map(whole).collect();
        all.sort_unstable_by_key(|hot| (std::cmp::Reverse(hot.requests), hot.digest));
        all.truncate(SHOWN);
        all
    }

    /// Lets go of the parameters of a query.
    pub(super) fn forget_query(&self, query: u32) {
        for shard in self.0.iter().filter_map(OnceLock::get) {
            let mut sketch = shard.lock().unwrap_or_else(PoisonError::into_inner);
            sketch.forget_query(query);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(hottest: &HottestKeys, key: u128) {
        let id = KeyId {
            digest: &key.to_le_bytes(),
            canonical: &Bytes::new(),
        };
        hottest.record_key(7, id, || None);
    }

    #[test]
    fn what_threads_have_counted_is_put_together() {
        let hottest = HottestKeys::default();
        std::thread::scope(|scope| {
            for thread in 0..4_u128 {
                let hottest = &hottest;
                scope.spawn(move || {
                    for round in 0..1000 {
                        ask(hottest, 1);
                        if round % 2 == 0 {
                            ask(hottest, 2);
                        }
                        // Many keys that come once, on every other thread.
                        if thread % 2 == 0 {
                            ask(hottest, ((thread + 1) << 100) | round);
                        }
                    }
                });
            }
        });
        let found = hottest.read();
        assert_eq!(found.len(), SHOWN);
        for (place, real) in [(0, 4000), (1, 2000)] {
            let hot = &found[place];
            assert_eq!((hot.digest, hot.query), (place as u128 + 1, 7));
            assert!(real <= hot.requests && hot.requests <= real + hot.over);
            assert!(hot.over < 100, "{}", hot.over);
        }
        assert!(found[2].requests < 100);
    }
}
