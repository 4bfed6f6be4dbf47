//! The operations that belong to no query: the home page, the catalog, health, this document, and
//! the counters.

use serde_json::{Map, Value, json};

use super::parts::{
    ErrorForm, component_reference, describe_response, media_content, operation_responses,
    text_schema,
};
use super::rule::{AudienceRule, DocumentContext, SERVICE};
use super::{queries, schemas};
use crate::query::Query;
use crate::stats::Window;
use crate::view::StatsSort;
use crate::web::negotiate::Format;

/// Adds their paths. `home` is the query at `/`.
pub(super) fn add(
    home: Option<&Query>,
    about: &DocumentContext<'_>,
    paths: &mut Map<String, Value>,
) {
    let mut add = |path: &str, get: Value| paths.insert(path.to_owned(), json!({ "get": get }));
    if let Some(query) = home {
        add("/", home_page(query, about));
    }
    add("/q", catalog_operation(about.readers));
    add("/openapi.json", openapi_operation(about.readers));
    add("/healthz", health_operation());
    add("/readyz", readiness_operation());
    if let Some(rule) = about.operators {
        for (path, id, summary, errors, media_types) in STATS {
            add(
                path,
                stats_operation(id, summary, *errors, media_types, rule),
            );
        }
    }
}

/// The counters: path, name, what it is, and in which forms it and its errors come.
type Stats = (
    &'static str,
    &'static str,
    &'static str,
    ErrorForm,
    &'static [&'static str],
);
const STATS: &[Stats] = &[
    (
        "/stats",
        "stats",
        "The counters, as a page or as data",
        ErrorForm::Page,
        &["text/html", "application/json", "text/csv", "text/plain"],
    ),
    (
        "/stats.json",
        "stats_json",
        "The counters, as JSON",
        ErrorForm::Data,
        &["application/json"],
    ),
    (
        "/stats.csv",
        "stats_csv",
        "The counters, as CSV",
        ErrorForm::Data,
        &["text/csv"],
    ),
    (
        "/stats.txt",
        "stats_txt",
        "The counters, as `Key: value`",
        ErrorForm::Page,
        &["text/plain"],
    ),
    (
        "/metrics",
        "metrics",
        "The counters since the start, for Prometheus",
        ErrorForm::Page,
        &["text/plain", "application/openmetrics-text"],
    ),
];

/// Returns what the counters may be asked for; `/metrics` may not.
fn stats_parameters() -> Value {
    let names: Vec<&str> = StatsSort::all_names().collect();
    let turned: Vec<String> = names.iter().map(|name| format!("-{name}")).collect();
    let sorts: Vec<&str> = names
        .iter()
        .copied()
        .chain(turned.iter().map(String::as_str))
        .collect();
    let windows = Window::ALL.map(Window::name);
    json!([
        {
            "name": "window",
            "in": "query",
            "description": "Over how much time.",
            "schema": { "type": "string", "enum": windows, "default": Window::default().name() },
        },
        {
            "name": "sort",
            "in": "query",
            "description": "By which column the page's table is sorted; with `-`, the other way round.",
            "schema": { "type": "string", "enum": sorts },
        },
        {
            "name": "refresh",
            "in": "query",
            "description": "After how many seconds the page loads itself again.",
            "schema": { "type": "integer", "minimum": 1, "maximum": 3600 },
        },
    ])
}

/// Returns an operation with what all of these have.
fn plain_operation(id: &str, summary: &str, responses: &Value) -> Value {
    json!({ "operationId": id, "tags": [SERVICE], "summary": summary, "responses": responses })
}

