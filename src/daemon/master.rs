//! The master: the one place that decides, on the main thread, what happens to the generations of
//! workers. It hears signals and the control socket, does one thing after the other, and knows how
//! the process ends. Serving itself goes on in the workers, loads on the engine runtime.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::control::{DaemonAnswer, DaemonPhase, DaemonRequest, DaemonStatus, LastReload};
use super::control_request::{ControlRequest, next_request};
use super::launch::ProcessContext;
use super::notify::Notifier;
use super::place::DaemonFiles;
use super::shutdown_kind::ShutdownKind;
use super::signals::{SignalAction, SignalQueue};
use super::upgrade::UpgradeState;
use super::watch::FileWatch;
use super::watchdog::Watchdog;
use crate::app::App;
use crate::error::StartupError;
use crate::logging::{self, AccessLog};
use crate::server::{ConnectionEntrance, Listeners, WorkerGeneration};

/// The interval at which it looks after workers and successor.
const TICK: Duration = Duration::from_secs(1);

/// The state of the process at the moment.
pub(super) struct Master {
    pub(super) started: ProcessContext,
    pub(super) app: Arc<App>,
    pub(super) listeners: Listeners,
    pub(super) door: ConnectionEntrance,
    /// `None` after WINCH.
    pub(super) serving: Option<WorkerGeneration>,
    pub(super) retiring: JoinSet<()>,
    pub(super) number: u64,
    pub(super) upgrade: UpgradeState,
    pub(super) notifier: Rc<Notifier>,
    pub(super) watchdog: Watchdog,
    /// The place where the pidfile and the control socket are, as long as they are this process's.
    pub(super) place: Option<DaemonFiles>,
    pub(super) signals: SignalQueue,
    /// The requests of the control socket.
    pub(super) requests: Option<mpsc::Receiver<ControlRequest>>,
    born: Instant,
    pub(super) watch: Option<FileWatch>,
    pub(super) silent: bool,
}

impl Master {
    /// Starts the first generation, on the current actix system.
    pub(super) async fn begin_serving(
        started: ProcessContext,
        notifier: Notifier,
        app: Arc<App>,
        access_log: Option<AccessLog>,
        (listeners, door): (Listeners, ConnectionEntrance),
        signals: SignalQueue,
    ) -> Result<Master, StartupError> {
        let workers = app.settings.server.workers;
        let entrance = (&listeners, &door);
        let first = WorkerGeneration::start(1, &app, access_log, entrance, workers).await?;
        let (file, queries) = (started.flags.config.as_deref(), &app.settings.queries_dir);
        let watched = || FileWatch::begin_watch(file, queries.as_deref());
        let watch = started.flags.reload.then(watched);
        app.standing.set_serving_generation(1);
        let notifier = Rc::new(notifier);
        let watchdog = Watchdog::begin_feeding(Rc::clone(&notifier));
        watchdog.looks_at(Some(first.heartbeats()));
        Ok(Master {
            notifier,
            watchdog,
            started,
            app,
            listeners,
            door,
            serving: Some(first),
            retiring: JoinSet::new(),
            number: 1,
            upgrade: UpgradeState::None,
            place: None,
            signals,
            requests: None,
            born: Instant::now(),
            watch,
            silent: false,
        })
    }

    /// Does what is asked for, until the process is to end; then nobody is heard any more.
    pub(super) async fn run(&mut self, requests: mpsc::Receiver<ControlRequest>) -> ShutdownKind {
        self.requests = Some(requests);
        let signals = self.signals.clone();
        let mut tick = tokio::time::interval(TICK);
        loop {
            let end = tokio::select! {
                asked = signals.next() => self.handle_signal(asked).await,
                Some((request, answer)) = next_request(&mut self.requests) => {
                    self.handle_request(request, answer).await
                }
                step = self.upgrade.next() => self.continue_upgrade(step).await,
                _ = tick.tick() => self.look_after().await,
            };
            if let Some(end) = end {
                self.requests = None;
                return end;
            }
        }
    }

