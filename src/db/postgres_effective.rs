//! The question which settings are in force in a session, of those that decide the rows: what a role,
//! a database or the server brings (`ALTER ROLE … SET search_path`) is as good as a part of the
//! statement. It is asked with each run, so that it holds behind a pooler, too. What `unslow` sets
//! itself is not asked for.

use std::sync::{PoisonError, RwLock};

use super::postgres_session::literal;

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

/// The settings that are asked for.
pub(super) struct EffectiveSettings {
    names: RwLock<Vec<String>>,
}

/// The column that asks a new session for the names of custom settings (`app.tenant`) that its role or
/// its database has: `pg_settings` does not list them. Line feeds are between them.
pub(super) const CUSTOM_NAMES: &str = ", \
     (SELECT pg_catalog.string_agg(pg_catalog.split_part(c, '=', 1), E'\\n') \
     FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) c \
     WHERE c LIKE '%.%=%' AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database \
     WHERE datname = pg_catalog.current_database())) AND s.setrole IN (0, \
     (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user)))";

/// The column that asks for a word of what the role and the database bring into new sessions. Once it
/// is another one than when a session began, that session is none of today's.
pub(super) const BROUGHT: &str = ", \
     (SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat_ws(' ', s.setdatabase, s.setrole, \
     pg_catalog.array_to_string(s.setconfig, E'\\n')), E'\\n' ORDER BY s.setdatabase, s.setrole)) \
     FROM pg_catalog.pg_db_role_setting s WHERE s.setdatabase IN (0, \
     (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())) \
     AND s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user)))";

impl EffectiveSettings {
    /// Asks for those that PostgreSQL has, and for these further ones.
    pub(super) fn new<'a>(sets_path: bool, further: impl Iterator<Item = &'a str>) -> Self {
        let usual = DECISIVE.iter().copied();
        let mut names: Vec<String> = usual
            .filter(|name| !(sets_path && *name == "search_path"))
            .chain(further)
            .map(str::to_owned)
            .collect();
        names.sort_unstable();
        names.dedup();
        EffectiveSettings {
            names: RwLock::new(names),
        }
    }

    /// Takes up the names that [`CUSTOM_NAMES`] has brought. Returns whether one of them is new.
    pub(super) fn learn(&self, custom: Option<&str>) -> bool {
        let custom = custom.unwrap_or_default().lines();
        let is_new = |name: &&str| {
            let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
            !names.iter().any(|known| known == name)
        };
        let new: Vec<&str> = custom.filter(is_new).collect();
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        names.extend(new.iter().map(|name| (*name).to_owned()));
        names.sort_unstable();
        names.dedup();
        !new.is_empty()
    }

    /// Takes up the custom settings that a statement reads or sets, so that a session in which one has
    /// been set is told from a new one: `ROLLBACK` leaves an empty text where there was nothing, which
    /// a function that another statement calls may read.
    pub(super) fn learn_from(&self, sql: &str) {
        self.learn(Some(&named_by(sql).join("\n")));
    }

    /// Returns the column that asks: a digest of the user who acts and of each setting that there is,
    /// with its name, so that the digest is the same where further names are asked for in vain.
    pub(super) fn column(&self) -> String {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let literals: Vec<String> = names.iter().map(|name| literal(name)).collect();
        format!(
            ", pg_catalog.md5(pg_catalog.concat(current_user, E'\\n', session_user, \
             (SELECT pg_catalog.string_agg(E'\\n' || n || '=' || \
             pg_catalog.current_setting(n, true), '' ORDER BY n COLLATE \"C\") \
             FROM pg_catalog.unnest(ARRAY[{}]) n)))",
            literals.join(",")
        )
    }
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
        assert!(!settings.column().contains("search_path"));
        assert_eq!(settings.column().matches("E'IntervalStyle'").count(), 1);
        assert!(!settings.learn(None) && !settings.learn(Some("app.tenant")));
        assert!(settings.learn(Some("app.tenant\napp.o'clock")));
        assert!(!settings.learn(Some("app.o'clock")));
        assert!(
            settings.column().contains(r"E'app.o\'clock'"),
            "{}",
            settings.column()
        );
        let every = EffectiveSettings::new(false, std::iter::empty());
        assert!(every.column().contains("E'search_path'"));
    }
}
