//! The loads that wait for a turn, and the number of waits in vain: one count for all that a load
//! waits for before it has a connection. The thing that is waited for is not known here.

use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::time::{Instant, timeout_at};

/// The counts of one database.
#[derive(Debug, Default)]
pub(super) struct WaitQueue {
    waiting: AtomicUsize,
    in_vain: AtomicU64,
}

impl WaitQueue {
    /// Waits until `deadline`; `None`: in vain. One that is dropped meanwhile has not waited in vain.
    pub(super) async fn wait<T>(
        &self,
        deadline: Instant,
        turn: impl Future<Output = T>,
    ) -> Option<T> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = WaitGuard(self);
        let came = timeout_at(deadline, turn).await;
        if came.is_err() {
            self.in_vain.fetch_add(1, Ordering::Relaxed);
        }
        came.ok()
    }

    /// Returns how many wait now.
    pub(super) fn waiting_loads(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Returns how many have waited in vain.
    pub(super) fn in_vain(&self) -> u64 {
        self.in_vain.load(Ordering::Relaxed)
    }
}

struct WaitGuard<'a>(&'a WaitQueue);

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_waits_is_counted_for_as_long_and_who_waits_in_vain_for_ever() {
        let queue = WaitQueue::default();
        let now = Instant::now();
        assert_eq!(queue.wait(now, ready(1)).await, Some(1));
        assert_eq!((queue.waiting_loads(), queue.in_vain()), (0, 0));
        assert_eq!(queue.wait(now, pending::<()>()).await, None);
        assert_eq!((queue.waiting_loads(), queue.in_vain()), (0, 1));
        let far = now + std::time::Duration::from_hours(1);
        let mut left = Box::pin(queue.wait(far, pending::<()>()));
        assert!((&mut left).now_or_never().is_none());
        assert_eq!(queue.waiting_loads(), 1);
        drop(left);
        assert_eq!((queue.waiting_loads(), queue.in_vain()), (0, 1));
    }
}
