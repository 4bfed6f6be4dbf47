//! The rows of one run.

use std::sync::Arc;

use super::budget::ResultShare;
use super::system::DatabaseSystem;

/// The rows of one run.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// Column names in order, also when there are no rows.
    pub columns: Vec<String>,
    /// The rows as JSON objects, joined by commas, without the brackets: `{…},{…}`.
    pub json: Vec<u8>,
    /// The number of rows that there are in `json`.
    pub count: u64,
    /// There were more than `max_rows`.
    pub truncated: bool,
    /// The database that they come from; `None` where that cannot be told, because it was replaced
    /// while it was read.
    pub system: Option<DatabaseSystem>,
    /// The memory that `json` takes of what there is for all results.
    pub(super) share: Option<Arc<ResultShare>>,
}
