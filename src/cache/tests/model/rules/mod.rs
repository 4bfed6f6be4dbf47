//! What must hold in every case, whatever happens. Each rule reads the record of a case and says
//! what is wrong, if anything is. A rule that trouble excuses looks for that very trouble: what
//! is allowed while Redis is away is not allowed when it is there.

mod loads;
mod served;
mod stored;

use std::time::Duration;

use tokio::time::Instant;

use super::fleet::Fleet;
use super::record::{Event, Record};
use super::steps::Part;

/// What a rule found.
type Finding = Result<(), String>;

/// How long what the test does not delay may take: some trips to Redis and the wake of a task.
const MOMENT: Duration = Duration::from_millis(20);

/// Every rule, on what is recorded so far.
pub(super) fn check(fleet: &Fleet) -> Finding {
    let mut record = fleet.pen.write();
    record.changes.extend(fleet.server.take_log());
    let violations = fleet.server.violations();
    if !violations.is_empty() {
        return Err(format!("on Redis Cluster it would fail: {violations:?}"));
    }
    served::belongs_to_its_key(&record)?;
    served::is_as_old_as_it_says(&record)?;
    served::is_within_its_window(&record)?;
    served::nothing_purged(&record)?;
    served::nothing_removed_by_hand_is_fresh(&record)?;
    served::only_the_database_fails_requests(&record)?;
    served::nobody_waits_past_patience(&record)?;
    loads::one_at_a_time(&record)?;
    loads::none_without_need(&record)?;
    loads::failing_ones_back_off(&record)?;
    stored::one_lease_at_a_time(&record, fleet)?;
    stored::nothing_of_before_a_purge(&record, fleet)?;
    stored::nothing_older_replaces_newer(&record, fleet)
}

/// Something in Redis was lost, or its time went on, between two moments.
fn lost(record: &Record, key: usize, from: Instant, to: Instant, parts: &[Part]) -> bool {
    record.happened(from - MOMENT, to, |event| match event {
        Event::Flush | Event::Jump(_) => true,
        Event::Evict { key: of, part } => of / 2 == key / 2 && parts.contains(&part),
        _ => false,
    })
}

/// A moment as it is shown: since the first thing that happened.
fn at(record: &Record, when: Instant) -> String {
    let times = record.requests.iter().map(|request| request.begin);
    let first = times
        .chain(record.loads.iter().map(|load| load.begin))
        .min();
    format!("{:.3?}", when - first.unwrap_or(when))
}

fn show_load(record: &Record, number: usize) -> String {
    let load = &record.loads[number];
    let end = match load.end {
        Some((when, end)) => format!("ended {} ({end:?})", at(record, when)),
        None => "did not end".into(),
    };
    let begin = at(record, load.begin);
    format!(
        "load {number} of entry {} by {:?} began {begin}, {end}",
        load.key, load.by
    )
}
