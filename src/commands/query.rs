//! `unslow query`: runs one query once, without the cache, and prints its rows.

use std::io::{IsTerminal, stdout};
use std::time::Instant;

use super::failure::CommandFailure;
use super::resources::{make_runtime, open_catalog, open_database};
use super::terminal::{print_bytes, print_line};
use crate::app::format;
use crate::db::{Limits, Rows};
use crate::error::RequestError;
use crate::flags::OutputFormat;
use crate::settings::Settings;

pub(super) fn run(
    settings: &Settings,
    name: &str,
    params: &[(String, String)],
    format: Option<OutputFormat>,
) -> Result<(), CommandFailure> {
    let catalog = open_catalog(settings)?;
    let Some(query) = catalog.get(name) else {
        let remedy = match catalog.nearest_name(name) {
            Some(near) => format!("did you mean {near}?"),
            None => "`unslow queries` lists them".to_owned(),
        };
        return Err(CommandFailure::Usage(format!(
            "there is no query named {name:?}\n  {remedy}"
        )));
    };
    let arguments = query.read_arguments(params)?;
    let (rows, elapsed) = make_runtime()?.block_on(async {
        let database = open_database(settings)?;
        let start = Instant::now();
        let limits = Limits::for_query(query, &settings.limits);
        let rows = database.run(query, &arguments, limits).await;
        let rows = rows.map_err(|error| match error {
            RequestError::Failed { .. } => {
                CommandFailure::Running(format!("{}: {error}", query.locate_error(&error)))
            }
            _ => error.into(),
        })?;
        Ok::<_, CommandFailure>((rows, start.elapsed()))
    })?;
    print_bytes(&format_rows(&rows, format.unwrap_or_else(usual_format))?)?;
    let more = if rows.truncated {
        ", and there are more"
    } else {
        ""
    };
    let noun = if rows.count == 1 { "row" } else { "rows" };
    print_line(&format!(
        "{} {noun}{more} in {:.5}s",
        rows.count,
        elapsed.as_secs_f64()
    ));
    if rows.truncated {
        print_line("  the limit is [database] max_rows, or max-rows in the query file");
    }
    Ok(())
}

/// People get a table, programs get JSON.
fn usual_format() -> OutputFormat {
    if stdout().is_terminal() {
        OutputFormat::Table
    } else {
        OutputFormat::Json
    }
}

fn format_rows(rows: &Rows, format: OutputFormat) -> Result<Vec<u8>, CommandFailure> {
    Ok(match format {
        OutputFormat::Json => {
            let mut out = format::write_json(rows.json.clone(), rows.truncated);
            out.push(b'\n');
            out
        }
        OutputFormat::Csv => format::write_csv(&rows.columns, &rows.json)?,
        OutputFormat::Ndjson => format::write_ndjson(&rows.json),
        OutputFormat::Table => format::write_table(&rows.columns, &rows.json)?.into_bytes(),
    })
}
