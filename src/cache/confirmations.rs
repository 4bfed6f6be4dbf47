//! The purges whose confirmations this process waits for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::rank::next_sequence;

/// The time for which the answer to who purges waits for the other instances at most.
const CONFIRMED_WITHIN: Duration = Duration::from_millis(500);
/// So many are named for one purge at most, as in the list of instances.
const MOST: usize = 1000;
/// No id of an instance is longer.
const LONGEST: usize = 64;

/// The purges whose confirmations are waited for.
#[derive(Debug, Default)]
pub(super) struct PurgeConfirmations(Mutex<HashMap<u64, watch::Sender<Vec<String>>>>);

impl PurgeConfirmations {
    pub(super) fn await_purge(self: &Arc<Self>) -> AwaitedPurge {
        let (number, names) = (next_sequence(), watch::Sender::default());
        let told = names.subscribe();
        self.lock().insert(number, names);
        AwaitedPurge {
            all: Arc::clone(self),
            number,
            told,
        }
    }

    /// The instance of this id has confirmed the purge of this number.
    pub(super) fn note_confirmation(&self, number: u64, id: &str) {
        if id.is_empty() || id.len() > LONGEST || !id.bytes().all(|it| it.is_ascii_alphanumeric()) {
            return;
        }
        if let Some(names) = self.lock().get(&number) {
            names.send_if_modified(|names| {
                let is_new = names.len() < MOST && names.iter().all(|known| known != id);
                if is_new {
                    names.push(id.to_owned());
                }
                is_new
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, watch::Sender<Vec<String>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A purge whose confirmations are waited for, until it is dropped.
pub(super) struct AwaitedPurge {
    all: Arc<PurgeConfirmations>,
    pub(super) number: u64,
    told: watch::Receiver<Vec<String>>,
}

impl AwaitedPurge {
    /// Returns who has confirmed it: as soon as all of `known` have, at the latest after
    /// [`CONFIRMED_WITHIN`]. Cancel-safe.
    pub(super) async fn confirmed_by(mut self, known: &[String]) -> Vec<String> {
        let all = |names: &Vec<String>| known.iter().all(|id| names.contains(id));
        let _ = timeout(CONFIRMED_WITHIN, self.told.wait_for(all)).await;
        self.told.borrow().clone()
    }
}

impl Drop for AwaitedPurge {
    fn drop(&mut self) {
        self.all.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_counts_once_for_the_purge_that_waits_for_it() {
        let all = Arc::new(PurgeConfirmations::default());
        let (one, other) = (all.await_purge(), all.await_purge());
        for id in ["a", "a", "b", "", "not an id", &"x".repeat(LONGEST + 1)] {
            all.note_confirmation(one.number, id);
        }
        all.note_confirmation(u64::MAX, "c");
        assert_eq!(*one.told.borrow(), ["a", "b"]);
        assert!(other.told.borrow().is_empty());
        drop((one, other));
        assert!(all.lock().is_empty());
    }
}
