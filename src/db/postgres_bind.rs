//! A query's arguments in PostgreSQL's binary form, each with its declared type, so that the
//! server never has to guess a type and the driver never has to ask for one.

use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo, Postgres};
use sqlx::{Arguments as _, Type};
use time::format_description::well_known::Rfc3339;
use time::macros::{date, format_description};
use time::{Date, OffsetDateTime};

use crate::error::RequestError;
use crate::query::{Arguments, ParamType, Query, Value};

/// PostgreSQL counts days and microseconds from here.
const EPOCH: Date = date!(2000 - 01 - 01);

/// The arguments for the placeholders of a query's statement, in their order.
pub(super) fn bind(
    query: &Query,
    args: &Arguments,
    placeholders: &[usize],
) -> Result<PgArguments, RequestError> {
    let mut bound = PgArguments::default();
    for &index in placeholders {
        let kind = query.params[index].kind;
        bound
            .add(Typed {
                kind,
                value: &args.0[index],
            })
            .map_err(|error| RequestError::Internal {
                detail: format!("parameter {}: {error}", query.params[index].name).into(),
            })?;
    }
    Ok(bound)
}

struct Typed<'a> {
    kind: ParamType,
    value: &'a Value,
}

impl Type<Postgres> for Typed<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(oid(ParamType::Text))
    }
}

/// The types' fixed numbers in `pg_type`.
fn oid(kind: ParamType) -> Oid {
    Oid(match kind {
        ParamType::Boolean => 16,
        ParamType::Bigint => 20,
        ParamType::Integer => 23,
        ParamType::Text => 25,
        ParamType::Date => 1082,
        ParamType::Timestamp => 1184,
        ParamType::Number => 1700,
        ParamType::Uuid => 2950,
    })
}

impl Encode<'_, Postgres> for Typed<'_> {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match self.value {
            Value::Null => return Ok(IsNull::Yes),
            Value::Text(text) => buf.extend_from_slice(text.as_bytes()),
            Value::Integer(number) => buf.extend_from_slice(&number.to_be_bytes()),
            Value::Bigint(number) => buf.extend_from_slice(&number.to_be_bytes()),
            Value::Boolean(truth) => buf.push(u8::from(*truth)),
            Value::Number(decimal) => buf.extend_from_slice(&numeric(decimal)?),
            Value::Date(day) => buf.extend_from_slice(&days(day)?.to_be_bytes()),
            Value::Timestamp(moment) => buf.extend_from_slice(&micros(moment)?.to_be_bytes()),
            Value::Uuid(uuid) => buf.extend_from_slice(uuid::Uuid::parse_str(uuid)?.as_bytes()),
        }
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(oid(self.kind)))
    }
}

fn days(day: &str) -> Result<i32, BoxDynError> {
    let day = Date::parse(day, format_description!("[year]-[month]-[day]"))?;
    Ok(day.to_julian_day() - EPOCH.to_julian_day())
}

fn micros(moment: &str) -> Result<i64, BoxDynError> {
    let moment = OffsetDateTime::parse(moment, &Rfc3339)?;
    Ok(i64::try_from(
        (moment - EPOCH.midnight().assume_utc()).whole_microseconds(),
    )?)
}

/// A decimal in the wire form of `numeric`: groups of four digits, the weight of the first group,
/// the sign, and how many digits after the point to show.
fn numeric(decimal: &str) -> Result<Vec<u8>, BoxDynError> {
    const GROUP: usize = 4;
    let (negative, digits) = match decimal.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, decimal),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let lead = whole.len().next_multiple_of(GROUP);
    let tail = fraction.len().next_multiple_of(GROUP);
    let padded = format!("{whole:0>lead$}{fraction:0<tail$}");
    let mut groups = Vec::with_capacity(padded.len() / GROUP);
    for at in (0..padded.len()).step_by(GROUP) {
        groups.push(padded[at..at + GROUP].parse::<u16>()?);
    }
    let mut weight = i16::try_from(lead / GROUP)? - 1;
    let zeros = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..zeros);
    weight -= i16::try_from(zeros)?;
    let kept = groups
        .iter()
        .rposition(|group| *group != 0)
        .map_or(0, |last| last + 1);
    groups.truncate(kept);
    if groups.is_empty() {
        weight = 0;
    }
    let sign: u16 = if negative && !groups.is_empty() {
        0x4000
    } else {
        0
    };
    let mut wire = Vec::with_capacity(8 + 2 * groups.len());
    wire.extend_from_slice(&u16::try_from(groups.len())?.to_be_bytes());
    wire.extend_from_slice(&weight.to_be_bytes());
    wire.extend_from_slice(&sign.to_be_bytes());
    wire.extend_from_slice(&u16::try_from(fraction.len())?.to_be_bytes());
    wire.extend(groups.iter().flat_map(|group| group.to_be_bytes()));
    Ok(wire)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn wire(groups: &[u16], weight: i16, sign: u16, scale: u16) -> Vec<u8> {
        let mut wire = u16::try_from(groups.len()).unwrap().to_be_bytes().to_vec();
        wire.extend(weight.to_be_bytes());
        wire.extend(sign.to_be_bytes());
        wire.extend(scale.to_be_bytes());
        wire.extend(groups.iter().flat_map(|group| group.to_be_bytes()));
        wire
    }

    #[test]
    fn decimals_take_the_wire_form_of_numeric() {
        assert_eq!(numeric("0").unwrap(), wire(&[], 0, 0, 0));
        assert_eq!(numeric("1").unwrap(), wire(&[1], 0, 0, 0));
        assert_eq!(
            numeric("-12345.678").unwrap(),
            wire(&[1, 2345, 6780], 1, 0x4000, 3)
        );
        assert_eq!(numeric("0.00001").unwrap(), wire(&[1000], -2, 0, 5));
        assert_eq!(numeric("100000000").unwrap(), wire(&[1], 2, 0, 0));
        assert!(numeric("1e5").is_err());
    }

    #[test]
    fn dates_and_times_count_from_the_year_2000() {
        assert_eq!(days("2000-01-01").unwrap(), 0);
        assert_eq!(days("1999-12-31").unwrap(), -1);
        assert_eq!(days("2024-02-29").unwrap(), 8825);
        assert_eq!(micros("2000-01-01T00:00:01Z").unwrap(), 1_000_000);
        assert_eq!(micros("1999-12-31T23:59:59.5Z").unwrap(), -500_000);
        assert!(micros("yesterday").is_err());
    }
}
