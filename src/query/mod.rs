//! The catalog of named queries.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{RequestError, StartupError};

/// On which kind of database a query is offered, and whose SQL placeholders are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatabaseKind {
    Postgres,
    Sqlite,
}

/// All queries by name, in order.
#[derive(Debug, Default)]
pub struct Catalog {
    queries: BTreeMap<String, Arc<Query>>,
}

impl Catalog {
    /// Embedded queries for this kind of database, then the user's own from `dir` (which replace
    /// embedded ones of the same name).
    pub fn load(kind: DatabaseKind, dir: Option<&Path>) -> Result<Catalog, StartupError> {
        let _ = (kind, dir);
        todo!()
    }
    pub fn get(&self, name: &str) -> Option<&Arc<Query>> {
        self.queries.get(name)
    }
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Query>> {
        self.queries.values()
    }
}

/// One named query.
#[derive(Debug)]
pub struct Query {
    pub name: String,
    /// Its place in the catalog; counters are kept by it.
    pub index: usize,
    pub title: String,
    pub description: Option<String>,
    pub params: Vec<Param>,
    pub policy: QueryPolicy,
    /// The statement as written, header and trailing `;` removed.
    pub source: String,
    // + the parsed template
}

/// What a query's header says about caching and limits; `None` means: as in the settings.
#[derive(Debug, Clone, Default)]
pub struct QueryPolicy {
    pub ttl: Option<Duration>,
    pub stale_while_revalidate: Option<Duration>,
    pub stale_if_error: Option<Duration>,
    pub timeout: Option<Duration>,
    pub max_rows: Option<u64>,
    /// `cache: off` makes this false.
    pub cached: bool,
}

#[derive(Debug, Clone)]
pub struct Param {
    pub name: String,
    pub kind: ParamType,
    pub default: ParamDefault,
    pub allowed: Allowed,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ParamDefault {
    Required,
    /// `= null`, or a canonical value
    Value(Value),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Allowed {
    Anything,
    List(Vec<Value>),
    /// inclusive at both ends
    Range(Value, Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamType { Text, Integer, Bigint, Number, Boolean, Date, Timestamp, Uuid }

/// A typed parameter value in canonical form.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Text(String),
    Integer(i32),
    Bigint(i64),
    Boolean(bool),
    /// canonical decimal text: no leading `+`, no needless zeros, no exponent
    Number(String),
    /// `2026-01-01`
    Date(String),
    /// RFC 3339 in UTC
    Timestamp(String),
    /// lower case with dashes
    Uuid(String),
}

/// The values of one call, one for each declared parameter in order of declaration, defaults
/// filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Arguments(pub Vec<Value>);

impl Arguments {
    /// Canonical bytes for the cache key: each value with its type, length-prefixed.
    pub fn canonical(&self) -> Vec<u8> { todo!() }
}

impl Query {
    /// Types, checks and completes what a client sent.
    pub fn arguments(&self, pairs: &[(String, String)]) -> Result<Arguments, RequestError> {
        let _ = pairs;
        todo!()
    }

    /// The SQL with this database's placeholders, and which argument (index into
    /// [`Arguments`]) each placeholder takes, in order.
    pub fn statement(&self, kind: DatabaseKind) -> (&str, &[usize]) {
        let _ = kind;
        todo!()
    }
}
