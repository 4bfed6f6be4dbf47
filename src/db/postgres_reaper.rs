//! The end of statements whose runs were given up: they are cancelled, then their sessions are
//! terminated, and a slot of the pool is free only when its backend is gone. How a run is given
//! up is not known here.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Error, Row};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::pool::{ConnectionPool, PoolSlot, PooledConnection};
use super::postgres_pace::RoundTrip;
use super::system::SystemCell;

/// The time that a statement has to end by its cancellation, before its session is terminated.
const CANCEL_GRACE: Duration = Duration::from_millis(300);
/// The time that a session has to end by its termination, before it is said to be stuck.
const TERMINATE_GRACE: Duration = Duration::from_secs(2);
/// The pause between two looks: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// The longest time that one look takes at a server that is near.
const LOOK: Duration = Duration::from_secs(2);
/// A connection that has not been closed for so long is closed although nothing was cancelled:
/// the server cannot be asked.
const UNASKED: Duration = Duration::from_secs(3);

/// A server process, told from a later one of the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServerBackend {
    pub(super) pid: i32,
    /// A moment when it was there, in microseconds of the server's clock: a backend of this
    /// number that was started later is another one.
    pub(super) seen: i64,
}

/// Ends what was given up. One task does it for all, as long as there is something to end.
pub(super) struct BackendReaper {
    options: Arc<PgConnectOptions>,
    trip: Arc<RoundTrip>,
    pool: Arc<ConnectionPool<PgConnection>>,
    place: Arc<str>,
    given_up: Mutex<GivenUp>,
    came: Notify,
    stuck: AtomicUsize,
}

#[derive(Default)]
struct GivenUp {
    runs: Vec<LostRun>,
    is_attended: bool,
}

/// A run that nobody waits for, with the slot that it keeps.
struct LostRun {
    backend: ServerBackend,
    /// Open until the statement was cancelled: as long, the process is surely the run's own, also
    /// behind a pooler.
    connection: Option<PooledConnection<PgConnection>>,
    _slot: PoolSlot<PgConnection>,
    since: Instant,
    cancelled: Option<Instant>,
    is_stuck: bool,
}

impl LostRun {
    /// The act that is due: 1 cancels, 2 terminates, 0 only looks.
    fn due_act(&self) -> u8 {
        match self.cancelled {
            None => 1,
            Some(at) if at.elapsed() >= CANCEL_GRACE => 2,
            Some(_) => 0,
        }
    }
}

impl BackendReaper {
    pub(super) fn new(
        (options, trip, place): (Arc<PgConnectOptions>, Arc<RoundTrip>, Arc<str>),
        pool: Arc<ConnectionPool<PgConnection>>,
    ) -> Arc<Self> {
        Arc::new(BackendReaper {
            options,
            trip,
            pool,
            place,
            given_up: Mutex::default(),
            came: Notify::new(),
            stuck: AtomicUsize::new(0),
        })
    }

    /// Returns the number of slots that statements keep although everything was done to end them.
    pub(super) fn stuck_slots(&self) -> usize {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Ends this run. Where there is no runtime, the program itself is ending, and the server
    /// notices that the connection is closed.
    pub(super) fn take(
        self: &Arc<Self>,
        backend: ServerBackend,
        (slot, connection): (PoolSlot<PgConnection>, PooledConnection<PgConnection>),
    ) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let starts = {
            let mut given_up = self.lock();
            given_up.runs.push(LostRun {
                backend,
                connection: Some(connection),
                _slot: slot,
                since: Instant::now(),
                cancelled: None,
                is_stuck: false,
            });
            !std::mem::replace(&mut given_up.is_attended, true)
        };
        if starts {
            runtime.spawn(Arc::clone(self).attend_runs());
        } else {
            self.came.notify_one();
        }
    }

    /// Cancels, terminates and looks until nothing is left.
    async fn attend_runs(self: Arc<Self>) {
        let mut pause = PAUSES.0;
        loop {
            // A run that comes from here on may not be in the question.
            let asked = Instant::now();
            let Some(question) = self.next_statement() else {
                return;
            };
            match timeout(
                LOOK.max(self.trip.connect_patience()),
                self.ask_server(&question),
            )
            .await
            {
                Ok(Ok(living)) => self.sort_runs(&living, asked),
                Ok(Err(_)) | Err(_) => self.close_unasked(),
            }
            match timeout(pause, self.came.notified()).await {
                Ok(()) => pause = PAUSES.0,
                Err(_) => pause = (pause * 2).min(PAUSES.1),
            }
        }
    }

