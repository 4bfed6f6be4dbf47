//! The two forms of a line that have names: combined and JSON; and what every form has in common:
//! how text from outside is escaped, and that query strings are left out.

use std::fmt::Write;
use std::net::IpAddr;

use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

use super::record::AccessRecord;
use crate::logging::line::{breaks_lines, write_timestamp};
use crate::outcome::Outcome;

/// Stands for a query string.
pub(super) const QUERY: &str = "…";

/// Apache's combined format, with duration in seconds, request id and outcome at the end.
pub(super) fn write_combined(record: &AccessRecord<'_>, time: OffsetDateTime) -> String {
    let mut line = String::with_capacity(256);
    write_client(&mut line, record.client);
    line.push_str(" - - ");
    write_date(&mut line, time);
    line.push_str(" \"");
    request_line(&mut line, record);
    // Writing to a string cannot fail.
    let _ = write!(line, "\" {} {} \"", record.status, record.bytes);
    write_url(&mut line, record.referer.unwrap_or("-"));
    line.push_str("\" \"");
    write_escaped(&mut line, record.user_agent.unwrap_or("-"));
    let _ = write!(line, "\" {:.6} ", record.duration.as_secs_f64());
    write_escaped(&mut line, record.request_id);
    line.push(' ');
    line.push_str(record.outcome.map_or("-", Outcome::name));
    line
}

/// The address, `-` for a Unix socket.
pub(super) fn write_client(line: &mut String, client: Option<IpAddr>) {
    match client {
        // Writing to a string cannot fail.
        Some(client) => drop(write!(line, "{}", client.to_canonical())),
        None => line.push('-'),
    }
}

/// `[02/Jan/2026:03:04:05 +0000]`
pub(super) fn write_date(line: &mut String, time: OffsetDateTime) {
    let form =
        format_description!("[[[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000]");
    line.push_str(&time.format(form).unwrap_or_default());
}

/// Method, target, protocol.
pub(super) fn request_line(line: &mut String, record: &AccessRecord<'_>) {
    write_escaped(line, record.method);
    line.push(' ');
    write_target(line, record);
    line.push(' ');
    write_escaped(line, record.version);
}

/// The path, with a mark where there was a query string.
pub(super) fn write_target(line: &mut String, record: &AccessRecord<'_>) {
    write_escaped(line, record.path);
    if record.has_query {
        line.push('?');
        line.push_str(QUERY);
    }
}

/// Text that may be an address: without what stands after a `?`.
pub(super) fn write_url(line: &mut String, text: &str) {
    let (before, has_query) = without_query(text);
    write_escaped(line, before);
    if has_query {
        line.push('?');
        line.push_str(QUERY);
    }
}

/// Apache's way: quotes and backslashes get a backslash, what is not printable ASCII is `\xHH`.
pub(super) fn write_escaped(line: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => line.extend(['\\', char::from(byte)]),
            b' '..=b'~' => line.push(char::from(byte)),
            _ => drop(write!(line, "\\x{byte:02x}")),
        }
    }
}

fn without_query(url: &str) -> (&str, bool) {
    url.split_once('?')
        .map_or((url, false), |(before, _)| (before, true))
}

#[derive(Serialize)]
struct JsonRecord<'a> {
    time: String,
    client: Option<IpAddr>,
    method: &'a str,
    path: String,
    version: &'a str,
    status: u16,
    bytes: u64,
    duration_seconds: f64,
    referer: Option<String>,
    user_agent: Option<&'a str>,
    request_id: &'a str,
    outcome: Option<&'static str>,
}

/// Returns one JSON object with the fields of the combined format.
pub(super) fn write_json(record: &AccessRecord<'_>, time: OffsetDateTime) -> String {
    let mark = |(text, has_query): (&str, bool)| {
        if has_query {
            format!("{text}?{QUERY}")
        } else {
            text.to_owned()
        }
    };
    let line = serde_json::to_string(&JsonRecord {
        time: write_timestamp(time),
        client: record.client.map(|client| client.to_canonical()),
        method: record.method,
        path: mark((record.path, record.has_query)),
        version: record.version,
        status: record.status,
        bytes: record.bytes,
        duration_seconds: record.duration.as_secs_f64(),
        referer: record.referer.map(|referer| mark(without_query(referer))),
        user_agent: record.user_agent,
        request_id: record.request_id,
        outcome: record.outcome.map(Outcome::name),
    });
    let line = line.unwrap_or_default();
    if !line.contains(breaks_lines) {
        return line;
    }
    // JSON lets some of these stand as they are; they only occur within strings.
    let mut escaped = String::with_capacity(line.len());
    for c in line.chars() {
        if breaks_lines(c) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}
