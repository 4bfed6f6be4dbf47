//! The master: the one place that decides, on the main thread, what happens to the generations of
//! workers. It hears signals and the control socket, does one thing after the other, and knows how
//! the process ends. Serving itself goes on in the workers, loads on the engine runtime.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::control::{Answer, LastReload, Phase, Request, Status};
use super::control_request::{ControlRequest, next_request};
use super::launch::Started;
use super::notify::Notifier;
use super::place::Place;
use super::shutdown_kind::ShutdownKind;
use super::signals::{Asked, Signals};
use super::upgrade::Upgrade;
use super::watch::Watch;
use super::watchdog::Watchdog;
use crate::app::App;
use crate::error::StartupError;
use crate::logging::{self, AccessLog};
use crate::server::{Door, Generation, Listeners};

/// The interval at which it looks after workers and successor.
const TICK: Duration = Duration::from_secs(1);

/// The state of the process at the moment.
pub(super) struct Master {
    pub(super) started: Started,
    pub(super) app: Arc<App>,
    pub(super) listeners: Listeners,
    pub(super) door: Door,
    /// `None` after WINCH.
    pub(super) serving: Option<Generation>,
    pub(super) retiring: JoinSet<()>,
    pub(super) number: u64,
    pub(super) upgrade: Upgrade,
    pub(super) notifier: Rc<Notifier>,
    pub(super) watchdog: Watchdog,
    /// The place where the pidfile and the control socket are, as long as they are this process's.
    pub(super) place: Option<Place>,
    pub(super) signals: Signals,
    /// The requests of the control socket.
    pub(super) requests: Option<mpsc::Receiver<ControlRequest>>,
    born: Instant,
    pub(super) watch: Option<Watch>,
    pub(super) silent: bool,
}

impl Master {
    /// Starts the first generation, on the current actix system.
    pub(super) async fn begin(
        started: Started,
        notifier: Notifier,
        app: Arc<App>,
        access_log: Option<AccessLog>,
        (listeners, door): (Listeners, Door),
        signals: Signals,
    ) -> Result<Master, StartupError> {
        let workers = app.settings.server.workers;
        let entrance = (&listeners, &door);
        let first = Generation::start(1, &app, access_log, entrance, workers).await?;
        let (file, queries) = (started.flags.config.as_deref(), &app.settings.queries_dir);
        let watched = || Watch::begin(file, queries.as_deref());
        let watch = started.flags.reload.then(watched);
        app.standing.set_serving_generation(1);
        let notifier = Rc::new(notifier);
        let watchdog = Watchdog::begin(Rc::clone(&notifier));
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
            upgrade: Upgrade::None,
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
                asked = signals.next() => self.signalled(asked).await,
                Some((request, answer)) = next_request(&mut self.requests) => {
                    self.asked(request, answer).await
                }
                step = self.upgrade.next() => self.upgraded(step).await,
                _ = tick.tick() => self.look_after().await,
            };
            if let Some(end) = end {
                self.requests = None;
                return end;
            }
        }
    }

    async fn signalled(&mut self, asked: Asked) -> Option<ShutdownKind> {
        let of_the_terminal = matches!(asked, Asked::Pause | Asked::Scale(_));
        if of_the_terminal && self.started.on_terminal {
            // A window that changes its size, and a job that is stopped, send them too.
            return None;
        }
        match asked {
            Asked::Stop => return Some(self.end().await),
            Asked::Quit => return Some(self.end_now().await),
            Asked::Reload if self.started.terminal_has_gone() => {
                tracing::info!("the terminal has gone");
                return Some(self.end().await);
            }
            // Each has said in the log what came of it.
            Asked::Reload => drop(self.reload().await),
            Asked::Reopen => drop(reopen()),
            Asked::Upgrade => drop(self.begin_upgrade(false, None)),
            Asked::Scale(by) => drop(self.scale(by).await),
            Asked::Pause => self.pause().await,
        }
        None
    }

    async fn asked(
        &mut self,
        request: Request,
        answer: oneshot::Sender<Answer>,
    ) -> Option<ShutdownKind> {
        let said = match request {
            Request::Status => Ok(String::new()),
            Request::Reload => self.reload().await,
            Request::Reopen => reopen(),
            Request::Scale { by } => self.scale(by).await,
            Request::Upgrade { hold } => {
                match self.begin_upgrade(hold, Some(answer)) {
                    Ok(()) => {}
                    Err((message, answer)) => self.answer(answer, Err(message)),
                }
                return None;
            }
            Request::Stop { now } => {
                self.answer(Some(answer), Ok("ending".to_owned()));
                return Some(if now {
                    self.end_now().await
                } else {
                    self.end().await
                });
            }
        };
        self.answer(Some(answer), said);
        None
    }

    /// Sends an answer to whoever asked, if anybody did.
    pub(super) fn answer(
        &self,
        answer: Option<oneshot::Sender<Answer>>,
        said: Result<String, String>,
    ) {
        if let Some(answer) = answer {
            let ok = said.is_ok();
            let message = said.unwrap_or_else(|error| error);
            let status = Some(self.status());
            // One that has left needs no answer.
            drop(answer.send(Answer {
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
        self.notifier.ready(&self.state());
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
    pub(super) fn urls(&self) -> Vec<String> {
        self.listeners.urls()
    }

    /// Returns what it does, in one line.
    pub(super) fn state(&self) -> String {
        let urls = self.urls().join(", ");
        format!("generation {} serves {urls}", self.number)
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Keeps for the status what came of a reload.
    pub(super) fn note_reload(&mut self, result: &Result<String, String>) {
        let (Ok(message) | Err(message)) = result;
        self.app.standing.reloaded(LastReload {
            ok: result.is_ok(),
            at: logging::timestamp_now(),
            message: message.clone(),
        });
    }

    pub(super) fn status(&self) -> Status {
        Status {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: match &self.serving {
                Some(_) => Phase::Serving,
                None => Phase::Paused,
            },
            generation: self.number,
            workers: self.serving.as_ref().map_or(0, Generation::workers),
            uptime_seconds: self.born.elapsed().as_secs(),
            listeners: self.urls(),
            last_reload: self.app.standing.now().last_reload,
        }
    }
    pub(super) fn refused<T>(message: String) -> Result<T, String> {
        tracing::error!("{message}");
        Err(message)
    }
}

/// Opens the logs again.
fn reopen() -> Result<String, String> {
    match logging::reopen() {
        Ok(()) => Ok("the logs are open again".to_owned()),
        Err(error) => {
            tracing::error!("{error}");
            Err(error.to_string())
        }
    }
}