    /// The statement that does what is due and names those that are still there; `None`: there
    /// is nothing left to end.
    fn next_statement(&self) -> Option<String> {
        let mut given_up = self.lock();
        if given_up.runs.is_empty() {
            given_up.is_attended = false;
            return None;
        }
        let mut sql = "SELECT a.pid, CASE v.act WHEN 1 THEN pg_catalog.pg_cancel_backend(a.pid) \
                       WHEN 2 THEN pg_catalog.pg_terminate_backend(a.pid) END \
                       FROM pg_catalog.pg_stat_activity a JOIN (VALUES "
            .to_owned();
        for (number, run) in given_up.runs.iter().enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            let ServerBackend { pid, seen } = run.backend;
            let _ = write!(sql, "{comma}({pid}, {seen}::bigint, {})", run.due_act());
        }
        sql.push_str(
            ") v(pid, seen, act) ON a.pid = v.pid \
             AND EXTRACT(epoch FROM a.backend_start) * 1000000 <= v.seen",
        );
        Some(sql)
    }

    /// Asks on a connection of the pool where a slot is free: loads leave one. Where each slot is
    /// kept by a lost run, nobody would give one back, and the question has one of its own.
    async fn ask_server(&self, question: &str) -> Result<HashSet<i32>, Error> {
        let slot = match self.pool.free_slot() {
            Some(slot) => Some(slot),
            None if self.lock().runs.len() >= self.pool.pool_state().max => None,
            None => self.pool.spare_slot(LOOK / 2).await,
        };
        if let Some(slot) = &slot
            && let Some(mut connection) = slot.take_idle().await
            && let Ok(living) = look_for_backends(&mut connection.raw, question).await
        {
            slot.put_back(connection);
            return Ok(living);
        }
        let number = SystemCell::draw_number();
        let mut raw = self.options.connect().await?;
        let living = look_for_backends(&mut raw, question).await?;
        if let Some(slot) = slot {
            slot.keep_connection(PooledConnection::new(raw, number));
        }
        Ok(living)
    }

    /// Lets those go that are gone, and remembers what was done to the others.
    fn sort_runs(&self, living: &HashSet<i32>, asked: Instant) {
        let mut given_up = self.lock();
        let before = given_up.runs.len();
        // A run that came meanwhile was not asked about.
        given_up
            .runs
            .retain(|run| run.since >= asked || living.contains(&run.backend.pid));
        let gone = before - given_up.runs.len();
        for run in given_up.runs.iter_mut().filter(|run| run.since < asked) {
            run.connection = None;
            let cancelled = *run.cancelled.get_or_insert(asked);
            if !run.is_stuck && cancelled.elapsed() > CANCEL_GRACE + TERMINATE_GRACE {
                run.is_stuck = true;
                tracing::warn!(
                    database = %self.place,
                    pid = run.backend.pid,
                    "a statement goes on although its session was terminated; its connection \
                     counts as taken until its backend is gone"
                );
            }
        }
        let stuck = given_up.runs.iter().filter(|run| run.is_stuck).count();
        let before = self.stuck.swap(stuck, Ordering::Relaxed);
        if gone > 0 && before > stuck {
            tracing::info!(database = %self.place, stuck, "a terminated session has ended");
        }
    }

    /// Closes the connections of runs that could not be cancelled for long: the server does not
    /// answer, and will notice when it goes on.
    fn close_unasked(&self) {
        for run in &mut self.lock().runs {
            if run.since.elapsed() > UNASKED {
                run.connection = None;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, GivenUp> {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks by the simple protocol, so that no statement could be confused by a pooler.
async fn look_for_backends(
    connection: &mut PgConnection,
    question: &str,
) -> Result<HashSet<i32>, Error> {
    let rows = sqlx::raw_sql(AssertSqlSafe(question.to_owned()))
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Terminates a backend whose connection broke without a word: it may go on all the same.
pub(super) async fn terminate_backend(connection: &mut PgConnection, backend: ServerBackend) {
    let ServerBackend { pid, seen } = backend;
    let question = format!(
        "SELECT pid, pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
         WHERE pid = {pid} AND EXTRACT(epoch FROM backend_start) * 1000000 <= {seen}"
    );
    // The run that follows tells about this connection.
    let _ = look_for_backends(connection, &question).await;
}
