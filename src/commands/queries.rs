//! `unslow queries`: the catalog, one line for each query.

use super::failure::CommandFailure;
use super::resources::open_catalog;
use super::terminal::{print_bytes, print_line};
use crate::app::format::align_columns;
use crate::query::{ParamDefault, Query};
use crate::settings::Settings;

pub(super) fn run(settings: &Settings) -> Result<(), CommandFailure> {
    let catalog = open_catalog(settings)?;
    for note in catalog.file_notes() {
        print_line(&format!("note: {note}"));
    }
    let lines: Vec<_> = catalog
        .listed_queries()
        .map(|query| query_cells(query))
        .collect();
    print_bytes(align_columns(&lines, false).as_bytes())
}

/// Returns its name, its parameters (those that have a default in brackets), and its title.
fn query_cells(query: &Query) -> Vec<String> {
    let params: Vec<String> = query
        .params
        .iter()
        .map(|param| match param.default {
            ParamDefault::Required => format!("{}=", param.name),
            ParamDefault::Value(_) => format!("[{}=]", param.name),
        })
        .collect();
    vec![query.name.clone(), params.join(" "), query.title.clone()]
}
