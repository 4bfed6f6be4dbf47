//! The requests of a comparison: one way asked many times by several clients at once, each with a
//! thread and a connection of its own, so that none waits for another. What comes of it is only
//! collected here.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::task::Poll;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::failure::CommandFailure;
use super::super::resources::make_runtime;
use super::figures::{TimeSample, TimeSamples};
use super::progress::RunProgress;
use crate::commands::client::ServerClient;
use crate::commands::client::kept::{KeptConnection, TimedAnswer};

/// The interval at which the progress is shown and an interruption looked for.
const TICK: Duration = Duration::from_millis(100);

/// The exit code that a shell gives to a program that SIGINT ended.
const INTERRUPTED: u8 = 130;

/// The server that is asked, and the question.
pub(super) struct RunTarget {
    pub(super) client: Arc<ServerClient>,
    /// The path of the query's comparison, without the way.
    pub(super) path: String,
    pub(super) form: String,
    pub(super) interrupt: InterruptFlag,
    pub(super) progress: RunProgress,
}

/// The result of one way.
#[derive(Debug, Default)]
pub(super) struct WayRuns {
    pub(super) samples: TimeSamples,
    /// The size of the latest answer.
    pub(super) bytes: u64,
    /// True where the database was asked, and whether the answer is kept in a tier, by the latest.
    pub(super) has_loaded: bool,
    pub(super) is_stored: bool,
    /// The reason why there is nothing to be had this way, or nothing more.
    pub(super) nothing: Option<String>,
}

/// The report of a thread.
type RunReport = Result<WayRuns, CommandFailure>;

impl RunTarget {
    /// Returns what the server says of the query.
    pub(super) fn fetch_facts(&self) -> Result<Value, CommandFailure> {
        let (path, form) = (self.path.clone(), self.form.clone());
        let told = self.on_threads("", 1, 1, move |mut connection, _, tell| {
            tell(connection.post_form(&path, &form));
        })?;
        let server = self.client.server_name();
        let TimedAnswer { answer, .. } = told.into_iter().next().ok_or_else(server_gone)??;
        let said = answer.json_body();
        if answer.status == 404 && said.as_ref().is_some_and(|said| said["queries"].is_null()) {
            return Err(CommandFailure::Running(format!(
                "{server} knows of no comparisons: is it an unslow of another version?"
            )));
        }
        let said = said.filter(|_| answer.status == 200);
        said.ok_or_else(|| answer.refusal_error(&server))
    }

    /// Returns one run.
    pub(super) fn run_once(&self, way: &'static str) -> Result<WayRuns, CommandFailure> {
        self.run_many(way, 1, 1)
    }

    /// Makes so many runs by so many clients. Ends early where there is nothing to be had.
    ///
    /// Fails with the first failure, also when some runs did not.
    pub(super) fn run_many(
        &self,
        way: &'static str,
        count: usize,
        clients: usize,
    ) -> Result<WayRuns, CommandFailure> {
        let (path, form) = (format!("{}/{way}", self.path), self.form.clone());
        let server = self.client.server_name();
        let begun = Instant::now();
        let told = self.on_threads(way, count, clients, move |connection, turns, tell| {
            tell(run_client(connection, turns, (&path, &form), &server));
        })?;
        let mut all = WayRuns::default();
        for runs in told {
            let runs = runs?;
            all.samples.all.extend(runs.samples.all);
            all.bytes = all.bytes.max(runs.bytes);
            all.has_loaded |= runs.has_loaded;
            all.is_stored |= runs.is_stored;
            all.nothing = all.nothing.or(runs.nothing);
        }
        all.samples.took = begun.elapsed();
        Ok(all)
    }

    /// Has so many threads do `work`, each on a connection that is there before the first begins;
    /// and waits for all of them, or for an interruption, which they do not outlive for long: the
    /// process ends.
    fn on_threads<T: Send + 'static>(
        &self,
        way: &str,
        count: usize,
        threads: usize,
        work: impl Fn(KeptConnection, &RunTurns, &dyn Fn(T)) + Send + Sync + 'static,
    ) -> Result<Vec<T>, CommandFailure> {
        let connect = || {
            let kept = KeptConnection::open(&self.client);
            kept.map_err(|error| CommandFailure::Running(self.client.unreachable_words(&error)))
        };
        let threads = threads.min(count).max(1);
        let connections: Vec<_> = (0..threads).map(|_| connect()).collect::<Result<_, _>>()?;
        let (turns, work) = (Arc::new(RunTurns::new(count)), Arc::new(work));
        let (tell, told) = channel();
        for connection in connections {
            let (turns, work, tell) = (Arc::clone(&turns), Arc::clone(&work), tell.clone());
            start(move || work(connection, &turns, &|what| send(&tell, what)))?;
        }
        drop(tell);
        let mut all = Vec::new();
        loop {
            if self.interrupt.has_come() {
                turns.stop();
                return Err(CommandFailure::Silent(INTERRUPTED));
            }
            match told.recv_timeout(TICK) {
                Ok(what) => all.push(what),
                Err(RecvTimeoutError::Disconnected) => return Ok(all),
                Err(RecvTimeoutError::Timeout) => {
                    self.progress.show_runs(way, turns.done_runs(), count);
                }
            }
        }
    }
}

