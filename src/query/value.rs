//! Typed parameter values: how the text of each type is read, its one canonical form, the order
//! of values, and the bytes that stand for a call in a cache key. It knows no parameters.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::{list, moment, number};

/// The type of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamType {
    /// Any text.
    Text,
    /// 32 bits, PostgreSQL's `integer`.
    Integer,
    /// 64 bits, PostgreSQL's `bigint`.
    Bigint,
    /// An exact decimal number, PostgreSQL's `numeric`.
    Number,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// A moment, PostgreSQL's `timestamptz`.
    Timestamp,
    /// A UUID.
    Uuid,
    /// Any other type of PostgreSQL, by its checked name.
    Named(Arc<str>),
    /// A list of values of a type, which is no list.
    List(Arc<ParamType>),
}

impl ParamType {
    /// Every type that this program knows, in the order in which they are listed to users.
    pub const ALL: [ParamType; 8] = [
        ParamType::Text,
        ParamType::Integer,
        ParamType::Bigint,
        ParamType::Number,
        ParamType::Boolean,
        ParamType::Date,
        ParamType::Timestamp,
        ParamType::Uuid,
    ];

    /// Returns the type's name in a `param` line.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            ParamType::Named(name) => Cow::Borrowed(name),
            ParamType::List(element) => Cow::Owned(format!("{}[]", element.name())),
            known => Cow::Borrowed(known.known_name().unwrap_or_default()),
        }
    }

    /// Returns the name of a type that this program knows.
    pub(super) fn known_name(&self) -> Option<&'static str> {
        Some(match self {
            ParamType::Text => "text",
            ParamType::Integer => "integer",
            ParamType::Bigint => "bigint",
            ParamType::Number => "number",
            ParamType::Boolean => "boolean",
            ParamType::Date => "date",
            ParamType::Timestamp => "timestamp",
            ParamType::Uuid => "uuid",
            ParamType::Named(_) | ParamType::List(_) => return None,
        })
    }

    /// Returns the type's name in SQL for PostgreSQL.
    pub(super) fn postgres_name(&self) -> Cow<'_, str> {
        match self {
            ParamType::Number => "numeric".into(),
            ParamType::Timestamp => "timestamptz".into(),
            ParamType::List(element) => format!("{}[]", element.postgres_name()).into(),
            other => other.name(),
        }
    }

    /// Returns its elements' type where it is a list, else the type itself.
    pub fn element_type(&self) -> &ParamType {
        match self {
            ParamType::List(element) => element,
            scalar => scalar,
        }
    }

    /// Returns what a client may send, in words.
    pub fn describe_values(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            ParamType::Text => "a text",
            ParamType::Integer => "a whole number from -2147483648 to 2147483647",
            ParamType::Bigint => "a whole number of 64 bits",
            ParamType::Number => "a decimal number",
            ParamType::Boolean => "true or false",
            ParamType::Date => "a date like 2026-01-31",
            ParamType::Timestamp => "a timestamp like 2026-01-31T12:00:00Z",
            ParamType::Uuid => "a UUID like 123e4567-e89b-12d3-a456-426614174000",
            ParamType::Named(name) => return format!("a value of the type {name}").into(),
            ParamType::List(element) => {
                let each = element.describe_values();
                return format!("a list with commas between its values, each {each}").into();
            }
        })
    }

    /// Returns what a value of it is called where its bounds follow.
    pub(super) fn bound_noun(&self) -> Cow<'_, str> {
        match self {
            ParamType::Integer | ParamType::Bigint => "a whole number".into(),
            ParamType::Number => "a number".into(),
            ParamType::Date => "a date".into(),
            ParamType::Timestamp => "a timestamp".into(),
            other => other.describe_values(),
        }
    }

    /// Returns whether its values may be limited by a range.
    pub(super) fn has_ranges(&self) -> bool {
        match self {
            ParamType::Text | ParamType::Boolean | ParamType::Uuid | ParamType::Named(_) => false,
            ParamType::List(element) => element.has_ranges(),
            _ => true,
        }
    }

    /// Reads a value and brings it into canonical form. Spaces around it do not count, except in
    /// a text. The error is what the text is instead, to follow the quoted text in a message.
    pub(super) fn read(&self, text: &str) -> Result<Value, &'static str> {
        let bare = text.trim_ascii();
        Ok(match self {
            ParamType::Text | ParamType::Named(_) => Value::Text(text.to_owned()),
            ParamType::List(element) => return read_list(element, &[text]),
            ParamType::Integer => Value::Integer(
                whole_number(bare)?
                    .parse()
                    .map_err(|_| "is too large for a whole number of 32 bits")?,
            ),
            ParamType::Bigint => Value::Bigint(
                whole_number(bare)?
                    .parse()
                    .map_err(|_| "is too large for a whole number of 64 bits")?,
            ),
            ParamType::Number => Value::Number(number::canonical_number(bare)?),
            ParamType::Boolean => Value::Boolean(read_boolean(bare)?),
            ParamType::Date => Value::Date(moment::canonical_date(bare)?),
            ParamType::Timestamp => Value::Timestamp(moment::canonical_timestamp(bare)?),
            ParamType::Uuid => Value::Uuid(read_uuid(bare)?),
        })
    }
}