fn home_page(query: &Query, about: &DocumentContext<'_>) -> Value {
    let page = describe_response(
        "The page.",
        &[
            "Unslow-Truncated",
            "Cache-Status",
            "Cache-Control",
            "Vary",
            "Server-Timing",
            "X-Request-Id",
        ],
        [media_content(Format::Html, &text_schema())],
    );
    let readers = about.readers_of(query);
    let errors = [readers.refusal_statuses(), &[400, 404, 503]].concat();
    let responses = operation_responses(&[("200", page)], ErrorForm::Page, &errors);
    let summary = format!("The first row of {:?} as a page", query.name);
    let mut get = plain_operation("home", &summary, &responses);
    get["parameters"] = json!(queries::query_parameters(query));
    schemas::add_security(&mut get, readers, schemas::READERS);
    get
}

fn catalog_operation(readers: AudienceRule) -> Value {
    let queries = component_reference("schemas", "Catalog");
    let catalog = describe_response(
        "Every query with its parameters.",
        &["Cache-Control", "Vary", "X-Request-Id"],
        [
            media_content(Format::Html, &text_schema()),
            media_content(Format::Json, &queries),
        ],
    );
    let responses = operation_responses(
        &[("200", catalog)],
        ErrorForm::Page,
        readers.refusal_statuses(),
    );
    let mut get = plain_operation("catalog", "The catalog, as a page or as JSON", &responses);
    schemas::add_security(&mut get, readers, schemas::READERS);
    get
}

fn openapi_operation(readers: AudienceRule) -> Value {
    let headers = ["ETag", "Cache-Control", "Vary", "X-Request-Id"];
    let document = json!({ "type": "object", "required": ["openapi", "info", "paths"] });
    let document = describe_response(
        "This document.",
        &headers,
        [media_content(Format::Json, &document)],
    );
    let same = describe_response("It is what the client has.", &headers, []);
    let good = [("200", document), ("304", same)];
    let responses = operation_responses(&good, ErrorForm::Data, readers.refusal_statuses());
    let mut get = plain_operation("openapi", "This document", &responses);
    get["parameters"] = json!([component_reference("parameters", "If-None-Match")]);
    schemas::add_security(&mut get, readers, schemas::READERS);
    get
}

fn health_operation() -> Value {
    let well = media_content(Format::Json, &component_reference("schemas", "Health"));
    let well = describe_response(
        "The process serves.",
        &["Cache-Control", "X-Request-Id"],
        [well],
    );
    let responses = operation_responses(&[("200", well)], ErrorForm::Page, &[]);
    plain_operation("healthz", "Whether the process serves", &responses)
}

fn readiness_operation() -> Value {
    let state = media_content(Format::Json, &component_reference("schemas", "Readiness"));
    let headers = ["Cache-Control", "X-Request-Id"];
    let ready = describe_response("Send requests here.", &headers, [state.clone()]);
    let leaving = describe_response("Send none: it is about to end.", &headers, [state]);
    let responses = operation_responses(&[("200", ready), ("503", leaving)], ErrorForm::Page, &[]);
    let summary = "Whether it takes requests, and how database and Redis were last";
    plain_operation("readyz", summary, &responses)
}

fn stats_operation(
    id: &str,
    summary: &str,
    errors: ErrorForm,
    media_types: &[&str],
    rule: AudienceRule,
) -> Value {
    let forms = media_types.iter().map(|media_type| {
        let is_json = *media_type == Format::Json.media_type();
        let schema = if is_json {
            json!({ "type": "object" })
        } else {
            text_schema()
        };
        ((*media_type).to_owned(), json!({ "schema": schema }))
    });
    let headers = ["Cache-Control", "Vary", "X-Request-Id"];
    let counters = describe_response("The counters.", &headers, forms);
    let takes_parameters = id != "metrics";
    let bad: &[u16] = if takes_parameters { &[400] } else { &[] };
    let own = [bad, rule.refusal_statuses()].concat();
    let responses = operation_responses(&[("200", counters)], errors, &own);
    let mut get = plain_operation(id, summary, &responses);
    if takes_parameters {
        get["parameters"] = stats_parameters();
    }
    schemas::add_security(&mut get, rule, schemas::OPERATORS);
    get
}
