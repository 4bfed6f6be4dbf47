//! Query files: reading one never panics, for either database; what is accepted is a statement
//! whose placeholders are its parameters', and its header, printed from what was understood, is
//! understood as the same.

#![no_main]

use std::fmt::Write;

use libfuzzer_sys::fuzz_target;
use unslow::query::{AllowedValues, DatabaseKind, Param, ParamDefault, Query, QueryPolicy, Value};
use unslow::text::units::duration_text;

fn quoted(value: &Value) -> String {
    format!("'{}'", value.to_string().replace('\'', "''"))
}

fn declaration(param: &Param) -> String {
    let mut text = format!("-- param: {} {}", param.name, param.kind.name());
    match &param.default {
        ParamDefault::Required => {}
        ParamDefault::Value(Value::Null) => text.push_str(" = null"),
        ParamDefault::Value(value) => text.push_str(&format!(" = {}", quoted(value))),
    }
    match &param.allowed {
        AllowedValues::Anything => {}
        AllowedValues::List(values) => {
            let values: Vec<String> = values.iter().map(quoted).collect();
            text.push_str(&format!(" : {}", values.join(", ")));
        }
        AllowedValues::Range(min, max) => text.push_str(&format!(" : {min}..{max}")),
    }
    text
}

/// A file with the same header, over a statement of its own.
fn printed(query: &Query) -> String {
    let mut text = format!("-- title: {}\n", query.title);
    let mut line = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "-- {key}: {value}");
        }
    };
    let policy = &query.policy;
    line("description", query.description.clone());
    line("ttl", policy.ttl.map(duration_text));
    line("stale-while-revalidate", policy.stale_while_revalidate.map(duration_text));
    line("stale-if-error", policy.stale_if_error.map(duration_text));
    line("timeout", policy.timeout.map(duration_text));
    line("max-rows", policy.max_rows.map(|rows| rows.to_string()));
    line("concurrency", policy.concurrency.map(|loads| loads.to_string()));
    line("notify", (!policy.notify.is_empty()).then(|| policy.notify.join(", ")));
    line("refresh", policy.refresh.map(duration_text));
    line("warm", Some(policy.warm.to_string()));
    line("show-params", Some(policy.show_params.to_string()));
    line("cache", Some(if policy.cached { "on" } else { "off" }.to_owned()));
    for param in &query.params {
        text.push_str(&declaration(param));
        text.push('\n');
    }
    text.push_str("select 1\n");
    text
}

fn policy_text(policy: &QueryPolicy) -> String {
    format!("{policy:?}")
}

fn check(kind: DatabaseKind, query: &Query) {
    let statement = query.statement_for(kind);
    let mut used = vec![0; query.params.len()];
    for argument in &statement.order {
        used[*argument] += 1;
    }
    assert!(used.iter().all(|times| *times <= 1), "{:?}", statement.order);
    assert!(!statement.sql.is_empty());
    let again = printed(query);
    let again = Query::parse(kind, "q", &again)
        .unwrap_or_else(|error| panic!("{error:?}, of what was printed:\n{again}"));
    assert_eq!(again.title, query.title);
    assert_eq!(again.description, query.description);
    assert_eq!(policy_text(&again.policy), policy_text(&query.policy));
    assert_eq!(again.params.len(), query.params.len());
    for (again, param) in again.params.iter().zip(&query.params) {
        assert_eq!((&again.name, again.kind), (&param.name, param.kind));
        assert_eq!(again.default, param.default, "{}", declaration(param));
        assert_eq!(again.allowed, param.allowed, "{}", declaration(param));
    }
}

fuzz_target!(|text: &str| {
    for kind in [DatabaseKind::Postgres, DatabaseKind::Sqlite] {
        if let Ok(query) = Query::parse(kind, "q", text) {
            check(kind, &query);
        }
    }
});
