//! Other settings while the program runs: whether the database goes on under them, and whether
//! one that is to be used from now on answers.

use super::contact::ContactResult;
use super::database::Database;
use crate::error::RequestError;
use crate::settings::{DatabaseTarget, Settings};

impl Database {
    /// Returns whether the database of one set of settings is that of the other too, with all that
    /// is fixed when it is opened. What each run is given anew ([`super::Limits`]) is no matter.
    pub fn is_same(before: &Settings, after: &Settings) -> bool {
        let fixed = |settings: &Settings| match settings.database {
            DatabaseTarget::Postgres(_) => (None, Some(settings.limits.timezone.clone())),
            DatabaseTarget::Demo | DatabaseTarget::SqliteFile(_) => (
                Some((settings.limits.max_result, settings.demo_delay)),
                None,
            ),
        };
        before.database == after.database
            && before.limits.pool_size == after.limits.pool_size
            && fixed(before) == fixed(after)
    }

    /// Returns whether a load could begin now; takes about two seconds at most. What comes of it is
    /// remembered only if it is good news. Must be called on the engine runtime. Dropping the
    /// future abandons it.
    ///
    /// # Errors
    /// The database is away, does not let us in, or takes no more connections.
    pub async fn check_load(&self) -> Result<(), RequestError> {
        let contact = self.health_cell().ask_once().await;
        let detail = match contact {
            ContactResult::Answered => {
                self.health_cell().report_contact(contact);
                return Ok(());
            }
            ContactResult::Full(cause)
            | ContactResult::Away(cause)
            | ContactResult::Doubtful(cause) => cause.words,
            ContactResult::Nothing => "it does not answer in time".into(),
        };
        Err(RequestError::Unavailable { detail })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn is_same(before: &[&str], after: &[&str]) -> bool {
        let settings = |flags: &[&str]| Settings::from_flags(flags).unwrap();
        Database::is_same(&settings(before), &settings(after))
    }

    #[test]
    fn a_database_goes_on_unless_something_it_was_opened_with_has_changed() {
        const URL: [&str; 2] = ["--database-url", "postgres://a@localhost/b"];
        let with = |flags: &[&'static str]| [&URL, flags].concat();
        for same in [&[][..], &["--ttl", "1s"], &["--statement-timeout", "1s"]] {
            assert!(is_same(&[], same), "{same:?}");
            assert!(is_same(&URL, &with(same)), "{same:?}");
        }
        for other in [
            &["--pool-size", "3"][..],
            &["--database-url", "sqlite:Cargo.toml"],
        ] {
            assert!(!is_same(&[], other), "{other:?}");
        }
        for other in [
            ["--pool-size", "3"],
            ["--db-sslmode", "require"],
            ["--db-host", "elsewhere"],
        ] {
            assert!(!is_same(&URL, &with(&other)), "{other:?}");
        }
        let with_delay = ["--demo-delay", "1s"];
        assert!(!is_same(&[], &with_delay));
        assert!(is_same(&URL, &with(&with_delay)));
        let password = [("DATABASE_URL", "postgres://a:secret@localhost/b")];
        assert!(!Database::is_same(
            &Settings::from_flags(&URL).unwrap(),
            &Settings::from_flags_with(&[], &password).unwrap()
        ));
    }
}
