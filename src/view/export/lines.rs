//! The numbers as lines `key: value`, for `grep`, `awk` and whoever reads one number.

use std::fmt::Write as _;

use serde_json::Value;

use crate::text::words::escape_controls;

/// Stands for what is not known.
const NOTHING: &str = "n/a";

/// The member that is there for drawings alone, and would be hundreds of lines.
const DRAWN: &str = "series";

/// Returns a line for each value of a JSON document. Its key is the way to it: `total.requests`,
/// `redis.info.used_memory`; in the list `queries` by the query's name, in others by place. The
/// series for drawings are left out.
pub fn write_lines(document: &Value) -> String {
    let mut out = String::new();
    push(&mut out, "", document);
    out
}

fn push(out: &mut String, key: &str, value: &Value) {
    let below = |name: &str| match key {
        "" => name.to_owned(),
        key => format!("{key}.{name}"),
    };
    let text = match value {
        Value::Object(members) => {
            for (name, value) in members.iter().filter(|(name, _)| *name != DRAWN) {
                push(out, &below(name), value);
            }
            return;
        }
        Value::Array(members) => {
            for (place, value) in members.iter().enumerate() {
                let name = value.get("query").and_then(Value::as_str);
                let name = name.filter(|_| key == "queries");
                let place = place.to_string();
                push(out, &below(name.unwrap_or(&place)), value);
            }
            return;
        }
        Value::Null => NOTHING.to_owned(),
        // One line each, whatever somebody has written into it.
        Value::String(text) => escape_controls(text),
        value => value.to_string(),
    };
    let _ = writeln!(out, "{key}: {text}");
}
