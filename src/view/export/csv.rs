//! The numbers as CSV, one row for each query and one for all. Nothing in it is text of a user's:
//! names of queries hold letters, digits, `-` and `_` alone, so there is nothing that a
//! spreadsheet would run.

use csv::{Terminator, WriterBuilder};
use serde_json::Value;

use crate::stats::{StatsSnapshot, SummaryNumbers};

/// The columns that describe the row.
const ROW: [&str; 4] = ["scope", "query", "window", "ttl_seconds"];

/// The columns of numbers: each with its place in the JSON of [`SummaryNumbers`], whose value it shows.
/// Scripts count on the order: new ones are added at the end.
pub const COLUMNS: [(&str, &str); 35] = [
    ("requests", "/requests"),
    ("hit_memory", "/hit_memory"),
    ("hit_redis", "/hit_redis"),
    ("stale", "/stale"),
    ("stale_revalidating", "/stale_revalidating"),
    ("stale_load_error", "/stale_load_error"),
    ("coalesced", "/coalesced"),
    ("miss", "/miss"),
    ("bypass", "/bypass"),
    ("error", "/error"),
    ("loads", "/loads"),
    ("loads_in_flight", "/loads_in_flight"),
    ("load_errors", "/load_errors"),
    ("load_seconds", "/load_seconds"),
    ("last_load_seconds", "/last_load_seconds"),
    ("hit_ratio", "/hit_ratio"),
    ("offload", "/offload"),
    ("time_saved_seconds", "/time_saved_seconds"),
    ("coalesced_saved_seconds", "/coalesced_saved_seconds"),
    ("served_bytes", "/served_bytes"),
    ("compressions", "/compressions"),
    ("requests_per_second", "/requests_per_second"),
    ("loads_per_second", "/loads_per_second"),
    ("hit_p50_seconds", "/hit/p50_seconds"),
    ("hit_p95_seconds", "/hit/p95_seconds"),
    ("hit_p99_seconds", "/hit/p99_seconds"),
    ("coalesced_wait_p50_seconds", "/coalesced_wait/p50_seconds"),
    ("coalesced_wait_p95_seconds", "/coalesced_wait/p95_seconds"),
    ("coalesced_wait_p99_seconds", "/coalesced_wait/p99_seconds"),
    ("load_p50_seconds", "/load/p50_seconds"),
    ("load_p95_seconds", "/load/p95_seconds"),
    ("load_p99_seconds", "/load/p99_seconds"),
    ("load_count", "/load/count"),
    ("refused_values", "/refused_values"),
    ("loads_not_tried", "/loads_not_tried"),
];

/// Returns a header line, a row for each query (`scope` is `query`, or `removed` where it is not in
/// the catalog any more), and one for all of them (`total`). What is not known is an empty field.
pub fn write_csv(snapshot: &StatsSnapshot) -> String {
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    let mut write = |fields: &[String]| {
        let written = writer.write_record(fields);
        written.expect("memory takes everything, and rows are of one length");
    };
    let names = ROW.into_iter().chain(COLUMNS.map(|(name, _)| name));
    write(&names.map(str::to_owned).collect::<Vec<_>>());
    for query in &snapshot.queries {
        let scope = if query.removed { "removed" } else { "query" };
        let ttl = query.ttl_seconds.map_or(Value::Null, Value::from);
        write(&csv_row(
            snapshot,
            [scope, &query.query],
            &ttl,
            &query.numbers,
        ));
    }
    write(&csv_row(
        snapshot,
        ["total", ""],
        &Value::Null,
        &snapshot.total,
    ));
    let bytes = writer.into_inner().expect("memory takes everything");
    String::from_utf8(bytes).expect("made of text")
}

fn csv_row(
    snapshot: &StatsSnapshot,
    whose: [&str; 2],
    ttl: &Value,
    numbers: &SummaryNumbers,
) -> Vec<String> {
    let json = serde_json::to_value(numbers).expect("numbers under names of text");
    let window = snapshot.window.name();
    let described = [whose[0], whose[1], window].map(str::to_owned);
    let numbers = COLUMNS.map(|(_, place)| json.pointer(place).map_or_else(String::new, csv_field));
    described
        .into_iter()
        .chain([csv_field(ttl)])
        .chain(numbers)
        .collect()
}

/// Writes it as JSON does.
fn csv_field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        number => number.to_string(),
    }
}
