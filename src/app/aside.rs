//! Work of milliseconds, such as rendering a large page: done beside the workers, which answer
//! others meanwhile. It is bounded in number, so that the workers keep a core. What the work is,
//! and how large it has to be for this, is not known here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::error::RequestError;
use crate::stats::AsideSnapshot;

/// The work beside the workers, of the whole process.
#[derive(Debug)]
pub struct SideWork {
    permits: Arc<Semaphore>,
    waiting: AtomicU64,
    running: Arc<AtomicU64>,
    done: Arc<AtomicU64>,
}

impl Default for SideWork {
    fn default() -> SideWork {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        SideWork {
            permits: Arc::new(Semaphore::new((cores - 1).max(1))),
            waiting: AtomicU64::new(0),
            running: Arc::default(),
            done: Arc::default(),
        }
    }
}

/// One more of something, until it is dropped.
struct CountedIn<'c>(&'c AtomicU64);

impl<'c> CountedIn<'c> {
    fn new(count: &'c AtomicU64) -> CountedIn<'c> {
        count.fetch_add(1, Ordering::Relaxed);
        CountedIn(count)
    }
}

impl Drop for CountedIn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl SideWork {
    /// Does this work on a thread of `engine`, when it is its turn. Work that has begun goes on
    /// when the returned future is dropped; work that waits for its turn never begins then.
    ///
    /// # Errors
    /// The work panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        engine: &Handle,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, RequestError> {
        let waits = CountedIn::new(&self.waiting);
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        drop(waits);
        let (running, done) = (Arc::clone(&self.running), Arc::clone(&self.done));
        let task = engine.spawn_blocking(move || {
            let _permit = permit;
            let _runs = CountedIn::new(&running);
            let made = work();
            done.fetch_add(1, Ordering::Relaxed);
            made
        });
        task.await.map_err(|error| RequestError::Internal {
            detail: format!("work beside the workers failed: {error}").into(),
        })
    }

    /// Returns the work as `/stats` shows it.
    pub(super) fn snapshot(&self) -> AsideSnapshot {
        AsideSnapshot {
            running: self.running.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed),
            done: self.done.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_panic_in_the_work_is_an_error_and_gives_its_turn_back() {
        let engine = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        let side = SideWork::default();
        engine.block_on(async {
            for _ in 0..100 {
                let failed = side.run(engine.handle(), || panic!("a bug")).await;
                assert!(failed.map(|(): ()| ()).is_err());
            }
            assert_eq!(side.run(engine.handle(), || 7).await.unwrap(), 7);
        });
        let counted = side.snapshot();
        assert_eq!((counted.running, counted.waiting, counted.done), (0, 0, 1));
    }
}
