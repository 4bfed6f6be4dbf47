//! What clients get, and when.

use std::time::Duration;

use tokio::time::Instant;

use super::super::super::super::purge_request::{PurgeKind, PurgeReach};
use super::super::fleet::{PATIENCE, POLICY};
use super::super::record::{Answer, Event, Purge, Record, Request};
use super::super::steps::{Ending, Part, Purged};
use super::{Finding, MOMENT, at, lost, show_load};
use crate::outcome::{Outcome, StaleReason};

/// Redis rounds to milliseconds, and its answer is on its way.
const ROUNDING: Duration = Duration::from_millis(5);
/// Within that the others know of a purge, by message, …
const TOLD: Duration = Duration::from_millis(100);
/// … and find out what no message says.
const FOUND_OUT: Duration = Duration::from_millis(5500);
/// The longest that a failing load is not tried again, and a bit.
const LONGEST_BACKOFF: Duration = Duration::from_secs(38);

struct Served<'a> {
    request: &'a Request,
    load: usize,
    key: usize,
    when: Instant,
    outcome: Outcome,
    age: Duration,
    ttl: Duration,
}

fn served(record: &Record) -> impl Iterator<Item = Served<'_>> {
    record.requests.iter().filter_map(|request| {
        let (when, answer) = request.end.as_ref()?;
        match *answer {
            Answer::Served {
                load,
                key,
                outcome,
                age,
                ttl,
            } => Some(Served {
                request,
                load,
                key,
                when: *when,
                outcome,
                age,
                ttl,
            }),
            Answer::Failed(_) => None,
        }
    })
}

impl Served<'_> {
    fn show(&self, record: &Record) -> String {
        let begin = at(record, self.request.begin);
        format!(
            "the request to {:?} of {begin} got at {}, as {:?} of age {:?}: {}",
            self.request.by,
            at(record, self.when),
            self.outcome,
            self.age,
            show_load(record, self.load)
        )
    }

    /// Since the result arrived.
    fn real_age(&self, record: &Record) -> Duration {
        let (arrived, _) = record.loads[self.load]
            .end
            .expect("what was served has arrived");
        self.when.saturating_duration_since(arrived)
    }

    /// How much younger it may seem than it is: on a clock that was set back, numbers of loads say
    /// nothing of when those began.
    fn slack(&self, record: &Record) -> Duration {
        let back = record.events.iter().map(|(when, event)| match event {
            Event::Jump(millis) if *millis < 0 && *when <= self.when => {
                Duration::from_millis(millis.unsigned_abs())
            }
            _ => Duration::ZERO,
        });
        ROUNDING + back.sum::<Duration>()
    }
}

pub(super) fn belongs_to_its_key(record: &Record) -> Finding {
    for served in served(record) {
        let loaded = record.loads[served.load].key;
        if served.request.key != served.key || loaded != served.key {
            return Err(format!("another key's value: {}", served.show(record)));
        }
    }
    Ok(())
}

pub(super) fn is_as_old_as_it_says(record: &Record) -> Finding {
    for served in served(record) {
        if served.age + served.slack(record) < served.real_age(record) {
            return Err(format!("older than it says: {}", served.show(record)));
        }
    }
    Ok(())
}

/// Never called fresh past its TTL, never served past the window; and a load's result is of a
/// load that ended after the request began.
pub(super) fn is_within_its_window(record: &Record) -> Finding {
    for served in served(record) {
        let bound = match served.outcome {
            Outcome::Hit(_) => served.ttl,
            Outcome::Stale(StaleReason::Revalidating) => POLICY.ttl + POLICY.stale_while_revalidate,
            Outcome::Stale(_) => POLICY.ttl + POLICY.stale_if_error,
            // Without a memory tier a flight tells its end until Redis has it.
            _ => served.when - served.request.begin + Duration::from_millis(300),
        };
        if served.real_age(record) > bound + served.slack(record) {
            return Err(format!(
                "too old for what it is called: {}",
                served.show(record)
            ));
        }
    }
    Ok(())
}

/// Nothing that began to be loaded before a hard purge is served to who asks after it, and
/// nothing of before a soft one as fresh.
pub(super) fn nothing_purged(record: &Record) -> Finding {
    for served in served(record) {
        let loaded = record.loads[served.load].begin;
        let fresh = matches!(served.outcome, Outcome::Hit(_));
        for purge in record.purges_of(served.key) {
            let Some((end, reach)) = &purge.end else {
                continue;
            };
            let concerned = purge.kind == PurgeKind::Hard || fresh;
            if !concerned || loaded >= purge.begin || served.request.place < purge.place {
                continue;
            }
            if !is_excused(record, &served, purge, *end, *reach) {
                let (what, end) = (purge.kind, at(record, *end));
                let shown = served.show(record);
                return Err(format!(
                    "{what:?} purge by {:?} done {end}: {shown}",
                    purge.by
                ));
            }
        }
    }
    Ok(())
}

