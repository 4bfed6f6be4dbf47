//! USR2: another process of the same program, from whatever the binary is by now, takes the place
//! of this one. Here are both ends: the old process, which goes on until the new one serves and
//! then steps down, and the new one, which becomes the daemon when it does.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::control::Answer;
use super::ending::End;
use super::handover::{self, Line, Luggage, Role};
use super::master::Master;
use super::new_process::{NewProcess, NotReady};
use super::notify::Notifier;
use super::pidfile;
use super::place::Place;

/// Whoever asked for it, when it was not a signal.
type Asker = Option<oneshot::Sender<Answer>>;

/// How long the end of a process may take that was ended by force.
const REAPED: Duration = Duration::from_secs(2);

/// How long the new process may take to have the pidfile as its own, and how often that is looked at.
const TAKEN: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(5);

/// How far an upgrade is; there is one at a time.
pub(super) enum Upgrade {
    /// There is none.
    None,
    /// The new process starts.
    Starting {
        pid: u32,
        ready: oneshot::Receiver<Result<NewProcess, NotReady>>,
        hold: bool,
        asker: Asker,
    },
    /// The new process serves beside this one, until one of them is ended.
    Held(NewProcess),
    /// This is the new process; the old one has not stepped down yet.
    Young {
        /// Whether it has, or has ended.
        stepped: oneshot::Receiver<bool>,
        /// Over which it would say so.
        line: Option<UnixStream>,
    },
}

/// What has happened.
pub(super) enum Step {
    /// The new process serves, or does not come.
    Started(Result<NewProcess, NotReady>),
    /// The old process has stepped down.
    Alone,
}

impl Upgrade {
    /// The state of a process that was started by an upgrade.
    pub(super) fn young(line: &Line) -> Upgrade {
        let (told, stepped) = oneshot::channel();
        let heard = line.take();
        let line = heard.as_ref().and_then(|line| line.try_clone().ok());
        in_background(move || {
            // A process that ends needs not know.
            let _ = told.send(heard.is_some_and(handover::step_up));
        });
        Upgrade::Young { stepped, line }
    }

    /// What happens next; never, while there is nothing to wait for. Cancel-safe.
    pub(super) async fn next(&mut self) -> Step {
        match self {
            Upgrade::Starting { ready, .. } => {
                let no_thread = || NotReady {
                    code: 1,
                    message: "no thread waits for the new process".to_owned(),
                };
                Step::Started(ready.await.unwrap_or_else(|_| Err(no_thread())))
            }
            Upgrade::Young { stepped, .. } => {
                // Either way nobody is before this process any more.
                let _ = stepped.await;
                Step::Alone
            }
            Upgrade::None | Upgrade::Held(_) => std::future::pending().await,
        }
    }

    /// Notices the end of a process that serves beside this one.
    pub(super) fn look_after(&mut self) {
        if let Upgrade::Held(process) = self
            && process.has_ended()
        {
            tracing::warn!("the new process has ended; this one goes on alone");
            *self = Upgrade::None;
        }
    }

    /// This process ends: one that serves beside it takes its place, one that does not yet is
    /// ended.
    pub(super) async fn hand_over(&mut self, notifier: &Notifier) -> End {
        if let Upgrade::Young { .. } = self {
            return End::Withdrawn;
        }
        match std::mem::replace(self, Upgrade::None) {
            Upgrade::Held(mut process) => {
                if process.has_ended() || !step_down(process, notifier) {
                    return End::Stopped;
                }
                End::HandedOver
            }
            Upgrade::Starting { pid, ready, .. } => {
                let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
                // It may have ended by itself.
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
                // Whoever waits for it sees its end and removes what it leaves behind.
                let _ = tokio::time::timeout(REAPED, ready).await;
                End::Stopped
            }
            Upgrade::Young { .. } | Upgrade::None => End::Stopped,
        }
    }

    /// Whether the old process has stepped down for this one, which is about to end. From now on it
    /// cannot any more, and notices that when it tries.
    async fn was_left_alone(&mut self) -> bool {
        match std::mem::replace(self, Upgrade::None) {
            Upgrade::Young {
                stepped,
                line: Some(line),
            } => line.shutdown(Shutdown::Both).is_ok() && stepped.await.unwrap_or(false),
            _ => false,
        }
    }
}

