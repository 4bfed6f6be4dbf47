//! One open transaction on a connection of the pool, and its end: the connection comes back as it
//! went, or is closed. How a transaction begins is the connector's business.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::time::timeout;

use super::pool::{PoolSlot, PooledConnection};
use super::postgres_fault::went_silently;
use super::postgres_reaper::{BackendReaper, ServerBackend};
use super::postgres_start::BegunRun;
use super::system::DatabaseSystem;
use crate::defence::Defence;

/// The longest wait for the end of a transaction.
const END: Duration = Duration::from_secs(2);

/// Takes back everything that a statement can leave on its connection, in one round trip and one
/// message of the simple protocol: behind a pooler the whole message goes to the backend of the
/// transaction. ROLLBACK takes back settings, role, cursors, LISTEN and temporary tables; locks of
/// the session, the seed of `random()` and prepared statements outlive it.
const RESET: &str = "ROLLBACK; SELECT pg_catalog.pg_advisory_unlock_all(), \
     pg_catalog.setseed(pg_catalog.sin(EXTRACT(epoch FROM pg_catalog.clock_timestamp())::float8 * 1000000)); \
     DEALLOCATE ALL";

/// An open transaction. Dropping it before its end cancels the statement and closes the
/// connection.
pub(super) struct RunTransaction {
    /// `None` once it has ended.
    work: Option<(PoolSlot<PgConnection>, PooledConnection<PgConnection>)>,
    backend: ServerBackend,
    system: DatabaseSystem,
    reaper: Arc<BackendReaper>,
}

impl RunTransaction {
    pub(super) fn new(
        slot: PoolSlot<PgConnection>,
        begun: BegunRun,
        reaper: Arc<BackendReaper>,
    ) -> Self {
        let BegunRun {
            connection,
            backend,
            system,
        } = begun;
        RunTransaction {
            work: Some((slot, connection)),
            backend,
            system,
            reaper,
        }
    }

    /// Returns which database it is in.
    pub(super) fn system(&self) -> &DatabaseSystem {
        &self.system
    }

    pub(super) fn backend(&self) -> ServerBackend {
        self.backend
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        let (_, connection) = self.work.as_mut().expect("only its end takes it, by value");
        &mut connection.raw
    }

    /// Ends the transaction and keeps the connection, without a wait: the caller has its rows, or
    /// its error. The slot is held until it is done.
    pub(super) fn end_run(self) {
        let ending = self.work.as_ref().map(|(slot, _)| slot.announce_end());
        tokio::spawn(async move {
            drop(self.roll_back().await);
            drop(ending);
        });
    }

    /// Ends the transaction, and gives the slot for another. A connection that cannot be had back
    /// as it went is closed; while its backend may be at work, the slot is not free: `None`.
    pub(super) async fn roll_back(mut self) -> Option<PoolSlot<PgConnection>> {
        let command = if Defence::Session.is_off() {
            "COMMIT"
        } else {
            RESET
        };
        let ended = timeout(END, sqlx::raw_sql(command).execute(self.connection())).await;
        match ended {
            Ok(Ok(_)) => {
                let (slot, mut connection) = self.work.take()?;
                // The driver keeps room for the largest row that it has seen.
                connection.raw.shrink_buffers();
                slot.put_back(connection);
                Some(slot)
            }
            Ok(Err(error)) if !went_silently(&error) => Some(self.close()),
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// Closes the connection, where nothing is left to cancel.
    pub(super) fn close(mut self) -> PoolSlot<PgConnection> {
        let (slot, _) = self.work.take().expect("only its end takes it, by value");
        slot
    }
}

impl Drop for RunTransaction {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.reaper.take(self.backend, work);
        }
    }
}
