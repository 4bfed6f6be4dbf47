//! The beginning of a run on a connection: its transaction, the settings of its session, and in the
//! same round trip the question which database it is on. The connection is chosen by
//! `postgres_connect`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Error, Row};

use super::pool::{ConnectionPool, PooledConnection};
use super::postgres_effective::{BROUGHT, EffectiveSettings};
use super::postgres_literal::quote_literal;
use super::postgres_reaper::ServerBackend;
use super::postgres_system::{COLUMNS, COLUMNS_COUNT, SystemAnswer, does_not_say};
use super::system::{DatabaseSystem, SeenServer, SystemCell};
use crate::defence::Defence;
use crate::settings;

/// The time between two looks of a server at whether the client of a long statement is still there.
const CLIENT_CHECK: &str = "2s";

/// The beginning of every run on one server.
pub(super) struct RunStarter {
    /// The connections that are closed when they lead to another database.
    pool: Arc<ConnectionPool<PgConnection>>,
    system: SystemCell,
    /// The place in [`START_QUESTIONS`] of what the server answers.
    question: AtomicUsize,
    effective: EffectiveSettings,
    /// The settings that decide the rows beside the statement: in the form of a key …
    session: String,
    /// … and as SQL.
    settings: String,
    /// The column that sets the search path, if one is named.
    search_path: String,
}

/// The questions at the beginning of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StartQuestion {
    /// The database that it is, and the settings that its session has.
    Both,
    /// The settings that its session has.
    Session,
    Nothing,
}

/// The questions, each for a server that refuses the one before.
const START_QUESTIONS: [StartQuestion; 3] = [
    StartQuestion::Both,
    StartQuestion::Session,
    StartQuestion::Nothing,
];

/// A connection on which a transaction has begun.
pub(super) struct BegunRun {
    pub(super) connection: PooledConnection<PgConnection>,
    pub(super) backend: ServerBackend,
    pub(super) system: DatabaseSystem,
}

impl RunStarter {
    pub(super) fn new(
        pool: &Arc<ConnectionPool<PgConnection>>,
        timezone: &str,
        target: &settings::PostgresSettings,
    ) -> Arc<RunStarter> {
        let named = target.session_options();
        let named: Vec<String> = named
            .map(|(name, value)| format!(" {name}={value:?}"))
            .collect();
        let named = named.concat();
        Arc::new(RunStarter {
            session: format!("timezone={timezone}{named}"),
            search_path: search_path(target.search_path.as_deref()),
            // No quote can be in it; see the settings.
            settings: format!("SET LOCAL TimeZone = '{timezone}'"),
            pool: Arc::clone(pool),
            system: SystemCell::default(),
            question: AtomicUsize::default(),
            effective: EffectiveSettings::new(
                target.search_path.is_some(),
                target.options.iter().map(|(name, _)| name.as_str()),
            ),
        })
    }

    pub(super) fn system_cell(&self) -> &SystemCell {
        &self.system
    }

    /// Returns the settings that each run asks for.
    pub(super) fn effective_settings(&self) -> &EffectiveSettings {
        &self.effective
    }

    /// Returns the settings of a session that decide what rows come out.
    pub(super) fn session_digest(&self) -> &str {
        &self.session
    }

