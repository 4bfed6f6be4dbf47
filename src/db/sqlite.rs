//! Running queries on SQLite, with the same bounds as on `PostgreSQL` and the same JSON text. A
//! statement ends at its limit, and also when nobody waits for it any more.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{Sqlite as Driver, SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column, Decode, Error, Executor, Row, SqlSafeStr, Statement,
    TypeInfo, ValueRef,
};
use tokio::time::timeout;

use super::float::push_float;
use super::health::{Health, HealthCell};
use super::json::{push_blob, push_fmt, push_string, refuse_duplicates};
use super::pool::{Pool, PoolState, Pooled};
use super::sqlite_connect::{Connection, Source};
use super::{CHECKOUT, GRACE, Limits, Rows, busy};
use crate::error::RequestError;
use crate::query::{Arguments, DatabaseKind, Query, Value};
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
        let (sql, placeholders) = query.statement(DatabaseKind::Sqlite);
        self.work(sql, Some(bind(args, placeholders)?), limits)
            .await
    }

    pub(super) async fn columns(
        &self,
        query: &Query,
        _args: &Arguments,
    ) -> Result<Vec<String>, RequestError> {
        let (sql, _) = query.statement(DatabaseKind::Sqlite);
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
        let end = match slot.idle() {
            Some(connection) => Ok(connection),
            None => self.open_new(limits).await,
        };
        let end = match end {
            Ok(connection) => Working(Some(connection)).ask(sql, arguments, limits).await,
            Err(error) => Err(error),
        };
        self.health.observe(&self.identity, &end);
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
enum Stop {
    Driver(Error),
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

/// Integers and decimals are bound as SQLite's own numbers: a decimal as text would never equal
/// a number. Moments take the form of SQLite's own `datetime()`, so that they compare.
fn bind(args: &Arguments, placeholders: &[usize]) -> Result<SqliteArguments, RequestError> {
    let mut bound = SqliteArguments::default();
    for &index in placeholders {
        add(&mut bound, &args.0[index]).map_err(|error| RequestError::Internal {
            detail: error.to_string().into(),
        })?;
    }
    Ok(bound)
}

fn add(bound: &mut SqliteArguments, value: &Value) -> Result<(), BoxDynError> {
    match value {
        Value::Null => bound.add(None::<i64>),
        Value::Integer(number) => bound.add(i64::from(*number)),
        Value::Bigint(number) => bound.add(*number),
        Value::Boolean(truth) => bound.add(i64::from(*truth)),
        Value::Number(decimal) => match decimal.parse::<i64>() {
            Ok(whole) => bound.add(whole),
            Err(_) => bound.add(decimal.parse::<f64>()?),
        },
        Value::Timestamp(moment) => bound.add(
            moment
                .replacen('T', " ", 1)
                .trim_end_matches('Z')
                .to_owned(),
        ),
        Value::Text(text) | Value::Date(text) | Value::Uuid(text) => bound.add(text.clone()),
    }
}

/// The names of the statement's columns. It is compiled, not run. (The names that the wrapped
/// statement reports differ: SQLite makes them unique.)
async fn columns(connection: &mut SqliteConnection, sql: &str) -> Result<Vec<String>, Stop> {
    let statement = connection
        .prepare(AssertSqlSafe(sql).into_sql_str())
        .await?;
    let names: Vec<_> = statement
        .columns()
        .iter()
        .map(|column| column.name().to_owned())
        .collect();
    refuse_duplicates(&names).map_err(Stop::Request)?;
    Ok(names)
}

/// Runs the statement and writes its rows one by one, up to the bounds; without arguments only
/// names its columns.
async fn read(
    connection: &mut SqliteConnection,
    sql: &str,
    arguments: Option<SqliteArguments>,
    limits: Limits,
) -> Result<Rows, Stop> {
    let columns = columns(connection, sql).await?;
    let mut rows = Rows {
        columns,
        ..Rows::default()
    };
    let Some(arguments) = arguments else {
        return Ok(rows);
    };
    // As a subquery it can only be one statement, and only a read.
    let limit = limits.max_rows.min(i64::MAX as u64 - 1) + 1;
    let sql = format!("select * from (\n{sql}\n) limit {limit}");
    let keys: Vec<_> = rows
        .columns
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let mut key = vec![if index == 0 { b'{' } else { b',' }];
            push_string(&mut key, name.as_bytes());
            key.push(b':');
            key
        })
        .collect();
    let mut stream = sqlx::query_with(AssertSqlSafe(sql), arguments)
        .persistent(false)
        .fetch(connection);
    while let Some(row) = stream.try_next().await? {
        if rows.count == limits.max_rows {
            rows.truncated = true;
            continue;
        }
        if rows.count > 0 {
            rows.json.push(b',');
        }
        write_row(&mut rows.json, &keys, &row)?;
        rows.count += 1;
        if rows.json.len() as u64 > limits.max_bytes {
            return Err(Stop::Request(RequestError::TooLarge {
                limit: limits.max_bytes,
            }));
        }
    }
    Ok(rows)
}

fn write_row(out: &mut Vec<u8>, keys: &[Vec<u8>], row: &SqliteRow) -> Result<(), Error> {
    for (index, key) in keys.iter().enumerate() {
        out.extend_from_slice(key);
        let value = row.try_get_raw(index)?;
        if value.is_null() {
            out.extend_from_slice(b"null");
            continue;
        }
        let kind = value.type_info().into_owned();
        match kind.name() {
            "INTEGER" => {
                let number: i64 = decode(value)?;
                // SQLite has no booleans; that a column is meant as one stands in its table.
                if row.column(index).type_info().name() == "BOOLEAN" {
                    push_fmt(out, format_args!("{}", number != 0));
                } else {
                    push_fmt(out, format_args!("{number}"));
                }
            }
            "REAL" => push_float(out, decode(value)?),
            "BLOB" => push_blob(out, decode(value)?),
            // As bytes: SQLite's text may be anything.
            _ => push_string(out, decode(value)?),
        }
    }
    out.push(b'}');
    Ok(())
}

fn decode<'r, T: Decode<'r, Driver>>(
    value: <Driver as sqlx::Database>::ValueRef<'r>,
) -> Result<T, Error> {
    T::decode(value).map_err(Error::Decode)
}