/// Leaves everything to the new process; `false` where that has ended meanwhile. The supervisor is
/// told first, while it still listens to this process.
fn step_down(process: NewProcess, notifier: &Notifier) -> bool {
    tracing::info!(pid = process.pid(), "stepping down for the new process");
    notifier.main_pid(process.pid());
    let result = process.step_down();
    if result.is_err() {
        tracing::error!("the new process has ended");
        notifier.main_pid(std::process::id());
    }
    result.is_ok()
}

impl Master {
    /// Starts the new process; what comes of it is told later.
    pub(super) fn begin_upgrade(
        &mut self,
        hold: bool,
        asker: Asker,
    ) -> Result<(), (String, Asker)> {
        let refused = match &self.upgrade {
            Upgrade::None if std::process::id() == 1 => {
                Some("process 1 cannot be replaced: its container would end; restart that")
            }
            Upgrade::None => None,
            Upgrade::Starting { .. } => Some("an upgrade is under way"),
            Upgrade::Held(_) => Some("the process of the last upgrade is still held"),
            Upgrade::Young { .. } => Some("the process before this one has not stepped down yet"),
        };
        if let Some(message) = refused {
            tracing::error!("no upgrade: {message}");
            return Err((message.to_owned(), asker));
        }
        let path = self.app.settings.process.pidfile.as_deref();
        let place = path.map(pidfile::successor);
        let luggage = Luggage {
            in_background: self.started.in_background,
            listeners: &self.listeners,
            pidfile: None,
            place: place.as_deref(),
            default_place: self.started.place.as_deref(),
            folder: &self.started.surroundings.working_folder,
            config: self.started.flags.config.as_deref(),
            environment: self.notifier.for_successor(),
        };
        let binary = &self.started.binary;
        let process = match handover::start(binary, Role::Successor, luggage) {
            Ok(process) => process,
            Err(error) => {
                let message = format!("{} cannot be started: {error}", binary.display());
                tracing::error!("no upgrade: {message}");
                return Err((message, asker));
            }
        };
        let pid = process.pid();
        tracing::info!(pid, "the new process starts");
        let limit = self.app.settings.process.start_timeout;
        let (told, ready) = oneshot::channel();
        in_background(move || {
            let mut process = process;
            let result = process.wait_ready(limit);
            // Where nobody waits for it any more it is dropped here, and ended by that.
            let _ = told.send(result.map(|_| process));
        });
        self.upgrade = Upgrade::Starting {
            pid,
            ready,
            hold,
            asker,
        };
        Ok(())
    }

    /// Goes on with an upgrade; the end of this process, if it is that.
    pub(super) async fn upgraded(&mut self, step: Step) -> Option<End> {
        let before = std::mem::replace(&mut self.upgrade, Upgrade::None);
        let (Step::Started(result), Upgrade::Starting { hold, asker, .. }) = (step, before) else {
            self.become_the_daemon();
            return None;
        };
        let process = match result {
            Ok(process) => process,
            Err(NotReady { message, .. }) => {
                tracing::error!("no upgrade, this process goes on: {message}");
                self.answer(asker, Err(message));
                return None;
            }
        };
        let pid = process.pid();
        if hold {
            let message = format!(
                "process {pid} serves beside this one, {}",
                std::process::id()
            );
            tracing::info!("{message}");
            self.upgrade = Upgrade::Held(process);
            self.answer(asker, Ok(message));
            return None;
        }
        if !step_down(process, &self.notifier) {
            let message = "the new process has ended as soon as it was ready";
            tracing::error!("no upgrade, this process goes on: {message}");
            self.answer(asker, Err(message.to_owned()));
            return None;
        }
        self.wait_until_followed().await;
        self.answer(asker, Ok(format!("process {pid} serves")));
        self.finish(End::HandedOver).await;
        Some(End::HandedOver)
    }

    /// The end of a process that withdraws before the old one has stepped down for it; if that
    /// happened all the same, nobody is left to go on.
    pub(super) async fn withdraw(&mut self) -> End {
        if !self.upgrade.was_left_alone().await {
            return End::Withdrawn;
        }
        self.take_the_place();
        self.notifier.stopping();
        End::Stopped
    }

    /// Until commands find the new process; not for ever, where it cannot let itself be found.
    async fn wait_until_followed(&self) {
        let begun = Instant::now();
        let found = || self.place.as_ref().is_none_or(Place::is_taken);
        while !found() && begun.elapsed() < TAKEN {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Something that blocks and may do so for long: a thread that nobody has to wait for.
fn in_background(work: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new()
        .name("hand-over".to_owned())
        .spawn(work)
    {
        tracing::error!("no thread for the hand-over: {error}");
    }
}
