//! Connecting to a `PostgreSQL` server from our settings alone, and beginning a transaction on a
//! connection that works: from the pool when there is one, else on a new one.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Error, Row};
use tokio::time::{Instant, sleep, timeout_at};

use super::CHECKOUT;
use super::pool::{Pool, PoolState, Pooled, Slot};
use super::postgres_fault::{breaks_connection, may_pass, unavailable};
use crate::error::{RequestError, StartupError};
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

/// Between two attempts to connect to a server that is full or starting.
const RETRY: Duration = Duration::from_millis(50);
/// How long cancelling a statement may take.
const CANCEL: Duration = Duration::from_secs(2);

/// The way to one server, with its pool. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connector {
    options: Arc<PgConnectOptions>,
    pool: Arc<Pool<PgConnection>>,
    /// `host:port`, for the details of errors.
    place: Arc<str>,
}

impl Connector {
    pub(super) fn new(target: &settings::Postgres, pool_size: u32) -> Result<Self, StartupError> {
        if let Some(name) = stubborn(|name| std::env::var_os(name)) {
            return Err(
                StartupError::new(format!("{name} is set, and the driver would obey it"))
                    .at("environment")
                    .remedy(format!(
                        "unset {name}; unslow takes its connection from its settings only"
                    )),
            );
        }
        let place = if target.host.starts_with('/') {
            format!("{}/.s.PGSQL.{}", target.host, target.port)
        } else {
            format!("{}:{}", target.host, target.port)
        };
        Ok(Connector {
            options: Arc::new(options(target)?),
            pool: Pool::new(pool_size),
            place: place.into(),
        })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn pool_state(&self) -> PoolState {
        self.pool.state()
    }

    /// A connection of its own, outside the pool.
    pub(super) async fn connect(&self) -> Result<PgConnection, RequestError> {
        match timeout_at(Instant::now() + CHECKOUT, self.options.connect()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(unavailable(&self.place, &error)),
            Err(_) => Err(self.silent()),
        }
    }

    /// Waits for the right to use one connection, until `deadline`.
    pub(super) async fn slot(&self, deadline: Instant) -> Result<Slot<PgConnection>, RequestError> {
        timeout_at(deadline, self.pool.slot())
            .await
            .map_err(|_| super::busy())
    }

    /// Begins a read-only transaction in which each statement may take `limit`. Connecting and the
    /// first round trip are over by `deadline`, so a server that hangs is found out before the
    /// statement is sent. A connection that died while it was idle is replaced.
    pub(super) async fn begin(
        &self,
        slot: Slot<PgConnection>,
        limit: Duration,
        deadline: Instant,
    ) -> Result<Transaction, RequestError> {
        let begun = timeout_at(deadline, async {
            if let Some(mut connection) = slot.idle() {
                match begin_on(&mut connection.raw, limit).await {
                    Ok(pid) => return Ok((connection, pid)),
                    // The others are as old: they are dead too, or soon will be.
                    Err(error) if breaks_connection(&error) => self.pool.clear(),
                    Err(error) => return Err(unavailable(&self.place, &error)),
                }
            }
            self.begin_on_new(limit, deadline).await
        });
        let (connection, pid) = begun.await.unwrap_or_else(|_| Err(self.silent()))?;
        Ok(Transaction {
            work: Some((slot, connection)),
            pid,
            connector: self.clone(),
        })
    }

    async fn begin_on_new(
        &self,
        limit: Duration,
        deadline: Instant,
    ) -> Result<(Pooled<PgConnection>, i32), RequestError> {
        loop {
            let error = match self.options.connect().await {
                Ok(mut raw) => match begin_on(&mut raw, limit).await {
                    Ok(pid) => return Ok((Pooled::new(raw), pid)),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            if !may_pass(&error) || Instant::now() + RETRY >= deadline {
                return Err(unavailable(&self.place, &error));
            }
            sleep(RETRY).await;
        }
    }

    fn silent(&self) -> RequestError {
        let limit = settings::duration_text(CHECKOUT);
        let detail = format!("{}: no answer within {limit}", self.place).into();
        RequestError::Unavailable { detail }
    }
}

/// Begins, and brings the backend's process id, in one round trip. The simple protocol, so there
/// is no statement that a pooler could confuse.
async fn begin_on(connection: &mut PgConnection, limit: Duration) -> Result<i32, Error> {
    let millis = limit.as_millis().clamp(1, i32::MAX as u128);
    let sql =
        format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {millis}; SELECT pg_backend_pid()");
    sqlx::raw_sql(AssertSqlSafe(sql))
        .fetch_one(connection)
        .await?
        .try_get(0)
}

/// An open transaction. Dropping it before [`end`](Self::end) cancels the statement and closes
/// the connection.
pub(super) struct Transaction {
    /// `None` once it has ended.
    work: Option<(Slot<PgConnection>, Pooled<PgConnection>)>,
    pid: i32,
    connector: Connector,
}

impl Transaction {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        let (_, connection) = self
            .work
            .as_mut()
            .expect("only `end` and `close` take it, by value");
        &mut connection.raw
    }

    /// Ends the transaction with `command` and keeps the connection. If that fails the connection
    /// is closed, which ends the transaction as well: the caller has its rows, or its error.
    pub(super) async fn end(mut self, command: &'static str) {
        let ended = {
            let command = sqlx::raw_sql(command).execute(self.connection());
            timeout_at(Instant::now() + CANCEL, command).await
        };
        let (slot, connection) = self
            .work
            .take()
            .expect("only `end` and `close` take it, by value");
        if let Ok(Ok(_)) = ended {
            slot.keep(connection);
        }
    }

    /// Closes the connection, where nothing is left to cancel.
    pub(super) fn close(mut self) -> Slot<PgConnection> {
        let (slot, _) = self
            .work
            .take()
            .expect("only `end` and `close` take it, by value");
        slot
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (options, pid) = (Arc::clone(&self.connector.options), self.pid);
        // Slot and connection are held until it is done: while the transaction is open the
        // process id is surely its own, also behind a pooler.
        runtime.spawn(async move {
            let cancel = async {
                let mut side = options.connect().await?;
                let sql = format!("SELECT pg_cancel_backend({pid})");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut side).await
            };
            let _ = timeout_at(Instant::now() + CANCEL, cancel).await;
            drop(work);
        });
    }
}

fn options(target: &settings::Postgres) -> Result<PgConnectOptions, StartupError> {
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
        .application_name("unslow")
        // Older PgBouncers refuse this start-up parameter.
        .extra_float_digits(None)
        .statement_cache_capacity(0)
        .disable_statement_logging();
    if let Some(file) = &target.sslrootcert {
        let unusable = |why: String| {
            StartupError::new(format!("{}: {why}", file.display()))
                .at("[postgres] sslrootcert")
                .remedy("name a readable file of CA certificates in PEM form")
        };
        let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
        if !pem
            .windows(27)
            .any(|part| part == b"-----BEGIN CERTIFICATE-----")
        {
            return Err(unusable("it holds no certificate in PEM form".to_owned()));
        }
        options = options.ssl_root_cert_from_pem(pem);
    }
    Ok(options)
}

fn stubborn(get: impl Fn(&str) -> Option<OsString>) -> Option<&'static str> {
    STUBBORN.into_iter().find(|name| get(name).is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn target() -> settings::Postgres {
        settings::Postgres {
            host: "db.example".into(),
            port: 5432,
            database: "shop".into(),
            user: "reader".into(),
            password: Some(settings::Secret::new("canary".into())),
            sslmode: SslMode::Prefer,
            sslrootcert: None,
        }
    }

    #[test]
    fn environment_that_cannot_be_overridden_is_noticed() {
        assert_eq!(stubborn(|_| None), None);
        let set = |name: &str| (name == "PGOPTIONS").then(|| OsString::from("-c x=y"));
        assert_eq!(stubborn(set), Some("PGOPTIONS"));
    }

    #[test]
    fn a_root_certificate_that_is_missing_or_none_is_a_startup_error_with_its_key() {
        let mut target = target();
        target.sslrootcert = Some("/nonexistent/ca.pem".into());
        let missing = options(&target).unwrap_err();
        assert_eq!(missing.place.as_deref(), Some("[postgres] sslrootcert"));
        let file = tempfile::NamedTempFile::new().unwrap();
        target.sslrootcert = Some(file.path().into());
        assert!(
            options(&target)
                .unwrap_err()
                .what
                .contains("no certificate")
        );
    }
}
