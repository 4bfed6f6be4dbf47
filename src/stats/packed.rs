//! A tally in a few bytes, for the slots of the windows: of each there are thousands, most of their
//! numbers are zero, and the others are small. Its form is nobody else's business.

use std::collections::BTreeMap;

use super::distribution::{BUCKETS, Distribution};
use super::tally::{CounterCounts, CounterTally, Timed};

/// Numbers of seven bits a byte, the lowest first, the last without the high bit. First the
/// counters: how far on from the one before, and its count. Then the times: how far on, the sum,
/// and the buckets as the counters. Each run ends with a zero.
pub(super) struct PackedTally(Box<[u8]>);

impl PackedTally {
    pub(super) fn pack_tally(tally: &CounterTally) -> PackedTally {
        let mut bytes = Vec::new();
        let mut run = DeltaRun::default();
        for (place, count) in tally.counts.0.iter().enumerate() {
            if *count > 0 {
                run.append_number(&mut bytes, place);
                put_number(&mut bytes, *count);
            }
        }
        put_number(&mut bytes, 0);
        let mut run = DeltaRun::default();
        for (place, time) in tally.times.iter().enumerate() {
            if time.is_empty() {
                continue;
            }
            run.append_number(&mut bytes, place);
            let (sum, buckets) = time.sum_and_buckets();
            put_number(&mut bytes, sum);
            let mut run = DeltaRun::default();
            for (bucket, count) in buckets {
                run.append_number(&mut bytes, usize::from(*bucket));
                put_number(&mut bytes, *count);
            }
            put_number(&mut bytes, 0);
        }
        put_number(&mut bytes, 0);
        PackedTally(bytes.into())
    }

    #[cfg(test)]
    pub(super) fn byte_size(&self) -> usize {
        self.0.len()
    }
}

/// Returns the sums of packed tallies, by the number that stands with each.
pub(super) fn add_up<'a>(
    packed: impl Iterator<Item = &'a (u32, PackedTally)>,
) -> BTreeMap<u32, CounterTally> {
    let mut by_number: BTreeMap<u32, Vec<&PackedTally>> = BTreeMap::new();
    for (number, packed) in packed {
        by_number.entry(*number).or_default().push(packed);
    }
    let sum = |all: Vec<&PackedTally>| {
        let mut sum = PackedSum::default();
        for packed in all {
            sum.add(packed);
        }
        sum.tally()
    };
    by_number
        .into_iter()
        .map(|(number, all)| (number, sum(all)))
        .collect()
}

#[derive(Default)]
struct PackedSum {
    counts: CounterCounts,
    /// Most queries have times of few kinds.
    times: [Option<Box<PackedTimes>>; Timed::ALL.len()],
}

/// Buckets, and the sum.
type PackedTimes = ([u64; BUCKETS], u64);

impl PackedSum {
    fn add(&mut self, packed: &PackedTally) {
        let mut bytes = packed.0.iter();
        let mut run = DeltaRun::default();
        while let Some(place) = run.take(&mut bytes) {
            self.counts.0[place] += take(&mut bytes);
        }
        let mut run = DeltaRun::default();
        while let Some(place) = run.take(&mut bytes) {
            let time = self.times[place].get_or_insert_with(|| Box::new(([0; BUCKETS], 0)));
            let (buckets, sum) = &mut **time;
            *sum = sum.saturating_add(take(&mut bytes));
            let mut run = DeltaRun::default();
            while let Some(bucket) = run.take(&mut bytes) {
                buckets[bucket] += take(&mut bytes);
            }
        }
    }

    fn tally(&self) -> CounterTally {
        CounterTally {
            counts: self.counts,
            times: self.times.each_ref().map(|time| match time.as_deref() {
                Some((buckets, sum)) => Distribution::from_counts(buckets.iter().copied(), *sum),
                None => Distribution::default(),
            }),
        }
    }
}

/// Ascending places, each as the distance from the one before, the first from -1.
#[derive(Default)]
struct DeltaRun {
    next: usize,
}

impl DeltaRun {
    fn append_number(&mut self, bytes: &mut Vec<u8>, place: usize) {
        put_number(bytes, (place + 1 - self.next) as u64);
        self.next = place + 1;
    }

    fn take(&mut self, bytes: &mut std::slice::Iter<'_, u8>) -> Option<usize> {
        let distance = usize::try_from(take(bytes)).ok().filter(|far| *far > 0)?;
        self.next += distance;
        Some(self.next - 1)
    }
}

fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

fn take(bytes: &mut std::slice::Iter<'_, u8>) -> u64 {
    let mut number = 0;
    for (place, byte) in bytes.enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::counter::Counter;

    fn tally(seed: u64) -> CounterTally {
        let mut tally = CounterTally::default();
        for (place, count) in tally.counts.0.iter_mut().enumerate() {
            *count = [0, 1, 127, 128, seed, u64::MAX / 4][(place + 1) % 6];
        }
        let counts = |step: usize| {
            (0..BUCKETS).map(move |at| if at % step == 0 { seed + at as u64 } else { 0 })
        };
        tally.times[1] = Distribution::from_counts(counts(3), seed);
        tally.times[6] = Distribution::from_counts(counts(257), u64::MAX / 3);
        tally
    }

    #[test]
    fn what_is_packed_comes_out_as_it_was_and_adds_up() {
        for seed in [1, 300, 1 << 40] {
            let mut sum = PackedSum::default();
            sum.add(&PackedTally::pack_tally(&tally(seed)));
            assert_eq!(sum.tally(), tally(seed));
            sum.add(&PackedTally::pack_tally(&tally(7)));
            let mut both = tally(seed);
            both.add(&tally(7));
            assert_eq!(sum.tally(), both);
        }
        let mut none = PackedSum::default();
        none.add(&PackedTally::pack_tally(&CounterTally::default()));
        assert_eq!(none.tally(), CounterTally::default());
    }

    #[test]
    fn a_usual_slot_takes_few_bytes() {
        let mut tally = CounterTally::default();
        tally.counts.0[Counter::HitMemory as usize] = 100_000;
        let counts = |at: usize| if (8..24).contains(&at) { 5_000 } else { 0 };
        tally.times[Timed::Hit as usize] =
            Distribution::from_counts((0..BUCKETS).map(counts), 1 << 30);
        let bytes = PackedTally::pack_tally(&tally).byte_size();
        assert!(bytes < 70, "{bytes}");
    }
}
