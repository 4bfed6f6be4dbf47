//! Running queries on SQLite, with the same bounds as on PostgreSQL and the same JSON text. A
//! statement ends at its limit, and also when nobody waits for it any more.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Error;
use sqlx::sqlite::SqliteArguments;
use tokio::time::timeout;

use super::health::{Health, HealthCell};
use super::pool::{Pool, PoolState, Pooled};
use super::sqlite_connect::{Connection, Source};
use super::sqlite_rows::{bind, read};
use super::{CHECKOUT, GRACE, Limits, Rows, busy};
use crate::error::RequestError;
use crate::query::{Arguments, DatabaseKind, Query, Statement};
use crate::settings::{DatabaseTarget, Settings};

/// A database of SQLite, its pool and how it is.
pub(super) struct Sqlite {
    source: Source,
    pool: Arc<Pool<Connection>>,
    health: HealthCell,
    identity: String,
    host: String,
    timeout: Duration,
}

impl Sqlite {
    /// The file of `target`, or the demo.
    pub(super) fn open(target: &DatabaseTarget, settings: &Settings) -> Self {
        let file = match target {
            DatabaseTarget::SqliteFile(file) => Some(file.as_path()),
            DatabaseTarget::Demo | DatabaseTarget::Postgres(_) => None,
        };
        let name = file
            .and_then(|file| file.file_name())
            .map(|name| name.to_string_lossy());
        Sqlite {
            source: Source::new(file, settings.demo_delay, settings.limits.max_result),
            pool: Pool::new(settings.limits.pool_size),
            health: HealthCell::default(),
            identity: file.map_or_else(
                || "sqlite".to_owned(),
                |file| format!("sqlite:{}", file.display()),
            ),
            host: name
                .unwrap_or(Cow::Borrowed("embedded SQLite"))
                .into_owned(),
            timeout: settings.limits.statement_timeout,
        }
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn health(&self) -> Health {
        self.health.get()
    }

    pub(super) fn pool_state(&self) -> PoolState {
        self.pool.state()
    }

    pub(super) async fn run(
        &self,
        query: &Query,
        args: &Arguments,
        limits: Limits,
    ) -> Result<Rows, RequestError> {
        let Statement { sql, order } = query.statement(DatabaseKind::Sqlite);
        self.work(sql, Some(bind(args, order)?), limits).await
    }

    pub(super) async fn columns(
        &self,
        query: &Query,
        _args: &Arguments,
    ) -> Result<Vec<String>, RequestError> {
        let Statement { sql, .. } = query.statement(DatabaseKind::Sqlite);
        let limits = Limits {
            timeout: self.timeout,
            max_rows: 0,
            max_bytes: 0,
        };
        Ok(self.work(sql, None, limits).await?.columns)
    }

    /// Asks on a connection of the pool, and remembers how the database was. Without arguments
    /// only the columns are asked for.
    async fn work(
        &self,
        sql: &str,
        arguments: Option<SqliteArguments>,
        limits: Limits,
    ) -> Result<Rows, RequestError> {
        let slot = timeout(CHECKOUT, self.pool.slot())
            .await
            .map_err(|_| busy())?;
        let idle = slot
            .idle()
            .filter(|connection| self.source.is_current(&connection.raw));
        let end = match idle {
            Some(connection) => Ok(connection),
            None => self.open_new(limits).await,
        };
        let end = match end {
            Ok(connection) => Working(Some(connection)).ask(sql, arguments, limits).await,
            Err(error) => Err(error),
        };
        self.health.observe(&self.identity, end.as_ref().err());
        let (rows, connection) = end?;
        slot.keep(connection);
        Ok(rows)
    }

    async fn open_new(&self, limits: Limits) -> Result<Pooled<Connection>, RequestError> {
        match timeout(limits.timeout, self.source.open()).await {
            Ok(Ok(connection)) => Ok(Pooled::new(connection)),
            Ok(Err(error)) => Err(Stop::Driver(error).meaning(limits)),
            Err(_) => Err(RequestError::Timeout {
                limit: limits.timeout,
            }),
        }
    }
}

/// A connection at work. Dropped before its time it ends its statement, and is closed.
struct Working(Option<Pooled<Connection>>);

impl Working {
    /// The rows, and the connection for the next. After an error a statement may still be running
    /// ahead of us, so the connection is closed then.
    async fn ask(
        mut self,
        sql: &str,
        arguments: Option<SqliteArguments>,
        limits: Limits,
    ) -> Result<(Rows, Pooled<Connection>), RequestError> {
        let connection = self.0.as_mut().expect("taken at the end only");
        connection.raw.watch.arm(limits.timeout);
        let job = read(&mut connection.raw.raw, sql, arguments, limits);
        match timeout(limits.timeout + GRACE, job).await {
            Ok(Ok(rows)) => Ok((rows, self.0.take().expect("taken here only"))),
            Ok(Err(stop)) => Err(stop.meaning(limits)),
            // The watch ends a statement in time, but not a single long step of SQLite.
            Err(_) => Err(RequestError::Timeout {
                limit: limits.timeout,
            }),
        }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.raw.watch.abandon();
        }
    }
}

/// Why a run ended early.
pub(super) enum Stop {
    /// The driver's error.
    Driver(Error),
    /// A bound was passed, or the result cannot be used.
    Request(RequestError),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Driver(error)
    }
}

impl Stop {
    fn meaning(self, limits: Limits) -> RequestError {
        let error = match self {
            Stop::Request(error) => return error,
            Stop::Driver(error) => error,
        };
        let Some(said) = error.as_database_error() else {
            return RequestError::Unavailable {
                detail: error.to_string().into(),
            };
        };
        let code = said
            .code()
            .and_then(|code| code.parse::<i32>().ok())
            .unwrap_or(1);
        let detail = Arc::from(said.message());
        // The low byte is the primary code; the rest says more than is needed here.
        let sqlstate = match code & 0xff {
            // PERM, BUSY, LOCKED, IOERR, CORRUPT, FULL, CANTOPEN, AUTH, NOTADB
            3 | 5 | 6 | 10 | 11 | 13 | 14 | 23 | 26 => return RequestError::Unavailable { detail },
            8 => {
                return RequestError::Refused {
                    sqlstate: "SQLITE_READONLY".into(),
                    detail,
                };
            }
            9 => {
                return RequestError::Timeout {
                    limit: limits.timeout,
                };
            }
            18 => {
                return RequestError::TooLarge {
                    limit: limits.max_bytes,
                };
            }
            1 => "SQLITE_ERROR".to_owned(),
            other => format!("SQLite code {other}"),
        };
        RequestError::Failed { sqlstate, detail }
    }
}
