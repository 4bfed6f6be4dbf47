//! Running queries on SQLite, with the same bounds as on PostgreSQL and the same JSON text. A
//! statement ends at its limit, and also when nobody waits for it any more.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::Error;
use sqlx::sqlite::SqliteArguments;
use tokio::time::{Instant, timeout};

use super::gate::Pass;
use super::health::{Cause, Contact, HealthCell};
use super::pool::{Pool, PoolState, Pooled};
use super::sqlite_connect::{Connection, Source};
use super::sqlite_rows::{bind, read};
use super::survey::{Survey, Trouble};
use super::{CHECKOUT, GRACE, Limits, Rows};
use crate::error::RequestError;
use crate::query::{Arguments, DatabaseKind, Query, Statement};
use crate::settings::{DatabaseTarget, Settings};

/// A database of SQLite, its pool and how it is.
pub(super) struct Sqlite {
    source: Arc<Source>,
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
        let source = Source::new(file, settings.demo_delay, settings.limits.max_result);
        let source = Arc::new(source);
        let identity = file.map_or_else(
            || "sqlite".to_owned(),
            |file| format!("sqlite:{}", file.display()),
        );
        let asked = Arc::clone(&source);
        let ask = move || -> BoxFuture<'static, Contact> { Box::pin(try_out(Arc::clone(&asked))) };
        Sqlite {
            source,
            pool: Pool::new(settings.limits.pool_size),
            health: HealthCell::new(&*identity, Box::new(ask)),
            identity,
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

    pub(super) fn health(&self) -> &HealthCell {
        &self.health
    }

    pub(super) fn pool_state(&self) -> PoolState {
        self.pool.state()
    }

    pub(super) async fn survey(&self) -> Result<Survey, Trouble> {
        let (cause, remedy) = match self.health.ask().await {
            Contact::Away(cause) | Contact::Doubtful(cause) => (
                cause,
                "look at the file that [postgres] url names, and at who may read it",
            ),
            Contact::Full(cause) => (
                cause,
                "another program holds a lock on the file: let it end its transaction",
            ),
            Contact::Answered | Contact::Nothing => {
                return Ok(Survey {
                    what: format!("{}, read-only", self.host),
                    warnings: Vec::new(),
                });
            }
        };
        Err(Trouble {
            words: cause.to_string(),
            remedy: remedy.to_owned(),
        })
    }

    /// The slot is there by the turn's deadline; its pass is held as long.
    pub(super) async fn run(
        &self,
        query: &Query,
        args: &Arguments,
        limits: Limits,
        turn: (Pass, Instant),
    ) -> Result<Rows, RequestError> {
        let Statement { sql, order } = query.statement(DatabaseKind::Sqlite);
        self.work(sql, Some(bind(args, order)?), limits, turn).await
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
        let turn = (Pass::default(), Instant::now() + CHECKOUT);
        Ok(self.work(sql, None, limits, turn).await?.columns)
    }

    /// Asks on a connection of the pool, and remembers how the database was. Without arguments
    /// only the columns are asked for.
    async fn work(
        &self,
        sql: &str,
        arguments: Option<SqliteArguments>,
        limits: Limits,
        (pass, deadline): (Pass, Instant),
    ) -> Result<Rows, RequestError> {
        let slot = self.pool.slot(pass, deadline).await?;
        let idle = slot
            .idle()
            .await
            .filter(|connection| self.source.is_current(&connection.raw));
        let end = match idle {
            Some(connection) => Ok(connection),
            None => self.open_new(limits).await,
        };
        let end = match end {
            Ok(connection) => Working(Some(connection)).ask(sql, arguments, limits).await,
            Err(stop) => Err(stop),
        };
        self.health.tell(
            end.as_ref()
                .map_or_else(Stop::contact, |_| Contact::Answered),
        );
        let (rows, connection) = end.map_err(|stop| stop.meaning(limits))?;
        slot.keep(connection);
        Ok(rows)
    }

    async fn open_new(&self, limits: Limits) -> Result<Pooled<Connection>, Stop> {
        match timeout(limits.timeout, self.source.open()).await {
            Ok(Ok(connection)) => Ok(Pooled::new(connection)),
            Ok(Err(error)) => Err(Stop::Driver(error)),
            Err(_) => Err(Stop::Request(RequestError::Timeout {
                limit: limits.timeout,
            })),
        }
    }
}

/// Whether a file can be opened and is a database: its first page is read.
async fn try_out(source: Arc<Source>) -> Contact {
    const FIRST_PAGE: &str = "select count(*) from sqlite_schema";
    let limits = Limits {
        timeout: CHECKOUT,
        max_rows: 1,
        max_bytes: 1024,
    };
    let tried = async {
        let connection = Pooled::new(source.open().await?);
        Working(Some(connection))
            .ask(FIRST_PAGE, Some(SqliteArguments::default()), limits)
            .await
    };
    match timeout(CHECKOUT + GRACE, tried).await {
        Ok(Ok(_)) => Contact::Answered,
        Ok(Err(stop)) => stop.contact(),
        Err(_) => Contact::Nothing,
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
    ) -> Result<(Rows, Pooled<Connection>), Stop> {
        let connection = self.0.as_mut().expect("taken at the end only");
        connection.raw.watch.arm(limits.timeout);
        let job = read(&mut connection.raw.raw, sql, arguments, limits);
        match timeout(limits.timeout + GRACE, job).await {
            Ok(Ok(rows)) => Ok((rows, self.0.take().expect("taken here only"))),
            Ok(Err(stop)) => Err(stop),
            // The watch ends a statement in time, but not a single long step of SQLite.
            Err(_) => Err(Stop::Request(RequestError::Timeout {
                limit: limits.timeout,
            })),
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
    /// What it tells about the database.
    fn contact(&self) -> Contact {
        let error = match self {
            Stop::Request(error) => return Contact::of(Some(error)),
            Stop::Driver(error) => error,
        };
        let cause = |class| Cause::new(class, words(error));
        if error.as_database_error().is_none() {
            return Contact::Away(cause("open"));
        }
        match primary_code(error) {
            // BUSY, LOCKED
            5 | 6 => Contact::Full(cause("locked")),
            // INTERRUPT: by us. FULL: no room for a sort.
            9 | 13 => Contact::Nothing,
            // IOERR, CORRUPT: of the whole file, or of what this statement read.
            10 | 11 => Contact::Doubtful(cause("open")),
            // PERM, CANTOPEN, AUTH, NOTADB
            3 | 14 | 23 | 26 => Contact::Away(cause("open")),
            _ => Contact::Answered,
        }
    }

    fn meaning(self, limits: Limits) -> RequestError {
        let error = match self {
            Stop::Request(error) => return error,
            Stop::Driver(error) => error,
        };
        let detail = words(&error);
        if error.as_database_error().is_none() {
            return RequestError::Unavailable { detail };
        }
        let sqlstate = match primary_code(&error) {
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

/// SQLite's code in its low byte; the rest says more than is needed here.
fn primary_code(error: &Error) -> i32 {
    let said = error.as_database_error();
    let code = said.and_then(|said| said.code()?.parse::<i32>().ok());
    code.unwrap_or(1) & 0xff
}

/// The cause in words.
fn words(error: &Error) -> Arc<str> {
    match error.as_database_error() {
        Some(said) => said.message().into(),
        None => error.to_string().into(),
    }
}
