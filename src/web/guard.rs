//! The frame of every route: the refusal of a request by its head (`limits`), its id, the time
//! limit, a panic turned into a 500, the headers that every response has, the access log.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{self, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, RequestHead, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{ConnectionType, Version};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use bytes::Bytes;
use futures_util::FutureExt;

use super::connection::{ConnectionState, ListenerInfo};
use super::context::{RequestContext, X_REQUEST_ID};
use super::site::Site;
use super::{errors, forwarded, limits, pieces};
use crate::error::RequestError;
use crate::logging::{AccessLog, AccessRecord, LoggedHeaders};
use crate::outcome::Outcome;

/// Scripts and styles come from `/static` alone, nothing is inline, nobody may frame a page.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// The header by which browsers come by https only from now on, also when somebody writes http. It
/// is sent where TLS is our own business: behind a proxy that ends TLS, the proxy knows whether all
/// of the site can do this.
const A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Returns the middleware around the route table.
pub async fn wrap_routes(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let site = request
        .app_data::<web::Data<Site>>()
        .expect("the server gives every application its site")
        .clone();
    let server = &site.app.settings.server;
    let reception = request
        .conn_data::<Rc<ConnectionState>>()
        .map_or(ListenerInfo::OPEN, |connection| connection.reception());
    let context = RequestContext::from_head(request.head(), &server.forwarded_allow_ips, reception);
    let unread = request
        .headers()
        .contains_key(header::TRANSFER_ENCODING)
        .then(|| request.take_payload());
    let response = if let Err(error) = limits::check_limits(request.head(), server, reception) {
        request.into_response(errors::respond_error(&site, &context, &error))
    } else {
        request.extensions_mut().insert(context.clone());
        next.call(request).await?
    };
    let (request, response) = response.into_parts();
    let mut response = pieces::within_budget(&site, &context, request.head(), response);
    finish(&site, &context, request.head(), &mut response);
    if let Some(unread) = unread {
        response = response.map_body(|_, body| {
            BoxBody::new(Holding {
                body,
                _unread: unread,
            })
        });
    }
    Ok(ServiceResponse::new(request, response))
}

/// Returns what every response has: its headers, the end of its connection while draining, its line
/// in the access log.
pub(super) fn finish(
    site: &Site,
    context: &RequestContext,
    head: &RequestHead,
    response: &mut HttpResponse,
) {
    common_headers(response.headers_mut(), context);
    if let Some(cors) = &site.cors {
        cors.finish(head, response);
    }
    if site.app.settings.tls.is_some() {
        let trusted = &site.app.settings.server.forwarded_allow_ips;
        if context.encrypted || forwarded::is_https(head, trusted) {
            let headers = response.headers_mut();
            headers.insert(header::STRICT_TRANSPORT_SECURITY, A_YEAR);
        }
    }
    if site.is_parting() {
        response
            .head_mut()
            .set_connection_type(ConnectionType::Close);
    }
    if let Some(log) = &site.access_log {
        log_access(log, head, response, context);
    }
}

/// A response's body that holds on to its request's: a body in chunks, which no route reads. One
/// that is dropped before the response has gone out is read by actix to its end, however far that
/// is; one that is still held ends the connection.
struct Holding {
    body: BoxBody,
    _unread: Payload,
}

impl MessageBody for Holding {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

/// Returns a handler's response, or a 504 after `request_timeout`, or a 500 where the handler
/// panicked.
pub(super) async fn with_timeout(
    site: &Site,
    context: &RequestContext,
    handler: impl Future<Output = HttpResponse>,
) -> HttpResponse {
    let limit = site.app.settings.server.request_timeout;
    let mut handler = pin!(AssertUnwindSafe(handler).catch_unwind());
    // Most answers are there at once and need no timer.
    let at_once = poll_fn(|context| Poll::Ready(handler.as_mut().poll(context))).await;
    let done = match at_once {
        Poll::Ready(done) => Ok(done),
        Poll::Pending => tokio::time::timeout(limit, handler).await,
    };
    let error = match done {
        Ok(Ok(response)) => return response,
        Ok(Err(_panic)) => RequestError::Internal {
            detail: "a handler panicked".into(),
        },
        Err(_elapsed) => RequestError::Timeout { limit },
    };
    errors::respond_error(site, context, &error)
}

/// The headers that every response has.
fn common_headers(headers: &mut HeaderMap, context: &RequestContext) {
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_REQUEST_ID, context.id.clone());
}

