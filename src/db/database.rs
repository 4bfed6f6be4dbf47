//! The database that the queries run on: each thing that is asked of one, for both kinds. How a
//! kind does it is in its own files.

use std::fmt;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::checkout::{CHECKOUT, checkout_after};
use super::gate::{GateState, LoadLimiter};
use super::health::{Health, HealthCell};
use super::limits::{GRACE, Limits};
use super::pool::PoolState;
use super::postgres::Postgres;
use super::postgres_listen::MessageListener;
use super::refused_value;
use super::rows::Rows;
use super::sqlite::Sqlite;
use super::survey::{DatabaseSurvey, SurveyTrouble};
use super::turn::LoadTurn;
use crate::error::{RequestError, StartupError};
use crate::query::{Arguments, DatabaseKind, Query};
use crate::settings::{DatabaseTarget, Settings};

/// The database that the queries run on.
pub struct Database {
    pub(super) kind: DatabaseSide,
    pub(super) gate: LoadLimiter,
}

pub(super) enum DatabaseSide {
    Postgres(Postgres),
    Sqlite(Sqlite),
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
    /// [`DRIVER_ENVIRONMENT`](super::DRIVER_ENVIRONMENT)).
    pub fn open(settings: &Settings) -> Result<Database, StartupError> {
        let kind = match &settings.database {
            DatabaseTarget::Postgres(target) => {
                DatabaseSide::Postgres(Postgres::open(target, &settings.limits)?)
            }
            target @ (DatabaseTarget::Demo | DatabaseTarget::SqliteFile(_)) => {
                DatabaseSide::Sqlite(Sqlite::open(target, settings))
            }
        };
        let gate = LoadLimiter::new(settings.limits.pool_size);
        Ok(Database { kind, gate })
    }

    /// Returns the time after which a run under this timeout is given up at the latest, waiting for
    /// a connection included: a server that hangs never answers.
    pub fn run_deadline(&self, timeout: Duration) -> Duration {
        let far = match &self.kind {
            DatabaseSide::Postgres(database) => database.connector().extra_time(),
            DatabaseSide::Sqlite(_) => Duration::ZERO,
        };
        CHECKOUT + far + timeout + GRACE
    }

    /// Returns whose SQL it speaks.
    pub fn kind(&self) -> DatabaseKind {
        match &self.kind {
            DatabaseSide::Postgres(_) => DatabaseKind::Postgres,
            DatabaseSide::Sqlite(_) => DatabaseKind::Sqlite,
        }
    }

    /// Returns what it is called: host, port, database and user, or the file. Which database that
    /// leads to is [`system`](Database::database_system).
    pub fn identity(&self) -> &str {
        match &self.kind {
            DatabaseSide::Postgres(database) => database.identity(),
            DatabaseSide::Sqlite(database) => database.identity(),
        }
    }

    /// Returns the "Database Host" of the page: the server's host, or the file's name without its
    /// folder.
    pub fn host(&self) -> &str {
        match &self.kind {
            DatabaseSide::Postgres(database) => database.host(),
            DatabaseSide::Sqlite(database) => database.host(),
        }
    }

    /// Returns how the database was at the latest contact.
    pub fn health(&self) -> Health {
        self.health_cell().get()
    }

    /// Returns a number that grows each time the database was away and is back: what failed
    /// meanwhile is worth another try. The receiver's end is the database's.
    pub fn watch_recoveries(&self) -> watch::Receiver<u64> {
        self.health_cell().watch_recoveries()
    }

    pub(super) fn health_cell(&self) -> &HealthCell {
        match &self.kind {
            DatabaseSide::Postgres(database) => database.health(),
            DatabaseSide::Sqlite(database) => database.health(),
        }
    }

    /// Returns how many loads there are and may be, of all queries together.
    pub fn gate_state(&self) -> GateState {
        self.gate.gate_state()
    }

    /// Returns how many loads of this query there are and may be.
    pub fn gate_state_of(&self, query: &Query) -> GateState {
        self.gate.state_of(query)
    }

    /// Returns how many connections there are, and who waits for one.
    pub fn pool_state(&self) -> PoolState {
        let pool = match &self.kind {
            DatabaseSide::Postgres(database) => database.pool_state(),
            DatabaseSide::Sqlite(database) => database.pool_state(),
        };
        let gate = self.gate.wait_queue();
        PoolState {
            waiting: pool.waiting + gate.waiting_loads(),
            timeouts: pool.timeouts + gate.in_vain(),
            ..pool
        }
    }

