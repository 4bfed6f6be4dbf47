//! When the database is asked. Each load but the first of an entry needs a reason of its own, in
//! the time since the one before: so there are at most 1 + expiries + purges + asked-for
//! refreshes + crashes + losses in Redis + what an instance loads while it is cut off.

use std::time::Duration;

use tokio::time::Instant;

use super::super::super::super::purge_request::{PurgeKind, PurgeReach};
use super::super::fleet::{PATIENCE, POLICY};
use super::super::record::{Event, Load, Record, Refresh, is_quick};
use super::super::steps::{Ending, Part};
use super::{Finding, MOMENT, lost, show_load};

/// What is left of a lease when its holder dies right before it would have renewed it.
const LEASE_LEFT: Duration = Duration::from_millis(2500 - 800 - 100);
/// The first backoff.
const BACKOFF: Duration = Duration::from_secs(1);

fn purged(record: &Record, key: usize, from: Instant, to: Instant, only_hard: bool) -> bool {
    record.purges_of(key).any(|purge| {
        // One that Redis did not answer takes effect some time later.
        let late = matches!(purge.end, Some((_, PurgeReach::Instance)))
            && purge.begin <= to
            && record.troubled(purge.by.at, from, to);
        (!only_hard || purge.kind == PurgeKind::Hard)
            && (late || purge.is_between(from - MOMENT, to))
    })
}

fn cut_off(record: &Record, [one, other]: [&Load; 2], from: Instant, to: Instant) -> bool {
    [one, other]
        .iter()
        .any(|load| record.troubled(load.by.at, from, to))
}

/// Whether it waited for others' loads as long as its clients do: then it runs without a lease.
fn was_patient(record: &Record, load: &Load) -> bool {
    let latest = load.begin - PATIENCE + MOMENT;
    let earliest = latest - Duration::from_secs(1);
    let asked = record
        .requests
        .iter()
        .filter(|request| request.by == load.by && request.key == load.key);
    let refreshes: Vec<_> = record
        .refreshes
        .iter()
        .filter(|refresh| refresh.by == load.by && refresh.key == load.key)
        .collect();
    // A load that panics leaves the flight to a successor; a refresh that was asked for waits for
    // the flight under way before it begins its own.
    let succeeded = record.loads_of(load.key).filter_map(|(_, other)| {
        let (when, how) = other.end.filter(|_| other.by == load.by)?;
        let waits =
            |refresh: &Refresh| refresh.begin <= when && refresh.end.is_none_or(|end| end >= when);
        (how == Ending::Panic || refreshes.iter().copied().any(waits)).then_some(when)
    });
    let asked = asked.map(|request| request.begin);
    let mut begun = asked
        .chain(refreshes.iter().map(|refresh| refresh.begin))
        .chain(succeeded);
    begun.any(|begin| (earliest..=latest).contains(&begin))
}

/// One load of an entry in the whole fleet, and in any case one per process.
pub(super) fn one_at_a_time(record: &Record) -> Finding {
    for key in 0..super::super::steps::KEYS {
        let loads: Vec<_> = record.loads_of(key).collect();
        for (place, (first, one)) in loads.iter().enumerate() {
            for (second, other) in &loads[place + 1..] {
                let crashed = record
                    .events
                    .iter()
                    .find(|(_, event)| *event == Event::Crash(one.by));
                let crashed = crashed.map(|(when, _)| *when);
                let over = one.end.map(|(end, _)| end).or(crashed);
                if over.is_some_and(|over| over <= other.begin) && one.end.is_some() {
                    continue;
                }
                let (from, to) = (one.begin, other.begin);
                let same = one.by == other.by;
                let taken_over = crashed.is_some_and(|when| when + LEASE_LEFT <= to);
                // A purge parts the flights of a process, which may have waited before they load.
                // While there is trouble it may not have heard of the purge, or stand still.
                let waiting = PATIENCE + Duration::from_secs(1);
                let trouble = record.trouble_since(one.by.at, from - waiting, to);
                let since = trouble.map_or(from, |trouble| trouble.min(from)) - waiting;
                let parted = purged(record, key, since, to, true);
                let excused = parted && same
                    || purged(record, key, from, to, true)
                    || !same
                        && (is_quick(key)
                            || taken_over
                            || was_patient(record, one)
                            || was_patient(record, other)
                            || cut_off(record, [one, other], from, to)
                            || lost(record, key, from, to, &[Part::Lease, Part::Generations]));
                if !excused {
                    let (one, other) = (show_load(record, *first), show_load(record, *second));
                    return Err(format!("two loads at once: {one}; {other}"));
                }
            }
        }
    }
    Ok(())
}

/// No load soon after one that brought a value.
pub(super) fn none_without_need(record: &Record) -> Finding {
    // The earliest refresh: half of the shortest TTL.
    let fresh_for = POLICY.ttl / 100 * 44;
    // Who has lost the lease stores nothing.
    let parts = [Part::Entry, Part::Generations, Part::Tombstone, Part::Lease];
    after_each(record, Ending::Well, fresh_for, |one, other, ended| {
        let crashed = record.happened(ended - MOMENT, ended + MOMENT, |event| {
            event == Event::Crash(one.by)
        });
        purged(record, one.key, one.begin, other.begin, false)
            || crashed
            || lost(record, one.key, one.begin, other.begin, &parts)
    })
}

/// No load soon after one that failed: on no instance where the statement is to blame, on this
/// one otherwise.
pub(super) fn failing_ones_back_off(record: &Record) -> Finding {
    for blame in [Ending::Failed, Ending::Deadline, Ending::Away] {
        after_each(record, blame, BACKOFF, |one, other, ended| {
            let forgiven = record.happened(ended - MOMENT, other.begin, |event| {
                matches!(event, Event::Forgive(_) | Event::Crash(_))
            });
            forgiven
                || purged(
                    record,
                    one.key,
                    one.begin - PATIENCE - Duration::from_secs(1),
                    other.begin,
                    true,
                )
                || blame == Ending::Away && one.by != other.by
                // A purge of the entry, soft or hard, takes the note with it.
                || one.by != other.by && purged(record, one.key, one.begin, other.begin, false)
                || one.by != other.by
                    && lost(
                        record,
                        one.key,
                        one.begin,
                        other.begin,
                        &[Part::Note, Part::Generations],
                    )
        })?;
    }
    Ok(())
}

/// Pairs of loads of which the second begins within `gap` after the first has ended so.
fn after_each(
    record: &Record,
    how: Ending,
    gap: Duration,
    excused: impl Fn(&Load, &Load, Instant) -> bool,
) -> Finding {
    for (first, one) in record.loads.iter().enumerate() {
        let Some((ended, _)) = one.end.filter(|(_, end)| *end == how) else {
            continue;
        };
        for (second, other) in record.loads_of(one.key) {
            // What began to be cleared before the end is known there is none of its business.
            if other.begin < ended + MOMENT || other.begin >= ended + gap {
                continue;
            }
            let asked_for = record.refreshes.iter().any(|refresh| {
                refresh.key == one.key
                    && refresh.begin <= other.begin
                    && refresh.end.is_none_or(|end| other.begin <= end)
            });
            let excused = asked_for
                || cut_off(record, [one, other], one.begin, other.begin)
                || excused(one, other, ended);
            if !excused {
                let (one, other) = (show_load(record, first), show_load(record, second));
                return Err(format!("a load without need: {one}; {other}"));
            }
        }
    }
    Ok(())
}
