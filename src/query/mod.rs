//! The catalog of named queries. A query is a `.sql` file with a header of comments:
//!
//! - `catalog` holds the queries by name, from embedded files and from those that `folder` finds;
//! - `file` reads one file: `header` its keys (in the comments that `comments` finds),
//!   `declaration` its parameters, `statement` (on the tokens of `tokens`) its SQL;
//! - `params` turns what a client sent into [`Arguments`]; `value`, `number`, `moment` and `list`
//!   own the types and their canonical forms, `type_name` the names of types;
//! - `schema` (with `pattern`) says in JSON Schema what a parameter takes.
//!
//! Nothing here runs a query or knows a connection.

mod catalog;
mod comments;
mod declaration;
mod file;
mod folder;
mod header;
mod list;
mod moment;
mod number;
mod params;
mod pattern;
mod schema;
mod source_map;
mod statement;
mod tokens;
mod type_name;
mod value;

use std::time::Duration;

pub use catalog::Catalog;
pub use params::{Allowed, Param, ParamDefault};
pub use source_map::SourceMap;
pub use statement::Statement;
pub use value::{Arguments, ParamType, Value};

use crate::error::{RequestError, StartupError};

/// On which kind of database a query is offered, and whose SQL placeholders are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatabaseKind {
    /// A PostgreSQL server.
    Postgres,
    /// SQLite, in the binary or a file.
    Sqlite,
}

impl DatabaseKind {
    /// Its word in a `database` header line.
    pub fn name(self) -> &'static str {
        match self {
            DatabaseKind::Postgres => "postgres",
            DatabaseKind::Sqlite => "sqlite",
        }
    }
}

/// Who may read a query, as its header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// It says nothing: whoever `[access]` lets in; without that section, everybody.
    #[default]
    AsConfigured,
    /// Everybody.
    Open,
    /// Whoever `[access]` lets in, and there has to be such a section.
    Token,
}

/// One named query.
#[derive(Debug)]
pub struct Query {
    /// Its name in URLs: the stem of its file.
    pub name: String,
    /// Its file as messages name it.
    pub file: String,
    /// It comes with the program, as a sample.
    pub is_embedded: bool,
    /// It is a sample that no list of queries shows, because there are others.
    pub is_hidden: bool,
    /// Its place in the catalog; counters are kept by it.
    pub index: usize,
    /// What pages call it; its name where the header has none.
    pub title: String,
    /// More about it, for pages.
    pub description: Option<String>,
    /// Its parameters, in order of declaration.
    pub params: Vec<Param>,
    /// What its header says about caching and limits.
    pub policy: QueryPolicy,
    /// Who may read it.
    pub access: Access,
    kind: DatabaseKind,
    statement: Statement,
}

/// What a query's header says about caching and limits; `None` means: as in the settings.
#[derive(Debug, Clone)]
pub struct QueryPolicy {
    /// How long an answer is fresh; not zero.
    pub ttl: Option<Duration>,
    /// How long past `ttl` a stale copy is served while a refresh runs; zero: never.
    pub stale_while_revalidate: Option<Duration>,
    /// How long past `ttl` a stale copy is served because loading fails; zero: never.
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
    /// A header that says nothing.
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

impl Query {
    /// The query in the text of a file `NAME.sql`, as if it were alone in a catalog.
    ///
    /// Besides what can be wrong in the file, it is an error when its `database` line is for
    /// another kind.
    pub fn parse(kind: DatabaseKind, name: &str, text: &str) -> Result<Query, StartupError> {
        let file = format!("{name}.sql");
        file::read(kind, &file, name, text.as_bytes())?
            .query
            .ok_or_else(|| {
                StartupError::new(format!("this query is not for {}", kind.name()))
                    .at(file)
                    .remedy("change its `database` line or choose another database")
            })
    }

    /// Types, checks and completes what a client sent: every pair must name a declared parameter,
    /// each at most once. An empty value of any type but text counts as not sent, as a form sends
    /// a field that is left empty; an empty text is a text, or null where null is the default.
    ///
    /// The error is a [`RequestError::BadParameter`] that names the parameter and what it takes.
    pub fn arguments(&self, pairs: &[(String, String)]) -> Result<Arguments, RequestError> {
        params::arguments(&self.params, pairs)
    }

    /// Values that stand for a call where none is at hand: the defaults, and null for a parameter
    /// without one.
    pub fn some_arguments(&self) -> Arguments {
        let value = |param: &Param| match &param.default {
            ParamDefault::Value(value) => value.clone(),
            ParamDefault::Required => Value::Null,
        };
        Arguments(self.params.iter().map(value).collect())
    }

    /// Whether the database is asked the same as by another: statement and parameters are equal.
    pub fn asks_the_same(&self, other: &Query) -> bool {
        self.kind == other.kind && self.statement == other.statement && self.params == other.params
    }

    /// Returns the query's file, with line and column where the error names them.
    pub fn locate(&self, error: &RequestError) -> String {
        match error.position() {
            Some(position) => format!("{}:{position}", self.file),
            None => self.file.clone(),
        }
    }

    /// The SQL with the database's placeholders. `kind` is the one that the query was loaded for:
    /// a catalog holds statements for that one only.
    pub fn statement(&self, kind: DatabaseKind) -> &Statement {
        debug_assert_eq!(
            kind, self.kind,
            "a catalog is used with the database it was loaded for"
        );
        &self.statement
    }
}
