//! The embedded files under `/static`. Their names carry a hash of their content, so they may be
//! kept for good.

use std::borrow::Cow;
use std::sync::OnceLock;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use rust_embed::RustEmbed;

use super::context::Context;
use super::encoding::{Effort, encode, worthwhile};
use super::negotiate::Encoding;
use super::{Site, errors};
use crate::view;

// `debug-embed` in Cargo.toml: a debug build that read the disk would need the path checks that
// a table in memory does not.
#[derive(RustEmbed)]
#[folder = "assets/"]
#[include = "*.css"]
#[include = "*.js"]
#[include = "*.svg"]
#[exclude = "readme/*"]
#[exclude = "deploy/*"]
struct Embedded;

/// One file as it is served.
#[derive(Debug)]
struct Asset {
    /// `style-0123abcd.css`
    hashed_name: String,
    content_type: &'static str,
    body: Bytes,
    encoded: [OnceLock<Bytes>; 3],
}

/// All files, and where pages find them.
#[derive(Debug)]
pub(super) struct Assets {
    files: Vec<Asset>,
    pub(super) urls: view::Assets,
    /// What keeps `/stats` up to date.
    pub(super) stats_script: String,
}

impl Assets {
    /// Reads the embedded files and hashes their names.
    pub(super) fn new() -> Assets {
        let files: Vec<Asset> = Embedded::iter().filter_map(|name| asset(&name)).collect();
        let url = |stem: &str| {
            let prefix = format!("{stem}-");
            let file = files
                .iter()
                .find(|file| file.hashed_name.starts_with(&prefix));
            let file = file.expect("the pages' own files are embedded");
            format!("/static/{}", file.hashed_name)
        };
        Assets {
            urls: view::Assets {
                style: url("style"),
                favicon: url("favicon"),
            },
            stats_script: url("stats"),
            files,
        }
    }
}

fn asset(name: &str) -> Option<Asset> {
    let (stem, extension) = name.rsplit_once('.')?;
    let content_type = match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    };
    let file = Embedded::get(name)?;
    let [a, b, c, d, ..] = file.metadata.sha256_hash();
    let hash = u32::from_be_bytes([a, b, c, d]);
    Some(Asset {
        hashed_name: format!("{stem}-{hash:08x}.{extension}"),
        content_type,
        body: match file.data {
            Cow::Borrowed(data) => Bytes::from_static(data),
            Cow::Owned(data) => data.into(),
        },
        encoded: Default::default(),
    })
}

impl Asset {
    /// The body in this encoding, made on first use.
    fn body(&self, encoding: Encoding) -> Bytes {
        let slot = match encoding {
            Encoding::Identity => return self.body.clone(),
            Encoding::Gzip => 0,
            Encoding::Brotli => 1,
            Encoding::Zstd => 2,
        };
        self.encoded[slot]
            .get_or_init(|| encode(&self.body, encoding, Effort::Kept))
            .clone()
    }
}

/// `GET /static/NAME-HASH.EXT`.
pub(super) async fn file(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let context = Context::from(&request);
    let name = request.match_info().query("file");
    let Some(asset) = site
        .assets
        .files
        .iter()
        .find(|file| file.hashed_name == name)
    else {
        return errors::not_found(request, site).await;
    };
    let encoding = worthwhile(context.encoding, asset.body.len());
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, asset.content_type));
    response.insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"));
    response.insert_header((header::VARY, HeaderValue::from_static("Accept-Encoding")));
    let suffix = encoding
        .name()
        .map(|name| format!("-{name}"))
        .unwrap_or_default();
    let etag = format!("\"{}{suffix}\"", asset.hashed_name);
    let has_it = context.has(&etag);
    response.insert_header((header::ETAG, etag));
    if has_it {
        response.status(actix_web::http::StatusCode::NOT_MODIFIED);
        return response.finish();
    }
    if let Some(name) = encoding.name() {
        response.insert_header((header::CONTENT_ENCODING, name));
    }
    response.body(asset.body(encoding))
}
