//! The operations of one query: its page, its data in each format, and what operators do to what
//! is stored of it.

use serde_json::{Map, Value, json};

use super::parts::{ErrorForm, component_reference, operation_responses};
use super::rule::{AudienceRule, DocumentContext};
use super::schemas;
use crate::query::{Param, ParamDefault, Query, Value as Argument};
use crate::text::units::duration_text;
use crate::web::negotiate::Format;
use crate::web::wanted;

/// Adds the paths of a query, and what they share to the components.
pub(super) fn add(
    query: &Query,
    about: &DocumentContext<'_>,
    paths: &mut Map<String, Value>,
    shared: &mut SharedComponents,
) {
    for param in &query.params {
        let name = component_name(query, param);
        let schema = component_reference("schemas", &name);
        shared
            .parameters
            .insert(name.clone(), query_parameter(param, &schema));
        shared.schemas.insert(name, param.json_schema());
    }
    let path = format!("/q/{}", query.name);
    let mut taken = self::query_parameters(query);
    taken.push(component_reference("parameters", "If-None-Match"));
    let any = ("200", component_reference("responses", "Any"));
    let readers = about.readers_of(query);
    let errors = [readers.refusal_statuses(), &[400, 404, 503]].concat();
    let mut page = json!({
        "operationId": format!("query_{}", query.name),
        "tags": [query.name],
        "summary": query.title,
        "description": query_description(query, about),
        "parameters": taken,
        "responses": operation_responses(&[any, not_modified()], ErrorForm::Page, &errors),
    });
    schemas::add_security(&mut page, readers, schemas::READERS);
    paths.insert(path.clone(), json!({ "get": page }));
    for (format, name, response) in [
        (Format::Json, "JSON", "Json"),
        (Format::Csv, "CSV", "Csv"),
        (Format::Ndjson, "NDJSON", "Ndjson"),
    ] {
        let suffix = format.suffix();
        let good = ("200", component_reference("responses", response));
        let mut taken = taken.clone();
        if wanted::is_read(query, format) {
            taken.push(component_reference("parameters", "Meta"));
        }
        let mut data = json!({
            "operationId": format!("{suffix}_{}", query.name),
            "tags": [query.name],
            "summary": format!("{}, as {name}", query.title),
            "parameters": taken,
            "responses": operation_responses(&[good, not_modified()], ErrorForm::Data, &errors),
        });
        schemas::add_security(&mut data, readers, schemas::READERS);
        paths.insert(format!("{path}.{suffix}"), json!({ "get": data }));
    }
    let Some(rule) = about.operators else { return };
    for (action, what) in [
        ("refresh", "load again now"),
        ("expire", "stale from now on"),
        ("purge", "never serve again what is stored"),
    ] {
        let post = json!({ "post": query_operation(query, rule, action, what) });
        paths.insert(format!("{path}/{action}"), post);
    }
    for whole in [false, true]
        .into_iter()
        .filter(|_| !query.params.is_empty())
    {
        let name = form_name(query, whole);
        shared.bodies.insert(name, parameters_form(query, whole));
    }
}

/// The parts of the queries that stand under `components`, for several operations.
#[derive(Debug, Default)]
pub(super) struct SharedComponents {
    pub(super) parameters: Map<String, Value>,
    pub(super) schemas: Map<String, Value>,
    pub(super) bodies: Map<String, Value>,
}

/// Returns the parameters of a query in the address.
pub(super) fn query_parameters(query: &Query) -> Vec<Value> {
    let own = query.params.iter();
    own.map(|param| component_reference("parameters", &component_name(query, param)))
        .collect()
}

fn component_name(query: &Query, param: &Param) -> String {
    format!("{}.{}", query.name, param.name)
}

fn not_modified() -> (&'static str, Value) {
    ("304", component_reference("responses", "NotModified"))
}

/// Returns what the query is about, and how long it is kept.
fn query_description(query: &Query, about: &DocumentContext<'_>) -> String {
    let policy = &query.policy;
    let kept = if policy.cached {
        let ttl = duration_text(policy.ttl.unwrap_or(about.ttl));
        format!("Fresh for up to {ttl}.")
    } else {
        "Never cached.".to_owned()
    };
    match &query.description {
        Some(description) => format!("{description}\n\n{kept}"),
        None => kept,
    }
}

/// Returns a parameter in the address.
fn query_parameter(param: &Param, schema: &Value) -> Value {
    let mut parameter = json!({
        "name": param.name,
        "in": "query",
        "required": param.default == ParamDefault::Required,
        "schema": schema,
    });
    if param.takes_empty() {
        parameter["allowEmptyValue"] = json!(true);
    }
    if let ParamDefault::Value(default) = &param.default {
        parameter["description"] = json!(match default {
            Argument::Null => "Null where it is left out.".to_owned(),
            Argument::Text(text) if text.is_empty() => "Empty where it is left out.".to_owned(),
            default => format!("`{default}` where it is left out."),
        });
    }
    parameter
}

/// An action on what is stored. Its parameters stand in a form: only a body's schema can say that
/// all the required ones are needed, or none.
fn query_operation(query: &Query, rule: AudienceRule, action: &str, what: &str) -> Value {
    let good = [
        ("200", component_reference("responses", "Done")),
        ("303", component_reference("responses", "ToPage")),
    ];
    let own = [
        rule.refusal_statuses(),
        &[400, 403, 404, 408, 411, 415, 503],
    ]
    .concat();
    let mut post = json!({
        "operationId": format!("{action}_{}", query.name),
        "tags": [query.name],
        "summary": format!("{}: {what}", query.title),
        "description": "With parameters, in a form or in the address, it concerns one entry; \
                        without, all of the query (a refresh: the entry of its defaults).",
        "responses": operation_responses(&good, ErrorForm::Page, &own),
    });
    if !query.params.is_empty() {
        let form = form_name(query, action != "refresh");
        post["requestBody"] = component_reference("requestBodies", &form);
    }
    schemas::add_security(&mut post, rule, schemas::OPERATORS);
    post
}

fn form_name(query: &Query, whole: bool) -> String {
    let what = if whole { "entries" } else { "entry" };
    format!("{}.{what}", query.name)
}

/// Returns a query's parameters as a form: those of one entry, or, where it may be about the
/// `whole` query, none.
fn parameters_form(query: &Query, whole: bool) -> Value {
    let fields: Map<String, Value> = query
        .params
        .iter()
        .map(|param| {
            let schema = component_reference("schemas", &component_name(query, param));
            (param.name.clone(), param.field_schema(schema))
        })
        .collect();
    let required: Vec<&str> = query
        .params
        .iter()
        .filter(|param| param.default == ParamDefault::Required)
        .map(|param| param.name.as_str())
        .collect();
    let mut schema = json!({
        "type": "object",
        "properties": fields,
        "additionalProperties": false,
    });
    let is_required = !whole && !required.is_empty();
    if is_required {
        schema["required"] = json!(required);
    } else if !required.is_empty() {
        schema["anyOf"] = json!([{ "maxProperties": 0 }, { "required": required }]);
    }
    json!({
        "required": is_required,
        "content": { "application/x-www-form-urlencoded": { "schema": schema } },
    })
}
