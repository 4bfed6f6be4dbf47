//! The counts over time: slots of five seconds for five minutes and of one minute for an hour, each
//! with the counts that came in it, so that a window is a sum of slots. Recording knows nothing of
//! it: a reader or a timer [ticks](Timeline::close_slot), and the counts that have come since the tick
//! before are a slot.
//!
//! A slot says from when to when it counts. A process that slept has one that is long: it counts
//! only in a window that holds the whole of it, and in no drawing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::numbers::SummaryNumbers;
use super::packed::{PackedTally, add_up};
use super::query::QueryStats;
use super::slowest::{SlowTop, SlowestLoads};
use super::snapshot::{SeriesPoint, SnapshotSeries};
use super::tally::CounterTally;
use super::window::Window;

/// The length of a short slot.
pub(super) const SHORT: Duration = Duration::from_secs(5);
/// The length of a long one.
const LONG: Duration = Duration::from_mins(1);

/// All slots there are. Times are since the process began to count.
#[derive(Default)]
pub(super) struct Timeline {
    /// Everything up to the end of the latest slot.
    known: BTreeMap<u32, KnownTally>,
    short: SlotRing,
    long: SlotRing,
}

/// One query, as it was at the end of the latest slot.
struct KnownTally {
    tally: CounterTally,
    in_flight: u64,
}

/// The latest slots of one length.
#[derive(Default)]
struct SlotRing {
    /// The end of the latest slot.
    end: Duration,
    slots: VecDeque<TimeSlot>,
}

struct TimeSlot {
    from: Duration,
    to: Duration,
    /// The queries by their numbers; those that had nothing to count are not there.
    queries: Box<[(u32, PackedTally)]>,
    slowest: SlowTop,
    point: SeriesPoint,
}

/// The counts of one stretch of time.
pub(super) struct WindowCounts {
    /// The time for which it was.
    pub(super) covered: Duration,
    /// The counts by the numbers of the queries; those without counts may be missing.
    pub(super) tallies: BTreeMap<u32, CounterTally>,
    pub(super) slowest: SlowTop,
}

impl Timeline {
    /// Closes the slot under way, if its time is over. `queries` are all that there are.
    pub(super) fn close_slot(
        &mut self,
        now: Duration,
        queries: &[Arc<QueryStats>],
        slowest: &SlowestLoads,
    ) {
        if now < self.short.slot_end(SHORT) {
            return;
        }
        let come: BTreeMap<u32, CounterTally> = queries
            .iter()
            .filter_map(|query| Some((query.number(), self.take(query)?)))
            .collect();
        self.short.push(now, &come, slowest.take());
        self.short.prune_old(SHORT, now);
        if now >= self.long.slot_end(LONG) {
            let (come, slowest) = self.short.sum_since(self.long.end);
            self.long.push(now, &come, slowest);
            self.long.prune_old(LONG, now);
        }
    }

    /// Returns when the slot under way is over.
    pub(super) fn slot_end(&self) -> Duration {
        self.short.slot_end(SHORT)
    }

    /// Returns what was counted in a window up to now, which is no later than [`Timeline::slot_end`].
    pub(super) fn window_counts(
        &self,
        window: Window,
        now: Duration,
        queries: &[Arc<QueryStats>],
        slowest: &SlowestLoads,
    ) -> WindowCounts {
        let from = match window {
            Window::Minute => now.saturating_sub(LONG),
            Window::FiveMinutes => now.saturating_sub(5 * LONG),
            Window::Hour => now.saturating_sub(60 * LONG),
            Window::Start => {
                let tallies = queries.iter().map(|query| (query.number(), query.tally()));
                return WindowCounts {
                    covered: now,
                    tallies: tallies.collect(),
                    slowest: slowest.since_start(),
                };
            }
        };
        let mut slots: Vec<&TimeSlot> = Vec::new();
        if window == Window::Hour {
            slots.extend(self.long.slots_since(from));
            slots.extend(self.short.slots_since(from.max(self.long.end)));
        } else {
            slots.extend(self.short.slots_since(from));
        }
        let begin = slots.iter().map(|slot| slot.from).min();
        let mut tallies = add_up(slots.iter().flat_map(|slot| &slot.queries));
        let mut slow = slowest.open();
        for slot in &slots {
            slow.merge(&slot.slowest);
        }
        for query in queries {
            if let Some(come) = self.counted_since(query) {
                tallies.entry(query.number()).or_default().add(&come);
            }
        }
        WindowCounts {
            covered: now.saturating_sub(begin.unwrap_or(self.short.end)),
            tallies,
            slowest: slow,
        }
    }

    /// Returns how it has been, and how long ago that ended.
    pub(super) fn snapshot_series(
        &self,
        window: Window,
        now: Duration,
    ) -> (SnapshotSeries, Duration) {
        let (ring, step) = match window {
            Window::Minute | Window::FiveMinutes => (&self.short, SHORT),
            Window::Hour | Window::Start => (&self.long, LONG),
        };
        let end = whole_steps(ring.end, step);
        let mut points = vec![None; SnapshotSeries::POINTS];
        // A slot stands in the step in which it began; one that took long tells nothing of it.
        for slot in ring
            .slots
            .iter()
            .filter(|slot| slot.to.saturating_sub(slot.from) < 2 * step)
        {
            let back = usize::try_from(end.saturating_sub(whole_steps(slot.from, step)));
            let place = back.ok().and_then(|back| points.len().checked_sub(back));
            if let Some(point) = place.and_then(|place| points.get_mut(place)) {
                *point = Some(slot.point);
            }
        }
        let series = SnapshotSeries {
            step_seconds: u32::try_from(step.as_secs()).unwrap_or(u32::MAX),
            ends_at: 0.0,
            points,
        };
        let ended = step * u32::try_from(end).unwrap_or(u32::MAX);
        (series, now.saturating_sub(ended))
    }

