//! The requests of operators by signal. Signals that come while something else is done are kept:
//! the same one asks once, TTIN and TTOU add up. The effect of each is the daemon's.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{SigSet, Signal};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// The request of a signal; the earlier variants are served first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SignalAction {
    /// INT, QUIT: end now.
    Quit,
    /// TERM: end without losing a request.
    Stop,
    /// HUP: read the settings again.
    Reload,
    /// USR1: open the logs again.
    Reopen,
    /// USR2: replace the binary.
    Upgrade,
    /// TTIN, TTOU: so many workers more or less.
    Scale(i32),
    /// WINCH: end the workers, keep the sockets.
    Pause,
}

/// Signals that have come and were not yet asked for.
#[derive(Debug, Default)]
struct PendingSignals {
    once: BTreeSet<SignalAction>,
    scale: i32,
}

/// Hears signals from its making on, as long as the runtime lives that it was made with.
#[derive(Debug, Clone, Default)]
pub(super) struct SignalQueue(Arc<(Mutex<PendingSignals>, Notify)>);

impl SignalQueue {
    /// Begins to hear them, on `runtime`; in place when this returns.
    ///
    /// # Errors
    /// The system does not give signals.
    pub(super) fn begin_hearing(runtime: &Handle) -> io::Result<SignalQueue> {
        let _context = runtime.enter();
        let signals = SignalQueue::default();
        let mut kinds = vec![
            (SignalKind::interrupt(), SignalAction::Quit),
            (SignalKind::quit(), SignalAction::Quit),
            (SignalKind::terminate(), SignalAction::Stop),
            (SignalKind::user_defined1(), SignalAction::Reopen),
            (SignalKind::user_defined2(), SignalAction::Upgrade),
            (
                SignalKind::from_raw(nix::libc::SIGTTIN),
                SignalAction::Scale(1),
            ),
            (
                SignalKind::from_raw(nix::libc::SIGTTOU),
                SignalAction::Scale(-1),
            ),
            (SignalKind::window_change(), SignalAction::Pause),
        ];
        // `nohup` means that it is to be ignored.
        if !hangup_is_ignored() {
            kinds.push((SignalKind::hangup(), SignalAction::Reload));
        }
        for (kind, asked) in kinds {
            let mut coming = signal(kind)?;
            let signals = signals.clone();
            runtime.spawn(async move {
                while coming.recv().await.is_some() {
                    signals.push_action(asked);
                }
            });
        }
        Ok(signals)
    }

    fn push_action(&self, asked: SignalAction) {
        tracing::debug!(?asked, "a signal came");
        {
            let mut waiting = self.lock();
            if let SignalAction::Scale(by) = asked {
                waiting.scale = waiting.scale.saturating_add(by);
            } else {
                waiting.once.insert(asked);
            }
        }
        self.0.1.notify_waiters();
    }

    /// Returns what is asked for next; what ends the process comes first. Cancel-safe.
    pub(super) async fn next(&self) -> SignalAction {
        self.wait_for(PendingSignals::take).await
    }

    /// Waits until the process is asked to end, which [`SignalQueue::next`] still tells afterwards.
    /// Cancel-safe.
    pub(super) async fn wait_for_end(&self) {
        let ends = |asked: &SignalAction| matches!(asked, SignalAction::Quit | SignalAction::Stop);
        self.wait_for(|waiting| waiting.once.iter().any(ends).then_some(()))
            .await;
    }

    async fn wait_for<T>(&self, ready: impl Fn(&mut PendingSignals) -> Option<T>) -> T {
        loop {
            let news = self.0.1.notified();
            tokio::pin!(news);
            // Before looking, so that nothing comes unnoticed in between.
            news.as_mut().enable();
            if let Some(found) = ready(&mut self.lock()) {
                return found;
            }
            news.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, PendingSignals> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has writes beyond the limit on the size of files (`ulimit -f`) fail instead of ending the
/// process: a log that is full is no reason to stop serving. To be called before threads are
/// started, which inherit it.
///
/// # Errors
/// The system does not give signals.
pub(super) fn outlive_file_size_limit() -> io::Result<()> {
    Ok(SigSet::from(Signal::SIGXFSZ).thread_block()?)
}

impl PendingSignals {
    fn take(&mut self) -> Option<SignalAction> {
        self.once.pop_first().or_else(|| {
            let by = std::mem::take(&mut self.scale);
            (by != 0).then_some(SignalAction::Scale(by))
        })
    }
}

/// Returns whether whoever started the process wants it to outlive a hang-up. Where it cannot be
/// read, it is heard.
fn hangup_is_ignored() -> bool {
    let ignored = || {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let mask = status
            .lines()
            .find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    };
    ignored().is_some_and(|mask| mask & 1 << (nix::libc::SIGHUP - 1) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_signal_asks_once_scaling_adds_up_and_the_end_comes_first() {
        let signals = SignalQueue::default();
        let came = [
            SignalAction::Scale(1),
            SignalAction::Reload,
            SignalAction::Scale(1),
            SignalAction::Reload,
            SignalAction::Scale(-1),
            SignalAction::Stop,
            SignalAction::Reload,
        ];
        for asked in came {
            signals.push_action(asked);
        }
        let mut waiting = signals.lock();
        let asked = std::iter::from_fn(|| waiting.take()).collect::<Vec<_>>();
        assert_eq!(
            asked,
            [
                SignalAction::Stop,
                SignalAction::Reload,
                SignalAction::Scale(1)
            ]
        );
    }

    #[tokio::test]
    async fn who_waits_is_woken_and_the_end_is_told_twice() {
        let signals = SignalQueue::default();
        let heard = signals.clone();
        let waiting = tokio::spawn(async move { heard.wait_for_end().await });
        tokio::task::yield_now().await;
        signals.push_action(SignalAction::Stop);
        assert!(waiting.await.is_ok());
        assert_eq!(signals.next().await, SignalAction::Stop);
    }
}
