//! `unslow check`: are settings and query files in order, and with `--online`: do database and
//! Redis do what is asked of them.

use super::{Failure, catalog, database, print, runtime, say};
use crate::app::format::aligned;
use crate::app::require;
use crate::cache::probe;
use crate::db::{Database, Survey, Trouble};
use crate::error::RequestError;
use crate::query::{Catalog, Query};
use crate::server::Pair;
use crate::settings::{Loaded, Settings};

pub(super) fn run(loaded: &Loaded, online: bool) -> Result<(), Failure> {
    let settings = &loaded.settings;
    let file = match &loaded.file {
        Some(file) => file.display().to_string(),
        None => "no settings file".to_owned(),
    };
    let mut lines = vec![vec!["settings".to_owned(), "OK".to_owned(), file]];
    let (catalog, pair) = files(settings)?;
    if let (Some(tls), Some(pair)) = (&settings.tls, pair) {
        if let Some(note) = pair.note() {
            say(&format!("note: {note}"));
        }
        let cert = tls.cert.display().to_string();
        lines.push(vec!["tls".to_owned(), "OK".to_owned(), cert]);
    }
    for note in catalog.notes() {
        say(&format!("note: {note}"));
    }
    if !online {
        lines.extend(
            catalog
                .iter()
                .map(|query| report(query, "OK", &query.title)),
        );
        return print(aligned(&lines, false).as_bytes());
    }
    let failed = runtime()?.block_on(ask(settings, &catalog, &mut lines))?;
    print(aligned(&lines, false).as_bytes())?;
    if failed == 0 {
        return Ok(());
    }
    let noun = if failed == 1 { "check" } else { "checks" };
    Err(Failure::Running(format!("{failed} {noun} failed")))
}

/// The files that these settings name, if all of them are in order: queries, certificate and key.
pub(super) fn files(settings: &Settings) -> Result<(Catalog, Option<Pair>), Failure> {
    let pair = settings.tls.as_ref().map(Pair::load).transpose();
    let pair = pair.map_err(Failure::Settings)?;
    let catalog = catalog(settings)?;
    require(&catalog, settings).map_err(Failure::Settings)?;
    Ok((catalog, pair))
}

/// Asks the database how it is, tries Redis, and asks about every query. Gives the number of
/// failures; only settings that cannot work end it early. A database that is away is one failure:
/// its queries are not checked.
async fn ask(
    settings: &Settings,
    catalog: &Catalog,
    lines: &mut Vec<Vec<String>>,
) -> Result<usize, Failure> {
    let database = database(settings)?;
    let mut failed = 0;
    let survey = database.survey().await;
    let is_there = survey.is_ok();
    lines.push(match survey {
        Ok(Survey { what, warnings }) => {
            for warning in warnings {
                say(&format!("warning: {warning}"));
            }
            line("database", "OK", &what)
        }
        Err(Trouble { words, remedy }) => {
            failed += 1;
            line("database", "FAILED", &format!("{words}; {remedy}"))
        }
    });
    if let Some(redis) = &settings.redis {
        lines.push(match probe(redis).await {
            Ok(()) => line("redis", "OK", "reads, writes, scripts and messages"),
            Err(why) => {
                failed += 1;
                line("redis", "FAILED", &why)
            }
        });
    }
    if is_there {
        failed += queries(&database, catalog, lines).await;
    } else {
        let text = "the database could not be asked";
        lines.extend(catalog.iter().map(|query| report(query, "UNCHECKED", text)));
    }
    Ok(failed)
}

/// Asks the database about every query, and gives the number of failures.
async fn queries(database: &Database, catalog: &Catalog, lines: &mut Vec<Vec<String>>) -> usize {
    let mut failed = 0;
    let mut no_function = false;
    for query in catalog.iter() {
        lines.push(match columns(database, query).await {
            Ok(columns) => report(query, "OK", &columns),
            Err(error) => {
                failed += 1;
                no_function |= is_unknown_function(&error);
                report(query, "FAILED", &error.to_string())
            }
        });
    }
    if no_function {
        say("if it is slow_version() that is missing, `unslow install` creates it");
    }
    failed
}

/// The columns of a query, as the database tells them without running it.
async fn columns(database: &Database, query: &Query) -> Result<String, RequestError> {
    let Ok(arguments) = query.arguments(&[]) else {
        return Ok("not asked: it has parameters without a default".to_owned());
    };
    Ok(database.columns(query, &arguments).await?.join(", "))
}

/// PostgreSQL's code for a function that does not exist.
fn is_unknown_function(error: &RequestError) -> bool {
    matches!(error, RequestError::Failed { sqlstate, .. } if sqlstate == "42883")
}

fn report(query: &Query, word: &str, text: &str) -> Vec<String> {
    line(&format!("query {}", query.name), word, text)
}

fn line(name: &str, word: &str, text: &str) -> Vec<String> {
    // The database's words may go over several lines.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    vec![name.to_owned(), word.to_owned(), text]
}
