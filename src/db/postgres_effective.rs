//! The question which settings are in force in a session, of those that decide the rows: what a
//! role, a database or the server brings (`ALTER ROLE … SET search_path`) is as good as a part of
//! the statement. It is asked with each run, so that it holds behind a pooler, too. What `unslow`
//! sets itself is not asked for.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use super::postgres_literal::quote_literal;

/// Settings of PostgreSQL that change what rows come out, or how their values are written.
const DECISIVE: &[&str] = &[
    "search_path",
    "DateStyle",
    "IntervalStyle",
    "extra_float_digits",
    "bytea_output",
    "xmlbinary",
    "xmloption",
    "default_text_search_config",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "array_nulls",
    "row_security",
    "standard_conforming_strings",
    "backslash_quote",
    "transform_null_equals",
    "timezone_abbreviations",
    "quote_all_identifiers",
    "gin_fuzzy_search_limit",
];

/// The settings that are asked for, and the column that asks.
pub(super) struct EffectiveSettings {
    asked: RwLock<AskedSettings>,
}

struct AskedSettings {
    names: BTreeSet<String>,
    column: Arc<str>,
}

/// The column that asks for what the role and the database bring into new sessions, a line for each
/// setting. Once it is another text than when a session began, that session is none of today's. It
/// names custom settings (`app.tenant`), too, which `pg_settings` does not list.
pub(super) const BROUGHT: &str = ", \
     (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(E'\\n', s.setdatabase, s.setrole, \
     pg_catalog.array_to_string(s.setconfig, E'\\n')), E'\\n' ORDER BY s.setdatabase, s.setrole) \
     FROM pg_catalog.pg_db_role_setting s WHERE s.setdatabase IN (0, \
     (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())) \
     AND s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user)))";

impl EffectiveSettings {
    /// Asks for those that PostgreSQL has, and for these further ones.
    pub(super) fn new<'a>(sets_path: bool, further: impl Iterator<Item = &'a str>) -> Self {
        let usual = DECISIVE.iter().copied();
        let usual = usual.filter(|name| !(sets_path && *name == "search_path"));
        let names: BTreeSet<String> = usual.chain(further).map(str::to_owned).collect();
        EffectiveSettings {
            asked: RwLock::new(AskedSettings {
                column: write_column(&names).into(),
                names,
            }),
        }
    }

    /// Takes up the names in what [`BROUGHT`] has brought. Returns whether one of them is new.
    pub(super) fn learn_brought(&self, brought: &str) -> bool {
        let settings = brought.lines().filter_map(|line| line.split_once('='));
        let names = settings.map(|(name, _)| name);
        self.learn_names(names.filter(|name| name.contains('.')))
    }

    /// Takes up the custom settings that a statement reads or sets, so that a session in which one
    /// has been set is told from a new one: `ROLLBACK` leaves an empty text where there was
    /// nothing, which a function that another statement calls may read.
    pub(super) fn learn_from(&self, sql: &str) {
        self.learn_names(named_by(sql).into_iter());
    }

    fn learn_names<'a>(&self, names: impl Iterator<Item = &'a str>) -> bool {
        let mut asked = self.asked.write().unwrap_or_else(PoisonError::into_inner);
        let before = asked.names.len();
        asked.names.extend(names.map(str::to_owned));
        let has_new = asked.names.len() > before;
        if has_new {
            asked.column = write_column(&asked.names).into();
        }
        has_new
    }

    /// Returns the column that asks.
    pub(super) fn digest_column(&self) -> Arc<str> {
        let asked = self.asked.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&asked.column)
    }
}

/// Returns the column that asks for a digest of the user who acts and of each setting that there
/// is, with its name, so that the digest is the same where further names are asked for in vain.
fn write_column(names: &BTreeSet<String>) -> String {
    let literals: Vec<String> = names.iter().map(|name| quote_literal(name)).collect();
    format!(
        ", pg_catalog.md5(pg_catalog.concat(current_user, E'\\n', session_user, \
         (SELECT pg_catalog.string_agg(E'\\n' || n || '=' || \
         pg_catalog.current_setting(n, true), '' ORDER BY n COLLATE \"C\") \
         FROM pg_catalog.unnest(ARRAY[{}]) n)))",
        literals.join(",")
    )
}

/// Returns the custom settings that a statement reads or sets by their names.
fn named_by(sql: &str) -> Vec<&str> {
    const FUNCTIONS: [&str; 2] = ["current_setting", "set_config"];
    let lower = sql.to_ascii_lowercase();
    let ends = |function: &'static str| {
        let places = lower.match_indices(function);
        places.map(move |(at, _)| at + function.len())
    };
    let named = FUNCTIONS.into_iter().flat_map(ends).filter_map(|at| {
        let argument = sql[at..].trim_start().strip_prefix('(')?.trim_start();
        let (name, _) = argument.strip_prefix('\'')?.split_once('\'')?;
        name.contains('.').then_some(name)
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_names_the_custom_settings_that_it_reads_or_sets() {
        let sql = "select 'é', current_setting('app.a', true), Current_Setting ( 'b.c' ), \
                   current_setting('TimeZone'), current_setting(:name), current_setting('x', set_config('d.e', '', true)";
        assert_eq!(named_by(sql), ["app.a", "b.c", "d.e"]);
    }

    #[test]
    fn names_are_asked_for_once_and_quoted() {
        let settings = EffectiveSettings::new(true, ["app.tenant", "IntervalStyle"].into_iter());
        assert!(!settings.digest_column().contains("search_path"));
        assert_eq!(
            settings.digest_column().matches("E'IntervalStyle'").count(),
            1
        );
        assert!(!settings.learn_brought("") && !settings.learn_brought("app.tenant=1"));
        assert!(settings.learn_brought("5\n0\napp.tenant=1\napp.o'clock=x=y\nwork_mem=1MB"));
        assert!(!settings.learn_brought("app.o'clock=z"));
        assert!(!settings.digest_column().contains("work_mem"));
        assert!(
            settings.digest_column().contains(r"E'app.o\'clock'"),
            "{}",
            settings.digest_column()
        );
        let every = EffectiveSettings::new(false, std::iter::empty());
        assert!(every.digest_column().contains("E'search_path'"));
    }
}
