//! The state of an upgrade, in both processes: the old one, which goes on until the new one serves
//! and then hands over, and the new one, which becomes the daemon then. The steps that the master
//! takes are in `upgrading`.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::control::DaemonAnswer;
use super::handover::{self, ParentPipe};
use super::new_process::{NewProcess, NotReady};
use super::notify::Notifier;
use super::shutdown_kind::ShutdownKind;

/// The client that asked for it, when it was not a signal.
pub(super) type UpgradeAsker = Option<oneshot::Sender<DaemonAnswer>>;

/// The time for which the end of a process may take that was ended by force.
const REAPED: Duration = Duration::from_secs(2);

/// The state of an upgrade; there is one at a time.
pub(super) enum UpgradeState {
    /// There is none.
    None,
    /// The new process starts.
    Starting {
        pid: u32,
        ready: oneshot::Receiver<Result<NewProcess, NotReady>>,
        hold: bool,
        asker: UpgradeAsker,
    },
    /// The new process serves beside this one, until one of them is ended.
    Held(NewProcess),
    /// This is the new process; the old one has not stepped down yet.
    Young {
        /// True where it has, or has ended.
        stepped: oneshot::Receiver<bool>,
        /// The socket over which it would say so.
        line: Option<UnixStream>,
    },
}

/// The event that has happened.
pub(super) enum UpgradeStep {
    /// The new process serves, or does not come.
    Started(Result<NewProcess, NotReady>),
    /// The old process has stepped down.
    Alone,
}

impl UpgradeState {
    /// Returns the state of a process that was started by an upgrade.
    pub(super) fn of_successor(line: &ParentPipe) -> UpgradeState {
        let (told, stepped) = oneshot::channel();
        let heard = line.take();
        let line = heard.as_ref().and_then(|line| line.try_clone().ok());
        in_background(move || {
            // A process that ends needs not know.
            let _ = told.send(heard.is_some_and(handover::step_up));
        });
        UpgradeState::Young { stepped, line }
    }

    /// Returns what happens next; never, while there is nothing to wait for. Cancel-safe.
    pub(super) async fn next(&mut self) -> UpgradeStep {
        match self {
            UpgradeState::Starting { ready, .. } => {
                let no_thread = || NotReady {
                    code: 1,
                    message: "no thread waits for the new process".to_owned(),
                };
                UpgradeStep::Started(ready.await.unwrap_or_else(|_| Err(no_thread())))
            }
            UpgradeState::Young { stepped, .. } => {
                // Either way nobody is before this process any more.
                let _ = stepped.await;
                UpgradeStep::Alone
            }
            UpgradeState::None | UpgradeState::Held(_) => std::future::pending().await,
        }
    }

    /// Notices the end of a process that serves beside this one.
    pub(super) fn look_after(&mut self) {
        if let UpgradeState::Held(process) = self
            && process.check_ended()
        {
            tracing::warn!("the new process has ended; this one goes on alone");
            *self = UpgradeState::None;
        }
    }

    /// This process ends: one that serves beside it takes its place, one that does not yet is
    /// ended.
    pub(super) async fn hand_over(&mut self, notifier: &Notifier) -> ShutdownKind {
        if let UpgradeState::Young { .. } = self {
            return ShutdownKind::Withdrawn;
        }
        match std::mem::replace(self, UpgradeState::None) {
            UpgradeState::Held(mut process) => {
                if process.check_ended() || !step_down(process, notifier) {
                    return ShutdownKind::Stopped;
                }
                ShutdownKind::HandedOver
            }
            UpgradeState::Starting { pid, ready, .. } => {
                let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
                // It may have ended by itself.
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
                // The thread that waits for it sees its end and removes what it leaves behind.
                let _ = tokio::time::timeout(REAPED, ready).await;
                ShutdownKind::Stopped
            }
            UpgradeState::Young { .. } | UpgradeState::None => ShutdownKind::Stopped,
        }
    }

    /// Returns whether the old process has stepped down for this one, which is about to end. From
    /// now on it cannot any more, and notices that when it tries.
    pub(super) async fn was_left_alone(&mut self) -> bool {
        match std::mem::replace(self, UpgradeState::None) {
            UpgradeState::Young {
                stepped,
                line: Some(line),
            } => line.shutdown(Shutdown::Both).is_ok() && stepped.await.unwrap_or(false),
            _ => false,
        }
    }
}

/// Leaves everything to the new process; `false` where that has ended meanwhile. The supervisor is
/// told first, while it still listens to this process.
pub(super) fn step_down(process: NewProcess, notifier: &Notifier) -> bool {
    tracing::info!(pid = process.pid(), "stepping down for the new process");
    notifier.main_pid(process.pid());
    let result = process.step_down();
    if result.is_err() {
        tracing::error!("the new process has ended");
        notifier.main_pid(std::process::id());
    }
    result.is_ok()
}

/// Something that blocks and may do so for long: a thread that nobody has to wait for.
pub(super) fn in_background(work: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new()
        .name("hand-over".to_owned())
        .spawn(work)
    {
        tracing::error!("no thread for the hand-over: {error}");
    }
}
