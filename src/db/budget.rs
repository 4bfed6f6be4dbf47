//! The memory that the results of all loads may take at once. What a result is made of, and how
//! large one alone may be, is not known here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::RequestError;

/// The bytes that are taken at once. As much is free for each load, so that small results ask for
/// nothing.
const STEP: u64 = 1 << 20;

/// Returns the bytes that one row of a result may have: the driver holds a row beside the result.
/// It is a quarter of the result's, or a few megabytes where that is less.
pub(super) fn row_bound(max_result: u64) -> u64 {
    const ALWAYS: u64 = 8 << 20;
    (max_result / 4).max(max_result.min(ALWAYS))
}

/// The bytes that there are for results, and those that are taken.
#[derive(Debug)]
pub(super) struct ResultBudget {
    most: u64,
    taken: AtomicU64,
}

/// The bytes that one result has taken. Dropping it gives them back.
#[derive(Debug)]
pub(super) struct ResultShare {
    budget: Arc<ResultBudget>,
    held: u64,
}

impl ResultBudget {
    /// Makes one for results of which each may have so many bytes: twice as many for all.
    pub(super) fn new(max_result: u64) -> Arc<Self> {
        Arc::new(ResultBudget {
            most: max_result.saturating_mul(2),
            taken: AtomicU64::new(0),
        })
    }

    /// Begins a result.
    pub(super) fn begin_share(self: &Arc<Self>) -> ResultShare {
        ResultShare {
            budget: Arc::clone(self),
            held: 0,
        }
    }
}

impl ResultShare {
    /// Takes what a result of so many bytes needs beyond what it has.
    ///
    /// # Errors
    /// The results of other loads leave too little. It is not waited for: two that wait for each
    /// other would both keep what they have.
    pub(super) fn grow_to(&mut self, bytes: u64) -> Result<(), RequestError> {
        if bytes <= self.held + STEP {
            return Ok(());
        }
        let more = (bytes - self.held - STEP).next_multiple_of(STEP);
        let most = self.budget.most;
        let take = |taken: u64| taken.checked_add(more).filter(|taken| *taken <= most);
        let taken = &self.budget.taken;
        match taken.try_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => {
                self.held += more;
                Ok(())
            }
            Err(_) => Err(RequestError::Busy {
                detail: format!(
                    "the results of loads at work take the {most} bytes that there are for them \
                     (twice [database] max_result)"
                )
                .into(),
            }),
        }
    }
}

impl Drop for ResultShare {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn results_share_twice_what_one_may_have_and_give_it_back() {
        let budget = ResultBudget::new(4 * STEP);
        let (mut first, mut second, mut third) = (
            budget.begin_share(),
            budget.begin_share(),
            budget.begin_share(),
        );
        first.grow_to(5 * STEP).unwrap();
        second.grow_to(4 * STEP + 1).unwrap();
        // A small one asks for nothing.
        third.grow_to(STEP).unwrap();
        let error = third.grow_to(2 * STEP).unwrap_err();
        assert_eq!((error.status(), error.retry_after().is_some()), (503, true));
        drop(first);
        third.grow_to(2 * STEP).unwrap();
        drop((second, third));
        assert_eq!(budget.taken.load(Ordering::Relaxed), 0);
    }
}
