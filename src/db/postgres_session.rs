//! The settings that `[postgres] options` names, as a session has them: a pooler between may drop
//! them without a word. What decides rows is part of each key elsewhere; here it is only said.

use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Error, Executor, Row};
use tokio::time::timeout;

use super::checkout::CHECKOUT;
use super::postgres_literal::quote_literal;

/// The settings that a session was asked to have, and whether it was said which of them it lacks.
pub(super) struct NamedOptions {
    named: Vec<(String, String)>,
    is_compared: AtomicBool,
}

impl NamedOptions {
    pub(super) fn new(named: &[(String, String)]) -> NamedOptions {
        NamedOptions {
            named: named.to_vec(),
            is_compared: AtomicBool::new(false),
        }
    }

    /// Writes to the log, once, which of the settings a session that `connect` makes lacks;
    /// `place` names the server.
    pub(super) async fn compare_once(
        &self,
        place: &str,
        connect: impl AsyncFnOnce() -> Option<PgConnection>,
    ) {
        if self.named.is_empty() || self.is_compared.load(Ordering::Relaxed) {
            return;
        }
        let compared = async {
            let mut connection = connect().await?;
            self.lacking_settings(&mut connection).await.ok()
        };
        // A server that does not answer is asked by the next greeting.
        if let Ok(Some(warning)) = timeout(CHECKOUT, compared).await {
            self.is_compared.store(true, Ordering::Relaxed);
            if let Some(warning) = warning {
                tracing::warn!("{}: {warning}", place);
            }
        }
    }

    /// Returns a warning about the settings that a session lacks; `None` where it has all of them.
    pub(super) async fn lacking_settings(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Option<String>, Error> {
        if self.named.is_empty() {
            return Ok(None);
        }
        let rows = connection
            .fetch_all(AssertSqlSafe(settings_question(&self.named)))
            .await?;
        let mut lacking = Vec::new();
        for row in rows {
            let (name, wanted): (String, Option<String>) = (row.try_get(0)?, row.try_get(2)?);
            let has: Option<String> = row.try_get(1)?;
            if has != wanted {
                let has = has.unwrap_or_default();
                lacking.push(format!("{name} (it is {has:?})"));
            }
        }
        Ok((!lacking.is_empty()).then(|| {
            format!(
                "the sessions do not have what [postgres] options says of {}: a pooler between \
                 drops options; set them where it connects (connect_query of PgBouncer), by alter \
                 role … set, or connect to the server itself",
                lacking.join(", ")
            )
        }))
    }
}

/// Asks for each setting as it is, and as it is written once it is set as named. A name that comes
/// twice counts once, by its last value. Those that cannot be set after a session has begun are
/// compared as they are.
fn settings_question(named: &[(String, String)]) -> String {
    let last = |index: &usize| {
        let later = &named[index + 1..];
        later.iter().all(|(name, _)| *name != named[*index].0)
    };
    let rows: Vec<String> = (0..named.len())
        .filter(last)
        .map(|index| {
            let (name, value) = &named[index];
            format!("({}, {})", quote_literal(name), quote_literal(value))
        })
        .collect();
    format!(
        "BEGIN READ ONLY; \
         SELECT o.name, pg_catalog.current_setting(o.name, true), \
         CASE WHEN s.context IS NULL OR s.context IN ('user', 'superuser') \
         THEN pg_catalog.set_config(o.name, o.value, true) ELSE o.value END \
         FROM (VALUES {}) o(name, value) \
         LEFT JOIN pg_catalog.pg_settings s ON pg_catalog.lower(s.name) = pg_catalog.lower(o.name); \
         ROLLBACK",
        rows.join(", ")
    )
}
