//! Running queries on `PostgreSQL`. The server itself makes the JSON text of each row, so every
//! type comes out as its own `row_to_json` has it. Each run is one explicit read-only transaction
//! with unnamed statements only, which is what makes it right behind a transaction-pooling
//! `PgBouncer`.
//!
//! The session has the time zone UTC and ISO dates (the driver sets both); everything else that
//! shapes a value's text is as the server has it.

use futures_util::TryStreamExt;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query as PgQuery;
use sqlx::{AssertSqlSafe, Error, Row, ValueRef};
use tokio::time::{Instant, timeout, timeout_at};

use super::health::{Health, HealthCell};
use super::json;
use super::pool::PoolState;
use super::postgres_bind::bind;
use super::postgres_connect::{Connector, Transaction};
use super::postgres_fault::{breaks_connection, of_statement, server_said, went_silently};
use super::{CHECKOUT, GRACE, Limits, Rows};
use crate::error::{RequestError, StartupError};
use crate::query::{Arguments, DatabaseKind, Query};
use crate::settings::{self, DatabaseLimits};

const INSTALL: &str = include_str!("../../sql/postgres/install.sql");

/// A server, its pool and how it is.
pub(super) struct Postgres {
    connector: Connector,
    health: HealthCell,
    identity: String,
    host: String,
    user: String,
    /// For what is not a run of a query.
    limits: Limits,
}

/// Why reading a result ended early.
enum Stop {
    /// The driver's error, and whether a row had come before it.
    Driver {
        error: Error,
        after_rows: bool,
    },
    Request(RequestError),
}

impl Postgres {
    pub(super) fn open(
        target: &settings::Postgres,
        limits: &DatabaseLimits,
    ) -> Result<Self, StartupError> {
        let connector = Connector::new(target, limits.pool_size)?;
        Ok(Postgres {
            identity: format!(
                "postgres:{}@{}/{}",
                target.user,
                connector.place(),
                target.database
            ),
            connector,
            health: HealthCell::default(),
            host: target.host.clone(),
            user: target.user.clone(),
            limits: Limits {
                timeout: limits.statement_timeout,
                max_rows: limits.max_rows,
                max_bytes: limits.max_result,
            },
        })
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
        self.connector.pool_state()
    }

    pub(super) async fn run(
        &self,
        query: &Query,
        args: &Arguments,
        limits: Limits,
    ) -> Result<Rows, RequestError> {
        self.transact(query, args, limits, Want::Rows).await
    }

    pub(super) async fn columns(
        &self,
        query: &Query,
        args: &Arguments,
    ) -> Result<Vec<String>, RequestError> {
        Ok(self
            .transact(query, args, self.limits, Want::Columns)
            .await?
            .columns)
    }

    /// Asks in a transaction of its own, and remembers how the database was. A connection that
    /// vanishes before a row has come is replaced once: a read can be repeated.
    async fn transact(
        &self,
        query: &Query,
        args: &Arguments,
        limits: Limits,
        want: Want,
    ) -> Result<Rows, RequestError> {
        let (sql, placeholders) = query.statement(DatabaseKind::Postgres);
        let arguments = bind(query, args, placeholders)?;
        let mut slot = self.connector.slot(Instant::now() + CHECKOUT).await?;
        let mut retried = false;
        loop {
            let deadline = Instant::now() + CHECKOUT;
            let begun = self.connector.begin(slot, limits.timeout, deadline).await;
            self.health.observe(
                self.connector.place(),
                &begun.as_ref().map(drop).map_err(Clone::clone),
            );
            let mut transaction = begun?;
            let started = Instant::now();
            let work = Work {
                sql,
                arguments: &arguments,
                limits,
            };
            let job = work.ask(transaction.connection(), want);
            let Ok(end) = timeout_at(started + limits.timeout + GRACE, job).await else {
                // The server should have ended it by itself. Dropping the transaction cancels.
                let cause = format!("{}: no answer to a statement", self.connector.place());
                self.health.down(self.connector.place(), &cause.into());
                return Err(RequestError::Timeout {
                    limit: limits.timeout,
                });
            };
            match end {
                Ok(value) => {
                    transaction.end("COMMIT").await;
                    return Ok(value);
                }
                Err(Stop::Driver {
                    error,
                    after_rows: false,
                }) if went_silently(&error) && !retried => {
                    retried = true;
                    slot = transaction.close();
                }
                Err(stop) => {
                    let end = self.stopped(transaction, stop, sql, started, limits).await;
                    self.health
                        .observe::<()>(self.connector.place(), &Err(end.clone()));
                    return Err(end);
                }
            }
        }
    }

    /// Ends the transaction of a run that failed.
    async fn stopped(
        &self,
        transaction: Transaction,
        stop: Stop,
        sql: &str,
        started: Instant,
        limits: Limits,
    ) -> RequestError {
        let elapsed = started.elapsed();
        match stop {
            Stop::Request(end) => {
                // There may be gigabytes on the way; they are not waited for.
                drop(transaction);
                end
            }
            Stop::Driver { error, .. } => {
                if breaks_connection(&error) {
                    drop(transaction.close());
                } else {
                    transaction.end("ROLLBACK").await;
                }
                let place = self.connector.place();
                of_statement(place, &error, sql, elapsed, limits.timeout)
            }
        }
    }

