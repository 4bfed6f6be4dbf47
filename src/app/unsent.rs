//! The budget over all answers that wait to be sent, in the whole process. A client that does not
//! read keeps its answer in memory; without a bound, some hundreds of them take all of it. How an
//! answer is sent, and in which words it is refused, is not known here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;

use crate::defence::Defence;
use crate::stats::UnsentSnapshot;

/// The budget. Bodies that several clients share are counted once, also where the memory tier
/// has them as well: an entry may be evicted while it is being sent.
#[derive(Debug, Default)]
pub struct UnsentBudget {
    used: AtomicU64,
    max: AtomicU64,
    refused: AtomicU64,
    refused_at: Mutex<Option<Instant>>,
    /// The number of answers that hold each body, by where it lies in memory.
    bodies: Mutex<HashMap<BudgetPlace, usize>>,
}

/// One part in so many is kept for answers that fit into a connection's own buffer, so that a few
/// large ones do not keep the others from being sent.
const RESERVE: u64 = 4;

/// Address and length. A place is not given to another body while one lies there.
type BudgetPlace = (usize, usize);

/// An answer that there is no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

/// A body that is counted until this is dropped.
#[derive(Debug)]
pub struct HeldBody {
    budget: Arc<UnsentBudget>,
    body: Bytes,
}

/// A connection's own buffer: counted while its client keeps it waiting, and until this is dropped.
#[derive(Debug)]
pub struct HeldBuffer {
    budget: Arc<UnsentBudget>,
    bytes: u64,
}

impl UnsentBudget {
    /// Bounds it from now on. What is held already stays.
    pub(super) fn set_max(&self, max: u64) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// Returns whether nothing more fits in.
    pub fn is_full(&self) -> bool {
        let max = self.max.load(Ordering::Relaxed);
        !Defence::Unsent.is_off() && self.used.load(Ordering::Relaxed) >= max
    }

    /// Counts an answer that was refused for want of room.
    pub fn count_refusal(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let mut at = lock_mutex(&self.refused_at);
        *at = Some(Instant::now());
    }

    /// Holds a body, unless there is no room for it. While next to nothing is held, a body of any
    /// size is let in.
    ///
    /// # Errors
    /// There is none.
    pub fn hold_body(self: &Arc<Self>, body: &Bytes) -> Result<HeldBody, NoRoom> {
        self.try_hold(body, false)
    }

    /// Holds a body whether there is room for it or not: for answers to the operators, who have to
    /// see what goes on.
    pub fn overdraw_body(self: &Arc<Self>, body: &Bytes) -> HeldBody {
        self.try_hold(body, true)
            .expect("nothing is refused to those who may overdraw")
    }

    fn try_hold(self: &Arc<Self>, body: &Bytes, may_overdraw: bool) -> Result<HeldBody, NoRoom> {
        let mut bodies = lock_mutex(&self.bodies);
        if let Some(holders) = bodies.get_mut(&body_place(body)) {
            *holders += 1;
        } else {
            let max = self.max.load(Ordering::Relaxed);
            let (size, max) = (body.len() as u64, max - max / RESERVE);
            let used = self.used.load(Ordering::Relaxed);
            // A body that is larger than the budget by itself is sent too, one at a time: its size
            // is bounded by `max_result`, which the budget must not undercut.
            let is_alone = used <= max / RESERVE;
            let fits = used.saturating_add(size) <= max || is_alone || Defence::Unsent.is_off();
            if !fits && !may_overdraw {
                return Err(NoRoom);
            }
            self.used.fetch_add(size, Ordering::Relaxed);
            bodies.insert(body_place(body), 1);
        }
        drop(bodies);
        Ok(HeldBody {
            budget: Arc::clone(self),
            body: body.clone(),
        })
    }

    /// Returns a buffer that holds nothing yet.
    pub fn empty_buffer(self: &Arc<Self>) -> HeldBuffer {
        HeldBuffer {
            budget: Arc::clone(self),
            bytes: 0,
        }
    }

