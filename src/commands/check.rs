//! `unslow check`: are settings and query files in order, and with `--online`: do database and
//! Redis do what is asked of them.

use std::time::Duration;

use super::failure::CommandFailure;
use super::resources::{make_runtime, open_catalog, open_database};
use super::terminal::{print_bytes, print_line};
use crate::app::format::align_columns;
use crate::app::require_home;
use crate::cache::probe_redis;
use crate::db::{Database, DatabaseSurvey, Limits, SurveyTrouble};
use crate::error::RequestError;
use crate::query::{Arguments, Catalog, DatabaseKind, Query};
use crate::server::CertifiedPair;
use crate::settings::{Loaded, Settings};

const NAMELESS: &str = "note: the database does not say which one it is, so its name in \
    [postgres] decides; where another one of this name uses the same Redis, set [redis] namespace \
    (to have it say so: grant execute on function pg_control_system() to the user)";

pub(super) fn run(loaded: &Loaded, online: bool) -> Result<(), CommandFailure> {
    let settings = &loaded.settings;
    let file = match &loaded.file {
        Some(file) => file.display().to_string(),
        None => "no settings file".to_owned(),
    };
    let mut lines = vec![vec!["settings".to_owned(), "OK".to_owned(), file]];
    let (catalog, pair) = check_files(settings)?;
    if let (Some(tls), Some(pair)) = (&settings.tls, pair) {
        if let Some(note) = pair.certificate_note() {
            print_line(&format!("note: {note}"));
        }
        let cert = tls.cert.display().to_string();
        lines.push(vec!["tls".to_owned(), "OK".to_owned(), cert]);
    }
    for note in settings.notes.iter().chain(catalog.file_notes()) {
        print_line(&format!("note: {note}"));
    }
    if !online {
        lines.extend(
            catalog
                .listed_queries()
                .map(|query| query_line(query, "OK", &query.title)),
        );
        return print_bytes(align_columns(&lines, false).as_bytes());
    }
    let failed = make_runtime()?.block_on(ask_servers(settings, &catalog, &mut lines))?;
    print_bytes(align_columns(&lines, false).as_bytes())?;
    if failed == 0 {
        return Ok(());
    }
    let noun = if failed == 1 { "check" } else { "checks" };
    Err(CommandFailure::Running(format!("{failed} {noun} failed")))
}

/// Returns the files that these settings name, if all of them are in order: queries, certificate
/// and key.
pub(super) fn check_files(
    settings: &Settings,
) -> Result<(Catalog, Option<CertifiedPair>), CommandFailure> {
    let pair = settings.tls.as_ref().map(CertifiedPair::load).transpose();
    let pair = pair.map_err(CommandFailure::Settings)?;
    let catalog = open_catalog(settings)?;
    require_home(&catalog, settings).map_err(CommandFailure::Settings)?;
    Ok((catalog, pair))
}

/// Asks the database how it is, tries Redis, and asks about every query. Gives the number of
/// failures; only settings that cannot work end it early. A database that is away is one failure:
/// its queries are not checked.
async fn ask_servers(
    settings: &Settings,
    catalog: &Catalog,
    lines: &mut Vec<Vec<String>>,
) -> Result<usize, CommandFailure> {
    let database = open_database(settings)?;
    let mut failed = 0;
    let survey = database.survey_server().await;
    let is_there = survey.is_ok();
    lines.push(match survey {
        Ok(DatabaseSurvey { what, warnings }) => {
            for warning in warnings {
                print_line(&format!("warning: {warning}"));
            }
            result_line("database", "OK", &what)
        }
        Err(SurveyTrouble { words, remedy }) => {
            failed += 1;
            result_line("database", "FAILED", &format!("{words}; {remedy}"))
        }
    });
    if let Some(redis) = &settings.redis {
        lines.push(match probe_redis(redis).await {
            Ok(()) => result_line("redis", "OK", "reads, writes, scripts and messages"),
            Err(why) => {
                failed += 1;
                result_line("redis", "FAILED", &why)
            }
        });
    }
    if is_there {
        print_notes(&database, settings).await;
        failed += check_queries(&database, catalog, lines).await;
    } else {
        let text = "the database could not be asked";
        lines.extend(
            catalog
                .iter()
                .map(|query| query_line(query, "UNCHECKED", text)),
        );
    }
    Ok(failed)
}

/// Says what a user may not expect of this database.
async fn print_notes(database: &Database, settings: &Settings) {
    let timezone = &settings.limits.timezone;
    if let Some(own) = own_timezone(database).await.filter(|own| own != timezone) {
        print_line(&format!(
            "note: the time zone of the database is set to {own}, and the queries run in \
             {timezone} ([database] timezone)"
        ));
    }
    if settings.redis.is_some()
        && database
            .find_system()
            .await
            .is_some_and(|system| !system.is_named())
    {
        print_line(NAMELESS);
    }
}

/// Asks the database about every query, and gives the number of failures.
async fn check_queries(
    database: &Database,
    catalog: &Catalog,
    lines: &mut Vec<Vec<String>>,
) -> usize {
    let mut failed = 0;
    let mut no_function = false;
    for query in catalog.iter() {
        lines.push(match describe_columns(database, query).await {
            Ok(columns) => query_line(query, "OK", &columns),
            // It is a sample, and nothing else needs the function.
            Err(error) if query.is_embedded && error.is_unknown_function() => {
                no_function = true;
                query_line(
                    query,
                    "NOTE",
                    "the function slow_version() is not in this database",
                )
            }
            Err(error) => {
                failed += 1;
                no_function |= error.is_unknown_function();
                query_line(
                    query,
                    "FAILED",
                    &format!("{}: {error}", query.locate_error(&error)),
                )
            }
        });
    }
    if no_function {
        print_line("if it is slow_version() that is missing, `unslow install` creates it");
    }
    failed
}

/// Returns the time zone that database or user are set to on PostgreSQL, if they are.
async fn own_timezone(database: &Database) -> Option<String> {
    const SET: &str = "select split_part(setting, '=', 2) as timezone \
         from pg_catalog.pg_db_role_setting s cross join unnest(s.setconfig) setting \
         where lower(split_part(setting, '=', 1)) = 'timezone' \
         and s.setdatabase in (0, (select oid from pg_catalog.pg_database \
         where datname = current_database())) \
         and s.setrole in (0, (select oid from pg_catalog.pg_roles where rolname = current_user)) \
         order by s.setrole <> 0 desc, s.setdatabase <> 0 desc";
    if database.kind() != DatabaseKind::Postgres {
        return None;
    }
    let query = Query::parse(database.kind(), "timezone", SET).ok()?;
    let limits = Limits {
        timeout: Duration::from_secs(5),
        max_rows: 1,
        max_bytes: 4096,
    };
    let rows = database.run(&query, &Arguments(Vec::new()), limits).await;
    let row: serde_json::Value = serde_json::from_slice(&rows.ok()?.json).ok()?;
    Some(row["timezone"].as_str()?.to_owned())
}

/// Returns the columns of a query, as the database tells them without running it.
async fn describe_columns(database: &Database, query: &Query) -> Result<String, RequestError> {
    let arguments = query.some_arguments();
    Ok(database.column_names(query, &arguments).await?.join(", "))
}

fn query_line(query: &Query, word: &str, text: &str) -> Vec<String> {
    result_line(&format!("query {}", query.name), word, text)
}

fn result_line(name: &str, word: &str, text: &str) -> Vec<String> {
    // The database's words may go over several lines.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    vec![name.to_owned(), word.to_owned(), text]
}
