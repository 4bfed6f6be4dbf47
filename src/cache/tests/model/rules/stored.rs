//! What is written to Redis.

use std::time::Duration;

use super::super::super::super::purge_request::{PurgeKind, PurgeReach};
use super::super::super::fake::What;
use super::super::database::parse;
use super::super::fleet::Fleet;
use super::super::record::{Event, Record};
use super::super::steps::{KEYS, Part, Purged};
use super::{Finding, at, show_load};

/// A load draws its number before it begins: by up to the deadline of Redis.
const DRAWN_BEFORE: Duration = Duration::from_millis(250);

/// Writes of an entry: the change's place, and the load it is of.
fn writes<'a>(
    record: &'a Record,
    entry: &'a str,
) -> impl Iterator<Item = (&'a super::super::super::fake::Change, usize, Option<usize>)> {
    record
        .changes
        .iter()
        .filter_map(move |change| match &change.what {
            What::Set {
                value, replaced, ..
            } if change.key == entry => {
                let replaced = replaced.as_ref().map(|bytes| parse(bytes).1);
                Some((change, parse(value).1, replaced))
            }
            _ => None,
        })
}

/// Nobody takes a lease that another holds for the same generation.
pub(super) fn one_lease_at_a_time(record: &Record, fleet: &Fleet) -> Finding {
    for key in 0..KEYS {
        let [_, lease] = fleet.names(key);
        for change in record.changes.iter().filter(|change| change.key == lease) {
            let What::Set {
                value,
                replaced: Some(held),
                ..
            } = &change.what
            else {
                continue;
            };
            let generation = |lease: &[u8]| {
                let text = String::from_utf8_lossy(lease);
                text.split(' ').next().map(ToOwned::to_owned)
            };
            // One that was taken before the clock was set back counts for nothing.
            let jumped = record.events.iter().any(|(when, event)| {
                matches!(event, Event::Jump(millis) if *millis < 0) && *when <= change.at
            });
            if value != held && generation(value) == generation(held) && !jumped {
                let when = at(record, change.at);
                return Err(format!(
                    "the lease of entry {key} was taken from its holder at {when}"
                ));
            }
        }
    }
    Ok(())
}

/// Nothing is stored of a load that began before a hard purge that is done.
pub(super) fn nothing_of_before_a_purge(record: &Record, fleet: &Fleet) -> Finding {
    for key in 0..KEYS {
        let [entry, _] = fleet.names(key);
        for (change, load, _) in writes(record, &entry) {
            let began = record.loads[load].begin;
            for purge in record.purges_of(key) {
                let done = matches!(purge.end, Some((end, PurgeReach::Fleet)) if end <= change.at);
                let forgotten = record.happened(purge.begin, change.at, |event| {
                    let part = Part::Tombstone;
                    let tombstone = matches!(event, Event::Evict { key: of, part: p } if of == key && p == part)
                        || matches!(event, Event::Jump(millis) if millis > 60_000);
                    matches!(purge.scope, Purged::Entry(_)) && tombstone
                });
                if purge.kind == PurgeKind::Hard && done && began < purge.begin && !forgotten {
                    let (when, load) = (at(record, change.at), show_load(record, load));
                    let purge = at(record, purge.begin);
                    return Err(format!("stored at {when}, purged at {purge}: {load}"));
                }
            }
        }
    }
    Ok(())
}

pub(super) fn nothing_older_replaces_newer(record: &Record, fleet: &Fleet) -> Finding {
    for key in 0..KEYS {
        let [entry, _] = fleet.names(key);
        for (change, load, replaced) in writes(record, &entry) {
            let Some(replaced) = replaced else { continue };
            let began = |load: usize| record.loads[load].begin;
            if began(replaced) > began(load) + DRAWN_BEFORE {
                let (when, new) = (at(record, change.at), show_load(record, load));
                let old = show_load(record, replaced);
                return Err(format!(
                    "at {when} an older one replaced a newer one: {new}; {old}"
                ));
            }
        }
    }
    Ok(())
}
