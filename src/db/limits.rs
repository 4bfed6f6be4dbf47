//! The bounds of one run.

use std::time::Duration;

use crate::query::Query;
use crate::settings::DatabaseLimits;

/// The time after the statement's own limit at which a server that says nothing is given up.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// The bounds of one run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The time for the statement, from its start; the database itself ends it then.
    pub timeout: Duration,
    /// More rows than this are cut off.
    pub max_rows: u64,
    /// Bytes of JSON; a larger result is an error.
    pub max_bytes: u64,
}

impl Limits {
    /// Returns those of this query: its file's word, else the settings'.
    pub fn for_query(query: &Query, settings: &DatabaseLimits) -> Limits {
        let own = &query.policy;
        Limits {
            timeout: own.timeout.unwrap_or(settings.statement_timeout),
            max_rows: own.max_rows.unwrap_or(settings.max_rows),
            max_bytes: settings.max_result,
        }
    }
}
