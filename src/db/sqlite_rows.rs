//! A statement of SQLite: binding its arguments, naming its columns, and writing its rows as the
//! JSON text that PostgreSQL would give for the same values.

use futures_util::TryStreamExt;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{Sqlite as Driver, SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column, Decode, Error, Executor, Row, SqlSafeStr, Statement,
    TypeInfo, ValueRef,
};

use super::float::push_float;
use super::json::{push_blob, push_fmt, push_string, refuse_duplicates};
use super::sqlite_fault::Stop;
use super::{Limits, Rows};
use crate::error::RequestError;
use crate::query::{Arguments, Value};

/// The bytes from which on a value or a result is large: its buffer grows by what it needs.
const LARGE: usize = 256 << 10;

/// The arguments for the placeholders of a statement, in their order. What SQLite has no type for
/// goes as canonical text; the statement casts a decimal.
pub(super) fn bind(
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
pub(super) async fn read(
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
        write_row(&mut rows.json, &keys, &row, limits.max_bytes)?;
        rows.count += 1;
    }
    Ok(rows)
}

/// Writes a row as JSON, and stops at the value that goes beyond the bound.
fn write_row(
    out: &mut Vec<u8>,
    keys: &[Vec<u8>],
    row: &SqliteRow,
    max_bytes: u64,
) -> Result<(), Stop> {
    let too_large = || Stop::Request(RequestError::TooLarge { limit: max_bytes });
    for (index, key) in keys.iter().enumerate() {
        out.extend_from_slice(key);
        let value = row.try_get_raw(index)?;
        // Its text as JSON is at least as long. A buffer that doubled would be twice the result.
        let least = length(row.try_get_raw(index)?)?;
        if (out.len() + least) as u64 > max_bytes {
            return Err(too_large());
        }
        if least > LARGE {
            out.reserve_exact(least + LARGE);
        } else if out.len() > LARGE && out.capacity() - out.len() < LARGE {
            out.reserve_exact(out.len() / 8);
        }
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
    if out.len() as u64 > max_bytes {
        return Err(too_large());
    }
    Ok(())
}

/// Returns the least number of bytes that a value takes as JSON; a blob is written with two digits
/// for each byte.
fn length(value: <Driver as sqlx::Database>::ValueRef<'_>) -> Result<usize, Error> {
    match value.type_info().name() {
        "BLOB" => Ok(2 * decode::<&[u8]>(value)?.len()),
        "TEXT" => Ok(decode::<&[u8]>(value)?.len()),
        _ => Ok(0),
    }
}

fn decode<'r, T: Decode<'r, Driver>>(
    value: <Driver as sqlx::Database>::ValueRef<'r>,
) -> Result<T, Error> {
    T::decode(value).map_err(Error::Decode)
}