    async fn handle_signal(&mut self, asked: SignalAction) -> Option<ShutdownKind> {
        let of_the_terminal = matches!(asked, SignalAction::Pause | SignalAction::Scale(_));
        if of_the_terminal && self.started.on_terminal {
            // A window that changes its size, and a job that is stopped, send them too.
            return None;
        }
        match asked {
            SignalAction::Stop => return Some(self.end_gracefully().await),
            SignalAction::Quit => return Some(self.end_now().await),
            SignalAction::Reload if self.started.terminal_has_gone() => {
                tracing::info!("the terminal has gone");
                return Some(self.end_gracefully().await);
            }
            // Each has said in the log what came of it.
            SignalAction::Reload => drop(self.reload_settings().await),
            SignalAction::Reopen => drop(reopen_logs()),
            SignalAction::Upgrade => drop(self.begin_upgrade(false, None)),
            SignalAction::Scale(by) => drop(self.scale_workers(by).await),
            SignalAction::Pause => self.pause_workers().await,
        }
        None
    }

    async fn handle_request(
        &mut self,
        request: DaemonRequest,
        answer: oneshot::Sender<DaemonAnswer>,
    ) -> Option<ShutdownKind> {
        let said = match request {
            DaemonRequest::Status => Ok(String::new()),
            DaemonRequest::Reload => self.reload_settings().await,
            DaemonRequest::Reopen => reopen_logs(),
            DaemonRequest::Scale { by } => self.scale_workers(by).await,
            DaemonRequest::Upgrade { hold } => {
                match self.begin_upgrade(hold, Some(answer)) {
                    Ok(()) => {}
                    Err((message, answer)) => self.send_answer(answer, Err(message)),
                }
                return None;
            }
            DaemonRequest::Stop { now } => {
                self.send_answer(Some(answer), Ok("ending".to_owned()));
                return Some(if now {
                    self.end_now().await
                } else {
                    self.end_gracefully().await
                });
            }
        };
        self.send_answer(Some(answer), said);
        None
    }

    /// Sends an answer to whoever asked, if anybody did.
    pub(super) fn send_answer(
        &self,
        answer: Option<oneshot::Sender<DaemonAnswer>>,
        said: Result<String, String>,
    ) {
        if let Some(answer) = answer {
            let ok = said.is_ok();
            let message = said.unwrap_or_else(|error| error);
            let status = Some(self.daemon_status());
            // One that has left needs no answer.
            drop(answer.send(DaemonAnswer {
                ok,
                message,
                status,
            }));
        }
    }

    /// Goes on as the daemon, after the process whose place this one takes has stepped down.
    pub(super) fn become_the_daemon(&mut self) {
        tracing::info!("the old process has stepped down");
        self.take_the_place();
        self.notifier.notify_ready(&self.state_line());
    }

    /// Takes pidfile and control socket from the process that has stepped down.
    pub(super) fn take_the_place(&mut self) {
        let path = self.app.settings.process.pidfile.as_deref();
        if let (Some(place), Some(path)) = (&mut self.place, path)
            && let Err(error) = place.take_over(path)
        {
            tracing::error!("{error}");
        }
    }

    /// Returns where it serves.
    pub(super) fn served_urls(&self) -> Vec<String> {
        self.listeners.visitor_urls()
    }

    /// Returns what it does, in one line.
    pub(super) fn state_line(&self) -> String {
        let urls = self.served_urls().join(", ");
        format!("generation {} serves {urls}", self.number)
    }

    pub(super) fn serving_number(&self) -> u64 {
        self.number
    }

    /// Keeps for the status what came of a reload.
    pub(super) fn note_reload(&mut self, result: &Result<String, String>) {
        let (Ok(message) | Err(message)) = result;
        self.app.standing.set_last_reload(LastReload {
            ok: result.is_ok(),
            at: logging::timestamp_now(),
            message: message.clone(),
        });
    }

    pub(super) fn daemon_status(&self) -> DaemonStatus {
        DaemonStatus {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: match &self.serving {
                Some(_) => DaemonPhase::Serving,
                None => DaemonPhase::Paused,
            },
            generation: self.number,
            workers: self
                .serving
                .as_ref()
                .map_or(0, WorkerGeneration::worker_count),
            uptime_seconds: self.born.elapsed().as_secs(),
            listeners: self.served_urls(),
            last_reload: self.app.standing.status_now().last_reload,
        }
    }
    pub(super) fn refused<T>(message: String) -> Result<T, String> {
        tracing::error!("{message}");
        Err(message)
    }
}

/// Opens the logs again.
fn reopen_logs() -> Result<String, String> {
    match logging::reopen_files() {
        Ok(()) => Ok("the logs are open again".to_owned()),
        Err(error) => {
            tracing::error!("{error}");
            Err(error.to_string())
        }
    }
}
