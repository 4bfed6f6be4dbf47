//! The pages: pure functions from plain data to maud markup. They own words, structure and form
//! of what a browser shows; where the data comes from, status codes and headers are `web`'s. No
//! await, no I/O, and nothing inline: the pages live under a CSP that allows neither a `style`
//! attribute nor a script in the markup, so lengths of bars are SVG attributes.
//!
//! One file per page, over the parts they share: `frame` (what stands around every page),
//! `address` (every link to a query), `provenance` (where an answer came from), `race` (a load and a copy compared), `table`, `form`
//! with `input`, and `format`. What is for machines and terminals, not for browsers, is in
//! `export`.

mod address;
mod catalog;
mod error;
pub mod export;
mod form;
pub mod format;
mod frame;
mod home;
mod input;
mod provenance;
mod query;
mod race;
mod stats;
mod table;
#[cfg(test)]
mod tests;
mod verdict;

use std::time::Duration;

use crate::query::{Param, Query};

pub use address::address;
pub use catalog::catalog;
pub use error::{ErrorPage, error};
pub use frame::{Assets, Frame, Here};
pub use home::{Home, Outline, home};
pub use provenance::Provenance;
pub use query::{QueryPage, query};
pub use race::{Comparison, Race};
pub use stats::{Evicted, NotReloaded, PART, StatsPage, StatsSort, live, stats};
pub use table::{Cell, Table};

/// What the pages say about a query. Not the query itself: its SQL is never shown, and the TTL
/// that applies is known only together with the settings.
#[derive(Debug, Clone, Copy)]
pub struct QueryInfo<'a> {
    /// Its name in the URL, `[a-z0-9_-]{1,64}`.
    pub name: &'a str,
    /// Its heading.
    pub title: &'a str,
    /// What it is about, in a sentence or two.
    pub description: Option<&'a str>,
    /// Its parameters in order of declaration.
    pub params: &'a [Param],
    /// How long an answer is fresh; `None` where it is not cached.
    pub ttl: Option<Duration>,
}

impl<'a> QueryInfo<'a> {
    /// What pages may say of `query`, where `default_ttl` is the TTL of the settings.
    pub fn new(query: &'a Query, default_ttl: Duration) -> Self {
        let policy = &query.policy;
        QueryInfo {
            name: &query.name,
            title: &query.title,
            description: query.description.as_deref(),
            params: &query.params,
            ttl: policy.cached.then(|| policy.ttl.unwrap_or(default_ttl)),
        }
    }
}

/// Why there is no value, in the words a client may read.
#[derive(Debug, Clone, Copy)]
pub struct Failure<'a> {
    /// The HTTP status of the answer.
    pub status: u16,
    /// `RequestError::public_message`, never its `Display`.
    pub message: &'a str,
    /// The request's id, which also stands in the log.
    pub id: &'a str,
    /// When it is worth asking again.
    pub retry_after: Option<Duration>,
}