/// A typed parameter value in canonical form. Displayed, it is the text a client would send for
/// it; [`Value::Null`] displays as nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// SQL's null.
    Null,
    /// The text as it was sent.
    Text(String),
    /// 32 bits.
    Integer(i32),
    /// 64 bits.
    Bigint(i64),
    /// True or false.
    Boolean(bool),
    /// Canonical decimal text: no leading `+`, no needless zeros, no exponent.
    Number(String),
    /// `2026-01-01`
    Date(String),
    /// RFC 3339 in UTC: `2026-01-01T00:00:00Z`, with a fraction only where it is not zero.
    Timestamp(String),
    /// Lower case with dashes.
    Uuid(String),
    /// Values of one type, none of them null, in their order.
    List(Vec<Value>),
}

impl Value {
    /// Returns the literal of an array that PostgreSQL reads, where it is a list.
    pub fn array_literal(&self) -> Option<String> {
        match self {
            Value::List(items) => Some(list::array_literal(items.iter().map(Value::to_string))),
            _ => None,
        }
    }

    /// Orders two values of one type that has ranges; `None` for any others.
    pub(super) fn compare_values(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
            (Value::Bigint(a), Value::Bigint(b)) => Some(a.cmp(b)),
            (Value::Number(a), Value::Number(b)) => Some(number::compare_numbers(a, b)),
            (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
            // `…:00Z` is before `…:00.5Z`, but `Z` sorts after `.`.
            (Value::Timestamp(a), Value::Timestamp(b)) => {
                Some(a.trim_end_matches('Z').cmp(b.trim_end_matches('Z')))
            }
            _ => None,
        }
    }

    /// Returns a byte of its own for each type, so that `1` and `"1"` differ in a key.
    fn type_tag(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Text(_) => 1,
            Value::Integer(_) => 2,
            Value::Bigint(_) => 3,
            Value::Number(_) => 4,
            Value::Boolean(_) => 5,
            Value::Date(_) => 6,
            Value::Timestamp(_) => 7,
            Value::Uuid(_) => 8,
            Value::List(_) => 9,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Integer(n) => write!(f, "{n}"),
            Value::Bigint(n) => write!(f, "{n}"),
            Value::Boolean(b) => write!(f, "{b}"),
            Value::Text(s)
            | Value::Number(s)
            | Value::Date(s)
            | Value::Timestamp(s)
            | Value::Uuid(s) => f.write_str(s),
            Value::List(items) => f.write_str(&list::join_list(items.iter().map(Value::to_string))),
        }
    }
}

/// The values of one call, one for each declared parameter in order of declaration, defaults
/// filled in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Arguments(pub Vec<Value>);

impl Arguments {
    /// Canonical bytes for the cache key: each value with its type, length-prefixed. Two calls
    /// have the same bytes exactly when they have the same values.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for value in &self.0 {
            let text = value.to_string();
            bytes.push(value.type_tag());
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }
}

/// Returns the texts of the values in [`Arguments::canonical`] bytes, `None` for null.
pub(super) fn canonical_texts(mut canonical: &[u8]) -> Option<Vec<Option<&str>>> {
    let mut texts = Vec::new();
    while let Some((tag, rest)) = canonical.split_first() {
        let (length, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
        let (text, rest) = rest.split_at_checked(length)?;
        let text = std::str::from_utf8(text).ok()?;
        texts.push((*tag != Value::Null.type_tag()).then_some(text));
        canonical = rest;
    }
    Some(texts)
}

/// Returns a list from texts that each hold some of its elements, as a client may send one text or
/// several.
pub(super) fn read_list(element: &ParamType, texts: &[&str]) -> Result<Value, &'static str> {
    let mut items = Vec::new();
    for text in texts {
        for item in list::split_list(text)? {
            if items.len() == list::MOST {
                return Err("has more than 1000 values");
            }
            items.push(element.read(&item)?);
        }
    }
    Ok(Value::List(items))
}

/// Returns the digits of a whole number of any size. JSON and browsers take `5.0` and `1e3` for
/// whole numbers, so they are here.
fn whole_number(text: &str) -> Result<Cow<'_, str>, &'static str> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(text.into());
    }
    match number::canonical_number(text) {
        Ok(number) if !number.contains('.') => Ok(number.into()),
        _ => Err("is not a whole number"),
    }
}

/// The words for the two, in whatever case.
pub(super) const BOOLEANS: [(&str, bool); 8] = [
    ("true", true),
    ("1", true),
    ("yes", true),
    ("on", true),
    ("false", false),
    ("0", false),
    ("no", false),
    ("off", false),
];

fn read_boolean(text: &str) -> Result<bool, &'static str> {
    let found = BOOLEANS
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text));
    let (_, value) = found.ok_or("is neither true nor false")?;
    Ok(*value)
}

fn read_uuid(text: &str) -> Result<String, &'static str> {
    let bare = text
        .strip_prefix('{')
        .and_then(|s| s.strip_suffix('}'))
        .unwrap_or(text);
    // The lengths of the two plain forms: the crate would take `urn:uuid:` and more braces too.
    if bare.len() != 32 && bare.len() != 36 {
        return Err("is not a UUID");
    }
    uuid::Uuid::try_parse(bare)
        .map(|uuid| uuid.to_string())
        .map_err(|_| "is not a UUID")
}

#[cfg(test)]
mod tests;
