//! The heartbeats of worker threads: each tells once a second that it still gets to its tasks. What
//! is done about one that falls silent is the daemon's.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The interval of a worker's heartbeat.
const BEAT: Duration = Duration::from_secs(1);

/// The latest heartbeat of each worker of a generation.
#[derive(Debug, Default)]
pub struct WorkerHeartbeats(Mutex<Vec<Arc<Mutex<Instant>>>>);

thread_local! {
    /// The heart of this thread: a worker makes its services once per listener, and beats once.
    static BEATING: RefCell<Weak<Mutex<Instant>>> = const { RefCell::new(Weak::new()) };
}

impl WorkerHeartbeats {
    /// Begins the heartbeat of the worker thread that calls it, until its runtime ends.
    pub(super) fn begin_heartbeat(&self) {
        BEATING.with_borrow_mut(|beating| {
            if beating.strong_count() > 0 {
                return;
            }
            let heart = Arc::new(Mutex::new(Instant::now()));
            *beating = Arc::downgrade(&heart);
            actix_web::rt::spawn(beat_once(Arc::downgrade(&heart)));
            self.lock().push(heart);
        });
    }

    /// Returns how many have not been heard of for so long.
    pub fn silent_workers(&self, patience: Duration) -> usize {
        self.silent_at(Instant::now(), patience)
    }

    fn silent_at(&self, now: Instant, patience: Duration) -> usize {
        let is_silent =
            |heart: &&Arc<Mutex<Instant>>| now.saturating_duration_since(read(heart)) > patience;
        self.lock().iter().filter(is_silent).count()
    }

    /// One more, which was last heard of so long ago and never again.
    #[cfg(test)]
    pub(crate) fn join_silent(&self, since: Duration) {
        let last = Instant::now().checked_sub(since);
        let last = last.expect("the machine has run for longer");
        self.lock().push(Arc::new(Mutex::new(last)));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Mutex<Instant>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn beat_once(heart: Weak<Mutex<Instant>>) {
    while let Some(heart) = heart.upgrade() {
        *heart.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        drop(heart);
        tokio::time::sleep(BEAT).await;
    }
}

fn read(heart: &Mutex<Instant>) -> Instant {
    *heart.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_beats_is_not_silent_and_one_that_is_blocked_is() {
        let hearts = WorkerHeartbeats::default();
        actix_web::rt::System::new().block_on(async {
            hearts.begin_heartbeat();
            hearts.begin_heartbeat();
            assert_eq!(hearts.lock().len(), 1, "one heart for each thread");
            let heart = Arc::clone(&hearts.lock()[0]);
            let first = read(&heart);
            while read(&heart) == first {
                tokio::time::sleep(BEAT / 10).await;
            }
        });
        let last = read(&hearts.lock()[0]);
        assert_eq!(hearts.silent_at(last + BEAT, 2 * BEAT), 0);
        assert_eq!(hearts.silent_at(last + 3 * BEAT, 2 * BEAT), 1);
    }
}
