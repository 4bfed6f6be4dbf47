//! The JSON that is answered, as schemas; and what else stands under `components` besides
//! responses: parameters, tokens.

use serde_json::{Map, Value, json};

use super::rule::{AudienceRule, DocumentContext};
use crate::web::wanted::META;

/// Writes `components/schemas`, before those of the queries are added. Members that are not listed
/// may come.
pub(super) fn component_schemas() -> Map<String, Value> {
    let all = [
        ("Rows", rows_schema()),
        ("Error", error_schema()),
        ("Done", done_schema()),
        ("Catalog", catalog_schema()),
        ("Health", health_schema()),
        ("Readiness", readiness_schema()),
    ];
    all.map(|(name, schema)| (name.to_owned(), schema))
        .into_iter()
        .collect()
}

fn rows_schema() -> Value {
    json!({
        "type": "object",
        "description": "An answer. Nothing in it changes from request to request.",
        "required": ["ok", "rows", "truncated"],
        "properties": {
            "ok": { "const": true },
            "rows": {
                "type": "array",
                "description": "Each row with its columns in their order.",
                "items": { "type": "object", "additionalProperties": true },
            },
            "truncated": {
                "type": "boolean",
                "description": "Whether there are more rows than are answered.",
            },
        },
    })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["ok", "error", "status", "id"],
        "properties": {
            "ok": { "const": false },
            "error": { "type": "string", "description": "What is wrong, for people." },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "id": { "type": "string", "description": "As in X-Request-Id." },
        },
    })
}

fn done_schema() -> Value {
    json!({
        "type": "object",
        "required": ["ok", "query", "action", "scope"],
        "properties": {
            "ok": { "const": true },
            "query": { "type": "string" },
            "action": { "enum": ["refresh", "expire", "purge"] },
            "scope": {
                "enum": ["entry", "query"],
                "description": "One set of parameters, or all of the query.",
            },
            "reach": { "const": "fleet", "description": "Where it is done." },
            "confirmed": {
                "type": "integer",
                "minimum": 1,
                "description": "How many instances are known to have applied it, this one included.",
            },
            "missing": {
                "type": "array",
                "items": { "type": "string" },
                "description": "The known instances that have not confirmed it in time.",
            },
            "note": { "type": "string", "description": "Why it had no effect." },
        },
    })
}

fn catalog_schema() -> Value {
    let word = json!({ "type": "string" });
    let param = json!({
        "type": "object",
        "required": ["name", "type", "required"],
        "properties": { "name": word, "type": word, "required": { "type": "boolean" } },
    });
    let query = json!({
        "type": "object",
        "required": ["name", "title", "url", "params"],
        "properties": {
            "name": word,
            "title": word,
            "description": { "type": ["string", "null"] },
            "url": word,
            "params": { "type": "array", "items": param },
        },
    });
    json!({
        "type": "object",
        "required": ["ok", "queries"],
        "properties": {
            "ok": { "const": true },
            "queries": { "type": "array", "items": query },
        },
    })
}

fn health_schema() -> Value {
    json!({
        "type": "object",
        "required": ["ok"],
        "properties": { "ok": { "const": true } },
    })
}

fn readiness_schema() -> Value {
    json!({
        "type": "object",
        "required": ["ok", "state", "database", "redis"],
        "properties": {
            "ok": { "type": "boolean" },
            "state": { "enum": ["serving", "draining"] },
            "database": { "enum": ["up", "down", "not asked yet"] },
            "redis": { "enum": ["up", "down", "not asked yet", "not configured"] },
        },
    })
}

/// Writes `components/parameters`, before those of the queries are added.
pub(super) fn component_parameters() -> Map<String, Value> {
    let if_none_match = json!({
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag of what the client has: 304 where that is still the answer.",
        "schema": { "type": "string" },
    });
    let meta = json!({
        "name": META,
        "in": "query",
        "description": "1 for a last line that says whether rows were cut off: `{\"truncated\":false}`.",
        "schema": { "type": "string", "enum": ["0", "1"], "default": "0" },
    });
    [
        ("If-None-Match".to_owned(), if_none_match),
        ("Meta".to_owned(), meta),
    ]
    .into_iter()
    .collect()
}

/// Two ways to bring a token: by itself, and as a password, for which browsers ask.
pub(super) type SecuritySchemes = [&'static str; 2];

/// Those of the token of `[access] token_file`.
pub(super) const READERS: SecuritySchemes = ["token", "password"];
/// Those of the token of `[admin] token_file`.
pub(super) const OPERATORS: SecuritySchemes = ["adminToken", "adminPassword"];

/// Says of an operation that it takes a token, where it does.
pub(super) fn add_security(
    operation: &mut Value,
    rule: AudienceRule,
    [token, password]: SecuritySchemes,
) {
    if rule == AudienceRule::Token {
        operation["security"] = json!([{ token: [] }, { password: [] }]);
    }
}

/// Writes `components/securitySchemes`: what the operations refer to.
pub(super) fn security_schemes(about: &DocumentContext<'_>) -> Map<String, Value> {
    let mut all = Map::new();
    for (rule, [token, password], description) in [
        (
            about.readers,
            READERS,
            "The token of `[access] token_file`. The addresses in `[access] allow` need none.",
        ),
        (
            about.operators.unwrap_or(AudienceRule::Open),
            OPERATORS,
            "The token of `[admin] token_file`. The server's own machine and the addresses in \
             `[stats] allow` need none.",
        ),
    ] {
        if rule == AudienceRule::Token {
            let scheme = |scheme: &str, how: &str| {
                let description = format!("{description}{how}");
                json!({ "type": "http", "scheme": scheme, "description": description })
            };
            all.insert(token.to_owned(), scheme("bearer", ""));
            let how = " Here it is the password, under any name.";
            all.insert(password.to_owned(), scheme("basic", how));
        }
    }
    all
}