fn start(work: impl FnOnce() + Send + 'static) -> Result<(), CommandFailure> {
    let thread = std::thread::Builder::new().spawn(work);
    thread
        .map(drop)
        .map_err(|error| CommandFailure::Running(format!("no thread for a client: {error}")))
}

/// Sends it; nobody receives it where the whole has failed.
fn send<T>(tell: &Sender<T>, what: T) {
    drop(tell.send(what));
}

fn server_gone() -> CommandFailure {
    CommandFailure::Running("a client of the comparison came to no end".to_owned())
}

/// Returns one client's runs.
fn run_client(
    mut connection: KeptConnection,
    turns: &RunTurns,
    ask: (&str, &str),
    server: &str,
) -> RunReport {
    let mut runs = WayRuns::default();
    while turns.take() {
        let taken = connection
            .post_form(ask.0, ask.1)
            .and_then(|timed| runs.take_in(&timed, server));
        match taken {
            Ok(true) => turns.end_turns(),
            Ok(false) => turns.stop(),
            Err(failure) => {
                turns.stop();
                return Err(failure);
            }
        }
    }
    Ok(runs)
}

impl WayRuns {
    /// Returns whether there is a tier, without a copy.
    pub(super) fn is_absent(&self) -> bool {
        self.nothing.as_deref() == Some("absent")
    }

    /// Returns whether it is an answer; else there is nothing to be had.
    fn take_in(&mut self, timed: &TimedAnswer, server: &str) -> Result<bool, CommandFailure> {
        let TimedAnswer { answer, elapsed } = timed;
        let said = answer.json_body().unwrap_or_default();
        let reason = said["reason"].as_str().filter(|_| answer.status == 409);
        if let Some(reason) = reason {
            self.nothing = Some(reason.to_owned());
            return Ok(false);
        }
        let inside = said["microseconds"].as_f64();
        let inside = inside.filter(|_| answer.status == 200 && said["ok"] == true);
        let inside = inside.and_then(|micros| Duration::try_from_secs_f64(micros / 1e6).ok());
        let Some(inside) = inside else {
            return Err(answer.refusal_error(server));
        };
        let whole = *elapsed;
        self.samples.all.push(TimeSample { whole, inside });
        self.bytes = said["bytes"].as_u64().unwrap_or_default();
        self.has_loaded = said["loaded"] == true;
        self.is_stored = said["stored"] == true;
        Ok(true)
    }
}

/// The number of runs that are to be begun, and of those that have ended.
struct RunTurns {
    left: AtomicUsize,
    done: AtomicUsize,
}

impl RunTurns {
    fn new(count: usize) -> RunTurns {
        RunTurns {
            left: AtomicUsize::new(count),
            done: AtomicUsize::new(0),
        }
    }

    /// Returns the right to begin one.
    fn take(&self) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        let order = Ordering::Relaxed;
        self.left.fetch_update(order, order, one_less).is_ok()
    }

    fn end_turns(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    fn done_runs(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// No more are begun.
    fn stop(&self) {
        self.left.store(0, Ordering::Relaxed);
    }
}

/// The mark that Ctrl-C was pressed, since it was begun to look for it.
#[derive(Clone, Default)]
pub(super) struct InterruptFlag(Arc<AtomicBool>);

impl InterruptFlag {
    /// Keeps Ctrl-C from ending the process from now on. Where that cannot be had, it still ends
    /// it.
    pub(super) fn begin_watch() -> InterruptFlag {
        let interrupt = InterruptFlag::default();
        let noted = interrupt.clone();
        let (tell, told) = channel();
        let watch = move || {
            let Ok(runtime) = make_runtime() else { return };
            runtime.block_on(async {
                let mut pressed = pin!(tokio::signal::ctrl_c());
                // It is looked for from its first poll on.
                let polled = poll_fn(|context| Poll::Ready(pressed.as_mut().poll(context)));
                let end = match polled.await {
                    Poll::Ready(end) => end,
                    Poll::Pending => {
                        send(&tell, ());
                        pressed.await
                    }
                };
                noted.0.store(end.is_ok(), Ordering::Relaxed);
            });
        };
        // Without a thread for it, Ctrl-C does what it always does.
        if start(watch).is_ok() {
            let _ = told.recv();
        }
        interrupt
    }

    fn has_come(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
