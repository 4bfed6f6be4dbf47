//! The master: the one place that decides, on the main thread, what happens to the generations of
//! workers. It hears signals and the control socket, does one thing after the other, and knows how
//! the process ends. Serving itself goes on in the workers, loads on the engine runtime.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::control::{Answer, LastReload, Phase, Request, Status};
use super::launch::Started;
use super::notify::Notifier;
use super::place::Place;
use super::signals::{Asked, Signals};
use super::upgrade::Upgrade;
use crate::app::App;
use crate::error::StartupError;
use crate::logging::{self, AccessLog};
use crate::server::{Door, Generation, Listeners};

/// How many generations may be alive at once: one serves, the others end.
const MOST_GENERATIONS: usize = 3;
/// Workers at most, as many as the setting may name.
const MOST_WORKERS: usize = 512;
/// How often it looks after workers, watchdog and successor.
const TICK: Duration = Duration::from_secs(1);
/// A worker that has not been heard of for so long is blocked.
const SILENT: Duration = Duration::from_secs(10);
/// How long the second request to end leaves the first one.
const IMPATIENT: Duration = Duration::from_secs(2);

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nobody serves any more.
    Stopped,
    /// The new process of an upgrade serves on the same sockets.
    HandedOver,
    /// This was the new process of an upgrade, and the old one goes on.
    Withdrawn,
}

/// How clients get in.
pub(super) type Entrance<'a> = (&'a Listeners, &'a Door);

/// A question of the control socket, and where its answer goes.
pub(super) type Question = (Request, oneshot::Sender<Answer>);

