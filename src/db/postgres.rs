//! Running queries on PostgreSQL. The server itself makes the JSON text of each row, so every type
//! comes out as its own `row_to_json` has it. Each run is one explicit read-only transaction with
//! unnamed statements only, which is what makes it right behind a transaction-pooling PgBouncer.
//!
//! The session has the time zone of `[database] timezone` and ISO dates (the driver sets them);
//! everything else that shapes a value's text is as the server has it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sqlx::postgres::PgConnection;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use super::budget::ResultBudget;
use super::checkout::CHECKOUT;
use super::contact::{AwayCause, ContactResult};
use super::gate::LoadPass;
use super::health::HealthCell;
use super::limits::{GRACE, Limits};
use super::pool::{PoolSlot, PoolState};
use super::postgres_bind::bind_arguments;
use super::postgres_connect::{NoConnection, PostgresConnector};
use super::postgres_error::server_said;
use super::postgres_fault::{
    breaks_connection, error_class, error_position, may_be_repeated, of_statement, went_silently,
};
use super::postgres_read::{ReadStop, StatementRun, WantedResult};
use super::postgres_reaper::terminate_backend;
use super::postgres_survey::survey_server;
use super::postgres_transaction::RunTransaction;
use super::rows::Rows;
use super::survey::{DatabaseSurvey, SurveyTrouble};
use super::system::SystemCell;
use crate::error::{RequestError, StartupError};
use crate::query::{Arguments, DatabaseKind, Query, Statement};
use crate::settings::{self, DatabaseLimits};

const INSTALL: &str = include_str!("../../sql/postgres/install.sql");

/// Returns what a database is called, and the settings of its sessions, which decide the rows as
/// well.
fn database_identity(target: &settings::PostgresSettings, place: &str) -> String {
    let settings::PostgresSettings { user, database, .. } = target;
    let session = target.session_options();
    let session: Vec<String> = session
        .map(|(name, value)| format!(" {name}={value:?}"))
        .collect();
    let session = session.concat();
    format!("postgres:{user}@{place}/{database}{session}")
}

/// A server, its pool and how it is.
pub(super) struct Postgres {
    connector: PostgresConnector,
    health: HealthCell,
    identity: String,
    host: String,
    user: String,
    /// The moment when it was last greeted. Held while it is.
    greeted: Mutex<Option<Instant>>,
    /// The bounds of everything but a run of a query.
    limits: Limits,
    budget: Arc<ResultBudget>,
}

impl Postgres {
    pub(super) fn open(
        target: &settings::PostgresSettings,
        limits: &DatabaseLimits,
    ) -> Result<Self, StartupError> {
        let connector = PostgresConnector::new(target, limits)?;
        let asked = connector.clone();
        let ask = move || -> BoxFuture<'static, ContactResult> {
            let asked = asked.clone();
            Box::pin(async move { asked.try_out().await })
        };
        Ok(Postgres {
            identity: database_identity(target, connector.place()),
            health: HealthCell::new(connector.place(), Box::new(ask)),
            connector,
            host: target.host.clone(),
            user: target.user.clone(),
            greeted: Mutex::default(),
            budget: ResultBudget::new(limits.max_result),
            limits: Limits {
                timeout: limits.statement_timeout,
                max_rows: limits.max_rows,
                max_bytes: limits.max_result,
            },
        })
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn system(&self) -> &SystemCell {
        self.connector.system()
    }

    pub(super) fn session(&self) -> &str {
        self.connector.session()
    }

    pub(super) fn health(&self) -> &HealthCell {
        &self.health
    }

    pub(super) fn connector(&self) -> &PostgresConnector {
        &self.connector
    }

    pub(super) fn pool_state(&self) -> PoolState {
        self.connector.pool_state()
    }

    /// Connects, so that log and `/readyz` tell how the server is before anybody asks, and which
    /// database it is; the connection is kept for the first run. Of many that call it at once, one
    /// does so, and the others have its answer.
    pub(super) async fn connect_eagerly(&self) {
        let asked = Instant::now();
        let mut greeted = self.greeted.lock().await;
        if greeted.is_none_or(|at| at < asked) {
            self.health.report_contact(self.connector.try_out().await);
            let connect = async || self.connector.connect().await.ok();
            let named = self.connector.named_options();
            named.compare_once(self.connector.place(), connect).await;
            *greeted = Some(Instant::now());
        }
    }

    pub(super) async fn survey_server(&self) -> Result<DatabaseSurvey, SurveyTrouble> {
        survey_server(&self.connector).await
    }

    /// Slot and connection are there by `deadline`; `pass` is held as long as they are.
    pub(super) async fn run(
        &self,
        query: &Query,
        args: &Arguments,
        limits: Limits,
        (pass, deadline): (LoadPass, Instant),
    ) -> Result<Rows, RequestError> {
        let slot = self.connector.take_slot(pass, deadline).await?;
        self.run_in_transaction(query, args, limits, WantedResult::Rows, (slot, deadline))
            .await
    }

    pub(super) async fn column_names(
        &self,
        query: &Query,
        args: &Arguments,
    ) -> Result<Vec<String>, RequestError> {
        let deadline = Instant::now() + CHECKOUT;
        let pass = LoadPass::default();
        let slot = self.connector.take_slot(pass, deadline).await?;
        Ok(self
            .run_in_transaction(
                query,
                args,
                self.limits,
                WantedResult::Columns,
                (slot, deadline),
            )
            .await?
            .columns)
    }

