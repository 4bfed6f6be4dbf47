//! `POST /q/NAME/refresh`, `/expire` and `/purge`: what operators do to what is stored of a query.
//! With parameters, in the address or as a form, it concerns one entry; without, all of the query
//! (a refresh: the entry of its defaults). Who may is decided in `access`, what is done in
//! [`App`](crate::app::App).
//!
//! Scripts are answered in JSON. A browser, which asks for pages, is sent on to the query's page
//! when its form has been done.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};

use super::action::{self, ActionRefusal, GivenParameters, object_members};
use super::context::RequestContext;
use super::negotiate::Format;
use super::site::Site;
use super::{body, errors};
use crate::app::PurgeDone;
use crate::cache::{PurgeKind, PurgeReach};
use crate::error::RequestError;
use crate::query::Query;
use crate::view;

#[derive(Debug, Clone, Copy)]
enum PurgeAction {
    Refresh,
    Purge(PurgeKind),
}

impl PurgeAction {
    /// Returns the last part of its address.
    fn name(self) -> &'static str {
        match self {
            PurgeAction::Refresh => "refresh",
            PurgeAction::Purge(PurgeKind::Soft) => "expire",
            PurgeAction::Purge(PurgeKind::Hard) => "purge",
        }
    }
}

/// The purge that was asked for and done.
struct PurgeOutcome<'q> {
    query: &'q Query,
    given: GivenParameters,
    /// `ok` and the members after it.
    said: Map<String, Value>,
}

/// The three addresses.
pub(super) fn purge_routes(config: &mut web::ServiceConfig) {
    for action in [
        PurgeAction::Refresh,
        PurgeAction::Purge(PurgeKind::Soft),
        PurgeAction::Purge(PurgeKind::Hard),
    ] {
        let path = format!("/q/{{name}}/{}", action.name());
        let post = move |request, site, body| answer_purge(action, request, site, body);
        config.service(action::post_resource(&path, post));
    }
}

async fn answer_purge(
    action: PurgeAction,
    request: HttpRequest,
    site: web::Data<Site>,
    body: web::Payload,
) -> HttpResponse {
    let mut context = RequestContext::from(&request);
    // A client that names no format, or `*/*`, is a script here: nobody reads this as a page by
    // chance.
    let is_browser = context.format == Format::Html && names_pages(request.headers());
    if !is_browser {
        context.format = Format::Json;
    }
    match perform_purge(action, &request, &site, &context, body).await {
        Ok(done) if is_browser => to_page(done.query, &done.given),
        Ok(done) => {
            let json = Value::Object(done.said).to_string();
            body::unkept_response(StatusCode::OK, Format::Json, json.into(), &context)
        }
        Err(refusal) => errors::respond_with(&site, &context, &refusal.error, refusal.more),
    }
}

async fn perform_purge<'s>(
    action: PurgeAction,
    request: &HttpRequest,
    site: &'s Site,
    context: &RequestContext,
    body: web::Payload,
) -> Result<PurgeOutcome<'s>, ActionRefusal> {
    let (query, given) = action::read(request, site, context, body).await?;
    let (scope, effect) = carry_out(action, site, query, &given).await?;
    let mut said = object_members(json!({
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
        PurgeEffect::Loaded => return Ok(PurgeOutcome { query, given, said }),
        PurgeEffect::Purged(done) => {
            said.extend(object_members(json!({
                "confirmed": done.confirmed,
                "missing": done.missing,
            })));
            if done.reach == PurgeReach::Instance {
                return Err(on_this_instance_only(action, said));
            }
            ("reach", "fleet")
        }
        PurgeEffect::None => ("note", NOT_CACHED),
    };
    said.insert(name.to_owned(), json!(value));
    Ok(PurgeOutcome { query, given, said })
}

/// The effect of it.
enum PurgeEffect {
    Loaded,
    Purged(PurgeDone),
    None,
}

const NOT_CACHED: &str = "without effect: this query says `cache: off`, nothing of it is stored";

/// Does it, and says to what.
async fn carry_out(
    action: PurgeAction,
    site: &Site,
    query: &Arc<Query>,
    given: &[(String, String)],
) -> Result<(&'static str, PurgeEffect), RequestError> {
    match action {
        PurgeAction::Refresh => {
            let arguments = query.read_arguments(given)?;
            let loaded = site.app.refresh_entry(query, arguments).await?;
            Ok((
                "entry",
                loaded.map_or(PurgeEffect::None, |_| PurgeEffect::Loaded),
            ))
        }
        PurgeAction::Purge(kind) => {
            // Without any it is all of the query: those that are required need not be there.
            let typed = (!given.is_empty()).then(|| query.read_arguments(given));
            let arguments = typed.transpose()?;
            let scope = if arguments.is_some() {
                "entry"
            } else {
                "query"
            };
            let done = site
                .app
                .purge_query(query, arguments.as_ref(), kind)
                .await?;
            Ok((scope, done.map_or(PurgeEffect::None, PurgeEffect::Purged)))
        }
    }
}

fn on_this_instance_only(action: PurgeAction, mut said: Map<String, Value>) -> ActionRefusal {
    said.remove("ok");
    said.insert("reach".to_owned(), json!("instance"));
    ActionRefusal {
        error: RequestError::OnThisInstanceOnly {
            done: match action {
                PurgeAction::Purge(PurgeKind::Soft) => "expired",
                _ => "purged",
            },
        },
        more: said,
    }
}

/// Returns whether `Accept` says `text/html` in so many words, as browsers do.
fn names_pages(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT);
    accepted.any(|value| value.to_str().is_ok_and(|text| text.contains("text/html")))
}

/// Sends the client on to the page of the query.
fn to_page(query: &Query, given: &[(String, String)]) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((
            header::LOCATION,
            view::query_address(&query.name, None, given),
        ))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}
