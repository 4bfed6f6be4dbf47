//! Bodies made for one response alone: encoded per request, kept by nobody.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use maud::Markup;

use super::context::Context;
use super::encoding::{Effort, encode, worthwhile};
use super::negotiate::Format;

/// A page. It shows this request's own time, so it has no `ETag`.
pub(super) fn page(status: StatusCode, markup: Markup, context: &Context) -> HttpResponse {
    unkept(status, Format::Html, markup.into_string(), context)
}

/// A `no-store` body, encoded as the client likes it best.
pub(super) fn unkept(
    status: StatusCode,
    format: Format,
    body: String,
    context: &Context,
) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CONTENT_TYPE, format.content_type()));
    response.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
    response.insert_header((
        header::VARY,
        HeaderValue::from_static("Accept, Accept-Encoding"),
    ));
    let encoding = worthwhile(context.encoding, body.len());
    match encoding.name() {
        None => response.body(body),
        Some(name) => response
            .insert_header((header::CONTENT_ENCODING, name))
            .body(encode(body.as_bytes(), encoding, Effort::Once)),
    }
}
