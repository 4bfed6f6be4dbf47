//! The way in which the driver connects to PostgreSQL: by our settings alone.

use std::ffi::OsString;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::error::StartupError;
use crate::settings::{self, SslMode};

/// The environment that the driver reads by itself. The settings are the only source of how to
/// connect, so `main` removes these before the first thread starts.
pub const DRIVER_ENVIRONMENT: [&str; 13] = [
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGUSER",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGDATABASE",
    "PGAPPNAME",
    "PGSSLMODE",
    "PGSSLROOTCERT",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGOPTIONS",
];

/// Those of them that the driver's options cannot override.
const STUBBORN: [&str; 4] = ["PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGOPTIONS"];

/// Returns how to connect: from `target` and nothing else.
pub(super) fn connect_options(
    target: &settings::PostgresSettings,
) -> Result<PgConnectOptions, StartupError> {
    if let Some(name) = stubborn_variable(|name| std::env::var_os(name)) {
        return Err(
            StartupError::new(format!("{name} is set, and the driver would obey it"))
                .at_place("environment")
                .with_remedy(format!(
                    "unset {name}; unslow takes its connection from its settings only"
                )),
        );
    }
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&target.host)
        .port(target.port)
        .username(&target.user)
        // Set in any case: otherwise PGPASSWORD would be taken.
        .password(
            target
                .password
                .as_ref()
                .map_or("", |password| password.reveal()),
        )
        .database(&target.database)
        .ssl_mode(match target.sslmode {
            SslMode::Disable => PgSslMode::Disable,
            SslMode::Prefer => PgSslMode::Prefer,
            SslMode::Require => PgSslMode::Require,
            SslMode::VerifyCa => PgSslMode::VerifyCa,
            SslMode::VerifyFull => PgSslMode::VerifyFull,
        })
        .application_name(&target.application_name)
        // Older PgBouncers refuse this start-up parameter.
        .extra_float_digits(None)
        .statement_cache_capacity(0)
        .disable_statement_logging();
    if !target.options.is_empty() {
        let session = target.options.iter();
        options = options.options(session.map(|(name, value)| (name, value)));
    }
    if let Some(file) = &target.sslrootcert {
        let pem = settings::read_authorities(file, "[postgres] sslrootcert")?;
        options = options.ssl_root_cert_from_pem(pem);
    }
    Ok(options)
}

fn stubborn_variable(get: impl Fn(&str) -> Option<OsString>) -> Option<&'static str> {
    STUBBORN.into_iter().find(|name| get(name).is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn target() -> settings::PostgresSettings {
        settings::PostgresSettings {
            host: "db.example".into(),
            port: 5432,
            database: "shop".into(),
            user: "reader".into(),
            password: Some(settings::Secret::new("canary".into())),
            sslmode: SslMode::Prefer,
            sslrootcert: None,
            application_name: "unslow".into(),
            connect_timeout: None,
            search_path: None,
            options: Vec::new(),
        }
    }

    #[test]
    fn environment_that_cannot_be_overridden_is_noticed() {
        assert_eq!(stubborn_variable(|_| None), None);
        let set = |name: &str| (name == "PGOPTIONS").then(|| OsString::from("-c x=y"));
        assert_eq!(stubborn_variable(set), Some("PGOPTIONS"));
    }

    #[test]
    fn a_root_certificate_that_is_missing_or_none_is_a_startup_error_with_its_key() {
        let mut target = target();
        target.sslrootcert = Some("/nonexistent/ca.pem".into());
        let missing = connect_options(&target).unwrap_err();
        assert_eq!(missing.place.as_deref(), Some("[postgres] sslrootcert"));
        let file = tempfile::NamedTempFile::new().unwrap();
        target.sslrootcert = Some(file.path().into());
        assert!(
            connect_options(&target)
                .unwrap_err()
                .what
                .contains("no certificate")
        );
    }
}
