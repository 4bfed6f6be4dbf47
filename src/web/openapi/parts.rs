//! The parts that operations share: responses with their headers and schemas, the admin token. Each
//! stands once under `components` and is referred to.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::web::negotiate::Format;

/// The form of an operation's errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorForm {
    /// Errors as JSON.
    Data,
    /// Errors as a page, or as JSON for those who ask for that.
    Page,
}

impl ErrorForm {
    /// Returns the name of the response for a status.
    fn response_name(self, status: u16) -> String {
        match self {
            ErrorForm::Data => format!("Data{status}"),
            ErrorForm::Page => format!("Page{status}"),
        }
    }
}

/// Each error there is, with what it means.
const ERRORS: [(u16, &str); 15] = [
    (
        400,
        "A parameter is unknown, repeated, missing or not what it has to be; the message names it.",
    ),
    (401, "A token is missing or wrong."),
    (
        403,
        "Not for everybody, or a page of another site sent it; the message says which.",
    ),
    (404, "There is no such query any more."),
    (408, "The request's body did not come in time."),
    (411, "A body needs a Content-Length."),
    (413, "The request's body is too long."),
    (414, "The address is too long."),
    (415, "The request's body is not a form."),
    (
        421,
        "It came over loopback and asks for a host that is not answered there.",
    ),
    (429, "Too many wrong tokens came from this address."),
    (431, "There are too many header fields, or one is too long."),
    (500, "A fault of this program, or of the query's file."),
    (
        503,
        "It cannot be loaded at the moment, and there is no copy to serve instead.",
    ),
    (504, "It took too long."),
];

/// The statuses with which any request may be refused, whatever it asks for.
const ALWAYS: [u16; 6] = [413, 414, 421, 431, 500, 504];

/// Writes `{"$ref": …}` to a component.
pub(super) fn component_reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

/// Returns the responses of an operation: what it answers when all is well, the errors that any
/// request may get, and its own.
pub(super) fn operation_responses(good: &[(&str, Value)], errors: ErrorForm, own: &[u16]) -> Value {
    let mut all: BTreeMap<String, Value> = good
        .iter()
        .map(|(status, response)| ((*status).to_owned(), response.clone()))
        .collect();
    for (status, _) in ERRORS {
        if ALWAYS.contains(&status) || own.contains(&status) {
            let response = component_reference("responses", &errors.response_name(status));
            all.insert(status.to_string(), response);
        }
    }
    json!(all)
}

/// Returns one media type of a body.
pub(super) fn media_content(format: Format, schema: &Value) -> (String, Value) {
    let media_type = format.media_type().to_owned();
    (media_type, json!({ "schema": schema }))
}

/// Returns the schema of everything that is text to this document.
pub(super) fn text_schema() -> Value {
    json!({ "type": "string" })
}

/// Returns a response with these headers, which are components.
pub(super) fn describe_response(
    description: &str,
    headers: &[&str],
    content: impl IntoIterator<Item = (String, Value)>,
) -> Value {
    let headers: Map<String, Value> = headers
        .iter()
        .map(|name| {
            let field = name.strip_suffix("-OfData").unwrap_or(name);
            (field.to_owned(), component_reference("headers", name))
        })
        .collect();
    let mut response = json!({ "description": description, "headers": headers });
    let content: Map<String, Value> = content.into_iter().collect();
    if !content.is_empty() {
        response["content"] = Value::Object(content);
    }
    response
}

/// The headers of answers with data, and of those that may be data.
const OF_DATA: [&str; 8] = [
    "Unslow-Truncated",
    "Cache-Status",
    "Age",
    "ETag",
    "Cache-Control",
    "Vary",
    "Server-Timing",
    "X-Request-Id",
];
const MAYBE_OF_DATA: [&str; 8] = [
    "Unslow-Truncated",
    "Cache-Status",
    "Age-OfData",
    "ETag-OfData",
    "Cache-Control",
    "Vary",
    "Server-Timing",
    "X-Request-Id",
];

