//! A statement of SQLite: binding its arguments, naming its columns, and writing its rows as the
//! JSON text that PostgreSQL would give for the same values.

use std::sync::Arc;

use futures_util::TryStreamExt;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{Sqlite as Driver, SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column, Decode, Error, Executor, Row, SqlSafeStr, Statement,
    TypeInfo, ValueRef,
};

use super::budget::{ResultBudget, ResultShare, row_bound};
use super::float::push_float;
use super::json::{
    length_of_blob, length_of_string, make_room, push_blob, push_fmt, push_string,
    refuse_duplicates,
};
use super::limits::Limits;
use super::rows::Rows;
use super::sqlite_fault::SqliteStop;
use super::sqlite_offset::error_offset;
use crate::error::RequestError;
use crate::query::{Arguments, Value};

/// The bytes up to which a row is only estimated.
const SMALL: usize = 256 << 10;
/// The bytes that a number takes at most, and a null.
const LONGEST_NUMBER: usize = 32;

/// Returns the arguments for the placeholders of a statement, in their order. What SQLite has no
/// type for goes as canonical text; the statement casts a decimal.
pub(super) fn bind_arguments(
    args: &Arguments,
    placeholders: &[usize],
) -> Result<SqliteArguments, RequestError> {
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
        Value::Text(text)
        | Value::Number(text)
        | Value::Date(text)
        | Value::Timestamp(text)
        | Value::Uuid(text) => bound.add(text.clone()),
        // A query with one is refused when its file is read.
        Value::List(_) => Err("SQLite binds no lists".into()),
    }
}

/// Returns the names of the statement's columns. It is compiled, not run. (The names that the
/// wrapped statement reports differ: SQLite makes them unique.)
async fn column_names(
    connection: &mut SqliteConnection,
    sql: &str,
) -> Result<Vec<String>, SqliteStop> {
    let prepared = connection.prepare(AssertSqlSafe(sql).into_sql_str()).await;
    let statement = match prepared {
        Ok(statement) => statement,
        Err(error) => {
            let byte = error_offset(connection).await;
            return Err(SqliteStop::Driver { error, byte });
        }
    };
    let names: Vec<_> = statement
        .columns()
        .iter()
        .map(|column| column.name().to_owned())
        .collect();
    refuse_duplicates(&names).map_err(SqliteStop::Request)?;
    Ok(names)
}

/// Runs the statement and writes its rows one by one, up to the bounds; without arguments only
/// names its columns.
pub(super) async fn read(
    connection: &mut SqliteConnection,
    sql: &str,
    arguments: Option<SqliteArguments>,
    limits: Limits,
    budget: &Arc<ResultBudget>,
) -> Result<Rows, SqliteStop> {
    let columns = column_names(connection, sql).await?;
    let mut rows = Rows {
        columns,
        ..Rows::default()
    };
    let Some(arguments) = arguments else {
        return Ok(rows);
    };
    // Within a subquery it can only be one statement, and only a read.
    let limit = limits.max_rows.min(i64::MAX as u64 - 1) + 1;
    let sql = format!("select * from (\n{sql}\n) limit {limit}");
    let mut writer = RowWriter::new(&rows.columns, limits.max_bytes, budget);
    let mut stream = sqlx::query_with(AssertSqlSafe(sql), arguments)
        .persistent(false)
        .fetch(connection);
    while let Some(row) = stream.try_next().await? {
        if rows.count == limits.max_rows {
            rows.truncated = true;
            continue;
        }
        writer.write(&row)?;
        rows.count += 1;
    }
    rows.json = writer.json;
    rows.share = Some(Arc::new(writer.share));
    Ok(rows)
}

/// The JSON text of rows, as far as they are written, with the memory that it may take.
struct RowWriter {
    json: Vec<u8>,
    /// Each column's name as it stands before its value.
    keys: Vec<Vec<u8>>,
    max_bytes: u64,
    share: ResultShare,
}

impl RowWriter {
    fn new(columns: &[String], max_bytes: u64, budget: &Arc<ResultBudget>) -> RowWriter {
        let key = |(index, name): (usize, &String)| {
            let mut key = vec![if index == 0 { b'{' } else { b',' }];
            push_string(&mut key, name.as_bytes());
            key.push(b':');
            key
        };
        RowWriter {
            json: Vec::new(),
            keys: columns.iter().enumerate().map(key).collect(),
            max_bytes,
            share: budget.begin_share(),
        }
    }

    /// Writes a row. It is weighed whole before a byte of it is copied, so that the buffer grows
    /// once and by what it needs; a small row is only estimated, at most six times too high.
    fn write(&mut self, row: &SqliteRow) -> Result<(), SqliteStop> {
        let mut length = self.weigh_row(row, |text| 6 * text.len())?;
        if length > SMALL {
            length = self.weigh_row(row, length_of_string)?;
            let most = row_bound(self.max_bytes);
            if length as u64 > most {
                return Err(too_large(most));
            }
            self.check_length(self.json.len() + length)?;
        }
        let length = self.json.len() + length;
        self.share
            .grow_to(length as u64)
            .map_err(SqliteStop::Request)?;
        make_room(&mut self.json, length);
        if !self.json.is_empty() {
            self.json.push(b',');
        }
        for (index, key) in self.keys.iter().enumerate() {
            self.json.extend_from_slice(key);
            push_value(&mut self.json, row, index)?;
        }
        self.json.push(b'}');
        self.check_length(self.json.len())
    }

    /// Returns the bytes that a row takes as JSON, with the text of a value measured by `measure`.
    fn weigh_row(
        &self,
        row: &SqliteRow,
        measure: impl Fn(&[u8]) -> usize,
    ) -> Result<usize, SqliteStop> {
        let mut sum = 2;
        for (index, key) in self.keys.iter().enumerate() {
            let value = row.try_get_raw(index)?;
            let length = match value.type_info().name() {
                "BLOB" => length_of_blob(decode(value)?),
                "TEXT" => 2 + measure(decode(value)?),
                _ => LONGEST_NUMBER,
            };
            sum += key.len() + length;
        }
        Ok(sum)
    }

    fn check_length(&self, length: usize) -> Result<(), SqliteStop> {
        if length as u64 > self.max_bytes {
            return Err(too_large(self.max_bytes));
        }
        Ok(())
    }
}

fn too_large(limit: u64) -> SqliteStop {
    SqliteStop::Request(RequestError::TooLarge { limit })
}

fn push_value(out: &mut Vec<u8>, row: &SqliteRow, index: usize) -> Result<(), SqliteStop> {
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        out.extend_from_slice(b"null");
        return Ok(());
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
        // SQLite's text may hold any bytes.
        _ => push_string(out, decode(value)?),
    }
    Ok(())
}

fn decode<'r, T: Decode<'r, Driver>>(
    value: <Driver as sqlx::Database>::ValueRef<'r>,
) -> Result<T, Error> {
    T::decode(value).map_err(Error::Decode)
}
