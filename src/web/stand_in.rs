//! The catalog in the place of a sample that cannot run at `/`: its function is not in the
//! database. It owns when that is looked at again, so that a page that works counts no errors.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time for which the function is taken for missing; `unslow install` may create it meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The time when the sample's function was found missing.
#[derive(Debug, Default)]
pub(super) struct StandIn(Mutex<Option<Instant>>);

/// An answer to: does the catalog stand in?
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SampleState {
    /// The sample is not known to be without its function.
    No,
    /// It was without it a moment ago.
    Yes,
    /// It was without it a while ago: the database has to be asked, by one request.
    Ask,
}

impl StandIn {
    pub(super) fn sample_state(&self, now: Instant) -> SampleState {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *found {
            None => SampleState::No,
            Some(at) if now.saturating_duration_since(at) < LOOK_AGAIN => SampleState::Yes,
            Some(_) => {
                *found = Some(now);
                SampleState::Ask
            }
        }
    }

    /// Notes whether the function is missing.
    pub(super) fn note_missing(&self, is_missing: bool, now: Instant) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *found = is_missing.then_some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_asked_again_by_one_request_after_a_while() {
        let (stand_in, start) = (StandIn::default(), Instant::now());
        assert_eq!(stand_in.sample_state(start), SampleState::No);
        stand_in.note_missing(true, start);
        assert_eq!(
            stand_in.sample_state(start + LOOK_AGAIN / 2),
            SampleState::Yes
        );
        assert_eq!(stand_in.sample_state(start + LOOK_AGAIN), SampleState::Ask);
        assert_eq!(stand_in.sample_state(start + LOOK_AGAIN), SampleState::Yes);
        stand_in.note_missing(false, start + LOOK_AGAIN);
        assert_eq!(stand_in.sample_state(start + LOOK_AGAIN), SampleState::No);
    }
}
