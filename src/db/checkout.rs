//! The time that a run may wait for its turn, a slot and a working connection, together.

use std::time::Duration;

use crate::error::RequestError;
use crate::text::units::duration_text;

/// The time for which a run waits for its turn, a slot and a working connection, together.
pub(super) const CHECKOUT: Duration = Duration::from_millis(1800);
/// The least that is left of it after a wait elsewhere. A database that is well and near answers
/// sooner; one that is far is given the time that it takes, as always.
const LEAST_CHECKOUT: Duration = Duration::from_millis(300);

/// Returns how long a run may wait when it has `waited` for the right to run before: while the
/// holder of a lease found out that the database hangs, for one. A request that waited for both in
/// full would get its error too late.
pub(super) fn checkout_after(waited: Duration) -> Duration {
    CHECKOUT.saturating_sub(waited).max(LEAST_CHECKOUT)
}

/// All connections are at work. That says nothing about the database's health.
pub(super) fn busy_error() -> RequestError {
    let limit = duration_text(CHECKOUT);
    let detail = format!("no connection of the pool became free within {limit}").into();
    RequestError::Busy { detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_for_the_right_to_run_is_taken_off_the_wait_for_a_connection() {
        for (waited, left) in [
            (0, 1800),
            (1, 1799),
            (1000, 800),
            (1500, 300),
            (1801, 300),
            (60_000, 300),
        ] {
            let (waited, left) = (Duration::from_millis(waited), Duration::from_millis(left));
            assert_eq!(checkout_after(waited), left, "{waited:?}");
        }
    }
}
