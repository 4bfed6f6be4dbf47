//! The home page, in the form of the page it all began with: Database Host, the columns of the
//! home query, Elapsed Time; and beside it what that page showed only to those who reloaded.

use std::time::Duration;

use maud::{Markup, html};

use super::frame::Place;
use super::{Cell, Failure, Frame, Provenance, QueryInfo, error, format, provenance};

/// `GET /`
#[derive(Debug)]
pub struct Home<'a> {
    /// The query of `[server] home`.
    pub query: QueryInfo<'a>,
    /// The database's host; `None` where it is not to be shown.
    pub host: Option<&'a str>,
    /// The columns of the query's first row, by their own names.
    pub sections: Vec<(String, Cell)>,
    /// Where the values came from; `None` where there are none.
    pub provenance: Option<Provenance>,
    /// This request's own time.
    pub elapsed: Duration,
    /// Why there are no values.
    pub failure: Option<Failure<'a>>,
}

/// Each column is a section; one without a value is not drawn.
pub fn home(frame: &Frame<'_>, page: &Home<'_>) -> Markup {
    let query = &page.query;
    let content = html! {
        div.intro {
            h1 { (query.title) }
            @if let Some(description) = query.description { p.lead { (description) } }
        }
        @if let Some(failure) = &page.failure { (error::alert(failure)) }
        div.duo[page.provenance.is_some()] {
            div.hero {
                @if let Some(host) = page.host { (section("Database Host", host)) }
                @for (column, cell) in &page.sections {
                    @if let Some(text) = cell.text() { (section(&format::label(column), text)) }
                }
                section.elapsed {
                    h2 { "Elapsed Time" }
                    p { (format::elapsed(page.elapsed)) }
                }
            }
            @if let Some(answer) = &page.provenance { (provenance::panel(answer)) }
        }
        @if let Some(answer) = &page.provenance { (provenance::race(answer)) }
        p.actions {
            a.button href="/" { "Reload" }
            a href={ "/q/" (query.name) } { "As a table" }
            a href={ "/q/" (query.name) ".json" } { "JSON" }
            a href={ "/q/" (query.name) ".csv" } { "CSV" }
            a href="/q" { "All queries" }
            a href="/stats" { "What the cache saves" }
        }
    };
    frame.page(query.title, Place::Home, false, &content)
}

fn section(label: &str, value: &str) -> Markup {
    html! { section { h2 { (label) } p { (value) } } }
}