    /// Creates `slow_version()` on a connection of its own, which may write.
    pub(super) async fn install(&self) -> Result<(), RequestError> {
        let end = self.install_on_new().await;
        self.health.observe(self.connector.place(), &end);
        end
    }

    async fn install_on_new(&self) -> Result<(), RequestError> {
        let mut connection = self.connector.connect().await?;
        let limit = self.limits.timeout;
        let place = self.connector.place();
        let started = Instant::now();
        match timeout(
            limit + GRACE,
            sqlx::raw_sql(INSTALL).execute(&mut connection),
        )
        .await
        {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(match server_said(&error) {
                Some(said) if said.code() == "42501" => RequestError::Failed {
                    sqlstate: said.code().to_owned(),
                    detail: format!(
                        "{}: the user {} may not create functions here; run install as the \
                         owner of the database, or let the owner run: grant create on schema \
                         public to {}",
                        said.message(),
                        self.user,
                        self.user
                    )
                    .into(),
                },
                _ => of_statement(place, &error, INSTALL, started.elapsed(), limit),
            }),
            Err(_) => Err(RequestError::Timeout { limit }),
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy)]
enum Want {
    Rows,
    /// The names of the columns, without running the statement.
    Columns,
}

/// One statement, its arguments and bounds.
struct Work<'a> {
    sql: &'a str,
    arguments: &'a PgArguments,
    limits: Limits,
}

impl Work<'_> {
    async fn ask(&self, connection: &mut PgConnection, want: Want) -> Result<Rows, Stop> {
        let mut rows = match want {
            Want::Rows => self.rows(connection).await?,
            Want::Columns => Rows::default(),
        };
        if rows.count == 0 {
            rows.columns = self.columns(connection).await?;
        }
        Ok(rows)
    }

    /// Runs the statement and reads its rows one by one. A row that alone is over the bound never
    /// leaves the server: the driver would take it into memory whole. (`offset 0` keeps the
    /// planner from making the text twice.)
    async fn rows(&self, connection: &mut PgConnection) -> Result<Rows, Stop> {
        let Limits {
            max_rows,
            max_bytes,
            ..
        } = self.limits;
        let too_large = || Stop::Request(RequestError::TooLarge { limit: max_bytes });
        let sql = format!(
            "select case when octet_length(_unslow_row_) <= {max_bytes} then _unslow_row_ end \
             from (select row_to_json(_unslow_.*)::text as _unslow_row_ from (\
             select * from (\n{sql}\n) _q limit {limit}) _unslow_ offset 0) _unslow_rows_",
            sql = self.sql,
            limit = max_rows.min(i64::MAX as u64 - 1) + 1,
        );
        let mut rows = Rows::default();
        let mut stream = self.query(sql).fetch(connection);
        loop {
            let row = match stream.try_next().await {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(rows),
                Err(error) => {
                    return Err(Stop::Driver {
                        error,
                        after_rows: rows.count > 0,
                    });
                }
            };
            if rows.count == max_rows {
                // The one row more that was asked for to know this; the end follows.
                rows.truncated = true;
                continue;
            }
            let Some(text) = text(&row)? else {
                return Err(too_large());
            };
            if rows.count == 0 {
                rows.columns = json::column_names(text).map_err(Stop::Request)?;
            } else {
                rows.json.push(b',');
            }
            json::push_row(&mut rows.json, text);
            rows.count += 1;
            if rows.json.len() as u64 > max_bytes {
                return Err(too_large());
            }
        }
    }

    /// Asks for the names of the columns without running the statement: one row of nulls.
    async fn columns(&self, connection: &mut PgConnection) -> Result<Vec<String>, Stop> {
        let sql = format!(
            "select row_to_json(_unslow_.*)::text from (select _q.* from (values(1)) _v \
             left join (select * from (\n{}\n) _i limit 0) _q on false) _unslow_",
            self.sql
        );
        let row = self
            .query(sql)
            .fetch_one(connection)
            .await
            .map_err(|error| Stop::Driver {
                error,
                after_rows: false,
            })?;
        json::column_names(text(&row)?.unwrap_or(b"{}")).map_err(Stop::Request)
    }

    /// As an unnamed statement: a named one could be another client's behind a pooler.
    fn query(&self, sql: String) -> PgQuery<'static, sqlx::Postgres, PgArguments> {
        sqlx::query_with(AssertSqlSafe(sql), self.arguments.clone()).persistent(false)
    }
}

/// The row's one value, as it lies in the driver's buffer; `None` where it is null.
fn text(row: &PgRow) -> Result<Option<&[u8]>, Stop> {
    let internal = |error: Error| {
        Stop::Request(RequestError::Internal {
            detail: error.to_string().into(),
        })
    };
    let value = row.try_get_raw(0).map_err(internal)?;
    if value.is_null() {
        return Ok(None);
    }
    value
        .as_bytes()
        .map(Some)
        .map_err(|error| internal(Error::Decode(error)))
}
