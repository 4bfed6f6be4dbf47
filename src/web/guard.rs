//! What stands around every route: limits on the request's head, the request's id, the time
//! limit, a panic turned into a 500, the headers that every response has, the access log.

use std::panic::AssertUnwindSafe;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use futures_util::FutureExt;

use super::Site;
use super::context::{Context, X_REQUEST_ID};
use super::errors;
use crate::error::RequestError;
use crate::logging::AccessRecord;
use crate::outcome::Outcome;
use crate::settings::Server;

/// Scripts and styles come from `/static` alone, nothing is inline, nobody may frame a page.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// The middleware around all routes.
pub async fn around(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let site = request
        .app_data::<web::Data<Site>>()
        .expect("the server gives every application its site")
        .clone();
    let server = &site.app.settings.server;
    let context = Context::of(&request, &server.forwarded_allow_ips);
    let record = site.access_log.is_some().then(|| record(&request, &context));

    let result = if let Err(error) = within_limits(&request, server) {
        Ok(request.into_response(errors::respond(&site, &context, &error)))
    } else {
        request.extensions_mut().insert(context.clone());
        route(request, next, &site, &context).await
    };
    result.map(|mut response| {
        let status = response.status();
        let size = response.response().body().size();
        let outcome = response.response().extensions().get::<Outcome>().copied();
        common_headers(response.headers_mut(), &context, site.is_draining());
        log_access(&site, record, &context, status, size, outcome);
        response
    })
}

/// Calls the route under the time limit. A panic or a timeout comes back as an error that
/// carries its response: the request went into the route, and a second owner of it, kept here
/// for the answer, would keep the router from writing to it.
async fn route(
    request: ServiceRequest,
    next: Next<BoxBody>,
    site: &Site,
    context: &Context,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let limit = site.app.settings.server.request_timeout;
    let routed = AssertUnwindSafe(next.call(request)).catch_unwind();
    let error = match tokio::time::timeout(limit, routed).await {
        Ok(Ok(result)) => return result,
        Ok(Err(_panic)) => RequestError::Internal { detail: "a handler panicked".into() },
        Err(_elapsed) => RequestError::Timeout { limit },
    };
    let mut response = errors::respond(site, context, &error);
    common_headers(response.headers_mut(), context, site.is_draining());
    Err(InternalError::from_response(error, response).into())
}

/// Refuses a request whose head or announced body is over a limit.
fn within_limits(request: &ServiceRequest, server: &Server) -> Result<(), RequestError> {
    let too_much = |status, message: String| Err(RequestError::Rejected { status, message });
    // Method, target, version and the two spaces between them.
    let line = request.method().as_str().len()
        + request.head().uri.path_and_query().map_or(0, |target| target.as_str().len())
        + " HTTP/1.1 ".len();
    if line > server.limit_request_line {
        let limit = server.limit_request_line;
        return too_much(414, format!("the request line is longer than {limit} bytes"));
    }
    let headers = request.headers();
    if headers.len() > server.limit_request_fields {
        let limit = server.limit_request_fields;
        return too_much(431, format!("the request has more than {limit} header fields"));
    }
    for (name, value) in headers {
        if name.as_str().len() + ": ".len() + value.len() > server.limit_request_field_size {
            let limit = server.limit_request_field_size;
            return too_much(431, format!("the header field {name} is longer than {limit} bytes"));
        }
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|text| text.parse().ok()) > Some(server.limit_request_body) {
        let limit = server.limit_request_body;
        return too_much(413, format!("the request's body is longer than {limit} bytes"));
    }
    Ok(())
}

/// The headers that every response has.
fn common_headers(headers: &mut HeaderMap, context: &Context, draining: bool) {
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_REQUEST_ID, context.id.clone());
    if draining {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// What the access log will say of a request, as far as it is known before it is routed.
fn record(request: &ServiceRequest, context: &Context) -> AccessRecord {
    let text = |name: header::HeaderName| {
        request
            .headers()
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    AccessRecord {
        client: context.client,
        method: request.method().to_string(),
        path: request.path().to_owned(),
        has_query: !request.query_string().is_empty(),
        referer: text(header::REFERER),
        user_agent: text(header::USER_AGENT),
        id: context.id().to_owned(),
        ..AccessRecord::default()
    }
}

/// Completes the record with how the request ended and hands it to the log.
fn log_access(
    site: &Site,
    record: Option<AccessRecord>,
    context: &Context,
    status: StatusCode,
    size: BodySize,
    outcome: Option<Outcome>,
) {
    let (Some(log), Some(mut record)) = (&site.access_log, record) else {
        return;
    };
    record.status = status.as_u16();
    record.bytes = match size {
        BodySize::Sized(bytes) => bytes,
        BodySize::None | BodySize::Stream => 0,
    };
    record.duration = context.started.elapsed();
    record.outcome = outcome.map(Outcome::name);
    log.write(record);
}
