//! `GET /openapi.json`: what there is to ask for, in `OpenAPI` 3.1, for programs that make clients,
//! forms and tests of it. This file keeps the document (`openapi_route` serves it); `document` puts
//! it together from the operations in `queries` and `service`, and what these share is in `parts`
//! and `schemas`. What a parameter takes is said by `query`.
//!
//! It shows what `/q` shows, to whom `/q` shows it, and not the version of the program.

mod document;
mod parts;
mod queries;
mod rule;
mod schemas;
mod service;
#[cfg(test)]
mod tests;

use super::encoded_variants::EncodedVariants;
use crate::app::App;
use rule::{AudienceRule, DocumentContext};

/// The document as it is served.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) body: EncodedVariants,
    /// Names the document among all others.
    pub(super) version: String,
}

impl Document {
    /// Describes what this application serves; with another catalog there is another application.
    pub(super) fn describe_app(app: &App) -> Document {
        let settings = &app.settings;
        let is_admin = settings.admin_token.is_some();
        let is_restricted = settings.access.is_restricted();
        let is_here = settings.stats_bind.is_empty();
        let about = DocumentContext {
            home: &settings.server.home,
            ttl: settings.cache.ttl,
            readers: if is_restricted {
                AudienceRule::for_others(is_admin || settings.access.token.is_some())
            } else {
                AudienceRule::Open
            },
            operators: is_here.then(|| AudienceRule::for_others(is_admin)),
        };
        let (json, version) = document::write_document(&app.catalog, &about);
        Document {
            body: EncodedVariants::new(json.to_string().into()),
            version,
        }
    }
}
