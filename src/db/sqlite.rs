//! Running queries on SQLite, with the same bounds as on PostgreSQL and the same JSON text. A
//! statement ends at its limit, and also when nobody waits for it any more.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::sqlite::SqliteArguments;
use tokio::time::Instant;

use super::checkout::CHECKOUT;
use super::contact::ContactResult;
use super::gate::LoadPass;
use super::health::HealthCell;
use super::limits::Limits;
use super::pool::PoolState;
use super::rows::Rows;
use super::sqlite_connect::SqliteSource;
use super::sqlite_rows::bind_arguments;
use super::sqlite_work::SqliteAccess;
use super::survey::{DatabaseSurvey, SurveyTrouble};
use super::system::{DatabaseSystem, SystemCell};
use crate::error::RequestError;
use crate::query::{Arguments, DatabaseKind, Query, Statement};
use crate::settings::{DatabaseTarget, Settings};

/// A database of SQLite, its pool and how it is.
pub(super) struct Sqlite {
    access: Arc<SqliteAccess>,
    health: HealthCell,
    system: SystemCell,
    identity: String,
    host: String,
    timeout: Duration,
}

impl Sqlite {
    /// Opens the file of `target`, or the demo.
    pub(super) fn open(target: &DatabaseTarget, settings: &Settings) -> Self {
        let file = match target {
            DatabaseTarget::SqliteFile(file) => Some(file.as_path()),
            DatabaseTarget::Demo | DatabaseTarget::Postgres(_) => None,
        };
        let name = file
            .and_then(|file| file.file_name())
            .map(|name| name.to_string_lossy());
        let source = SqliteSource::new(file, settings.demo_delay, settings.limits.max_result);
        let access = SqliteAccess::new(source, &settings.limits);
        let identity = file.map_or_else(
            || "sqlite".to_owned(),
            |file| format!("sqlite:{}", file.display()),
        );
        let asked = Arc::clone(&access);
        let ask =
            move || -> BoxFuture<'static, ContactResult> { Box::pin(try_out(Arc::clone(&asked))) };
        let database = Sqlite {
            access,
            health: HealthCell::new(&*identity, Box::new(ask)),
            system: SystemCell::default(),
            identity,
            host: name
                .unwrap_or(Cow::Borrowed("embedded SQLite"))
                .into_owned(),
            timeout: settings.limits.statement_timeout,
        };
        database.look_for_system();
        database
    }

    /// Finds out which database it is, where there is one.
    pub(super) fn look_for_system(&self) -> Option<DatabaseSystem> {
        let number = SystemCell::draw_number();
        let system = self.access.source.file_system()?;
        self.system.note_seen(number, &system, None);
        Some(system)
    }

    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn system(&self) -> &SystemCell {
        &self.system
    }

    pub(super) fn health(&self) -> &HealthCell {
        &self.health
    }

    pub(super) fn pool_state(&self) -> PoolState {
        self.access.pool_state()
    }

    pub(super) async fn survey_file(&self) -> Result<DatabaseSurvey, SurveyTrouble> {
        let (cause, remedy) = match self.health.ask_once().await {
            ContactResult::Away(cause) | ContactResult::Doubtful(cause) => (
                cause,
                "look at the file that [postgres] url names, and at who may read it",
            ),
            ContactResult::Full(cause) => (
                cause,
                "another program holds a lock on the file: let it end its transaction",
            ),
            ContactResult::Answered | ContactResult::Nothing => {
                return Ok(DatabaseSurvey {
                    what: format!("{}, read-only", self.host),
                    warnings: Vec::new(),
                });
            }
        };
        Err(SurveyTrouble {
            words: cause.to_string(),
            remedy: remedy.to_owned(),
        })
    }

    /// The slot is there by the turn's deadline; its pass is held as long.
    pub(super) async fn run(
        &self,
        query: &Query,
        args: &Arguments,
        limits: Limits,
        turn: (LoadPass, Instant),
    ) -> Result<Rows, RequestError> {
        let statement = query.statement_for(DatabaseKind::Sqlite);
        let arguments = bind_arguments(args, &statement.order)?;
        self.run_statement(statement, Some(arguments), limits, turn)
            .await
    }

    pub(super) async fn column_names(
        &self,
        query: &Query,
        _args: &Arguments,
    ) -> Result<Vec<String>, RequestError> {
        let statement = query.statement_for(DatabaseKind::Sqlite);
        let limits = Limits {
            timeout: self.timeout,
            max_rows: 0,
            max_bytes: 0,
        };
        let turn = (LoadPass::default(), Instant::now() + CHECKOUT);
        Ok(self
            .run_statement(statement, None, limits, turn)
            .await?
            .columns)
    }

    /// Asks on a connection of the pool, and remembers how the database was. Without arguments
    /// only the columns are asked for.
    async fn run_statement(
        &self,
        statement: &Statement,
        arguments: Option<SqliteArguments>,
        limits: Limits,
        (pass, deadline): (LoadPass, Instant),
    ) -> Result<Rows, RequestError> {
        let slot = self.access.pool.take_slot(pass, deadline).await?;
        let before = self.look_for_system();
        let end = match self.access.take_connection(slot, limits.timeout).await {
            Ok(working) => {
                working
                    .run_statement(&statement.sql, arguments, limits)
                    .await
            }
            Err(stop) => Err(stop),
        };
        let file = self.access.source.file();
        self.health.report_contact(end.as_ref().map_or_else(
            |stop| stop.contact_result(file),
            |_| ContactResult::Answered,
        ));
        let mut rows = end.map_err(|stop| {
            let position = stop.error_position(statement);
            stop.request_error(limits, file).at_position(position)
        })?;
        // A file that was replaced while it was read: these rows may be of either.
        let after = self.look_for_system();
        rows.system = after.filter(|after| before.as_ref() == Some(after));
        Ok(rows)
    }
}

/// Returns whether a file can be opened and is a database: its first page is read.
async fn try_out(access: Arc<SqliteAccess>) -> ContactResult {
    const FIRST_PAGE: &str = "select count(*) from sqlite_schema";
    let limits = Limits {
        timeout: CHECKOUT,
        max_rows: 1,
        max_bytes: 1024,
    };
    // Where every thread is busy, one more is not what finds out how the file is.
    let Some(slot) = access.pool.free_slot() else {
        return ContactResult::Nothing;
    };
    let tried = async {
        let working = access.take_connection(slot, limits.timeout).await?;
        let none = Some(SqliteArguments::default());
        working.run_statement(FIRST_PAGE, none, limits).await
    };
    match tried.await {
        Ok(_) => ContactResult::Answered,
        Err(stop) => stop.contact_result(access.source.file()),
    }
}
