//! The embedded files under `/static`. Their names carry a hash of their content, so they may be
//! kept for good.

use std::borrow::Cow;

use bytes::Bytes;
use rust_embed::RustEmbed;

use super::encoded_variants::EncodedVariants;
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
struct EmbeddedAssets;

/// One file as it is served.
#[derive(Debug)]
pub(super) struct StaticAsset {
    /// `style-0123abcd.css`
    pub(super) hashed_name: String,
    pub(super) content_type: &'static str,
    pub(super) body: EncodedVariants,
}

/// All files, and where pages find them.
#[derive(Debug)]
pub(super) struct StaticAssets {
    pub(super) files: Vec<StaticAsset>,
    pub(super) urls: view::AssetUrls,
    /// The address of the script that keeps `/stats` up to date.
    pub(super) stats_script: String,
}

impl StaticAssets {
    /// Reads the embedded files and hashes their names.
    pub(super) fn new() -> StaticAssets {
        let files: Vec<StaticAsset> = EmbeddedAssets::iter()
            .filter_map(|name| find_asset(&name))
            .collect();
        let url = |stem: &str| {
            let prefix = format!("{stem}-");
            let file = files
                .iter()
                .find(|file| file.hashed_name.starts_with(&prefix));
            let file = file.expect("the pages' own files are embedded");
            format!("/static/{}", file.hashed_name)
        };
        StaticAssets {
            urls: view::AssetUrls {
                style: url("style"),
                favicon: url("favicon"),
            },
            stats_script: url("stats"),
            files,
        }
    }
}

fn find_asset(name: &str) -> Option<StaticAsset> {
    let (stem, extension) = name.rsplit_once('.')?;
    let content_type = match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    };
    let file = EmbeddedAssets::get(name)?;
    let [a, b, c, d, ..] = file.metadata.sha256_hash();
    let hash = u32::from_be_bytes([a, b, c, d]);
    Some(StaticAsset {
        hashed_name: format!("{stem}-{hash:08x}.{extension}"),
        content_type,
        body: EncodedVariants::new(match file.data {
            Cow::Borrowed(data) => Bytes::from_static(data),
            Cow::Owned(data) => data.into(),
        }),
    })
}
