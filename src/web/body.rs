//! Bodies made for one response alone: encoded per request, kept by nobody.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use maud::Markup;

use super::context::RequestContext;
use super::encoding::{EncodingEffort, choose_encoding, encode};
use super::negotiate::{Encoding, Format};

/// Returns a page. It shows this request's own time, so it has no `ETag`.
pub(super) fn page_response(
    status: StatusCode,
    markup: Markup,
    context: &RequestContext,
) -> HttpResponse {
    unkept_response(status, Format::Html, markup.into_string().into(), context)
}

/// Returns a `no-store` body, encoded as the client likes it best.
pub(super) fn unkept_response(
    status: StatusCode,
    format: Format,
    body: Bytes,
    context: &RequestContext,
) -> HttpResponse {
    EncodedBody::new(format, body, context).into_response(status)
}

/// A body for one response, encoded as its client likes it best.
pub(super) struct EncodedBody {
    format: Format,
    encoding: Encoding,
    body: Bytes,
}

impl EncodedBody {
    /// Encodes the body, where that is worth it.
    pub(super) fn new(format: Format, body: Bytes, context: &RequestContext) -> EncodedBody {
        let encoding = choose_encoding(context.encoding, body.len());
        let body = match encoding {
            Encoding::Identity => body,
            encoding => encode(&body, encoding, EncodingEffort::Once),
        };
        EncodedBody {
            format,
            encoding,
            body,
        }
    }

    /// Returns the response, which nobody keeps.
    pub(super) fn into_response(self, status: StatusCode) -> HttpResponse {
        let mut response = HttpResponse::build(status).body(self.body);
        let headers = response.headers_mut();
        describe_body(headers, self.format, self.encoding);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(
            header::VARY,
            HeaderValue::from_static("Accept, Accept-Encoding"),
        );
        response
    }
}

/// Keeps it out of search engines, where it is not for everyone.
pub(super) fn hide_from_robots(response: &mut HttpResponse) {
    let name = HeaderName::from_static("x-robots-tag");
    let headers = response.headers_mut();
    headers.insert(name, HeaderValue::from_static("noindex"));
}

/// Returns what the body is, and how it is encoded.
pub(super) fn describe_body(headers: &mut HeaderMap, format: Format, encoding: Encoding) {
    let content_type = HeaderValue::from_static(format.content_type());
    headers.insert(header::CONTENT_TYPE, content_type);
    if let Some(name) = encoding.name() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
    }
}
