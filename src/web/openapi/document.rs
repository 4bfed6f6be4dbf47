//! The whole document, as a pure function of the catalog and of what the settings say of it.
//! Its order is that of the catalog; the same catalog gives the same bytes.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::queries::SharedComponents;
use super::rule::{DocumentContext, SERVICE};
use super::{parts, queries, schemas, service};
use crate::query::Catalog;

const DESCRIPTION: &str = "Named SQL queries, answered from a cache. Each is served as a page and \
    as JSON, CSV and NDJSON; what a query takes is checked before it runs. Columns are those of \
    the SQL, and are not listed here.";

/// Returns the document, and the hash that is its version.
pub(super) fn write_document(catalog: &Catalog, about: &DocumentContext<'_>) -> (Value, String) {
    let mut tags = vec![json!({ "name": SERVICE, "description": "The catalog and the program." })];
    let mut paths = Map::new();
    let mut shared = SharedComponents {
        parameters: schemas::component_parameters(),
        schemas: schemas::component_schemas(),
        bodies: Map::new(),
    };
    let home = catalog.get(about.home).map(|query| &**query);
    let home = home.filter(|query| !query.is_hidden);
    service::add(home, about, &mut paths);
    for query in catalog.listed_queries() {
        tags.push(json!({ "name": query.name, "description": query.title }));
        queries::add(query, about, &mut paths, &mut shared);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": "unslow", "description": DESCRIPTION, "version": "" },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "parameters": shared.parameters,
            "headers": parts::component_headers(),
            "responses": parts::component_responses(),
            "schemas": shared.schemas,
            "requestBodies": shared.bodies,
            "securitySchemes": schemas::security_schemes(about),
        },
    });
    let digest = Sha256::digest(document.to_string().as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    let version = format!("{:016x}", u64::from_be_bytes(first));
    document["info"]["version"] = json!(version);
    (document, version)
}
