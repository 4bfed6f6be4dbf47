//! Rules that a query's header gives for its answers: who may read them, how long they are kept,
//! what bounds them. Rules that settings give are not here.

use std::time::Duration;

/// The clients that may read a query, as its header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueryAccess {
    /// It says nothing: whoever `[access]` lets in; without that section, everybody.
    #[default]
    AsConfigured,
    /// Everybody.
    Open,
    /// The clients that `[access]` lets in, and there has to be such a section.
    Token,
}

/// The rules of a query's header about caching and limits; `None` means: as in the settings.
#[derive(Debug, Clone)]
pub struct QueryPolicy {
    /// The time for which an answer is fresh; not zero.
    pub ttl: Option<Duration>,
    /// The time past `ttl` for which a stale copy is served while a refresh runs; zero: never.
    pub stale_while_revalidate: Option<Duration>,
    /// The time past `ttl` for which a stale copy is served because loading fails; zero: never.
    pub stale_if_error: Option<Duration>,
    /// The statement timeout; not zero.
    pub timeout: Option<Duration>,
    /// The most rows of an answer, at least 1.
    pub max_rows: Option<u64>,
    /// `cache: off` makes this false.
    pub cached: bool,
    /// The most loads of this query at once, at least 1.
    pub concurrency: Option<u64>,
    /// Tags by which the database makes it stale; without effect on SQLite.
    pub notify: Vec<String>,
    /// Load it at start; then all its parameters have defaults.
    pub warm: bool,
    /// Reload it that often, while it is read; at least a second.
    pub refresh: Option<Duration>,
    /// Its parameters may appear on the page `/stats`.
    pub show_params: bool,
}

impl Default for QueryPolicy {
    /// Returns a header that says nothing.
    fn default() -> QueryPolicy {
        QueryPolicy {
            ttl: None,
            stale_while_revalidate: None,
            stale_if_error: None,
            timeout: None,
            max_rows: None,
            cached: true,
            concurrency: None,
            notify: Vec::new(),
            warm: false,
            refresh: None,
            show_params: false,
        }
    }
}
