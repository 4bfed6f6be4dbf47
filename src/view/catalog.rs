//! The list of queries.

use maud::{Markup, html};

use super::address::query_address;
use super::frame::{NavPlace, PageFrame};
use super::query_info::QueryInfo;
use super::{format, input};

/// Renders `GET /q`: every query with what it takes and how long its answers are kept.
pub fn render_catalog(frame: &PageFrame<'_>, queries: &[QueryInfo<'_>]) -> Markup {
    let content = html! {
        div.intro {
            h1 { "Queries" }
            @if !queries.is_empty() {
                p.lead {
                    "Each is a file of SQL, answered as a page, as JSON, CSV or NDJSON, and kept in the cache. "
                    a href="/openapi.json" { "All of it as OpenAPI" } "."
                }
            }
        }
        @if queries.is_empty() {
            (render_empty())
        } @else {
            ul.catalog {
                @for query in queries { li.panel { (render_entry(query)) } }
            }
        }
    };
    frame.render_page("Queries", NavPlace::Catalog, false, &content)
}

fn render_entry(query: &QueryInfo<'_>) -> Markup {
    html! {
        h2 { a href=(query_address(query.name, None, &[])) { (query.title) } }
        @if let Some(description) = query.description { p { (description) } }
        @if !query.params.is_empty() {
            ul.params aria-label="Parameters" {
                @for param in query.params {
                    li { b { (param.name) } " " span { (input::param_summary(param)) } }
                }
            }
        }
        p.meta {
            code { "/q/" (query.name) }
            @match query.ttl {
                Some(ttl) => span { "fresh for up to " (format::format_span(ttl)) },
                None => span { "never cached" },
            }
            @if !query.params.iter().any(input::is_required) {
                a href=(query_address(query.name, Some("json"), &[])) aria-label={ "JSON of " (query.title) } { "JSON" }
                a href=(query_address(query.name, Some("csv"), &[])) aria-label={ "CSV of " (query.title) } { "CSV" }
            }
        }
    }
}

fn render_empty() -> Markup {
    html! {
        section.panel.empty {
            h2 { "No queries yet" }
            p {
                "Put a file such as " code { "orders.sql" } " into the folder named by "
                code { "[queries] dir" } " and start again. It then stands here, at "
                code { "/q/orders" } "."
            }
            pre { code {
                "-- title: Orders of a day\n"
                "-- ttl: 30s\n"
                "-- param: day date = 2026-01-01\n"
                "select id, total from orders where ordered_on = :day"
            } }
        }
    }
}
