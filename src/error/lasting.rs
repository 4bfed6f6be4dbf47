//! The codes of a database for failures that last until somebody changes the query, the database or
//! the rights in it: to ask again cannot help.

/// Tells whether a failure of this code lasts. One that is not known may pass.
pub(super) fn is_lasting(sqlstate: &str) -> bool {
    /// A feature that is missing, a subquery of several rows, a value that cannot be worked with, a
    /// constraint, a login, a database or schema that is not there, and the syntax or rights.
    const CLASSES: [&str; 8] = ["0A", "21", "22", "23", "28", "3D", "3F", "42"];
    // SQLite has one code for what a statement cannot be, and one for values of the wrong type.
    matches!(sqlstate, "SQLITE_ERROR" | "SQLite code 20")
        || (sqlstate.len() == 5 && CLASSES.iter().any(|class| sqlstate.starts_with(class)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_lasts() {
        for code in [
            "42601",
            "42P01",
            "42501",
            "3F000",
            "28000",
            "22012",
            "0A000",
            "SQLITE_ERROR",
        ] {
            assert!(is_lasting(code), "{code}");
        }
        for code in [
            "40P01", "53200", "55P03", "57014", "58030", "08006", "P0001", "XX000",
        ] {
            assert!(!is_lasting(code), "{code}");
        }
        assert!(!is_lasting("SQLite code 7"));
    }
}
