//! The survey of a PostgreSQL server: its version, and the rights of the user that a read-only
//! transaction does not take away.

use sqlx::postgres::PgRow;
use sqlx::{Error, Row};
use tokio::time::{Instant, timeout_at};

use super::checkout::CHECKOUT;
use super::postgres_connect::PostgresConnector;
use super::postgres_fault::unavailable_words;
use super::survey::{DatabaseSurvey, SurveyTrouble};

/// Roles of PostgreSQL itself whose members can do more than read tables.
const STRONG: &str = "'pg_write_server_files', 'pg_execute_server_program', \
    'pg_read_server_files', 'pg_write_all_data', 'pg_signal_backend', 'pg_checkpoint', \
    'pg_maintain', 'pg_create_subscription'";

/// The way to make a role that only reads.
const MAKE: &str = "give unslow a role that only reads: as a user who may create roles, run \
    `unslow install --role NAME`";

/// Asks a server how it is and what the user may do there.
pub(super) async fn survey_server(
    connector: &PostgresConnector,
) -> Result<DatabaseSurvey, SurveyTrouble> {
    let mut connection = connector.connect().await.map_err(|none| SurveyTrouble {
        words: none.cause_words(),
        remedy: none.remedy,
    })?;
    let trouble = |error: &Error| SurveyTrouble {
        words: unavailable_words(connector.place(), error).to_string(),
        remedy: super::postgres_advice::connect_remedy(error),
    };
    let sql = sqlx::AssertSqlSafe(survey_statement());
    let asked = sqlx::raw_sql(sql).fetch_one(&mut connection);
    let row = match timeout_at(Instant::now() + CHECKOUT, asked).await {
        Ok(row) => row.map_err(|error| trouble(&error))?,
        Err(_) => {
            return Err(SurveyTrouble {
                words: format!("{}: no answer after the connection", connector.place()),
                remedy: super::postgres_advice::SILENT.to_owned(),
            });
        }
    };
    let mut survey = read(connector.place(), &row).map_err(|error| trouble(&error))?;
    let lacking = connector.named_options().lacking_settings(&mut connection);
    match timeout_at(Instant::now() + CHECKOUT, lacking).await {
        Ok(Ok(lacking)) => survey.warnings.extend(lacking),
        Ok(Err(error)) => survey.warnings.push(format!(
            "whether the sessions have what [postgres] options says cannot be found out: {}",
            trouble(&error).words
        )),
        Err(_) => {}
    }
    Ok(survey)
}

/// Returns the one statement. It names every function by its schema, so that no other is called.
fn survey_statement() -> String {
    format!(
        "select pg_catalog.current_setting('server_version') as version, \
         current_user::text as who, r.rolsuper, \
         (select pg_catalog.string_agg(g.rolname, ', ' order by g.rolname) from pg_catalog.pg_roles g \
          where g.rolname in ({STRONG}) \
          and pg_catalog.pg_has_role(r.oid, g.oid, 'member')) as strong, \
         t.count, t.some \
         from pg_catalog.pg_roles r, lateral (\
           select pg_catalog.count(*) as count, \
             pg_catalog.min(pg_catalog.format('%I.%I', n.nspname, c.relname)) as some \
           from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
           where c.relkind in ('r', 'p', 'v', 'f') and n.nspname !~ '^pg_' \
             and n.nspname <> 'information_schema' \
             and pg_catalog.has_table_privilege(r.oid, c.oid, 'insert, update, delete, truncate')) t \
         where r.rolname = current_user"
    )
}

fn read(place: &str, row: &PgRow) -> Result<DatabaseSurvey, Error> {
    let (version, who): (String, String) = (row.try_get("version")?, row.try_get("who")?);
    let mut warnings = Vec::new();
    if row.try_get("rolsuper")? {
        warnings.push(format!(
            "the user {who} is a superuser: a read-only transaction does not stop all that its \
             queries could do; {MAKE}"
        ));
    } else {
        if let Some(strong) = row.try_get::<Option<String>, _>("strong")? {
            warnings.push(format!(
                "the user {who} is a member of {strong}: a read-only transaction does not stop all \
                 that this allows; {MAKE}"
            ));
        }
        let count: i64 = row.try_get("count")?;
        if let Some(some) = row.try_get::<Option<String>, _>("some")? {
            let tables = if count == 1 {
                some
            } else {
                format!("{count} tables, such as {some}")
            };
            warnings.push(format!(
                "the user {who} may write to {tables}: only the read-only transaction stops it; \
                 {MAKE}"
            ));
        }
    }
    Ok(DatabaseSurvey {
        what: format!("{place}: PostgreSQL {version}, as {who}"),
        warnings,
    })
}
