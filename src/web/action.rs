//! The part that all actions of operators on a query have in common: each is a POST, the right to
//! it is decided first, then the query is found and its parameters are read, in the address or as a
//! form.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use serde_json::{Map, Value, json};

use super::context::RequestContext;
use super::site::Site;
use super::{access, audience, errors, guard, limits, parameters};
use crate::error::RequestError;
use crate::query::Query;
use crate::text::units::duration_text;

const METHODS: &str = "POST, OPTIONS";

const FORM: &str = "application/x-www-form-urlencoded";

/// Parameters as they came, by name.
pub(super) type GivenParameters = Vec<(String, String)>;

/// The reason why it was not done, or not everywhere, with what JSON says besides.
pub(super) struct ActionRefusal {
    pub(super) error: RequestError,
    pub(super) more: Map<String, Value>,
}

impl From<RequestError> for ActionRefusal {
    fn from(error: RequestError) -> ActionRefusal {
        ActionRefusal {
            error,
            more: Map::new(),
        }
    }
}

/// Returns a resource for this handler. Whatever is not a POST has no effect.
pub(super) fn post_resource<F, R>(path: &str, handler: F) -> Resource
where
    F: Fn(HttpRequest, web::Data<Site>, web::Payload) -> R + Clone + 'static,
    R: Future<Output = HttpResponse> + 'static,
{
    let post = move |request: HttpRequest, site: web::Data<Site>, body: web::Payload| {
        let context = RequestContext::from(&request);
        let answer = handler(request, site.clone(), body);
        async move { guard::with_timeout(&site, &context, answer).await }
    };
    web::resource(path)
        .guard(audience::route_guard(path))
        .route(web::post().to(post))
        .route(web::method(Method::OPTIONS).to(answer_options))
        .default_service(web::to(method_not_allowed))
}

async fn answer_options(_: HttpRequest) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ALLOW, METHODS))
        .finish()
}

async fn method_not_allowed(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    errors::refuse_method(METHODS, &site, &RequestContext::from(&request))
}

/// Returns the query that the address names and the parameters that were sent, for those who may.
pub(super) async fn read<'s>(
    request: &HttpRequest,
    site: &'s Site,
    context: &RequestContext,
    body: web::Payload,
) -> Result<(&'s Arc<Query>, GivenParameters), ActionRefusal> {
    site.access.check_operator(request, context).await?;
    access::own_origin(request.headers())?;
    let query = find(site, request.match_info().query("name"))?;
    Ok((query, given_parameters(request, site, body).await?))
}

/// Returns the query of this name, or which names there are.
fn find<'s>(site: &'s Site, name: &str) -> Result<&'s Arc<Query>, ActionRefusal> {
    site.app.find_query(name).map_err(|error| {
        let names: Vec<&str> = site.app.catalog.iter().map(|q| q.name.as_str()).collect();
        ActionRefusal {
            error: RequestError::Rejected {
                status: 404,
                message: format!("{error}; there are {}", names.join(", ")),
            },
            more: object_members(json!({ "queries": names })),
        }
    })
}

/// Returns the parameters in the address, and those in a form that came as the body.
async fn given_parameters(
    request: &HttpRequest,
    site: &Site,
    body: web::Payload,
) -> Result<GivenParameters, RequestError> {
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
    let time = limits::body_timeout(&site.app.settings.server);
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
        parameters::require_utf8(text)?;
        given.extend(parameters::parse_pairs(text));
    }
    Ok(given)
}

fn is_form(headers: &HeaderMap) -> bool {
    let name = |value: &HeaderValue| Some(value.to_str().ok()?.split(';').next()?.trim() == FORM);
    headers.get(header::CONTENT_TYPE).and_then(name) == Some(true)
}

/// Returns the members of an object.
pub(super) fn object_members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
