//! maud: pure functions from data to markup. No await, no I/O.

use std::time::Duration;

use maud::Markup;

use crate::outcome::Outcome;
use crate::query::{Catalog, Query};
use crate::stats::Snapshot;

/// Where the hashed assets are: `/static/style-<hash>.css`. Filled by `web::assets`.
#[derive(Debug, Clone)]
pub struct Assets { pub style: String, pub script: String, pub favicon: String }

/// What every page has around its content.
#[derive(Debug, Clone)]
pub struct Frame<'a> { pub assets: &'a Assets, pub version: Option<&'a str> }

/// Where this answer came from, for the panel beside the values.
#[derive(Debug, Clone)]
pub struct Provenance {
    pub outcome: Outcome,
    pub age: Duration,
    pub ttl: Duration,
    pub ttl_left: Duration,
    /// How long the database took when it was last asked (the long bar).
    pub load_time: Duration,
    /// How long this response took (the short bar).
    pub elapsed: Duration,
}

/// One cell as text, or null.
pub type Cell = Option<String>;

pub struct Table { pub columns: Vec<String>, pub rows: Vec<Vec<Cell>>, pub truncated: bool }

/// `GET /`: each column of the home query's first row is a section; one without a value is not drawn.
pub struct Home<'a> {
    pub query: &'a Query,
    pub host: Option<&'a str>,
    pub sections: Vec<(String, Cell)>,
    pub provenance: Option<Provenance>,
    /// this request's own time, `5.02462s`
    pub elapsed: Duration,
    /// public message + request id
    pub error: Option<(String, String)>,
}

pub struct QueryPage<'a> {
    pub query: &'a Query,
    /// What stands in the form: the text given for each parameter (or its default).
    pub form: Vec<(String, String)>,
    pub table: Option<Table>,
    pub provenance: Option<Provenance>,
    pub error: Option<(String, String)>,
    /// The query string to repeat for the JSON/CSV/NDJSON links, `?since=…` or empty.
    pub query_string: String,
}

pub fn home(frame: &Frame<'_>, page: &Home<'_>) -> Markup { let _ = (frame, page); todo!() }
pub fn catalog(frame: &Frame<'_>, catalog: &Catalog) -> Markup { let _ = (frame, catalog); todo!() }
pub fn query(frame: &Frame<'_>, page: &QueryPage<'_>) -> Markup { let _ = (frame, page); todo!() }
pub fn stats(frame: &Frame<'_>, snapshot: &Snapshot) -> Markup { let _ = (frame, snapshot); todo!() }
/// 4xx and 5xx away from a query's own page.
pub fn error(frame: &Frame<'_>, status: u16, message: &str, id: &str) -> Markup { let _ = (frame, status, message, id); todo!() }
