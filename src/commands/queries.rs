//! `unslow queries`: the catalog, one line for each query.

use super::failure::CommandFailure;
use super::resources::catalog;
use super::terminal::{print, say};
use crate::app::format::aligned;
use crate::query::{ParamDefault, Query};
use crate::settings::Settings;

pub(super) fn run(settings: &Settings) -> Result<(), CommandFailure> {
    let catalog = catalog(settings)?;
    for note in catalog.notes() {
        say(&format!("note: {note}"));
    }
    let lines: Vec<_> = catalog.listed().map(|query| line(query)).collect();
    print(aligned(&lines, false).as_bytes())
}

/// Returns its name, its parameters (those that have a default in brackets), and its title.
fn line(query: &Query) -> Vec<String> {
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