    /// Asks in a transaction of its own, and remembers how the database was. A read can be
    /// repeated, so once it is: on another connection when one vanishes before a row has come, and
    /// when the server ended the transaction in favour of another one.
    async fn run_in_transaction(
        &self,
        query: &Query,
        args: &Arguments,
        limits: Limits,
        want: WantedResult,
        (mut slot, mut deadline): (PoolSlot<PgConnection>, Instant),
    ) -> Result<Rows, RequestError> {
        let statement = query.statement_for(DatabaseKind::Postgres);
        let arguments = bind_arguments(query, args, &statement.order)?;
        let mut retried = false;
        let mut vanished = None;
        loop {
            let begun = self.connector.begin_run(slot, limits.timeout, deadline);
            let mut transaction = self.note_connect(begun.await)?;
            if let Some(backend) = vanished.take() {
                terminate_backend(transaction.connection(), backend).await;
            }
            let started = Instant::now();
            let on_the_way = self.connector.on_the_way();
            let work = StatementRun {
                sql: &statement.sql,
                arguments: &arguments,
                limits,
                budget: &self.budget,
            };
            let job = work.run_wanted(transaction.connection(), want);
            let Ok(end) = timeout_at(started + limits.timeout + GRACE + on_the_way, job).await
            else {
                // The server should have ended it by itself. Dropping the transaction cancels.
                let cause = format!("{}: no answer to a statement", self.connector.place());
                self.health
                    .report_contact(ContactResult::Doubtful(AwayCause::new("timeout", cause)));
                return Err(RequestError::Timeout {
                    limit: limits.timeout,
                });
            };
            match end {
                Ok(value) => {
                    let system = Some(transaction.system().clone());
                    transaction.end_run();
                    return Ok(Rows { system, ..value });
                }
                Err(ReadStop::Driver {
                    error,
                    after_rows: false,
                    ..
                }) if went_silently(&error) && !retried => {
                    retried = true;
                    deadline = Instant::now() + CHECKOUT;
                    vanished = Some(transaction.backend());
                    slot = transaction.close();
                }
                Err(ReadStop::Driver {
                    error,
                    after_rows: false,
                    ..
                }) if may_be_repeated(&error) && !retried => {
                    retried = true;
                    deadline = Instant::now() + CHECKOUT;
                    let Some(same) = transaction.roll_back().await else {
                        let place = self.connector.place();
                        return Err(of_statement(
                            place,
                            &error,
                            &statement.sql,
                            started.elapsed(),
                            limits.timeout,
                        ));
                    };
                    slot = same;
                }
                Err(stop) => {
                    return Err(self.end_failed(transaction, stop, statement, started, limits));
                }
            }
        }
    }

    /// Remembers how connecting ended.
    pub(super) fn note_connect<T>(&self, end: Result<T, NoConnection>) -> Result<T, RequestError> {
        match end {
            Ok(connected) => {
                self.health.report_contact(ContactResult::Answered);
                Ok(connected)
            }
            Err(NoConnection { error, contact, .. }) => {
                self.health.report_contact(contact);
                Err(error)
            }
        }
    }

    /// Ends the transaction of a run that failed.
    fn end_failed(
        &self,
        transaction: RunTransaction,
        stop: ReadStop,
        statement: &Statement,
        started: Instant,
        limits: Limits,
    ) -> RequestError {
        let elapsed = started.elapsed();
        match stop {
            ReadStop::Request(end) => {
                // There may be gigabytes on the way; they are not waited for.
                drop(transaction);
                end
            }
            ReadStop::Driver { error, lead, .. } => {
                let place = self.connector.place();
                let end = of_statement(place, &error, &statement.sql, elapsed, limits.timeout)
                    .at_position(error_position(&error, statement, lead));
                if breaks_connection(&error) {
                    if went_silently(&error) {
                        // The server may not know of it: its statement is ended on another way.
                        drop(transaction);
                    } else {
                        drop(transaction.close());
                    }
                    if let RequestError::Unavailable { detail } = &end {
                        let cause = AwayCause::new(error_class(&error), Arc::clone(detail));
                        self.health.report_contact(ContactResult::Doubtful(cause));
                    }
                } else {
                    transaction.end_run();
                }
                end
            }
        }
    }

    /// Makes a role that only reads; returns how many tables it cannot read.
    pub(super) async fn create_reader(&self, role: &str) -> Result<i64, RequestError> {
        let mut connection = self.note_connect(self.connector.connect().await)?;
        let limit = self.limits.timeout + GRACE;
        super::reader_role::create_reader(&self.connector, &mut connection, role, limit).await
    }

    /// Runs the script on a connection of its own, which may write.
    pub(super) async fn install(&self) -> Result<(), RequestError> {
        let mut connection = self.note_connect(self.connector.connect().await)?;
        let limit = self.limits.timeout;
        let place = self.connector.place();
        let started = Instant::now();
        match timeout(
            limit + GRACE,
            sqlx::raw_sql(INSTALL).execute(&mut connection),
        )
        .await
        {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(match server_said(&error) {
                Some(said) if said.code() == "42501" => RequestError::Failed {
                    sqlstate: said.code().to_owned(),
                    detail: format!(
                        "{}: the user {} may not create functions here; run install as the \
                         owner of the database, or let the owner run: grant create on schema \
                         public to {}",
                        said.message(),
                        self.user,
                        self.user
                    )
                    .into(),
                    position: None,
                },
                _ => of_statement(place, &error, INSTALL, started.elapsed(), limit),
            }),
            Err(_) => Err(RequestError::Timeout { limit }),
        }
    }
}