    /// Tries to connect to a server, so that its health is known before the first run, and which
    /// database it is; a file or the demo needs no greeting. Must be called on the engine runtime.
    pub async fn connect_eagerly(&self) {
        if let DatabaseSide::Postgres(database) = &self.kind {
            database.connect_eagerly().await;
        }
    }

    /// Asks the database how it is and what its user may do, for `check --online`; what that tells
    /// is not remembered. Must be called on the engine runtime.
    ///
    /// # Errors
    /// It does not answer, or does not let us in.
    pub async fn survey_server(&self) -> Result<DatabaseSurvey, SurveyTrouble> {
        match &self.kind {
            DatabaseSide::Postgres(database) => database.survey_server().await,
            DatabaseSide::Sqlite(database) => database.survey_file().await,
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
        let turn = self.admit_load(query, Duration::ZERO).await?;
        self.run_admitted(query, args, limits, turn).await
    }

    /// Waits until it is the turn of a query. Dropping what it gives makes room for the next. Takes
    /// from the time that it may wait what the caller has `waited` already, most of it at most.
    ///
    /// # Errors
    /// [`RequestError::Unavailable`]: the database is known to be away, without a wait, or too many
    /// loads are at work. Nothing has been run then.
    pub async fn admit_load(
        &self,
        query: &Query,
        waited: Duration,
    ) -> Result<LoadTurn, RequestError> {
        // One bound over all that is waited for: a server that hangs must not be waited for twice.
        let deadline = Instant::now() + checkout_after(waited);
        self.refuse_while_away()?;
        let pass = self.gate.enter_query(query, deadline).await?;
        // It may have gone away meanwhile.
        self.refuse_while_away()?;
        Ok(LoadTurn::new(pass, deadline))
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
        turn: LoadTurn,
    ) -> Result<Rows, RequestError> {
        let turn = turn.into_parts();
        let end = match &self.kind {
            DatabaseSide::Postgres(database) => database.run(query, args, limits, turn).await,
            DatabaseSide::Sqlite(database) => database.run(query, args, limits, turn).await,
        };
        end.map_err(|error| refused_value::attribute_error(query, args, error))
    }

    pub(super) fn refuse_while_away(&self) -> Result<(), RequestError> {
        self.health_cell().load_refusal().map_or(Ok(()), Err)
    }

    /// Returns column names without running the query; refuses two columns of one name. Must be
    /// called on the engine runtime. Dropping the future abandons it.
    pub async fn column_names(
        &self,
        query: &Query,
        args: &Arguments,
    ) -> Result<Vec<String>, RequestError> {
        self.refuse_while_away()?;
        match &self.kind {
            DatabaseSide::Postgres(database) => database.column_names(query, args).await,
            DatabaseSide::Sqlite(database) => database.column_names(query, args).await,
        }
    }

    /// `unslow install`: creates `slow_version()`, `unslow_watch()` and `unslow_unwatch()`; safe
    /// to repeat. On SQLite there is nothing to do: each of its connections has the function. Must
    /// be called on the engine runtime.
    pub async fn install(&self) -> Result<(), RequestError> {
        match &self.kind {
            DatabaseSide::Postgres(database) => database.install().await,
            DatabaseSide::Sqlite(_) => Ok(()),
        }
    }

    /// Returns a connection of its own that hears `NOTIFY unslow`; `None` on SQLite, which sends
    /// nothing. Must be called on the engine runtime.
    ///
    /// # Errors
    /// There is no connection, or it may not listen (as on a standby).
    pub async fn open_listener(&self) -> Option<Result<MessageListener, RequestError>> {
        match &self.kind {
            DatabaseSide::Postgres(database) => Some(database.open_listener().await),
            DatabaseSide::Sqlite(_) => None,
        }
    }
    /// Makes a role that only reads, or gives its rights to one that has no others. Returns how
    /// many tables it cannot read, and none for SQLite, which has no roles. Must be called on the
    /// engine runtime.
    pub async fn create_reader(&self, role: &str) -> Result<Option<i64>, RequestError> {
        match &self.kind {
            DatabaseSide::Postgres(database) => database.create_reader(role).await.map(Some),
            DatabaseSide::Sqlite(_) => Ok(None),
        }
    }
}
