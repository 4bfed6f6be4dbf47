//! Running a query on the database. No cache in here.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{RequestError, StartupError};
use crate::query::{Arguments, DatabaseKind, Query};
use crate::settings::Settings;

/// What one run may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub timeout: Duration,
    pub max_rows: u64,
    /// bytes of JSON
    pub max_bytes: u64,
}

/// The rows of one run.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Column names in order, also when there are no rows.
    pub columns: Vec<String>,
    /// The rows as JSON objects, joined by commas, without the brackets: `{…},{…}`.
    pub json: Vec<u8>,
    pub count: u64,
    /// There were more than `max_rows`.
    pub truncated: bool,
}

/// How the database is, from the last contact; asks nothing.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// `None` before the first contact.
    pub up: Option<bool>,
    /// For logs and pages under `debug`.
    pub last_error: Option<Arc<str>>,
}

/// The database that the queries run on.
#[derive(Debug)]
pub enum Database { /* Postgres(..), Sqlite(..) */ }

impl Database {
    /// Prepares pools; connects to nothing (the database may be away at start). Must be called on
    /// the engine runtime.
    pub fn open(settings: &Settings) -> Result<Database, StartupError> { let _ = settings; todo!() }
    pub fn kind(&self) -> DatabaseKind { todo!() }
    /// What distinguishes this database from another in a cache key (host, port, database, user;
    /// or file).
    pub fn identity(&self) -> &str { todo!() }
    /// For "Database Host" on the page.
    pub fn host(&self) -> &str { todo!() }
    pub fn health(&self) -> Health { todo!() }
    /// Runs a query read-only under `limits`. Runs on the engine runtime; dropping the future
    /// abandons the run (sqlx closes the connection).
    pub async fn run(&self, query: &Query, args: &Arguments, limits: Limits) -> Result<Rows, RequestError> {
        let _ = (query, args, limits);
        todo!()
    }
    /// Column names without running the query; refuses two columns of one name.
    pub async fn columns(&self, query: &Query, args: &Arguments) -> Result<Vec<String>, RequestError> {
        let _ = (query, args);
        todo!()
    }
    /// `unslow install`: creates `slow_version()`; safe to repeat.
    pub async fn install(&self) -> Result<(), RequestError> { todo!() }
}
