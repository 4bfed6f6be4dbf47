//! A named query: its SQL, its parameters and its rules, as a file declares them. How a file is
//! read is in `file`, what clients send is read in `params`.

use super::kind::DatabaseKind;
use super::params::{self, Param, ParamDefault};
use super::policy::{QueryAccess, QueryPolicy};
use super::statement::Statement;
use super::value::{Arguments, Value, canonical_texts};
use crate::error::RequestError;

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
    /// The title on pages; its name where the header has none.
    pub title: String,
    /// More about it, for pages.
    pub description: Option<String>,
    /// Its parameters, in order of declaration.
    pub params: Vec<Param>,
    /// The rules of its header about caching and limits.
    pub policy: QueryPolicy,
    /// The clients that may read it.
    pub access: QueryAccess,
    pub(super) kind: DatabaseKind,
    pub(super) statement: Statement,
}

impl Query {
    /// Types, checks and completes what a client sent: every pair must name a declared parameter,
    /// each at most once. An empty value of any type but text counts as not sent, as a form sends
    /// a field that is left empty; an empty text is a text, or null where null is the default.
    ///
    /// The error is a [`RequestError::BadParameter`] that names the parameter and what it takes.
    pub fn read_arguments(&self, pairs: &[(String, String)]) -> Result<Arguments, RequestError> {
        params::read_arguments(&self.params, pairs)
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

    /// Returns whether the database is asked the same as by another: statement and parameters are
    /// equal.
    pub fn asks_the_same(&self, other: &Query) -> bool {
        self.kind == other.kind && self.statement == other.statement && self.params == other.params
    }

    /// Returns the query's file, with line and column where the error names them.
    pub fn locate_error(&self, error: &RequestError) -> String {
        match error.position() {
            Some(position) => format!("{}:{position}", self.file),
            None => self.file.clone(),
        }
    }

    /// Returns the SQL with the database's placeholders. `kind` is the one that the query was
    /// loaded for: a catalog holds statements for that one only.
    pub fn statement_for(&self, kind: DatabaseKind) -> &Statement {
        debug_assert_eq!(
            kind, self.kind,
            "a catalog is used with the database it was loaded for"
        );
        &self.statement
    }
    /// Returns the parameters of a call, by its [`Arguments::canonical`] bytes, for pages:
    /// `since=2026-01-01, top=10`, without those that are null. `None` where they may not be shown,
    /// or are not those of this query.
    pub fn shown_params(&self, canonical: &[u8]) -> Option<String> {
        let texts = canonical_texts(canonical).filter(|texts| texts.len() == self.params.len())?;
        let named = self.params.iter().zip(texts);
        let named = named.filter_map(|(param, text)| Some(format!("{}={}", param.name, text?)));
        let named: Vec<String> = named.collect();
        self.policy.show_params.then(|| named.join(", "))
    }
}
