//! `POST /q/NAME/refresh`, `/expire` and `/purge`: what operators do to what is stored of a query.
//! With parameters, in the address or as a form, it concerns one entry; without, all of the query
//! (a refresh: the entry of its defaults). Who may is decided in `access`, what is done in
//! [`App`](crate::app::App).
//!
//! Scripts are answered in JSON. A browser, which asks for pages, is sent on to the query's page
//! when its form has been done.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};
use url::form_urlencoded::Serializer;

use super::context::Context;
use super::negotiate::Format;
use super::{Site, access, audience, body, errors, guard, pages};
use crate::cache::{PurgeKind, Reach};
use crate::error::RequestError;
use crate::query::Query;
use crate::settings::duration_text;

const METHODS: &str = "POST, OPTIONS";

const FORM: &str = "application/x-www-form-urlencoded";

#[derive(Debug, Clone, Copy)]
enum Action {
    Refresh,
    Purge(PurgeKind),
}

impl Action {
    /// The last part of its address.
    fn name(self) -> &'static str {
        match self {
            Action::Refresh => "refresh",
            Action::Purge(PurgeKind::Soft) => "expire",
            Action::Purge(PurgeKind::Hard) => "purge",
        }
    }
}

/// What was asked for and done.
struct Done<'q> {
    query: &'q Query,
    given: Vec<(String, String)>,
    /// `ok` and the members after it.
    said: Map<String, Value>,
}

/// Why it was not done, or not everywhere, with what JSON says besides.
struct Refusal {
    error: RequestError,
    more: Map<String, Value>,
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Refusal {
        Refusal {
            error,
            more: Map::new(),
        }
    }
}

/// The three addresses. Whatever is not a POST has no effect.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    for action in [
        Action::Refresh,
        Action::Purge(PurgeKind::Soft),
        Action::Purge(PurgeKind::Hard),
    ] {
        let post = move |request: HttpRequest, site: web::Data<Site>, body: web::Payload| {
            let context = Context::from(&request);
            let answer = answer(action, request, site.clone(), body);
            async move { guard::bounded(&site, &context, answer).await }
        };
        let path = format!("/q/{{name}}/{}", action.name());
        let resource = web::resource(path.as_str())
            .guard(audience::guard(&path))
            .route(web::post().to(post))
            .route(web::method(Method::OPTIONS).to(options))
            .default_service(web::to(method_not_allowed));
        config.service(resource);
    }
}

async fn options(_: HttpRequest) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ALLOW, METHODS))
        .finish()
}

async fn method_not_allowed(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    errors::only(METHODS, &site, &Context::from(&request))
}

async fn answer(
    action: Action,
    request: HttpRequest,
    site: web::Data<Site>,
    body: web::Payload,
) -> HttpResponse {
    let mut context = Context::from(&request);
    // Who says nothing, or `*/*`, is a script here: nobody reads this as a page by chance.
    let is_browser = context.format == Format::Html && names_pages(request.headers());
    if !is_browser {
        context.format = Format::Json;
    }
    match perform(action, &request, &site, &context, body).await {
        Ok(done) if is_browser => to_page(done.query, &done.given),
        Ok(done) => {
            let json = Value::Object(done.said).to_string();
            body::unkept(StatusCode::OK, Format::Json, json.into(), &context)
        }
        Err(refusal) => errors::respond_with(&site, &context, &refusal.error, refusal.more),
    }
}

async fn perform<'s>(
    action: Action,
    request: &HttpRequest,
    site: &'s Site,
    context: &Context,
    body: web::Payload,
) -> Result<Done<'s>, Refusal> {
    site.access.check(request, context).await?;
    access::own_origin(request.headers())?;
    let query = find(site, request.match_info().query("name"))?;
    let given = given(request, site, body).await?;
    let (scope, effect) = carry_out(action, site, query, &given).await?;
    let mut said = members(json!({
        "ok": true,
        "query": query.name,
        "action": action.name(),
        "scope": scope,
    }));
    tracing::info!(
        id = context.id(),
        query = query.name,
        scope,
        "{} on request",
        action.name()
    );
    let (name, value) = match effect {
        Effect::Loaded => return Ok(Done { query, given, said }),
        Effect::Purged(Reach::Fleet) => ("reach", "fleet"),
        Effect::Purged(Reach::Instance) => return Err(on_this_instance_only(action, said)),
        Effect::None => ("note", NOT_CACHED),
    };
    said.insert(name.to_owned(), json!(value));
    Ok(Done { query, given, said })
}

