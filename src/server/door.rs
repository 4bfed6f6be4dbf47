//! Who is in: the open connections of one generation, which its end waits for, and of the whole
//! process, which has only so many descriptors for all of its generations.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The way in to one generation. Clones count together.
#[derive(Debug, Clone)]
pub(super) struct Door {
    generation: Arc<AtomicUsize>,
    process: Arc<AtomicUsize>,
    most: usize,
}

impl Door {
    /// For the first generation: at most so many connections at once in the whole process.
    pub(super) fn new(most: usize) -> Door {
        Door {
            generation: Arc::default(),
            process: Arc::default(),
            most,
        }
    }

    /// For the next generation, which has a bound of its own; connections of all generations
    /// count towards it.
    pub(super) fn next(&self, most: usize) -> Door {
        Door {
            generation: Arc::default(),
            process: Arc::clone(&self.process),
            most,
        }
    }

    /// Connections at once, in the whole process.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Open connections of this generation.
    pub(super) fn open(&self) -> usize {
        self.generation.load(Ordering::Relaxed)
    }

    /// Lets a connection in and counts it until the value is dropped; `None` where the process
    /// has as many as it may have.
    pub(super) fn enter(&self) -> Option<Visitor> {
        let before = self.process.fetch_add(1, Ordering::Relaxed);
        if before >= self.most {
            self.process.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        self.generation.fetch_add(1, Ordering::Relaxed);
        Some(Visitor(self.clone()))
    }
}

/// A connection that is in.
#[derive(Debug)]
pub(super) struct Visitor(Door);

impl Drop for Visitor {
    fn drop(&mut self) {
        self.0.generation.fetch_sub(1, Ordering::Relaxed);
        self.0.process.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_count_their_own_and_share_one_bound() {
        let old = Door::new(2);
        let (first, second) = (old.enter(), old.enter());
        assert!(first.is_some() && second.is_some() && old.enter().is_none());
        let new = old.next(3);
        assert_eq!((old.open(), new.open()), (2, 0));
        let third = new.enter();
        assert!(third.is_some() && new.enter().is_none());
        drop(first);
        assert!(new.enter().is_some(), "somebody has left");
        drop(second);
        drop(third);
        assert_eq!((old.open(), new.open()), (0, 0));
    }
}
