//! Reading one result of PostgreSQL: the statement that makes rows into JSON text, the one that
//! only names its columns, and the bounds on what is taken from the server.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Error, Postgres, Row, ValueRef};

use super::budget::{ResultBudget, row_bound};
use super::json;
use super::limits::Limits;
use super::rows::Rows;
use crate::error::RequestError;

/// The reason why reading a result ended early.
pub(super) enum ReadStop {
    /// The driver's error, whether a row had come before it, and how many characters stood before
    /// the query's own SQL in what was sent.
    Driver {
        error: Error,
        after_rows: bool,
        lead: usize,
    },
    /// A bound was passed, or the result cannot be used.
    Request(RequestError),
}

/// The thing that is asked for.
#[derive(Clone, Copy)]
pub(super) enum WantedResult {
    Rows,
    /// The names of the columns, without running the statement.
    Columns,
}

/// One statement, its arguments and bounds.
pub(super) struct StatementRun<'a> {
    pub(super) sql: &'a str,
    pub(super) arguments: &'a PgArguments,
    pub(super) limits: Limits,
    pub(super) budget: &'a Arc<ResultBudget>,
}

impl StatementRun<'_> {
    pub(super) async fn run_wanted(
        &self,
        connection: &mut PgConnection,
        want: WantedResult,
    ) -> Result<Rows, ReadStop> {
        let mut rows = match want {
            WantedResult::Rows => self.read_rows(connection).await?,
            WantedResult::Columns => Rows::default(),
        };
        if rows.count == 0 {
            rows.columns = self.read_columns(connection).await?;
        }
        Ok(rows)
    }

    /// Runs the statement and reads its rows one by one. The bound on rows stands outside a
    /// materialised CTE: a limit around the statement would let the planner choose another plan,
    /// and the CTE's scan stops at the bound all the same. A row that alone is over the bound on
    /// bytes never leaves the server: the driver would take it into memory whole. (`offset 0`
    /// keeps the planner from making the text twice.)
    async fn read_rows(&self, connection: &mut PgConnection) -> Result<Rows, ReadStop> {
        let Limits {
            max_rows,
            max_bytes,
            ..
        } = self.limits;
        let too_large = |limit| ReadStop::Request(RequestError::TooLarge { limit });
        let max_row = row_bound(max_bytes);
        let lead = format!("with _q as {} (\n", materialized_word(connection));
        let sql = format!(
            "{lead}{sql}\n) \
             select case when octet_length(_unslow_row_) <= {max_row} then _unslow_row_ end \
             from (select row_to_json(_unslow_.*)::text as _unslow_row_ from (\
             select * from _q limit {limit}) _unslow_ offset 0) _unslow_rows_",
            sql = self.sql,
            limit = max_rows.min(i64::MAX as u64 - 1) + 1,
        );
        let mut rows = Rows::default();
        let mut share = self.budget.begin_share();
        let mut stream = self.unnamed_query(sql).fetch(connection);
        loop {
            let row = match stream.try_next().await {
                Ok(Some(row)) => row,
                Ok(None) => {
                    rows.share = Some(Arc::new(share));
                    return Ok(rows);
                }
                Err(error) => {
                    return Err(ReadStop::Driver {
                        error,
                        after_rows: rows.count > 0,
                        lead: lead.len(),
                    });
                }
            };
            if rows.count == max_rows {
                // The one row more that was asked for to know this; the end follows.
                rows.truncated = true;
                continue;
            }
            let Some(text) = row_text(&row)? else {
                return Err(too_large(max_row));
            };
            let length = rows.json.len() + 1 + json::length_of_row(text.as_bytes());
            if length as u64 > max_bytes.saturating_add(1) {
                return Err(too_large(max_bytes));
            }
            share.grow_to(length as u64).map_err(ReadStop::Request)?;
            json::make_room(&mut rows.json, length);
            if rows.count == 0 {
                rows.columns = json::column_names(&text).map_err(ReadStop::Request)?;
            } else {
                rows.json.push(b',');
            }
            json::push_row(&mut rows.json, text.as_bytes());
            rows.count += 1;
            if rows.json.len() as u64 > max_bytes {
                return Err(too_large(max_bytes));
            }
        }
    }

    /// Asks for the names of the columns without running the statement: one row of nulls.
    async fn read_columns(&self, connection: &mut PgConnection) -> Result<Vec<String>, ReadStop> {
        const LEAD: &str = "select row_to_json(_unslow_.*)::text from (select _q.* from \
             (values(1)) _v left join (select * from (\n";
        let sql = format!("{LEAD}{}\n) _i limit 0) _q on false) _unslow_", self.sql);
        let row = self
            .unnamed_query(sql)
            .fetch_one(connection)
            .await
            .map_err(|error| ReadStop::Driver {
                error,
                after_rows: false,
                lead: LEAD.len(),
            })?;
        json::column_names(&row_text(&row)?.unwrap_or(Cow::Borrowed("{}")))
            .map_err(ReadStop::Request)
    }

    /// Asks by an unnamed statement: a named one could be another client's behind a pooler.
    fn unnamed_query(&self, sql: String) -> Query<'static, Postgres, PgArguments> {
        sqlx::query_with(AssertSqlSafe(sql), self.arguments.clone()).persistent(false)
    }
}

/// Returns the word that keeps the planner from merging a CTE with what reads it. Before PostgreSQL
/// 12 there was no such word, and every CTE was kept apart.
fn materialized_word(connection: &PgConnection) -> &'static str {
    match connection.server_version_num() {
        Some(..120_000) => "",
        _ => "materialized",
    }
}

/// Returns the row's one value; `None` where it is null. A database without an encoding
/// (`SQL_ASCII`) can hold what is not UTF-8; JSON cannot.
fn row_text(row: &PgRow) -> Result<Option<Cow<'_, str>>, ReadStop> {
    let internal = |error: Error| {
        ReadStop::Request(RequestError::Internal {
            detail: error.to_string().into(),
        })
    };
    let value = row.try_get_raw(0).map_err(internal)?;
    if value.is_null() {
        return Ok(None);
    }
    let bytes = value
        .as_bytes()
        .map_err(|error| internal(Error::Decode(error)))?;
    Ok(Some(String::from_utf8_lossy(bytes)))
}