    /// Lets go of the parameters of a query.
    pub(super) fn forget_query(&mut self, query: u32) {
        for slot in self.short.slots.iter_mut().chain(&mut self.long.slots) {
            slot.slowest.forget_query(query);
        }
    }

    /// Returns what has come since the latest slot; `None` if nothing has.
    fn counted_since(&self, query: &QueryStats) -> Option<CounterTally> {
        match self.known.get(&query.number()) {
            Some(known) if query.is_as(&known.tally, known.in_flight) => None,
            Some(known) => Some(query.tally().difference_since(&known.tally)),
            None => Some(query.tally()).filter(|tally| !tally.is_empty()),
        }
    }

    /// Returns the same, and takes it for known.
    fn take(&mut self, query: &QueryStats) -> Option<CounterTally> {
        let known = self.known.get(&query.number());
        if known.is_some_and(|known| query.is_as(&known.tally, known.in_flight)) {
            return None;
        }
        // First, so that a load that ends meanwhile is seen next time.
        let in_flight = query.in_flight();
        let tally = query.tally();
        let come = known.map_or_else(
            || tally.clone(),
            |known| tally.difference_since(&known.tally),
        );
        if known.is_none() && tally.is_empty() {
            return None;
        }
        self.known
            .insert(query.number(), KnownTally { tally, in_flight });
        Some(come)
    }

    /// Returns bytes held by the slots, about.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        let slots = self.short.slots.iter().chain(&self.long.slots);
        let of = |slot: &TimeSlot| {
            let queries = slot.queries.iter();
            let packed =
                queries.map(|(_, packed)| size_of::<(u32, PackedTally)>() + packed.byte_size());
            size_of::<TimeSlot>() + packed.sum::<usize>() + size_of_val(slot.slowest.all_records())
        };
        let known = self.known.values().map(|known| {
            let times = known.tally.times.iter();
            size_of::<KnownTally>()
                + times
                    .map(|time| size_of_val(time.sum_and_buckets().1))
                    .sum::<usize>()
        });
        slots.map(of).sum::<usize>() + known.sum::<usize>()
    }

    #[cfg(test)]
    pub(super) fn slot_counts(&self) -> (usize, usize) {
        (self.short.slots.len(), self.long.slots.len())
    }
}

impl SlotRing {
    /// Returns when the slot under way is over: slots end where steps do.
    fn slot_end(&self, step: Duration) -> Duration {
        step * u32::try_from(whole_steps(self.end, step) + 1).unwrap_or(u32::MAX)
    }

    fn push(&mut self, now: Duration, come: &BTreeMap<u32, CounterTally>, slowest: SlowTop) {
        let total: CounterTally = come.values().sum();
        let packed = come
            .iter()
            .map(|(number, tally)| (*number, PackedTally::pack_tally(tally)));
        self.slots.push_back(TimeSlot {
            from: self.end,
            to: now,
            queries: packed.collect(),
            slowest,
            point: series_point(&total, now.saturating_sub(self.end)),
        });
        self.end = now;
    }

    /// Lets go of what no window and no drawing reaches any more.
    fn prune_old(&mut self, step: Duration, now: Duration) {
        let reach = step * u32::try_from(SnapshotSeries::POINTS + 1).unwrap_or(u32::MAX);
        while self.slots.len() > SnapshotSeries::POINTS
            || self.slots.front().is_some_and(|slot| slot.to + reach < now)
        {
            self.slots.pop_front();
        }
    }

    fn slots_since(&self, from: Duration) -> impl Iterator<Item = &TimeSlot> {
        self.slots.iter().filter(move |slot| slot.from >= from)
    }

    fn sum_since(&self, from: Duration) -> (BTreeMap<u32, CounterTally>, SlowTop) {
        let mut slowest = SlowTop::default();
        self.slots_since(from)
            .for_each(|slot| slowest.merge(&slot.slowest));
        (
            add_up(self.slots_since(from).flat_map(|slot| &slot.queries)),
            slowest,
        )
    }
}

fn whole_steps(time: Duration, step: Duration) -> u64 {
    time.as_secs() / step.as_secs()
}

fn series_point(total: &CounterTally, span: Duration) -> SeriesPoint {
    let numbers = SummaryNumbers::from_tally(total, span.as_secs_f64());
    SeriesPoint {
        hit_ratio: numbers.hit_ratio,
        requests_per_second: numbers.requests_per_second.unwrap_or_default(),
        loads_per_second: numbers.loads_per_second.unwrap_or_default(),
        time_saved_seconds: numbers.time_saved_seconds,
        hit_p95_seconds: numbers.hit.p95_seconds,
        load_p95_seconds: numbers.load.p95_seconds,
    }
}

#[cfg(test)]
mod tests;
