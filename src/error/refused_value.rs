//! The words for a parameter's value that only the database can refuse, by the database's code. It
//! decides which codes speak of values; whose value it was is not known here.

use std::fmt;
use std::sync::Arc;

use super::position::FilePosition;

/// Returns the reason in words for a client; `None` where the code does not speak of a value.
pub(crate) fn refusal_reason(sqlstate: &str) -> Option<&'static str> {
    Some(match sqlstate {
        "22012" => "it leads to a division by zero",
        "22003" => "it leads out of the range of a number",
        "22P02" | "22018" | "22P03" => "it is not of the type that the query makes of it",
        "22007" | "22008" | "22009" => "it is no date or time that the database takes",
        "22021" | "22P05" => "it holds a character that the database's encoding lacks",
        "2201W" | "2201X" => "a number of rows must not be negative",
        "2201B" => "it is no regular expression",
        "22001" => "it is too long",
        "22030" | "22032" | "22033" => "it is no JSON that the query can use",
        "23502" | "23514" => "it is not within the bounds of its type",
        code if code.starts_with("22") => "the query cannot work with it",
        _ => return None,
    })
}

/// A value that a client sent and the database refused. Shown, it is the sentence for the client.
#[derive(Debug)]
pub struct RefusedValue {
    /// The parameter, where it can be told.
    pub parameter: Option<String>,
    /// The database's code for the error, or the standard's for what SQLite says.
    pub sqlstate: String,
    /// The database's own words, which may hold the value.
    pub detail: Arc<str>,
    /// The place in the query's file, where the database names one.
    pub position: Option<Box<FilePosition>>,
}

impl fmt::Display for RefusedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the database refused ")?;
        match &self.parameter {
            Some(name) => write!(f, "the value of parameter {name}")?,
            None => f.write_str("the value of a parameter")?,
        }
        let reason = refusal_reason(&self.sqlstate).unwrap_or("the query cannot work with it");
        write!(f, ": {reason}")
    }
}
