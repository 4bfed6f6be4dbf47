//! `unslow check`: are settings and query files in order, and with `--online`: do database and
//! Redis do what is asked of them.

use super::{Failure, catalog, database, print, runtime, say};
use crate::app::format::aligned;
use crate::app::require_home;
use crate::cache::probe;
use crate::db::Database;
use crate::query::{Catalog, Query};
use crate::settings::{DatabaseTarget, Loaded, Settings};

pub(super) fn run(loaded: &Loaded, online: bool) -> Result<(), Failure> {
    let settings = &loaded.settings;
    let file = match &loaded.file {
        Some(file) => file.display().to_string(),
        None => "no settings file".to_owned(),
    };
    let mut lines = vec![vec!["settings".to_owned(), "OK".to_owned(), file]];
    let catalog = catalog(settings)?;
    require_home(&catalog, &settings.server.home).map_err(Failure::Settings)?;
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

/// Asks the database about every query, and tries Redis. Gives the number of failures; only
/// settings that cannot work end it early.
async fn ask(
    settings: &Settings,
    catalog: &Catalog,
    lines: &mut Vec<Vec<String>>,
) -> Result<usize, Failure> {
    let mut failed = 0;
    let database = database(settings)?;
    for query in catalog.iter() {
        lines.push(match columns(&database, query).await {
            Ok(columns) => report(query, "OK", &columns),
            Err(why) => {
                failed += 1;
                report(query, "FAILED", &why)
            }
        });
    }
    if let Some(redis) = &settings.redis {
        let (word, text) = match probe(redis).await {
            Ok(()) => ("OK", "reads and writes".to_owned()),
            Err(why) => {
                failed += 1;
                ("FAILED", why)
            }
        };
        lines.push(vec!["redis".to_owned(), word.to_owned(), text]);
    }
    if failed > 0 && matches!(settings.database, DatabaseTarget::Postgres(_)) {
        say("where slow_version() is missing, `unslow install` creates it");
    }
    Ok(failed)
}

/// The columns of a query, as the database tells them without running it.
async fn columns(database: &Database, query: &Query) -> Result<String, String> {
    let Ok(arguments) = query.arguments(&[]) else {
        return Ok("not asked: it has parameters without a default".to_owned());
    };
    match database.columns(query, &arguments).await {
        Ok(columns) => Ok(columns.join(", ")),
        Err(error) => Err(error.to_string()),
    }
}

fn report(query: &Query, word: &str, text: &str) -> Vec<String> {
    // The database's words may go over several lines.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    vec![format!("query {}", query.name), word.to_owned(), text]
}
