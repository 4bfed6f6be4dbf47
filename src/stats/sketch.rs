//! The keys that come most often, in bounded space whatever comes: the space-saving algorithm. A
//! key without a counter takes over the one of the rarest, with its count, so what is counted is
//! never too low, and by how much it may be too high is known. One sketch is for one thread at a
//! time; `hottest` has one for each and reads them all.

use bytes::Bytes;

/// Counters of a sketch.
pub(super) const KEYS: usize = 128;
/// Chains by which a key is found.
const HEADS: usize = 256;
/// Ends a chain: there is no such counter.
const NONE: u8 = u8::MAX;

/// See the head of this file. Counting is a look-up and a binary search, and allocates nothing once
/// each counter has its key.
pub(super) struct KeySketch {
    slots: Vec<SketchSlot>,
    /// The numbers of the slots, the highest count first.
    order: [u8; KEYS],
    /// Their counts, in that order.
    counts: [u64; KEYS],
    heads: [u8; HEADS],
}

#[derive(Clone)]
struct SketchSlot {
    key: HeldKey,
    /// The place where it stands in the order.
    place: u8,
    /// The next in its chain.
    next: u8,
}

/// A key that has a counter.
#[derive(Clone)]
pub(super) struct HeldKey {
    pub(super) digest: u128,
    /// The number of its query.
    pub(super) query: u32,
    /// The number by which its count may be too high.
    pub(super) over: u64,
    pub(super) canonical: Option<Bytes>,
}

impl KeySketch {
    pub(super) fn new() -> KeySketch {
        KeySketch {
            slots: Vec::with_capacity(KEYS),
            order: [NONE; KEYS],
            counts: [0; KEYS],
            heads: [NONE; HEADS],
        }
    }

    /// Counts a key; what there is to be kept of a new one is asked for.
    pub(super) fn add(&mut self, digest: u128, new: impl FnOnce() -> (u32, Option<Bytes>)) {
        let number = self.find(digest).unwrap_or_else(|| {
            let (query, canonical) = new();
            let key = HeldKey {
                digest,
                query,
                over: 0,
                canonical,
            };
            if self.slots.len() < KEYS {
                self.open(key)
            } else {
                self.take_over(key)
            }
        });
        self.raise_count(number);
    }

    /// Returns what the keys have that are not in it: no more than this.
    pub(super) fn count_floor(&self) -> u64 {
        if self.slots.len() < KEYS {
            0
        } else {
            self.counts[KEYS - 1]
        }
    }

    /// Returns every key with its count.
    pub(super) fn counted_keys(&self) -> impl Iterator<Item = (&HeldKey, u64)> {
        self.slots
            .iter()
            .map(|slot| (&slot.key, self.counts[usize::from(slot.place)]))
    }

    /// Lets go of the parameters of a query.
    pub(super) fn forget_query(&mut self, query: u32) {
        for slot in self.slots.iter_mut().filter(|s| s.key.query == query) {
            slot.key.canonical = None;
        }
    }

    fn find(&self, digest: u128) -> Option<u8> {
        let mut number = self.heads[digest_head(digest)];
        // With every slot in one chain this still ends, after as many steps as there are counters.
        while let Some(slot) = self.slots.get(usize::from(number)) {
            if slot.key.digest == digest {
                return Some(number);
            }
            number = slot.next;
        }
        None
    }

    fn open(&mut self, key: HeldKey) -> u8 {
        let number = u8::try_from(self.slots.len()).expect("fewer than a byte tells apart");
        self.order[usize::from(number)] = number;
        let head = &mut self.heads[digest_head(key.digest)];
        self.slots.push(SketchSlot {
            key,
            place: number,
            next: *head,
        });
        *head = number;
        number
    }

    fn take_over(&mut self, key: HeldKey) -> u8 {
        let number = self.order[KEYS - 1];
        self.unchain_key(number);
        let head = &mut self.heads[digest_head(key.digest)];
        let slot = &mut self.slots[usize::from(number)];
        slot.key = HeldKey {
            over: self.counts[KEYS - 1],
            ..key
        };
        slot.next = *head;
        *head = number;
        number
    }

    fn unchain_key(&mut self, number: u8) {
        let SketchSlot { key, next, .. } = &self.slots[usize::from(number)];
        let (next, head) = (*next, digest_head(key.digest));
        if self.heads[head] == number {
            self.heads[head] = next;
            return;
        }
        let mut at = self.heads[head];
        while let Some(slot) = self.slots.get_mut(usize::from(at)) {
            if slot.next == number {
                slot.next = next;
                return;
            }
            at = slot.next;
        }
    }

    /// Counts one, and moves it to where its count belongs: before all that had the same.
    fn raise_count(&mut self, number: u8) {
        let place = usize::from(self.slots[usize::from(number)].place);
        let count = self.counts[place];
        let first = self.counts[..place].partition_point(|other| *other > count);
        self.order.swap(place, first);
        for place in [place, first] {
            let moved = usize::from(self.order[place]);
            self.slots[moved].place = u8::try_from(place).expect("a place is below KEYS");
        }
        self.counts[first] += 1;
    }
}

/// Returns a part of a digest, which is as evenly spread as the whole.
fn digest_head(digest: u128) -> usize {
    let [low, ..] = digest.to_le_bytes();
    usize::from(low)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn add(sketch: &mut KeySketch, key: u128) {
        sketch.add(key, || (0, None));
    }

    fn counts(sketch: &KeySketch) -> HashMap<u128, (u64, u64)> {
        let each = sketch.counted_keys();
        each.map(|(key, count)| (key.digest, (count, key.over)))
            .collect()
    }

    #[test]
    fn few_keys_are_counted_exactly() {
        let mut sketch = KeySketch::new();
        for round in 0..KEYS as u128 {
            // With the same low byte, so that they share a chain.
            (0..=round).for_each(|key| add(&mut sketch, key << 8));
        }
        for (key, found) in counts(&sketch) {
            let expected = KEYS as u64 - u64::try_from(key >> 8).unwrap_or(0);
            assert_eq!(found, (expected, 0));
        }
        assert_eq!(counts(&sketch).len(), KEYS);
    }

    #[test]
    fn whatever_comes_no_count_is_too_low_nor_higher_than_it_admits() {
        let (mut sketch, mut truth) = (KeySketch::new(), HashMap::<u128, u64>::new());
        let mut random = 1_u64;
        for round in 0..200_000_u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let drawn = random >> 33;
            // Half of it is a few keys, the other half never comes again.
            let key = if drawn.is_multiple_of(2) {
                u128::from(drawn % 40)
            } else {
                u128::from(round) << 20
            };
            *truth.entry(key).or_default() += 1;
            add(&mut sketch, key);
        }
        let found = counts(&sketch);
        assert_eq!(found.len(), KEYS);
        for (key, (count, over)) in &found {
            let real = truth[key];
            assert!(
                real <= *count && *count <= real + over,
                "{real} {count} {over}"
            );
        }
        for key in (0..40).filter(|key| key % 2 == 0) {
            assert!(found.contains_key(&key), "{key} comes often");
        }
        let total: u64 = found.values().map(|(count, _)| count).sum();
        assert_eq!(total, 200_000, "each request is in one counter");
        assert!(sketch.count_floor() <= 200_000 / KEYS as u64);
    }
}
