//! A connection of SQLite at work. Each has a thread of its own, which ends a statement when it is
//! told to, but not within a single long step. So the slot of the pool stays with the thread: a
//! caller whose time is over gets its answer, and the slot is free when the connection is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::Error;
use sqlx::sqlite::SqliteArguments;
use tokio::time::timeout;

use super::budget::ResultBudget;
use super::limits::Limits;
use super::pool::{ConnectionPool, PoolSlot, PoolState, PooledConnection};
use super::rows::Rows;
use super::sqlite_connect::{ReaderConnection, SqliteSource};
use super::sqlite_fault::SqliteStop;
use super::sqlite_rows::read;
use crate::error::RequestError;
use crate::settings::DatabaseLimits;

/// The time after its limit for which a statement is waited for: the time in which its thread looks
/// at the clock, where it does at all.
const GRACE: Duration = Duration::from_millis(100);

/// The slots of a database, and how its connections are opened.
pub(super) struct SqliteAccess {
    pub(super) source: SqliteSource,
    pub(super) pool: Arc<ConnectionPool<ReaderConnection>>,
    budget: Arc<ResultBudget>,
    /// The threads that go on although nobody waits for them.
    lingering: Arc<AtomicUsize>,
}

impl SqliteAccess {
    pub(super) fn new(source: SqliteSource, limits: &DatabaseLimits) -> Arc<SqliteAccess> {
        Arc::new(SqliteAccess {
            source,
            pool: ConnectionPool::new(limits.pool_size),
            budget: ResultBudget::new(limits.max_result),
            lingering: Arc::default(),
        })
    }

    pub(super) fn pool_state(&self) -> PoolState {
        PoolState {
            stuck: self.lingering.load(Ordering::Relaxed),
            ..self.pool.pool_state()
        }
    }

    /// Returns a connection for this slot: an idle one that leads to the file as it is now, or a
    /// new one. Opening can hang as well, and keeps the slot as long as it does.
    pub(super) async fn take_connection(
        self: &Arc<Self>,
        slot: PoolSlot<ReaderConnection>,
        limit: Duration,
    ) -> Result<WorkingThread, SqliteStop> {
        let idle = slot.take_idle().await;
        if let Some(connection) = idle.filter(|one| self.source.is_current(&one.raw)) {
            return Ok(self.working_thread(connection, slot));
        }
        let access = Arc::clone(self);
        // A task of its own goes on where this one is given up.
        let opening = tokio::spawn(async move { (access.source.open().await, slot) });
        match timeout(limit, opening).await {
            Ok(Ok((Ok(connection), slot))) => {
                Ok(self.working_thread(PooledConnection::new(connection, 0), slot))
            }
            Ok(Ok((Err(error), _))) => Err(error.into()),
            Ok(Err(_)) => Err(Error::WorkerCrashed.into()),
            Err(_) => Err(SqliteStop::Request(RequestError::Timeout { limit })),
        }
    }

    fn working_thread(
        self: &Arc<Self>,
        connection: PooledConnection<ReaderConnection>,
        slot: PoolSlot<ReaderConnection>,
    ) -> WorkingThread {
        WorkingThread {
            at_work: Some((connection, slot)),
            access: Arc::clone(self),
        }
    }
}

/// A connection with its slot. Dropped before its time it ends its statement, and is closed.
pub(super) struct WorkingThread {
    /// Taken at the end only.
    at_work: Option<(
        PooledConnection<ReaderConnection>,
        PoolSlot<ReaderConnection>,
    )>,
    access: Arc<SqliteAccess>,
}

impl WorkingThread {
    /// Returns the rows, and keeps the connection for the next run. After an error a statement may
    /// still be running ahead of us, so the connection is closed then.
    pub(super) async fn run_statement(
        mut self,
        sql: &str,
        arguments: Option<SqliteArguments>,
        limits: Limits,
    ) -> Result<Rows, SqliteStop> {
        let (connection, _) = self.at_work.as_mut().expect("taken at the end only");
        connection.raw.watch.arm_limit(limits.timeout);
        let job = read(
            &mut connection.raw.raw,
            sql,
            arguments,
            limits,
            &self.access.budget,
        );
        let rows = match timeout(limits.timeout + GRACE, job).await {
            Ok(Err(_)) if connection.raw.watch.is_full() => return Err(memory_full()),
            Ok(rows) => rows?,
            // The watch ends a statement in time, but not a single long step of SQLite.
            Err(_) => {
                return Err(SqliteStop::Request(RequestError::Timeout {
                    limit: limits.timeout,
                }));
            }
        };
        if let Some((connection, slot)) = self.at_work.take() {
            if !self.access.source.is_unchanged(&connection.raw) {
                let detail = "the file was written to while it was read".into();
                return Err(SqliteStop::Request(RequestError::Unavailable { detail }));
            }
            slot.keep_connection(connection);
        }
        Ok(rows)
    }
}

/// A statement that was ended because SQLite had too much in memory, by this one or by others.
fn memory_full() -> SqliteStop {
    let detail = "the statements at work on SQLite take more memory than there is for them (four \
                  times [database] max_result)";
    SqliteStop::Request(RequestError::Busy {
        detail: detail.into(),
    })
}

impl Drop for WorkingThread {
    fn drop(&mut self) {
        if let Some((connection, slot)) = self.at_work.take() {
            let lingering = LingeringStep::new(&self.access.lingering);
            connection.raw.watch.abandon_statement((slot, lingering));
        }
    }
}

/// One thread that goes on although nobody waits for it, as long as this lives.
struct LingeringStep(Arc<AtomicUsize>);

impl LingeringStep {
    fn new(all: &Arc<AtomicUsize>) -> LingeringStep {
        all.fetch_add(1, Ordering::Relaxed);
        LingeringStep(Arc::clone(all))
    }
}

impl Drop for LingeringStep {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
