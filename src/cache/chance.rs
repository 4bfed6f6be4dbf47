//! Chance, so that a fleet does not do the same in one moment: jitter, and stamps that differ.
//! Nothing that has to be secret is drawn here. Tests say what it begins with, and can play again
//! what they have seen.

use std::time::Duration;

/// Returns any number.
#[cfg(not(test))]
pub(super) fn draw_number() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    // Each of them has keys of its own, and the first of a thread gets them from the system.
    RandomState::new().hash_one(())
}

/// Returns any number, the next in this thread's row.
#[cfg(test)]
pub(super) fn draw_number() -> u64 {
    ROW.with(|row| {
        // SplitMix64: any beginning will do.
        row.set(row.get().wrapping_add(0x9E37_79B9_7F4A_7C15));
        let mut drawn = row.get();
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        drawn ^ (drawn >> 31)
    })
}

#[cfg(test)]
thread_local! {
    static ROW: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Makes what [`draw_number`] gives in this thread depend on `seed` alone from now on.
#[cfg(test)]
pub(super) fn begin_with(seed: u64) {
    ROW.set(seed);
}

/// Draws a time from nothing up to `most`, in thousandths of it.
pub(super) fn up_to(most: Duration) -> Duration {
    let part = u32::try_from(draw_number() % 1000).expect("below a thousand");
    most / 1000 * part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_the_same_again_and_stays_within_its_bound() {
        let row = |seed| {
            begin_with(seed);
            [(); 100].map(|()| up_to(Duration::from_secs(1)))
        };
        assert_eq!(row(1), row(1));
        assert_ne!(row(1), row(2));
        assert!(row(3).iter().all(|time| *time < Duration::from_secs(1)));
    }
}