/// What came of it.
enum Effect {
    Loaded,
    Purged(Reach),
    None,
}

const NOT_CACHED: &str = "without effect: this query says `cache: off`, nothing of it is stored";

/// Does it, and says to what.
async fn carry_out(
    action: Action,
    site: &Site,
    query: &Arc<Query>,
    given: &[(String, String)],
) -> Result<(&'static str, Effect), RequestError> {
    match action {
        Action::Refresh => {
            let arguments = query.arguments(given)?;
            let loaded = site.app.refresh(query, arguments).await?;
            Ok(("entry", loaded.map_or(Effect::None, |_| Effect::Loaded)))
        }
        Action::Purge(kind) => {
            // Without any it is all of the query: those that are required need not be there.
            let typed = (!given.is_empty()).then(|| query.arguments(given));
            let arguments = typed.transpose()?;
            let scope = if arguments.is_some() {
                "entry"
            } else {
                "query"
            };
            let reach = site.app.purge(query, arguments.as_ref(), kind).await?;
            Ok((scope, reach.map_or(Effect::None, Effect::Purged)))
        }
    }
}

fn on_this_instance_only(action: Action, mut said: Map<String, Value>) -> Refusal {
    said.remove("ok");
    said.insert("reach".to_owned(), json!("instance"));
    Refusal {
        error: RequestError::OnThisInstanceOnly {
            done: match action {
                Action::Purge(PurgeKind::Soft) => "expired",
                _ => "purged",
            },
        },
        more: said,
    }
}

/// The query of this name, or which names there are.
fn find<'s>(site: &'s Site, name: &str) -> Result<&'s Arc<Query>, Refusal> {
    site.app.query(name).map_err(|error| {
        let names: Vec<&str> = site.app.catalog.iter().map(|q| q.name.as_str()).collect();
        Refusal {
            error: RequestError::Rejected {
                status: 404,
                message: format!("{error}; there are {}", names.join(", ")),
            },
            more: members(json!({ "queries": names })),
        }
    })
}

/// The parameters in the address, and those in a form that came as the body.
async fn given(
    request: &HttpRequest,
    site: &Site,
    body: web::Payload,
) -> Result<Vec<(String, String)>, RequestError> {
    let rejected = |status, message: &str| RequestError::Rejected {
        status,
        message: message.to_owned(),
    };
    let headers = request.headers();
    // Parameters that are overlooked would make one entry's purge one of the whole query: what
    // cannot be read is refused. The guard reads no body in chunks.
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(rejected(411, "send the parameters with a Content-Length"));
    }
    let limit = site.app.settings.server.limit_request_body;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let time = guard::body_timeout(&site.app.settings.server);
    let read = tokio::time::timeout(time, body.to_bytes_limited(limit)).await;
    let Ok(read) = read else {
        let message = format!(
            "the request's body did not come within {}",
            duration_text(time)
        );
        return Err(rejected(408, &message));
    };
    let form = match read {
        Ok(Ok(form)) => form,
        Ok(Err(_)) => return Err(rejected(400, "the request's body is cut off")),
        Err(_) => return Err(rejected(413, "the request's body is too long")),
    };
    if !form.is_empty() && !is_form(headers) {
        let message = format!("send the parameters in the address, or in a body of type {FORM}");
        return Err(rejected(415, &message));
    }
    let form =
        std::str::from_utf8(&form).map_err(|_| rejected(400, "the request's body is not UTF-8"))?;
    let mut given = Vec::new();
    for text in [request.query_string(), form] {
        pages::require_utf8(text)?;
        given.extend(pages::pairs(text));
    }
    Ok(given)
}

fn is_form(headers: &HeaderMap) -> bool {
    let name = |value: &HeaderValue| Some(value.to_str().ok()?.split(';').next()?.trim() == FORM);
    headers.get(header::CONTENT_TYPE).and_then(name) == Some(true)
}

/// Whether `Accept` says `text/html` in so many words, as browsers do.
fn names_pages(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT);
    accepted.any(|value| value.to_str().is_ok_and(|text| text.contains("text/html")))
}

/// To the page of what it was done to.
fn to_page(query: &Query, given: &[(String, String)]) -> HttpResponse {
    let mut location = format!("/q/{}", query.name);
    if !given.is_empty() {
        let pairs = Serializer::new(String::new()).extend_pairs(given).finish();
        location = format!("{location}?{pairs}");
    }
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, location))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

/// The members of an object.
fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
