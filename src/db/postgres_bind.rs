//! A query's arguments for PostgreSQL, each with its type, so that the server never has to guess
//! one and the driver never has to ask. What has no native form here goes as canonical text: the
//! statement casts it.

use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo, Postgres};
use sqlx::{Arguments as _, Type};

use crate::error::RequestError;
use crate::query::{Arguments, ParamType, Query, Value};

/// Returns the arguments for the placeholders of a query's statement, in their order.
pub(super) fn bind_arguments(
    query: &Query,
    args: &Arguments,
    placeholders: &[usize],
) -> Result<PgArguments, RequestError> {
    let mut bound = PgArguments::default();
    for &index in placeholders {
        let kind = &query.params[index].kind;
        bound
            .add(TypedArgument {
                kind,
                value: &args.0[index],
            })
            .map_err(|error| RequestError::Internal {
                detail: format!("parameter {}: {error}", query.params[index].name).into(),
            })?;
    }
    Ok(bound)
}

struct TypedArgument<'a> {
    kind: &'a ParamType,
    value: &'a Value,
}

impl Type<Postgres> for TypedArgument<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(type_oid(&ParamType::Text))
    }
}

/// Returns the types' fixed numbers in `pg_type`.
fn type_oid(kind: &ParamType) -> Oid {
    Oid(match kind {
        ParamType::Boolean => 16,
        ParamType::Bigint => 20,
        ParamType::Integer => 23,
        ParamType::Text
        | ParamType::Number
        | ParamType::Date
        | ParamType::Timestamp
        | ParamType::Uuid
        | ParamType::Named(_)
        | ParamType::List(_) => 25,
    })
}

impl Encode<'_, Postgres> for TypedArgument<'_> {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match self.value {
            Value::Null => return Ok(IsNull::Yes),
            Value::Integer(number) => buf.extend_from_slice(&number.to_be_bytes()),
            Value::Bigint(number) => buf.extend_from_slice(&number.to_be_bytes()),
            Value::Boolean(truth) => buf.push(u8::from(*truth)),
            Value::Text(text)
            | Value::Number(text)
            | Value::Date(text)
            | Value::Timestamp(text)
            | Value::Uuid(text) => buf.extend_from_slice(text.as_bytes()),
            Value::List(_) => {
                let literal = self.value.array_literal().unwrap_or_default();
                buf.extend_from_slice(literal.as_bytes());
            }
        }
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(type_oid(self.kind)))
    }
}
