//! `GET /openapi.json`: what there is to ask for, in `OpenAPI` 3.1, for programs that make
//! clients, forms and tests of it. This file serves the document; `document` puts it together from the
//! operations in `queries` and `service`, and what these share is in `parts` and
//! `schemas`. What a parameter
//! takes is said by `query`.
//!
//! It shows what `/q` shows, to whom `/q` shows it, and not the version of the program.

mod document;
mod parts;
mod queries;
mod schemas;
mod service;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;

use super::access::Admission;
use super::context::Context;
use super::encoding::{Effort, encode, worthwhile};
use super::negotiate::{Encoding, Format};
use super::{Site, body, errors};
use crate::app::App;
use document::{About, Rule};

/// The document as it is served.
#[derive(Debug)]
pub(super) struct Document {
    json: Bytes,
    encoded: [OnceLock<Bytes>; 3],
    /// Names the document among all others.
    version: String,
}

impl Document {
    /// Describes what this application serves; with another catalog there is another application.
    fn of(app: &App) -> Document {
        let settings = &app.settings;
        let is_admin = settings.admin_token.is_some();
        let is_restricted = settings.access.is_restricted();
        let is_here = settings.stats_bind.is_empty();
        let about = About {
            home: &settings.server.home,
            ttl: settings.cache.ttl,
            readers: if is_restricted {
                Rule::of(is_admin || settings.access.token.is_some())
            } else {
                Rule::Open
            },
            operators: is_here.then(|| Rule::of(is_admin)),
        };
        let (json, version) = document::document(&app.catalog, &about);
        Document {
            json: json.to_string().into(),
            encoded: Default::default(),
            version,
        }
    }

    /// The document in this encoding, made on first use: many queries make it large.
    fn body(&self, encoding: Encoding) -> Bytes {
        let slot = match encoding {
            Encoding::Identity => return self.json.clone(),
            Encoding::Gzip => 0,
            Encoding::Brotli => 1,
            Encoding::Zstd => 2,
        };
        self.encoded[slot]
            .get_or_init(|| encode(&self.json, encoding, Effort::Kept))
            .clone()
    }
}

/// `GET /openapi.json`: 304 where the client already has it. It is made on the first request.
pub(super) async fn openapi(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let context = Context::from(&request);
    let admission = match site.access.may_read(request.head(), &context, None).await {
        Ok(admission) => admission,
        Err(error) => return errors::respond(&site, &context, &error),
    };
    let document = site.openapi.get_or_init(|| Document::of(&site.app));
    let encoding = worthwhile(context.encoding, document.json.len());
    let suffix = encoding.name().map(|name| format!("-{name}"));
    let etag = format!("\"{}{}\"", document.version, suffix.unwrap_or_default());
    let mut response = if context.has(&etag) {
        HttpResponse::build(StatusCode::NOT_MODIFIED).finish()
    } else {
        let mut response = HttpResponse::Ok().body(document.body(encoding));
        body::describe(response.headers_mut(), Format::Json, encoding);
        response
    };
    let headers = response.headers_mut();
    let etag = HeaderValue::try_from(etag).expect("made of hexadecimal digits and names");
    headers.insert(header::ETAG, etag);
    // A reload may change it at any time.
    let control = match admission {
        Admission::Open => "no-cache",
        Admission::Personal => "private, no-cache",
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(control));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}
