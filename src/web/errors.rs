//! The way from an error to a response, in the format the request asked for. The words come from
//! [`RequestError::public_message`] alone.

use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

use super::body;
use super::context::RequestContext;
use super::negotiate::Format;
use super::site::Site;
use crate::error::RequestError;
use crate::outcome::Outcome;
use crate::query::Query;
use crate::view;

/// The methods of a resource that is only read, for `Allow`.
pub(super) const READ_METHODS: &str = "GET, HEAD, OPTIONS";

/// The content of an error's response, whatever its format.
pub(super) struct ErrorReply {
    pub(super) status: StatusCode,
    message: String,
    retry_after: Option<Duration>,
}

impl ErrorReply {
    /// Returns the same for a page.
    pub(super) fn page_failure<'a>(&'a self, context: &'a RequestContext) -> view::PageFailure<'a> {
        view::PageFailure {
            status: self.status.as_u16(),
            message: &self.message,
            id: context.id(),
            retry_after: self.retry_after,
        }
    }
}

/// Decides what the client is told and writes the line of the error log: the first failure of a
/// query and class in a minute as an error, with how many went before it without a line; the
/// others, and the mistakes of clients, for who asks for the level `debug`.
pub(super) fn log_and_describe(
    site: &Site,
    context: &RequestContext,
    query: Option<&Query>,
    error: &RequestError,
) -> ErrorReply {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = (query.map(|query| query.index), error.class());
    let allowed = status
        .is_server_error()
        .then(|| site.failures.allows(kind, Instant::now()))
        .flatten();
    let name = query.map(|query| query.name.as_str());
    let at = query.map(|query| query.locate_error(error));
    if let Some(unlogged) = allowed {
        tracing::error!(
            id = context.id(),
            status = status.as_u16(),
            class = error.class(),
            query = name,
            at,
            unlogged = (unlogged > 0).then_some(unlogged),
            "{}",
            error.log_message()
        );
    } else {
        tracing::debug!(
            id = context.id(),
            status = status.as_u16(),
            class = error.class(),
            query = name,
            at,
            "{}",
            error.log_message()
        );
    }
    ErrorReply {
        status,
        message: error.public_message(site.app.settings.server.debug),
        retry_after: error
            .retry_after()
            .map(|wait| Duration::from_secs(whole_seconds(wait))),
    }
}

/// Returns the response to an error, as a page or as JSON.
pub(super) fn respond_error(
    site: &Site,
    context: &RequestContext,
    error: &RequestError,
) -> HttpResponse {
    respond_with(site, context, error, serde_json::Map::new())
}

/// Returns the same to an error of this query.
pub(super) fn respond_about(
    site: &Site,
    context: &RequestContext,
    query: &Query,
    error: &RequestError,
) -> HttpResponse {
    let said = log_and_describe(site, context, Some(query), error);
    error_response(site, context, said, error, serde_json::Map::new())
}

/// Returns the same, with more members where it is JSON.
pub(super) fn respond_with(
    site: &Site,
    context: &RequestContext,
    error: &RequestError,
    more: serde_json::Map<String, serde_json::Value>,
) -> HttpResponse {
    let said = log_and_describe(site, context, None, error);
    error_response(site, context, said, error, more)
}

fn error_response(
    site: &Site,
    context: &RequestContext,
    mut said: ErrorReply,
    error: &RequestError,
    more: serde_json::Map<String, serde_json::Value>,
) -> HttpResponse {
    let suggestion = match error {
        RequestError::UnknownQuery(name) => site.app.catalog.nearest_name(name),
        _ => None,
    };
    let mut response = if context.format == Format::Html {
        let page = view::ErrorPage {
            failure: said.page_failure(context),
            suggestion,
        };
        let frame = view::PageFrame {
            here: site.pages_here(context),
            ..site.page_frame()
        };
        body::page_response(said.status, view::render_error(&frame, &page), context)
    } else {
        if let Some(near) = suggestion {
            said.message = format!("{}; did you mean {near:?}?", said.message);
        }
        json_error(&said, context, more)
    };
    finish(&mut response, error);
    response
}

/// `{"ok":false,…}`: the form of every error to those who asked for data.
fn json_error(
    said: &ErrorReply,
    context: &RequestContext,
    more: serde_json::Map<String, serde_json::Value>,
) -> HttpResponse {
    let mut json = serde_json::json!({
        "ok": false,
        "error": said.message,
        "status": said.status.as_u16(),
        "id": context.id(),
    });
    if let Some(members) = json.as_object_mut() {
        members.extend(more);
    }
    body::unkept_response(said.status, Format::Json, json.to_string().into(), context)
}

/// The headers and the note for the log that every error's response has.
pub(super) fn finish(response: &mut HttpResponse, error: &RequestError) {
    let headers = response.headers_mut();
    if error.status() == 401 {
        // The second lets a browser ask for the token.
        for challenge in [
            "Bearer realm=\"unslow\"",
            "Basic realm=\"unslow\", charset=\"UTF-8\"",
        ] {
            let challenge = HeaderValue::from_static(challenge);
            headers.append(header::WWW_AUTHENTICATE, challenge);
        }
    }
    if let Some(wait) = error.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
    }
    response.extensions_mut().insert(Outcome::Error);
}

/// Rounded up: who comes back earlier gets the same answer.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// Answers 404 for every path that is not in the route table.
pub(super) async fn not_found(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let error = RequestError::Rejected {
        status: 404,
        message: "there is no such page".to_owned(),
    };
    respond_error(&site, &RequestContext::from(&request), &error)
}

/// Answers 405 for a method that a read-only resource does not have.
pub(super) async fn method_not_allowed(
    request: HttpRequest,
    site: web::Data<Site>,
) -> HttpResponse {
    refuse_method(READ_METHODS, &site, &RequestContext::from(&request))
}

/// Answers 405 with the methods that there are.
pub(super) fn refuse_method(
    methods: &'static str,
    site: &Site,
    context: &RequestContext,
) -> HttpResponse {
    let error = RequestError::Rejected {
        status: 405,
        message: format!("this address answers {methods} only"),
    };
    let mut response = respond_error(site, context, &error);
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}
