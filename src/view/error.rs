//! The markup where there is no value: the panel with the words of the error, and the page for
//! errors away from a query. The words that a client may read are chosen in `crate::error`.

use maud::{Markup, html};

use super::address::query_address;
use super::failure::PageFailure;
use super::format;
use super::frame::{NavPlace, PageFrame};

/// A page that is an error.
#[derive(Debug, Clone, Copy)]
pub struct ErrorPage<'a> {
    /// The failure.
    pub failure: PageFailure<'a>,
    /// The name of a query that may have been meant.
    pub suggestion: Option<&'a str>,
}

/// Renders the page of a 4xx or 5xx away from a query's own page.
pub fn render_error(frame: &PageFrame<'_>, page: &ErrorPage<'_>) -> Markup {
    let failure = &page.failure;
    let heading = status_heading(failure.status);
    let content = html! {
        div.intro.failed {
            p.status { (failure.status) }
            h1 { (heading) }
        }
        (render_alert(failure))
        @if let Some(name) = page.suggestion {
            p.lead { "Did you mean " a href=(query_address(name, None, &[])) { (name) } "?" }
        }
        @if let Some(words) = status_advice(failure.status) { p.hint { (words) } }
        p.actions {
            @if frame.here.has_queries() {
                a.button href="/" { "Home" }
                a href="/q" { "All queries" }
            } @else {
                a.button href="/stats" { "Statistics" }
            }
        }
    };
    frame.render_page(heading, NavPlace::Elsewhere, false, &content)
}

/// Returns the orange panel with the words, when to come back, and the id to ask about.
pub(super) fn render_alert(failure: &PageFailure<'_>) -> Markup {
    html! {
        div.alert role="alert" {
            p.words { (render_message(failure.message)) }
            @if let Some(wait) = failure.retry_after {
                p { "Please try again in " (format::format_span(wait)) "." }
            }
            (render_id(failure))
        }
    }
}

/// Returns the same where the words stand at a parameter's input, further down.
pub(super) fn render_refused(failure: &PageFailure<'_>, parameter: &str) -> Markup {
    html! {
        div.alert role="alert" {
            p.words {
                "The query was not run: see "
                a href={ "#p-" (parameter) } { (parameter) } "."
            }
            (render_id(failure))
        }
    }
}

fn render_id(failure: &PageFailure<'_>) -> Markup {
    // Only what is a fault of ours is in the log at its usual level.
    let logged = failure.status >= 500;
    html! {
        p.id { "Request " code { (failure.id) } @if logged { ": the log has the cause by this id" } }
    }
}

/// Returns a message, with what stands in backticks as code.
pub(super) fn render_message(message: &str) -> Markup {
    html! {
        @for (place, part) in message.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn status_heading(status: u16) -> &'static str {
    match status {
        400 => "This request has a mistake",
        401 | 403 => "Not open to you",
        404 => "Not found",
        405 => "Not this way",
        421 => "Not under this name",
        408 => "The request took too long",
        413 | 414 | 431 => "Too large",
        429 => "Too many requests",
        500 => "An error of ours",
        503 => "No answer at the moment",
        504 => "The query took too long",
        server if server >= 500 => "Something went wrong",
        _ => "This request was refused",
    }
}

/// Returns what can be done about it, where the words of the error do not say so themselves.
fn status_advice(status: u16) -> Option<&'static str> {
    match status {
        404 => Some("The list of queries shows every name there is."),
        413 | 414 | 431 => Some("Shorten the address, the headers or the parameters."),
        503 => Some("Nothing is wrong with the request itself."),
        504 => Some("The load may still finish. Then the answer waits in the cache."),
        _ => None,
    }
}
