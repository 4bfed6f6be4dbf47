//! `GET /static/…`: the embedded files. Which there are is in `assets`.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

use super::context::RequestContext;
use super::encoding::choose_encoding;
use super::errors;
use super::site::Site;

/// Answers `GET /static/NAME-HASH.EXT`.
pub(super) async fn answer_file(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let context = RequestContext::from(&request);
    let name = request.match_info().query("file");
    let Some(asset) = site
        .assets
        .files
        .iter()
        .find(|file| file.hashed_name == name)
    else {
        return errors::not_found(request, site).await;
    };
    let encoding = choose_encoding(context.encoding, asset.body.len());
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, asset.content_type));
    response.insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"));
    response.insert_header((header::VARY, HeaderValue::from_static("Accept-Encoding")));
    let suffix = encoding
        .name()
        .map(|name| format!("-{name}"))
        .unwrap_or_default();
    let etag = format!("\"{}{suffix}\"", asset.hashed_name);
    let has_it = context.has_etag(&etag);
    response.insert_header((header::ETAG, etag));
    if has_it {
        response.status(actix_web::http::StatusCode::NOT_MODIFIED);
        return response.finish();
    }
    if let Some(name) = encoding.name() {
        response.insert_header((header::CONTENT_ENCODING, name));
    }
    response.body(asset.body.in_encoding(encoding))
}
