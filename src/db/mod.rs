//! Running a query on the database, PostgreSQL or SQLite, read-only and within limits; and how
//! the database is. No cache in here, and no HTTP: what comes out is rows as JSON text.

mod budget;
mod fair_room;
mod float;
mod gate;
mod health;
mod identity;
mod json;
mod pool;
mod postgres;
mod postgres_advice;
mod postgres_bind;
mod postgres_connect;
mod postgres_effective;
mod postgres_fault;
mod postgres_listen;
mod postgres_options;
mod postgres_pace;
mod postgres_read;
mod postgres_reaper;
mod postgres_session;
mod postgres_start;
mod postgres_survey;
mod postgres_system;
mod postgres_transaction;
mod prober;
mod queue;
mod reader_role;
mod refused_value;
mod renew;
mod sqlite;
mod sqlite_connect;
mod sqlite_fault;
mod sqlite_file;
mod sqlite_format;
mod sqlite_function;
mod sqlite_math;
mod sqlite_offset;
mod sqlite_rows;
mod sqlite_system;
mod sqlite_work;
mod survey;
mod system;
mod turn;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::{RequestError, StartupError};
use crate::query::{Arguments, DatabaseKind, Query};
use crate::settings::{DatabaseLimits, DatabaseTarget, Settings};
use budget::ResultShare;
use gate::Gate;
use health::HealthCell;
use turn::{CHECKOUT, busy};

pub use gate::GateState;
pub use health::Health;
pub use pool::PoolState;
pub use postgres_listen::Listener;
pub use postgres_options::DRIVER_ENVIRONMENT;
pub use survey::{Survey, Trouble};
pub use system::System;
pub use turn::Turn;

/// How long after the statement's own limit a server that says nothing is given up.
const GRACE: Duration = Duration::from_secs(2);

/// What one run may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For the statement, from its start; the database itself ends it then.
    pub timeout: Duration,
    /// More rows than this are cut off.
    pub max_rows: u64,
    /// Bytes of JSON; a larger result is an error.
    pub max_bytes: u64,
}

impl Limits {
    /// Those of this query: its file's word, else the settings'.
    pub fn of(query: &Query, settings: &DatabaseLimits) -> Limits {
        let own = &query.policy;
        Limits {
            timeout: own.timeout.unwrap_or(settings.statement_timeout),
            max_rows: own.max_rows.unwrap_or(settings.max_rows),
            max_bytes: settings.max_result,
        }
    }
}

/// The rows of one run.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// Column names in order, also when there are no rows.
    pub columns: Vec<String>,
    /// The rows as JSON objects, joined by commas, without the brackets: `{…},{…}`.
    pub json: Vec<u8>,
    /// How many rows there are in `json`.
    pub count: u64,
    /// There were more than `max_rows`.
    pub truncated: bool,
    /// The database that they come from; `None` where that cannot be told, because it was replaced
    /// while it was read.
    pub system: Option<System>,
    /// The memory that `json` takes of what there is for all results.
    share: Option<Arc<ResultShare>>,
}

/// The database that the queries run on.
pub struct Database {
    kind: Kind,
    gate: Gate,
}

enum Kind {
    Postgres(postgres::Postgres),
    Sqlite(sqlite::Sqlite),
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.identity()).finish()
    }
}

impl Database {
    /// Prepares the pool; connects to nothing (the database may be away at start).
    ///
    /// # Errors
    /// `sslrootcert` cannot be read, or the environment would change how the driver connects (see
    /// [`DRIVER_ENVIRONMENT`]).
    pub fn open(settings: &Settings) -> Result<Database, StartupError> {
        let kind = match &settings.database {
            DatabaseTarget::Postgres(target) => {
                Kind::Postgres(postgres::Postgres::open(target, &settings.limits)?)
            }
            target @ (DatabaseTarget::Demo | DatabaseTarget::SqliteFile(_)) => {
                Kind::Sqlite(sqlite::Sqlite::open(target, settings))
            }
        };
        let gate = Gate::new(settings.limits.pool_size);
        Ok(Database { kind, gate })
    }

    /// When a run under this timeout is given up at the latest, waiting for a connection
    /// included: a server that hangs never answers.
    pub fn deadline(&self, timeout: Duration) -> Duration {
        let far = match &self.kind {
            Kind::Postgres(database) => database.connector().far(),
            Kind::Sqlite(_) => Duration::ZERO,
        };
        CHECKOUT + far + timeout + GRACE
    }

    /// Whose SQL it speaks.
    pub fn kind(&self) -> DatabaseKind {
        match &self.kind {
            Kind::Postgres(_) => DatabaseKind::Postgres,
            Kind::Sqlite(_) => DatabaseKind::Sqlite,
        }
    }

    /// What it is called: host, port, database and user, or the file. Which database that leads to
    /// is [`system`](Database::system).
    pub fn identity(&self) -> &str {
        match &self.kind {
            Kind::Postgres(database) => database.identity(),
            Kind::Sqlite(database) => database.identity(),
        }
    }

    /// For "Database Host" on the page: the server's host, or the file's name without its folder.
    pub fn host(&self) -> &str {
        match &self.kind {
            Kind::Postgres(database) => database.host(),
            Kind::Sqlite(database) => database.host(),
        }
    }

    /// How the database was at the latest contact.
    pub fn health(&self) -> Health {
        self.health_cell().get()
    }

