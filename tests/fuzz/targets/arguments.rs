//! From query strings to the canonical form in cache keys: it never panics, two calls have the
//! same bytes exactly when they have the same values, and a value that is sent as it is shown
//! means itself.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use unslow::query::{Arguments, DatabaseKind, ParamType, Query, Value};

/// Every type, with and without a default, and each way to limit one.
const FILE: &str = "\
-- param: t text
-- param: i integer = 10 : 1..100
-- param: b bigint = null
-- param: n number = 1.50 : -1e9..1e9
-- param: o boolean = false
-- param: d date = 2026-01-01
-- param: m timestamp = null
-- param: u uuid = null
-- param: l text = any : eu, us, any, ''
-- param: x text = null
select 1 where :t = :l or :i + :b + :n > 0 or :o or :d > :m or :u is null or :x is null
";

fn query() -> &'static Query {
    static QUERY: OnceLock<Query> = OnceLock::new();
    QUERY.get_or_init(|| Query::parse(DatabaseKind::Postgres, "q", FILE).expect("it is right"))
}

fn call(query_string: &str) -> Option<Arguments> {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query_string.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    query().read_arguments(&pairs).ok()
}

/// Sends every value as it is shown; what is null is not sent.
fn sent_again(arguments: &Arguments) -> Arguments {
    let values = query().params.iter().zip(&arguments.0);
    let pairs: Vec<(String, String)> = values
        .filter(|(_, value)| **value != Value::Null)
        .map(|(param, value)| (param.name.clone(), value.to_string()))
        .collect();
    query().read_arguments(&pairs).expect("what was taken is taken again")
}

/// Reads canonical bytes back into tags and texts: that it can be done means that no two calls
/// share their bytes.
fn parts(mut bytes: &[u8]) -> Vec<(u8, String)> {
    let mut parts = Vec::new();
    while let Some((tag, rest)) = bytes.split_first() {
        let (length, rest) = rest.split_first_chunk::<8>().expect("a length");
        let (text, rest) = rest.split_at(u64::from_be_bytes(*length) as usize);
        parts.push((*tag, String::from_utf8(text.to_vec()).expect("a text")));
        bytes = rest;
    }
    parts
}

fn has_its_type(kind: &ParamType, value: &Value) -> bool {
    matches!(
        (kind, value),
        (_, Value::Null)
            | (ParamType::Text, Value::Text(_))
            | (ParamType::Integer, Value::Integer(_))
            | (ParamType::Bigint, Value::Bigint(_))
            | (ParamType::Number, Value::Number(_))
            | (ParamType::Boolean, Value::Boolean(_))
            | (ParamType::Date, Value::Date(_))
            | (ParamType::Timestamp, Value::Timestamp(_))
            | (ParamType::Uuid, Value::Uuid(_))
    )
}

fuzz_target!(|text: &str| {
    let (one, other) = text.split_once('\n').unwrap_or((text, "t="));
    let calls: Vec<Arguments> = [one, other].into_iter().filter_map(call).collect();
    for arguments in &calls {
        let query = query();
        assert_eq!(arguments.0.len(), query.params.len());
        for (param, value) in query.params.iter().zip(&arguments.0) {
            assert!(has_its_type(&param.kind, value), "{} is {value:?}", param.name);
        }
        assert_eq!(sent_again(arguments), *arguments);
        let texts: Vec<String> = arguments.0.iter().map(Value::to_string).collect();
        let parts = parts(&arguments.canonical());
        assert_eq!(parts.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>(), texts);
    }
    if let [one, other] = &calls[..] {
        assert_eq!(one == other, one.canonical() == other.canonical());
    }
});