    /// Begins on a connection; `None` where it leads to another database, or to a session of other
    /// settings, than newer connections do. A server that refuses a question is asked again on the
    /// next new connection to it.
    pub(super) async fn begin_run(
        &self,
        mut connection: PooledConnection<PgConnection>,
        limit: Duration,
        is_new: bool,
    ) -> Result<Option<BegunRun>, Error> {
        let mut place = match Defence::Identity.is_off() {
            true => START_QUESTIONS.len() - 1,
            false if is_new => 0,
            false => self.question.load(Ordering::Relaxed),
        };
        let mut before = "";
        let begun = loop {
            let question = START_QUESTIONS[place];
            let raw = &mut connection.raw;
            let begun = self.begin_on(raw, limit, before, (question, is_new)).await;
            before = "ROLLBACK; ";
            match begun {
                Ok(answers) if answers.is_to_repeat => {}
                Ok(answers) => break Ok(answers),
                Err(error) if question != StartQuestion::Nothing && does_not_say(&error) => {
                    place += 1;
                }
                Err(error) => break Err(error),
            }
        };
        self.question.store(place, Ordering::Relaxed);
        let FirstAnswers {
            backend,
            system: SystemAnswer { system, server },
            brought,
            ..
        } = begun?;
        // A role or a database was altered, so that new sessions have other settings; or a query has
        // left something in this one.
        let word = format!("{} {brought}", system.session_digest());
        let born_with = connection.born_with.get_or_insert_with(|| word.clone());
        if *born_with != word {
            return Ok(None);
        }
        let seen = self
            .system
            .note_seen(connection.number, &system, server.as_deref());
        match seen {
            SeenServer::Outdated => return Ok(None),
            SeenServer::Another => self.pool.clear(),
            SeenServer::Same => {}
        }
        Ok(Some(BegunRun {
            connection,
            backend,
            system,
        }))
    }

    /// Begins, and tells which backend and which database it is, in one round trip. The simple
    /// protocol, so there is no statement that a pooler could confuse. Where the server can do it,
    /// a statement whose client is gone ends within seconds, so that no backend outlives this
    /// program.
    async fn begin_on(
        &self,
        connection: &mut PgConnection,
        limit: Duration,
        before: &str,
        (question, is_new): (StartQuestion, bool),
    ) -> Result<FirstAnswers, Error> {
        let (settings, search_path) = (&self.settings, &self.search_path);
        let millis = limit.as_millis().clamp(1, i32::MAX as u128);
        let system = match question {
            StartQuestion::Both => COLUMNS,
            StartQuestion::Session | StartQuestion::Nothing => "",
        };
        let session = match question {
            StartQuestion::Nothing => String::new(),
            StartQuestion::Both | StartQuestion::Session => {
                format!("{}{BROUGHT}", self.effective.digest_column())
            }
        };
        let sql = format!(
            "{before}BEGIN READ ONLY; SET LOCAL statement_timeout = {millis}; {settings}; \
             SELECT pg_catalog.pg_backend_pid(), \
             (EXTRACT(epoch FROM pg_catalog.now()) * 1000000)::bigint, \
             CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 140000 \
             AND pg_catalog.version() LIKE '%linux%' THEN \
             pg_catalog.set_config('client_connection_check_interval', '{CLIENT_CHECK}', true) END\
             {system}{session}{search_path}"
        );
        let row = sqlx::raw_sql(AssertSqlSafe(sql))
            .fetch_one(connection)
            .await?;
        let backend = ServerBackend {
            pid: row.try_get(0)?,
            seen: row.try_get(1)?,
        };
        let (system, next) = match question {
            StartQuestion::Both => (SystemAnswer::from_row(&row, FIRST)?, FIRST + COLUMNS_COUNT),
            StartQuestion::Session | StartQuestion::Nothing => (SystemAnswer::not_asked(), FIRST),
        };
        let mut answers = FirstAnswers {
            backend,
            system,
            brought: String::new(),
            is_to_repeat: false,
        };
        if question == StartQuestion::Nothing {
            return Ok(answers);
        }
        let digest: String = row.try_get(next)?;
        answers.system.system = answers.system.system.with_session(&digest);
        let brought: Option<String> = row.try_get(next + 1)?;
        answers.brought = brought.unwrap_or_default();
        answers.is_to_repeat = is_new && self.effective.learn_brought(&answers.brought);
        Ok(answers)
    }
}

/// The answers to the questions at the beginning of a run.
struct FirstAnswers {
    backend: ServerBackend,
    system: SystemAnswer,
    /// The settings that the role and the database bring into new sessions.
    brought: String,
    /// The session has custom settings that were not asked for.
    is_to_repeat: bool,
}

/// The place of the first column of a question.
const FIRST: usize = 3;

/// Returns the column that sets the search path for the transaction. As a start-up parameter a
/// pooler would refuse it, or drop it without a word.
fn search_path(path: Option<&str>) -> String {
    let Some(path) = path else {
        return String::new();
    };
    let path = quote_literal(path);
    format!(", pg_catalog.set_config('search_path', {path}, true)")
}