    /// A number that grows each time the database was away and is back: what failed meanwhile is
    /// worth another try. The receiver's end is the database's.
    pub fn recoveries(&self) -> watch::Receiver<u64> {
        self.health_cell().recoveries()
    }

    fn health_cell(&self) -> &HealthCell {
        match &self.kind {
            Kind::Postgres(database) => database.health(),
            Kind::Sqlite(database) => database.health(),
        }
    }

    /// How many loads there are and may be, of all queries together.
    pub fn gate_state(&self) -> GateState {
        self.gate.state()
    }

    /// How many loads of this query there are and may be.
    pub fn gate_state_of(&self, query: &Query) -> GateState {
        self.gate.state_of(query)
    }

    /// How many connections there are, and who waits for one.
    pub fn pool_state(&self) -> PoolState {
        let pool = match &self.kind {
            Kind::Postgres(database) => database.pool_state(),
            Kind::Sqlite(database) => database.pool_state(),
        };
        let gate = self.gate.waiting();
        PoolState {
            waiting: pool.waiting + gate.waiting(),
            timeouts: pool.timeouts + gate.in_vain(),
            ..pool
        }
    }

    /// Tries to connect to a server, so that its health is known before the first run, and which
    /// database it is; a file or the demo needs no greeting. Must be called on the engine runtime.
    pub async fn greet(&self) {
        if let Kind::Postgres(database) = &self.kind {
            database.greet().await;
        }
    }

    /// Asks the database how it is and what its user may do, for `check --online`; what that tells
    /// is not remembered. Must be called on the engine runtime.
    ///
    /// # Errors
    /// It does not answer, or does not let us in.
    pub async fn survey(&self) -> Result<Survey, Trouble> {
        match &self.kind {
            Kind::Postgres(database) => database.survey().await,
            Kind::Sqlite(database) => database.survey().await,
        }
    }

    /// Runs a query read-only under `limits`, when it is its turn: so many at once of one query,
    /// and of all. Must be called on the engine runtime. Dropping the future abandons the run:
    /// the statement is cancelled and its connection closed.
    ///
    /// # Errors
    /// All but the client's own faults, but for a value that only the database can refuse: see
    /// [`RequestError`]. Without a wait while the database
    /// is known to be away.
    pub async fn run(
        &self,
        query: &Query,
        args: &Arguments,
        limits: Limits,
    ) -> Result<Rows, RequestError> {
        let turn = self.admit(query, Duration::ZERO).await?;
        self.run_admitted(query, args, limits, turn).await
    }

    /// Waits until it is the turn of a query. Dropping what it gives makes room for the next. Takes
    /// from the time that it may wait what the caller has `waited` already, most of it at most.
    ///
    /// # Errors
    /// [`RequestError::Unavailable`]: the database is known to be away, without a wait, or too many
    /// loads are at work. Nothing has been run then.
    pub async fn admit(&self, query: &Query, waited: Duration) -> Result<Turn, RequestError> {
        // One bound over all that is waited for: a server that hangs must not be waited for twice.
        let deadline = Instant::now() + turn::checkout_after(waited);
        self.refuse_while_away()?;
        let pass = self.gate.enter(query, deadline).await?;
        // It may have gone away meanwhile.
        self.refuse_while_away()?;
        Ok(Turn::new(pass, deadline))
    }

    /// Runs a query whose turn it is; otherwise as [`Database::run`].
    ///
    /// # Errors
    /// All but the client's own faults: see [`RequestError`].
    pub async fn run_admitted(
        &self,
        query: &Query,
        args: &Arguments,
        limits: Limits,
        turn: Turn,
    ) -> Result<Rows, RequestError> {
        let turn = turn.into_parts();
        let end = match &self.kind {
            Kind::Postgres(database) => database.run(query, args, limits, turn).await,
            Kind::Sqlite(database) => database.run(query, args, limits, turn).await,
        };
        end.map_err(|error| refused_value::attribute(query, args, error))
    }

    fn refuse_while_away(&self) -> Result<(), RequestError> {
        self.health_cell().refusal().map_or(Ok(()), Err)
    }

    /// Column names without running the query; refuses two columns of one name. Must be called on
    /// the engine runtime. Dropping the future abandons it.
    pub async fn columns(
        &self,
        query: &Query,
        args: &Arguments,
    ) -> Result<Vec<String>, RequestError> {
        self.refuse_while_away()?;
        match &self.kind {
            Kind::Postgres(database) => database.columns(query, args).await,
            Kind::Sqlite(database) => database.columns(query, args).await,
        }
    }

    /// `unslow install`: creates `slow_version()`, `unslow_watch()` and `unslow_unwatch()`; safe
    /// to repeat. On SQLite there is nothing to do: each of its connections has the function. Must
    /// be called on the engine runtime.
    pub async fn install(&self) -> Result<(), RequestError> {
        match &self.kind {
            Kind::Postgres(database) => database.install().await,
            Kind::Sqlite(_) => Ok(()),
        }
    }

    /// A connection of its own that hears `NOTIFY unslow`; `None` on SQLite, which sends nothing.
    /// Must be called on the engine runtime.
    ///
    /// # Errors
    /// There is no connection, or it may not listen (as on a standby).
    pub async fn listen(&self) -> Option<Result<Listener, RequestError>> {
        match &self.kind {
            Kind::Postgres(database) => Some(database.listen().await),
            Kind::Sqlite(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
