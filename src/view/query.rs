//! The page of one query: its form, where the answer came from, the table, and the same answer in
//! other formats. The SQL is not shown.

use maud::{Markup, html};

use super::address::query_address;
use super::failure::PageFailure;
use super::frame::{NavPlace, PageFrame};
use super::provenance::Provenance;
use super::query_info::QueryInfo;
use super::table::ResultTable;
use super::{error, form, format, provenance, table};

/// `GET /q/NAME`
#[derive(Debug)]
pub struct QueryPage<'a> {
    /// The query.
    pub query: QueryInfo<'a>,
    /// The parameters as the client gave them: the links repeat them, and the form shows the
    /// defaults of the others.
    pub given: &'a [(String, String)],
    /// The result; `None` where there is none.
    pub table: Option<ResultTable>,
    /// The place where the result came from.
    pub provenance: Option<Provenance>,
    /// The reason why there is no result. A 400 is shown at the parameter it names.
    pub failure: Option<PageFailure<'a>>,
}

/// Returns the query with its form and its result.
pub fn render_query(frame: &PageFrame<'_>, page: &QueryPage<'_>) -> Markup {
    let query = &page.query;
    let failure = page.failure.as_ref();
    let content = html! {
        div.intro {
            p.kicker { a href="/q" { "Queries" } }
            h1 { (query.title) }
            @if let Some(description) = query.description { p.lead { (description) } }
        }
        @if let Some(failure) = failure {
            @match form::refused_parameter(query.params, failure) {
                Some(name) => (error::render_refused(failure, name)),
                None => (error::render_alert(failure)),
            }
        }
        @if !query.params.is_empty() { (form::render_form(query, page.given, failure)) }
        @if let Some(answer) = &page.provenance { (provenance::render_line(answer)) }
        @if let Some(result) = &page.table {
            (table::render_table(query.title, result))
        } @else if failure.is_none() {
            p.quiet { "Fill in the form to run this query." }
        }
        (render_links(query, page))
    };
    let columns = page.table.as_ref().map_or(0, |table| table.columns.len());
    frame.render_page(
        query.title,
        NavPlace::Query,
        columns > MANY_COLUMNS,
        &content,
    )
}

/// A table of more columns than this gets the width of a page of tables.
const MANY_COLUMNS: usize = 8;

fn render_links(query: &QueryInfo<'_>, page: &QueryPage<'_>) -> Markup {
    // A refused parameter is mended in the form; a failure of ours can only be tried again.
    let failed = page.failure.is_some_and(|failure| failure.status >= 500);
    let to = |suffix| query_address(query.name, suffix, page.given);
    html! {
        div.below {
            @if page.table.is_some() {
                p.actions {
                    a.button.plain href=(to(None)) { "Reload" }
                    span.quiet { "This answer as" }
                    @for (suffix, words) in [("json", "JSON"), ("csv", "CSV"), ("ndjson", "NDJSON")] {
                        a href=(to(Some(suffix))) { (words) }
                    }
                }
            }
            @if failed {
                p.actions {
                    a.button href=(to(None)) { "Try again" }
                    a href="/q" { "All queries" }
                }
            } @else if page.failure.is_none() {
                p.note {
                    @match query.ttl {
                        Some(ttl) => { "Answers are fresh for up to " (format::format_span(ttl)) "." },
                        None => "Answers of this query are never cached.",
                    }
                }
            }
        }
    }
}