fn is_excused(
    record: &Record,
    served: &Served<'_>,
    purge: &Purge,
    end: Instant,
    reach: PurgeReach,
) -> bool {
    let request = served.request;
    let healthy = !record.troubled(request.by.at, purge.begin, request.begin);
    let died = record.happened(purge.begin, request.begin, |event| {
        event == Event::Crash(purge.by)
    });
    // What is said of one entry alone is said in one place.
    let tombstone = record.happened(purge.begin, request.begin, |event| match event {
        Event::Jump(millis) => millis > 60_000,
        Event::Evict { key, part } => part == Part::Tombstone && purge.scope == Purged::Entry(key),
        _ => false,
    });
    if tombstone && matches!(purge.scope, Purged::Entry(_)) {
        return true;
    }
    if request.by == purge.by {
        return false;
    }
    // Only who purged knows of it, until Redis is back.
    if reach == PurgeReach::Instance {
        return died || record.any_troubled(purge.begin, request.begin);
    }
    if healthy && request.begin >= end + TOLD {
        return false;
    }
    // What remembers a purge may be gone before who was cut off has asked.
    let forgotten = record.happened(purge.begin, request.begin, |event| match event {
        Event::Flush => true,
        Event::Evict { part, .. } => part == Part::Generations,
        _ => false,
    });
    !healthy && (record.troubled(request.by.at, request.begin, request.begin) || forgotten)
        || request.begin < end + TOLD
}

/// An entry that somebody removed from Redis is not called fresh for long.
pub(super) fn nothing_removed_by_hand_is_fresh(record: &Record) -> Finding {
    for served in served(record) {
        let (arrived, _) = record.loads[served.load].end.expect("it was served");
        let request = served.request;
        let removed = record.happened(arrived + MOMENT, request.begin - FOUND_OUT, |event| {
            let part = Part::Entry;
            event == Event::Flush
                || event
                    == Event::Evict {
                        key: served.key,
                        part,
                    }
        });
        let fresh = matches!(served.outcome, Outcome::Hit(_));
        // While one request compares the copy with Redis, others are served from it for a while.
        let compared = record.requests.iter().any(|other| {
            let since = request.begin.saturating_duration_since(other.begin);
            other.by == request.by
                && other.key == request.key
                && other.place < request.place
                && since < Duration::from_millis(300)
                && request.begin < arrived + 2 * FOUND_OUT
        });
        // It may never have been stored.
        if fresh && removed && !compared && !record.any_troubled(arrived, served.when) {
            return Err(format!("removed long ago: {}", served.show(record)));
        }
    }
    Ok(())
}

pub(super) fn only_the_database_fails_requests(record: &Record) -> Finding {
    for request in &record.requests {
        let Some((end, Answer::Failed(class))) = &request.end else {
            continue;
        };
        // A clock that was set back holds a note for longer, by at most a minute.
        let back = |event| matches!(event, Event::Jump(millis) if millis < 0);
        let longest = if record.events.iter().any(|(_, event)| back(*event)) {
            LONGEST_BACKOFF + Duration::from_mins(1)
        } else {
            LONGEST_BACKOFF
        };
        let since = request.begin.checked_sub(longest).unwrap_or(request.begin);
        let failed = record
            .loads_of(request.key)
            .any(|(_, load)| match load.end {
                Some((when, how)) => how != Ending::Well && (since..=*end).contains(&when),
                None => load.begin <= *end,
            });
        // Who stands still, or takes over from who did, may be late; so may who waits for a load
        // and then for the next, because the first is of no use: by a hard purge, or because its
        // store is refused when Redis has lost what it was begun under, or its clock has jumped
        // past the lease.
        let parts = [Part::Lease, Part::Generations];
        let purged = record
            .purges_of(request.key)
            .any(|purge| purge.kind == PurgeKind::Hard && purge.is_between(since, *end));
        let held_up = *class == "timeout"
            && (purged
                || lost(record, request.key, request.begin, *end, &parts)
                || record.any_troubled(request.begin, *end)
                || record.happened(request.begin, *end, |event| {
                    matches!(event, Event::Crash(_))
                }));
        if !failed && !held_up {
            let begin = at(record, request.begin);
            return Err(format!(
                "failed as {class} without a cause: {:?} of {begin}",
                request.by
            ));
        }
    }
    Ok(())
}

pub(super) fn nobody_waits_past_patience(record: &Record) -> Finding {
    // Redis is asked before the wait, with a deadline of its own.
    let bound = PATIENCE + 3 * Duration::from_millis(250);
    for request in &record.requests {
        let Some((end, _)) = request.end else {
            if !request.gone {
                let begin = at(record, request.begin);
                return Err(format!("no answer to {:?} of {begin}", request.by));
            }
            continue;
        };
        if end - request.begin > bound {
            let waited = end - request.begin;
            return Err(format!("{:?} kept its client for {waited:?}", request.by));
        }
    }
    Ok(())
}
