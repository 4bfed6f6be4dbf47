//! The number of flights that are under way, with what their leaders do after the waiters have the
//! result: so that a process can wait for the last of them before it ends.

use std::sync::Arc;

use tokio::sync::watch;

/// The count of what is under way.
#[derive(Debug, Default)]
pub(super) struct LoadTracker(Arc<watch::Sender<usize>>);

/// One that is under way; dropped when all is done.
pub(in crate::cache) struct LoadGuard(Arc<watch::Sender<usize>>);

impl LoadTracker {
    pub(super) fn one_more(&self) -> LoadGuard {
        self.0.send_modify(|count| *count += 1);
        LoadGuard(Arc::clone(&self.0))
    }

    /// Waits until there is none. Cancel-safe.
    pub(super) async fn wait_until_none(&self) {
        let mut count = self.0.subscribe();
        // The sender is in `self`, so it cannot be gone.
        let _ = count.wait_for(|count| *count == 0).await;
    }
}

impl Drop for LoadGuard {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn it_is_waited_until_the_last_one_has_ended() {
        let aloft = LoadTracker::default();
        assert!(aloft.wait_until_none().now_or_never().is_some());
        let (one, other) = (aloft.one_more(), aloft.one_more());
        drop(one);
        assert!(aloft.wait_until_none().now_or_never().is_none());
        drop(other);
        assert!(aloft.wait_until_none().now_or_never().is_some());
    }
}