/// Writes `components/responses`.
pub(super) fn component_responses() -> Value {
    let rows = component_reference("schemas", "Rows");
    let json = media_content(Format::Json, &rows);
    let (csv, lines) = (
        media_content(Format::Csv, &text_schema()),
        media_content(Format::Ndjson, &text_schema()),
    );
    let page = media_content(Format::Html, &text_schema());
    let mut all = Map::new();
    let mut add = |name: &str, response: Value| all.insert(name.to_owned(), response);
    add(
        "Json",
        describe_response("The rows.", &OF_DATA, [json.clone()]),
    );
    add(
        "Csv",
        describe_response(
            "The rows, after a line of column names (RFC 4180).",
            &OF_DATA,
            [csv.clone()],
        ),
    );
    add(
        "Ndjson",
        describe_response(
            "The rows, one JSON object a line.",
            &OF_DATA,
            [lines.clone()],
        ),
    );
    let any = [page.clone(), json, csv, lines];
    add(
        "Any",
        describe_response("The rows, as a page or as data.", &MAYBE_OF_DATA, any),
    );
    add(
        "NotModified",
        describe_response("It is what the client has.", &OF_DATA, []),
    );
    let done = media_content(Format::Json, &component_reference("schemas", "Done"));
    add(
        "Done",
        describe_response("It is done.", &["Cache-Control", "X-Request-Id"], [done]),
    );
    add(
        "ToPage",
        describe_response(
            "It is done; a browser is sent on to the query's page.",
            &["Location", "X-Request-Id"],
            [],
        ),
    );
    let error = media_content(Format::Json, &component_reference("schemas", "Error"));
    for (status, description) in ERRORS {
        let mut headers = vec!["Cache-Control", "X-Request-Id"];
        headers.extend((status == 401).then_some("WWW-Authenticate"));
        headers.extend([429, 503].contains(&status).then_some("Retry-After"));
        let as_data = describe_response(description, &headers, [error.clone()]);
        let as_page = describe_response(description, &headers, [page.clone(), error.clone()]);
        add(&ErrorForm::Data.response_name(status), as_data);
        add(&ErrorForm::Page.response_name(status), as_page);
    }
    Value::Object(all)
}

/// Writes `components/headers`. What is required is in every response that names it.
pub(super) fn component_headers() -> Value {
    let etag = json!({ "type": "string", "pattern": "^\"[^\"]+\"$" });
    let age = json!({ "type": "integer", "minimum": 0 });
    let seconds = json!({ "type": "integer", "minimum": 1 });
    let id = json!({ "type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,64}$" });
    let mut all = Map::new();
    for (name, required, schema, description) in [
        (
            "Cache-Status",
            true,
            text_schema(),
            "Where the answer came from: a hit of which tier, how many seconds it stays fresh, or why the database was asked (RFC 9211).",
        ),
        (
            "Age",
            true,
            age.clone(),
            "Seconds since the database answered.",
        ),
        (
            "Age-OfData",
            false,
            age,
            "Seconds since the database answered; pages do not say.",
        ),
        (
            "ETag",
            true,
            etag.clone(),
            "Names these bytes, for If-None-Match.",
        ),
        (
            "ETag-OfData",
            false,
            etag,
            "Names these bytes, for If-None-Match; pages have none.",
        ),
        (
            "Cache-Control",
            true,
            text_schema(),
            "How long others may keep it: max-age is the whole life of the copy, from which a receiver subtracts Age, and 0 where it is stale already.",
        ),
        (
            "Unslow-Truncated",
            false,
            json!({ "const": "true" }),
            "There where the result had more rows than are sent.",
        ),
        (
            "Vary",
            true,
            text_schema(),
            "What of the request it depends on.",
        ),
        (
            "Server-Timing",
            true,
            text_schema(),
            "Where the time went, in milliseconds.",
        ),
        (
            "X-Request-Id",
            true,
            id,
            "Names this request in error messages and in the log; a sane one of the request is taken over.",
        ),
        (
            "Retry-After",
            false,
            seconds,
            "Seconds until it is worth asking again. A failure that lasts has none: somebody has to change the query, the database or its rights.",
        ),
        (
            "WWW-Authenticate",
            true,
            text_schema(),
            "How to bring the token.",
        ),
        ("Location", true, text_schema(), "The query's page."),
    ] {
        let header = json!({ "description": description, "required": required, "schema": schema });
        all.insert(name.to_owned(), header);
    }
    Value::Object(all)
}