/// What the process does at the moment.
pub(super) struct Master {
    pub(super) started: Started,
    pub(super) app: Arc<App>,
    pub(super) listeners: Listeners,
    pub(super) door: Door,
    /// `None` after WINCH.
    serving: Option<Generation>,
    retiring: JoinSet<()>,
    number: u64,
    last_reload: Option<LastReload>,
    pub(super) upgrade: Upgrade,
    pub(super) notifier: Notifier,
    /// Where the pidfile and the control socket are, as long as they are this process's.
    pub(super) place: Option<Place>,
    pub(super) signals: Signals,
    born: Instant,
    silent: bool,
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
        Ok(Master {
            notifier,
            started,
            app,
            listeners,
            door,
            serving: Some(first),
            retiring: JoinSet::new(),
            number: 1,
            last_reload: None,
            upgrade: Upgrade::None,
            place: None,
            signals,
            born: Instant::now(),
            silent: false,
        })
    }

    /// Does what is asked for, until the process is to end.
    pub(super) async fn run(&mut self, mut questions: mpsc::Receiver<Question>) -> End {
        let signals = self.signals.clone();
        let mut tick = tokio::time::interval(TICK);
        loop {
            let end = tokio::select! {
                asked = signals.next() => self.signalled(asked).await,
                Some((request, answer)) = questions.recv() => self.asked(request, answer).await,
                step = self.upgrade.next() => self.upgraded(step).await,
                _ = tick.tick() => self.look_after().await,
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    async fn signalled(&mut self, asked: Asked) -> Option<End> {
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
            Asked::Pause => self.pause(),
        }
        None
    }

    async fn asked(&mut self, request: Request, answer: oneshot::Sender<Answer>) -> Option<End> {
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
        let path = self.app.settings.process.pidfile.as_deref();
        if let (Some(place), Some(path)) = (&mut self.place, path)
            && let Err(error) = place.take_over(path)
        {
            tracing::error!("{error}");
        }
        self.notifier.ready(&self.state());
    }

    /// Where it serves.
    pub(super) fn urls(&self) -> Vec<String> {
        self.listeners.urls()
    }

    /// What it does, in one line.
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
        self.last_reload = Some(LastReload {
            ok: result.is_ok(),
            at: logging::timestamp_now(),
            message: message.clone(),
        });
    }

    fn status(&self) -> Status {
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
            last_reload: self.last_reload.clone(),
        }
    }

    /// Makes a new generation the one that serves, and retires the one before.
    pub(super) fn take_over(&mut self, generation: Generation) {
        self.number = generation.number();
        if let Some(old) = self.serving.replace(generation) {
            self.retire(old);
        }
        self.silent = false;
    }

    /// A generation of so many workers that serves beside the one there is.
    pub(super) async fn next_generation(
        &self,
        app: &Arc<App>,
        entrance: Entrance<'_>,
        workers: usize,
    ) -> Result<Generation, StartupError> {
        let access_log = AccessLog::open(&app.settings.log)?;
        let number = self.number + 1;
        Generation::start(number, app, access_log, entrance, workers).await
    }

    /// Waits until there may be one generation more; not longer than until the process is to end.
    pub(super) async fn make_room(&mut self) {
        let signals = self.signals.clone();
        while self.retiring.len() > MOST_GENERATIONS - 2 {
            tokio::select! {
                _ = self.retiring.join_next() => {}
                () = signals.end() => return,
            }
        }
        while self.retiring.try_join_next().is_some() {}
    }

    fn retire(&mut self, generation: Generation) {
        let number = generation.number();
        tracing::info!(generation = number, "retiring");
        self.retiring.spawn_local(async move {
            generation.retire().await;
            tracing::info!(generation = number, "retired");
        });
    }

    fn workers(&self) -> usize {
        let configured = self.app.settings.server.workers;
        self.serving
            .as_ref()
            .map_or(configured, Generation::workers)
    }

    async fn scale(&mut self, by: i32) -> Result<String, String> {
        let by = isize::try_from(by).unwrap_or(0);
        let workers = self.workers().saturating_add_signed(by);
        let workers = workers.clamp(1, MOST_WORKERS);
        if self.serving.is_none() {
            return self.refused("paused: reload brings the workers back".to_owned());
        }
        if workers == self.workers() {
            return Ok(format!("{workers} workers, as before"));
        }
        self.replace_generation(workers).await?;
        tracing::info!(workers, "scaled");
        Ok(format!("{workers} workers"))
    }

    /// The same application in new workers.
    async fn replace_generation(&mut self, workers: usize) -> Result<(), String> {
        self.make_room().await;
        let started = self.next_generation(&self.app, (&self.listeners, &self.door), workers);
        match started.await {
            Ok(generation) => {
                self.take_over(generation);
                Ok(())
            }
            Err(error) => self.refused(error.to_string()),
        }
    }

    pub(super) fn refused<T>(&self, message: String) -> Result<T, String> {
        tracing::error!("{message}");
        Err(message)
    }

    fn pause(&mut self) {
        if let Some(generation) = self.serving.take() {
            tracing::info!("WINCH: the workers end, the sockets stay; HUP brings them back");
            self.retire(generation);
        }
    }

    async fn look_after(&mut self) -> Option<End> {
        while self.retiring.try_join_next().is_some() {}
        self.upgrade.look_after();
        let Some(serving) = &self.serving else {
            self.notifier.feed();
            return None;
        };
        if serving.has_ended() {
            tracing::error!("the workers have ended by themselves");
            return Some(End::Stopped);
        }
        let silent = serving.silent(SILENT);
        if silent == 0 {
            self.notifier.feed();
        } else if !std::mem::replace(&mut self.silent, true) {
            // Its requests may be lost; those to come are not.
            tracing::error!(silent, "workers do not answer: a new generation takes over");
            let workers = self.workers();
            drop(self.replace_generation(workers).await);
        }
        None
    }

    /// Ends without losing a request; a second request to end makes it quick.
    async fn end(&mut self) -> End {
        tracing::info!("draining");
        let end = self.upgrade.hand_over(&self.notifier);
        if end == End::Stopped {
            self.notifier.stopping();
        }
        let signals = self.signals.clone();
        tokio::select! {
            () = self.drain(end) => {}
            () = signals.end() => {
                tracing::info!("asked again: ending now");
                let _ = tokio::time::timeout(IMPATIENT, self.cut_off()).await;
            }
        }
        end
    }

    /// Retires all generations and waits for their ends.
    pub(super) async fn drain(&mut self, end: End) {
        if let Some(generation) = &self.serving
            && end == End::Stopped
        {
            generation.say_not_ready();
            tokio::time::sleep(self.app.settings.server.drain_delay).await;
        }
        if let Some(generation) = self.serving.take() {
            self.retire(generation);
        }
        while self.retiring.join_next().await.is_some() {}
    }

    async fn end_now(&mut self) -> End {
        let end = self.upgrade.hand_over(&self.notifier);
        if end == End::Stopped {
            self.notifier.stopping();
        }
        self.cut_off().await;
        end
    }

    async fn cut_off(&mut self) {
        self.retiring.abort_all();
        if let Some(generation) = &self.serving {
            generation.stop().await;
        }
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
