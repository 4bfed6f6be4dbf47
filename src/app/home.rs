//! The queries that the settings offer, and the demands of both on each other: the query of the
//! page at `/` has to be there, and a query which is to be protected has to have readers.

use crate::error::StartupError;
use crate::query::{Catalog, DatabaseKind, ParamDefault};
use crate::settings::{DatabaseTarget, Settings};

/// Returns the queries that these settings offer.
///
/// # Errors
/// A query file that is not acceptable.
pub fn open_catalog(settings: &Settings) -> Result<Catalog, StartupError> {
    let (kind, dir) = (database_kind(settings), settings.queries_dir.as_deref());
    match settings.database {
        DatabaseTarget::Demo => Catalog::load(kind, dir),
        _ => Catalog::load_for_own_database(kind, dir),
    }
}

/// Checks that the page at `/` has its query, which runs without parameters, and that `[access]`
/// says who may read a query that is to be protected.
///
/// # Errors
/// One of the two is not so.
pub fn require_home(catalog: &Catalog, settings: &Settings) -> Result<(), StartupError> {
    catalog.require_access(settings.access.is_restricted())?;
    let home = &settings.server.home;
    let place = "--home / [server] home";
    let Some(query) = catalog.get(home) else {
        let remedy = match catalog.nearest_name(home) {
            Some(near) => format!("did you mean {near:?}? `unslow queries` lists them all"),
            None => "`unslow queries` lists them all".to_owned(),
        };
        let what = format!("there is no query named {home:?}");
        return Err(StartupError::new(what).at_place(place).with_remedy(remedy));
    };
    let required = |default: &ParamDefault| *default == ParamDefault::Required;
    let Some(param) = query.params.iter().find(|param| required(&param.default)) else {
        return Ok(());
    };
    let name = &param.name;
    Err(StartupError::new(format!(
        "the query {home:?} cannot be the page at `/`: its parameter `{name}` has no default"
    ))
    .at_place(place)
    .with_remedy(format!(
        "give `{name}` a default in {} (`= VALUE`, or `= null`), or name another query",
        query.file
    )))
}

/// Returns the kind of database the settings name.
pub fn database_kind(settings: &Settings) -> DatabaseKind {
    match settings.database {
        DatabaseTarget::Postgres(_) => DatabaseKind::Postgres,
        DatabaseTarget::Demo | DatabaseTarget::SqliteFile(_) => DatabaseKind::Sqlite,
    }
}

/// Returns the names of the queries, in the catalog's order.
pub(super) fn query_names(catalog: &Catalog) -> impl Iterator<Item = &str> {
    catalog.iter().map(|query| query.name.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::query::DatabaseKind;

    fn required(file: &str, home: &str) -> Result<(), StartupError> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("mine.sql"), file).unwrap();
        let catalog = Catalog::load(DatabaseKind::Sqlite, Some(dir.path())).unwrap();
        let settings = Settings::from_flags(&["--home", home]).unwrap();
        require_home(&catalog, &settings)
    }

    #[test]
    fn a_home_query_with_a_required_parameter_is_refused() {
        let file = "-- param: a text = x\n-- param: b integer\nselect :a, :b";
        let error = required(file, "mine").unwrap_err().to_string();
        for words in ["[server] home", "\"mine\"", "`b`", "mine.sql", "= VALUE"] {
            assert!(error.contains(words), "{words} is not in {error}");
        }
        required("-- param: b integer = null\nselect :b", "mine").unwrap();
        required(file, "version").unwrap();
    }

    #[test]
    fn a_home_query_that_does_not_exist_is_refused() {
        let error = required("select 1", "mien").unwrap_err().to_string();
        assert!(error.contains("did you mean \"mine\"?"), "{error}");
    }
}
