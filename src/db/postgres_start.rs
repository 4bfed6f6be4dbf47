//! How a run begins on a connection: its transaction, the settings of its session, and in the same
//! round trip the question which database it is on. Which connection that is, is `postgres_connect`'s.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Error, Row};

use super::pool::{Pool, Pooled};
use super::postgres_reaper::Backend;
use super::postgres_system::{COLUMNS, SystemAnswer, does_not_say};
use super::system::{Seen, System, SystemCell};
use crate::defence::Defence;
use crate::settings;

/// Between two looks of a server at whether the client of a long statement is still there.
const CLIENT_CHECK: &str = "2s";

/// The beginning of every run on one server.
pub(super) struct Starter {
    /// The connections that are closed when they lead to another database.
    pool: Arc<Pool<PgConnection>>,
    system: SystemCell,
    /// The server does not say which database it is.
    is_mute: AtomicBool,
    /// What decides the rows beside the statement: in the form of a key …
    session: String,
    /// … and as SQL.
    settings: String,
    /// The column that sets the search path, if one is named.
    search_path: String,
}

/// A connection on which a transaction has begun.
pub(super) struct Begun {
    pub(super) connection: Pooled<PgConnection>,
    pub(super) backend: Backend,
    pub(super) system: System,
}

impl Starter {
    pub(super) fn new(
        pool: &Arc<Pool<PgConnection>>,
        timezone: &str,
        target: &settings::Postgres,
    ) -> Arc<Starter> {
        let named = target.session();
        let named: Vec<String> = named
            .map(|(name, value)| format!(" {name}={value:?}"))
            .collect();
        let named = named.concat();
        Arc::new(Starter {
            session: format!("timezone={timezone}{named}"),
            search_path: search_path(target.search_path.as_deref()),
            // No quote can be in it; see the settings.
            settings: format!("SET LOCAL TimeZone = '{timezone}'"),
            pool: Arc::clone(pool),
            system: SystemCell::default(),
            is_mute: AtomicBool::new(false),
        })
    }

    pub(super) fn system(&self) -> &SystemCell {
        &self.system
    }

    /// Returns the settings of a session that decide what rows come out.
    pub(super) fn session(&self) -> &str {
        &self.session
    }

    /// Begins on a connection; `None` where it leads to another database than newer connections
    /// do. A server that does not say which database it is, is asked again on the next new
    /// connection to it.
    pub(super) async fn begin(
        &self,
        mut connection: Pooled<PgConnection>,
        limit: Duration,
        is_new: bool,
    ) -> Result<Option<Begun>, Error> {
        let is_silent = self.is_mute.load(Ordering::Relaxed) && !is_new;
        let is_asked = !is_silent && !Defence::Identity.is_off();
        let mut begun = self
            .begin_on(&mut connection.raw, limit, "", is_asked)
            .await;
        if is_asked {
            let is_mute = begun.as_ref().is_err_and(does_not_say);
            self.is_mute.store(is_mute, Ordering::Relaxed);
            if is_mute {
                begun = self
                    .begin_on(&mut connection.raw, limit, "ROLLBACK; ", false)
                    .await;
            }
        }
        let (backend, SystemAnswer { system, server }) = begun?;
        let seen = self
            .system
            .saw(connection.number, &system, server.as_deref());
        match seen {
            Seen::Outdated => return Ok(None),
            Seen::Another => self.pool.clear(),
            Seen::Same => {}
        }
        Ok(Some(Begun {
            connection,
            backend,
            system,
        }))
    }

    /// Begins, and tells which backend and which database it is, in one round trip. The simple
    /// protocol, so there is no statement that a pooler could confuse. Where the server can do it, a
    /// statement whose client is gone ends within seconds, so that no backend outlives this program.
    async fn begin_on(
        &self,
        connection: &mut PgConnection,
        limit: Duration,
        before: &str,
        is_asked: bool,
    ) -> Result<(Backend, SystemAnswer), Error> {
        let (settings, search_path) = (&self.settings, &self.search_path);
        let millis = limit.as_millis().clamp(1, i32::MAX as u128);
        let question = if is_asked { COLUMNS } else { "" };
        let sql = format!(
            "{before}BEGIN READ ONLY; SET LOCAL statement_timeout = {millis}; {settings}; \
             SELECT pg_catalog.pg_backend_pid(), \
             (EXTRACT(epoch FROM pg_catalog.now()) * 1000000)::bigint, \
             CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 140000 \
             AND pg_catalog.version() LIKE '%linux%' THEN \
             pg_catalog.set_config('client_connection_check_interval', '{CLIENT_CHECK}', true) END\
             {question}{search_path}"
        );
        let row = sqlx::raw_sql(AssertSqlSafe(sql))
            .fetch_one(connection)
            .await?;
        let answer = if is_asked {
            SystemAnswer::of(&row, 3)?
        } else {
            SystemAnswer::none()
        };
        let backend = Backend {
            pid: row.try_get(0)?,
            seen: row.try_get(1)?,
        };
        Ok((backend, answer))
    }
}

/// The column that sets the search path for the transaction. As a start-up parameter a pooler
/// would refuse it, or drop it without a word.
fn search_path(path: Option<&str>) -> String {
    let Some(path) = path else {
        return String::new();
    };
    let path = path.replace('\\', r"\\").replace('\'', r"\'");
    format!(", pg_catalog.set_config('search_path', E'{path}', true)")
}
