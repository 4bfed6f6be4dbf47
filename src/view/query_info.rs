//! A query as the pages describe it.

use std::time::Duration;

use crate::query::{Param, Query};

/// The facts about a query that pages show. Its SQL is never shown, and the TTL that applies is
/// known only together with the settings.
#[derive(Debug, Clone, Copy)]
pub struct QueryInfo<'a> {
    /// Its name in the URL, `[a-z0-9_-]{1,64}`.
    pub name: &'a str,
    /// Its heading.
    pub title: &'a str,
    /// The subject of the query, in a sentence or two.
    pub description: Option<&'a str>,
    /// Its parameters in order of declaration.
    pub params: &'a [Param],
    /// The time for which an answer is fresh; `None` where it is not cached.
    pub ttl: Option<Duration>,
}

impl<'a> QueryInfo<'a> {
    /// Returns what pages may say of `query`, where `default_ttl` is the TTL of the settings.
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
