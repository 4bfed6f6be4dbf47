//! What is shown where there is no value: the panel with the words of the error, and the page for
//! errors away from a query. Which words a client may read is decided in `crate::error`.

use maud::{Markup, html};

use super::frame::Place;
use super::{Failure, Frame, format};

/// A page that is an error.
#[derive(Debug, Clone, Copy)]
pub struct ErrorPage<'a> {
    /// What went wrong.
    pub failure: Failure<'a>,
    /// The name of a query that may have been meant.
    pub suggestion: Option<&'a str>,
}

/// 4xx and 5xx away from a query's own page.
pub fn error(frame: &Frame<'_>, page: &ErrorPage<'_>) -> Markup {
    let failure = &page.failure;
    let heading = heading(failure.status);
    let content = html! {
        div.intro.failed {
            p.status { (failure.status) }
            h1 { (heading) }
        }
        (alert(failure))
        @if let Some(name) = page.suggestion {
            p.lead { "Did you mean " a href={ "/q/" (name) } { (name) } "?" }
        }
        p.hint { (advice(failure.status)) }
        p.actions {
            a.button href="/" { "Home" }
            a href="/q" { "All queries" }
        }
    };
    frame.page(heading, Place::Elsewhere, false, &content)
}

/// The orange panel with the words, when to come back, and the id to ask about.
pub(super) fn alert(failure: &Failure<'_>) -> Markup {
    html! {
        div.alert role="alert" {
            p.words { (failure.message) }
            @if let Some(wait) = failure.retry_after {
                p { "It is worth trying again in " (format::span(wait)) "." }
            }
            (id(failure))
        }
    }
}

/// The same where the words stand at a parameter's input, further down.
pub(super) fn refused(failure: &Failure<'_>, parameter: &str) -> Markup {
    html! {
        div.alert role="alert" {
            p.words {
                "The query was not run: see "
                a href={ "#p-" (parameter) } { (parameter) } "."
            }
            (id(failure))
        }
    }
}

fn id(failure: &Failure<'_>) -> Markup {
    html! { p.id { "Request " code { (failure.id) } } }
}

fn heading(status: u16) -> &'static str {
    match status {
        400 => "This request has a mistake",
        401 | 403 => "Not open to you",
        404 => "Not found",
        405 => "Not this way",
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

fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 => "The words above say which setting opens it.",
        404 => "The list of queries shows every name there is.",
        405 => "Pages and data are read with GET or HEAD.",
        413 | 414 | 431 => "Shorten the address, the headers or the parameters.",
        503 => "Nothing is wrong with the request. The log has the cause, by the same request id.",
        504 => "The load may still finish. Then the answer waits in the cache.",
        _ => "The log has a line with the same request id.",
    }
}