/// Returns what the response to something that could not be read as a request has of [`finish`].
pub(super) fn finish_unread(site: &Site, context: &RequestContext, response: &mut HttpResponse) {
    site.app.standing.count_unread();
    common_headers(response.headers_mut(), context);
    if context.encrypted {
        let headers = response.headers_mut();
        headers.insert(header::STRICT_TRANSPORT_SECURITY, A_YEAR);
    }
    if let Some(log) = &site.access_log {
        log.write(&AccessRecord {
            client: context.client,
            method: "-",
            path: "-",
            has_query: false,
            version: "HTTP/1.1",
            status: response.status().as_u16(),
            bytes: body_size(response),
            duration: context.started.elapsed(),
            referer: None,
            user_agent: None,
            request_id: context.id(),
            outcome: Some(Outcome::Error),
            request_headers: &ShownHeaders(&HeaderMap::new()),
            response_headers: &ShownHeaders(response.headers()),
        });
    }
}

/// Returns how many bytes the response's body has.
fn body_size(response: &HttpResponse) -> u64 {
    match response.body().size() {
        BodySize::Sized(bytes) => bytes,
        BodySize::None | BodySize::Stream => 0,
    }
}

fn log_access(
    log: &AccessLog,
    head: &RequestHead,
    response: &HttpResponse,
    context: &RequestContext,
) {
    let text = |name: header::HeaderName| head.headers.get(name)?.to_str().ok();
    log.write(&AccessRecord {
        client: context.client,
        method: head.method.as_str(),
        path: head.uri.path(),
        has_query: head.uri.query().is_some_and(|query| !query.is_empty()),
        version: match head.version {
            Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        },
        status: response.status().as_u16(),
        bytes: body_size(response),
        duration: context.started.elapsed(),
        referer: text(header::REFERER),
        user_agent: text(header::USER_AGENT),
        request_id: context.id(),
        outcome: response.extensions().get::<Outcome>().copied(),
        request_headers: &ShownHeaders(&head.headers),
        response_headers: &ShownHeaders(response.headers()),
    });
}

/// Headers, as the access log looks them up.
struct ShownHeaders<'a>(&'a HeaderMap);

impl LoggedHeaders for ShownHeaders<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App as Routes, HttpRequest, rt};

    use super::super::read_only;
    use super::super::tests::site;
    use super::*;

    #[test]
    fn a_handler_that_panics_is_a_500_with_every_header_and_serving_goes_on() {
        rt::System::new().block_on(async {
            let fall = |_: HttpRequest, _: web::Data<Site>| async { panic!("a bug at /secret") };
            let fine = |_: HttpRequest, _: web::Data<Site>| async { HttpResponse::Ok().finish() };
            let routes = Routes::new()
                .app_data(site())
                .wrap(from_fn(wrap_routes))
                .service(read_only("/fall.json").get(fall))
                .service(read_only("/fine").get(fine));
            let service = init_service(routes).await;
            let request = TestRequest::get().uri("/fall.json").to_request();
            let response = call_service(&service, request).await;
            assert_eq!(response.status(), 500);
            for name in ["content-security-policy", "x-request-id", "x-frame-options"] {
                assert!(response.headers().contains_key(name), "{name}");
            }
            assert_eq!(response.headers().get("cache-control").unwrap(), "no-store");
            let id = response.headers().get("x-request-id").unwrap().clone();
            let body = read_body(response).await;
            let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(json["ok"], false);
            assert_eq!(json["id"], id.to_str().unwrap());
            assert!(!json.to_string().contains("secret"), "{json}");
            let request = TestRequest::get().uri("/fine").to_request();
            assert_eq!(call_service(&service, request).await.status(), 200);
        });
    }
}