    /// Returns the budget as `/stats` shows it.
    pub(super) fn snapshot(&self) -> UnsentSnapshot {
        let refused_at = *lock_mutex(&self.refused_at);
        UnsentSnapshot {
            bytes: self.used.load(Ordering::Relaxed),
            max_bytes: self.max.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            refused_seconds_ago: refused_at.map(|at| at.elapsed().as_secs_f64()),
        }
    }
}

impl Drop for HeldBody {
    fn drop(&mut self) {
        let mut bodies = lock_mutex(&self.budget.bodies);
        let place = body_place(&self.body);
        match bodies.get_mut(&place) {
            Some(holders) if *holders > 1 => *holders -= 1,
            _ => {
                bodies.remove(&place);
                let size = self.body.len() as u64;
                self.budget.used.fetch_sub(size, Ordering::Relaxed);
            }
        }
    }
}

impl HeldBuffer {
    /// Counts so many bytes in place of those before.
    pub fn set(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        if bytes != self.bytes {
            let used = &self.budget.used;
            used.fetch_add(bytes, Ordering::Relaxed);
            used.fetch_sub(self.bytes, Ordering::Relaxed);
            self.bytes = bytes;
        }
    }
}

impl Drop for HeldBuffer {
    fn drop(&mut self) {
        self.set(0);
    }
}

fn body_place(body: &Bytes) -> BudgetPlace {
    (body.as_ptr() as usize, body.len())
}

fn lock_mutex<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(max: u64) -> Arc<UnsentBudget> {
        let budget = UnsentBudget::default();
        budget.set_max(max);
        Arc::new(budget)
    }

    fn body(size: usize) -> Bytes {
        vec![b'x'; size].into()
    }

    #[test]
    fn a_body_counts_once_however_many_clients_wait_for_it_and_until_the_last_has_it() {
        let budget = budget(10);
        let shared = body(6);
        let first = budget.hold_body(&shared);
        let second = budget.hold_body(&shared.clone());
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(budget.snapshot().bytes, 6);
        assert_eq!(
            budget.hold_body(&body(6)).map(drop),
            Err(NoRoom),
            "its like is another"
        );
        drop(first);
        assert_eq!(budget.snapshot().bytes, 6);
        drop(second);
        assert_eq!(budget.snapshot().bytes, 0);
        assert!(budget.hold_body(&body(6)).is_ok());
    }

    #[test]
    fn a_single_body_is_let_in_whatever_its_size_and_none_beside_it() {
        let budget = budget(100);
        let mut buffer = budget.empty_buffer();
        buffer.set(10);
        let large = budget.hold_body(&body(1000));
        assert!(large.is_ok(), "only a small buffer is held beside it");
        assert_eq!(budget.hold_body(&body(1000)).map(drop), Err(NoRoom));
        assert_eq!(budget.hold_body(&body(1)).map(drop), Err(NoRoom));
        drop(large);
        let half = budget.hold_body(&body(50));
        assert!(half.is_ok());
        assert_eq!(budget.hold_body(&body(1000)).map(drop), Err(NoRoom));
        drop(half);
        assert!(budget.hold_body(&body(1000)).is_ok());
    }

    #[test]
    fn operators_are_answered_beyond_the_bound_and_are_counted() {
        let budget = budget(10);
        let held = budget.overdraw_body(&body(20));
        assert_eq!(budget.snapshot().bytes, 20);
        assert!(budget.is_full());
        assert_eq!(budget.hold_body(&body(1)).map(drop), Err(NoRoom));
        drop(held);
        assert_eq!(budget.snapshot().bytes, 0);
        assert!(!budget.is_full());
    }

    #[test]
    fn a_buffer_counts_for_what_it_holds_now_and_nothing_at_its_end() {
        let budget = budget(10);
        let mut buffer = budget.empty_buffer();
        buffer.set(8);
        buffer.set(3);
        assert_eq!(budget.snapshot().bytes, 3);
        drop(buffer);
        assert_eq!(budget.snapshot().bytes, 0);
    }

    #[test]
    fn a_bound_that_is_lowered_holds_for_those_who_come_then() {
        let budget = budget(10);
        let held = budget.hold_body(&body(8));
        budget.set_max(4);
        assert_eq!(budget.hold_body(&body(1)).map(drop), Err(NoRoom));
        drop(held);
        assert!(budget.hold_body(&body(3)).is_ok());
    }
}
