//! `GET /openapi.json`: the document for those who may read the catalog. What it says is `openapi`'s.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

use super::access::ReadAdmission;
use super::context::RequestContext;
use super::encoding::choose_encoding;
use super::negotiate::Format;
use super::openapi::Document;
use super::site::Site;
use super::{body, errors};

/// Answers `GET /openapi.json`: 304 where the client already has it. It is made on the first
/// request.
pub(super) async fn answer_openapi(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let context = RequestContext::from(&request);
    let admission = match site.access.may_read(request.head(), &context, None).await {
        Ok(admission) => admission,
        Err(error) => return errors::respond_error(&site, &context, &error),
    };
    let document = site
        .openapi
        .get_or_init(|| Document::describe_app(&site.app));
    let encoding = choose_encoding(context.encoding, document.body.len());
    let suffix = encoding.name().map(|name| format!("-{name}"));
    let etag = format!("\"{}{}\"", document.version, suffix.unwrap_or_default());
    let mut response = if context.has_etag(&etag) {
        HttpResponse::build(StatusCode::NOT_MODIFIED).finish()
    } else {
        let mut response = HttpResponse::Ok().body(document.body.in_encoding(encoding));
        body::describe_body(response.headers_mut(), Format::Json, encoding);
        response
    };
    let headers = response.headers_mut();
    let etag = HeaderValue::try_from(etag).expect("made of hexadecimal digits and names");
    headers.insert(header::ETAG, etag);
    // A reload may change it at any time.
    let control = match admission {
        ReadAdmission::Open => "no-cache",
        ReadAdmission::Personal => "private, no-cache",
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(control));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}
