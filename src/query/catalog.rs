//! The catalog: the embedded query files and the user's own, by name. It owns which of two wins;
//! which files there are and what stands in them is read elsewhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rust_embed::RustEmbed;

use super::definition::Query;
use super::file::{QueryFile, read};
use super::folder::{QueryFolder, SUFFIX, look_into, unreadable_error};
use super::kind::DatabaseKind;
use crate::error::StartupError;
use crate::text::words::nearest_word;

/// The sample that is the page at `/` where nobody names another.
const FIRST_SAMPLE: &str = "version";

#[derive(RustEmbed)]
#[folder = "sql/queries/"]
struct EmbeddedQueries;

/// All queries by name, in order.
#[derive(Debug, Default)]
pub struct Catalog {
    queries: BTreeMap<String, Arc<Query>>,
    notes: Vec<String>,
    protected_at: Option<String>,
}

impl Catalog {
    /// Embedded queries for this kind of database, then the user's own from `dir` (which replace
    /// embedded ones of the same name).
    ///
    /// The first file that is not as it must be is the error, with its line and the remedy.
    pub fn load(kind: DatabaseKind, dir: Option<&Path>) -> Result<Catalog, StartupError> {
        Catalog::read(kind, dir, true)
    }

    /// Returns the same for a database that is not the demo's. The samples are about the demo's
    /// tables, so on SQLite only `version` is offered of them; among queries of the user's own it
    /// is the only one on PostgreSQL too, and no list shows it.
    ///
    /// # Errors
    /// As [`Catalog::load`].
    pub fn load_for_own_database(
        kind: DatabaseKind,
        dir: Option<&Path>,
    ) -> Result<Catalog, StartupError> {
        Catalog::read(kind, dir, false)
    }

    fn read(
        kind: DatabaseKind,
        dir: Option<&Path>,
        is_demo: bool,
    ) -> Result<Catalog, StartupError> {
        let mut found: BTreeMap<String, Query> = BTreeMap::new();
        let mut notes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut protected: BTreeMap<String, Option<String>> = BTreeMap::new();
        let mut add = |stem: &str, file: QueryFile, is_embedded: bool| {
            if let Some(mut query) = file.query {
                query.is_embedded = is_embedded;
                found.insert(stem.to_owned(), query);
                notes.insert(stem.to_owned(), file.notes);
                protected.insert(stem.to_owned(), file.protected_at);
            }
        };
        for name in EmbeddedQueries::iter() {
            let Some((stem, file)) = name.strip_suffix(SUFFIX).zip(EmbeddedQueries::get(&name))
            else {
                continue;
            };
            add(
                stem,
                read(kind, &format!("embedded {name}"), stem, &file.data)?,
                true,
            );
        }
        let QueryFolder { files, passed_over } =
            dir.map(look_into).transpose()?.unwrap_or_default();
        for (stem, path) in files {
            let bytes = std::fs::read(&path)
                .map_err(|error| unreadable_error("query file", &path, &error))?;
            add(
                &stem,
                read(kind, &path.display().to_string(), &stem, &bytes)?,
                false,
            );
        }

        if !is_demo {
            leave_out_samples(kind, &mut found);
        }
        let queries = found
            .into_iter()
            .enumerate()
            .map(|(index, (name, mut query))| {
                query.index = index;
                (name, Arc::new(query))
            });
        Ok(Catalog {
            queries: queries.collect(),
            notes: passed_over
                .into_iter()
                .chain(notes.into_values().flatten())
                .collect(),
            protected_at: protected.into_values().flatten().next(),
        })
    }

    /// Returns the query of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Query>> {
        self.queries.get(name)
    }

    /// Returns all queries, by name; the place of each is its [`Query::index`].
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Query>> {
        self.queries.values()
    }

    /// Returns the queries that lists show, by name.
    pub fn listed_queries(&self) -> impl Iterator<Item = &Arc<Query>> {
        self.iter().filter(|query| !query.is_hidden)
    }

    /// The name that was most likely meant, where none is `name`.
    pub fn nearest_name(&self, name: &str) -> Option<&str> {
        nearest_word(name, self.queries.keys().map(String::as_str))
    }

    /// Makes sure that what is said to be protected is: `restricted` says whether the settings let
    /// only some read the queries.
    ///
    /// # Errors
    /// A file says `access: token`, and everybody could read it.
    pub fn require_access(&self, restricted: bool) -> Result<(), StartupError> {
        let Some(place) = self.protected_at.as_ref().filter(|_| !restricted) else {
            return Ok(());
        };
        let what = "`access: token`, but no setting says who may: everybody could read this query";
        Err(StartupError::new(what).at_place(place).with_remedy(
            "set [access] token_file (--access-token-file) or [access] allow (--access-allow)",
        ))
    }

    /// Returns one line, `FILE:LINE: …`, for each thing in the files that has no effect.
    pub fn file_notes(&self) -> &[String] {
        &self.notes
    }
}

/// Leaves out the samples but for the one that began it all, where the database is the user's own.
fn leave_out_samples(kind: DatabaseKind, found: &mut BTreeMap<String, Query>) {
    let has_own = found.values().any(|query| !query.is_embedded);
    let fits = kind == DatabaseKind::Postgres && !has_own;
    found.retain(|name, query| !query.is_embedded || fits || name == FIRST_SAMPLE);
    for query in found.values_mut() {
        query.is_hidden = has_own && query.is_embedded;
    }
}

#[cfg(test)]
mod tests;
