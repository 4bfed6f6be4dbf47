//! Lines in gunicorn's way: what each part of such a format prints for a request. Which parts
//! there are is for the settings to say.

use std::fmt::{Display, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;

use super::format;
use super::record::{AccessRecord, LoggedHeaders};
use crate::settings::FormatPart;

/// Words in the name of a header whose value is nobody's business.
const SECRETS: [&str; 7] = [
    "auth", "cookie", "token", "secret", "passw", "api-key", "apikey",
];

/// Returns a line of these parts, without its end.
pub(super) fn write_parts(
    parts: &[FormatPart],
    record: &AccessRecord<'_>,
    time: OffsetDateTime,
) -> String {
    let mut line = String::with_capacity(256);
    for part in parts {
        append_part(&mut line, part, record, time);
    }
    line
}

fn append_part(
    line: &mut String,
    part: &FormatPart,
    record: &AccessRecord<'_>,
    time: OffsetDateTime,
) {
    let duration = record.duration;
    match part {
        FormatPart::Text(text) => line.push_str(text),
        FormatPart::Client => format::write_client(line, record.client),
        FormatPart::User => match basic_user(record.request_headers) {
            Some(user) => format::write_escaped(line, &user),
            None => line.push('-'),
        },
        FormatPart::Time => format::write_date(line, time),
        FormatPart::RequestLine => format::request_line(line, record),
        FormatPart::Method => format::write_escaped(line, record.method),
        FormatPart::Path => format::write_escaped(line, record.path),
        FormatPart::Query if record.has_query => line.push_str(format::QUERY),
        FormatPart::Query => {}
        FormatPart::Target => format::write_target(line, record),
        FormatPart::Protocol => format::write_escaped(line, record.version),
        FormatPart::Status => write_number(line, record.status),
        FormatPart::BytesOrDash if record.bytes == 0 => line.push('-'),
        FormatPart::Bytes | FormatPart::BytesOrDash => write_number(line, record.bytes),
        FormatPart::Referer => format::write_url(line, record.referer.unwrap_or("-")),
        FormatPart::UserAgent => format::write_escaped(line, record.user_agent.unwrap_or("-")),
        FormatPart::Seconds => write_number(line, duration.as_secs()),
        FormatPart::Milliseconds => write_number(line, duration.as_millis()),
        FormatPart::Microseconds => write_number(line, duration.as_micros()),
        FormatPart::DecimalSeconds => {
            write_number(line, format_args!("{:.6}", duration.as_secs_f64()));
        }
        FormatPart::Process => write_number(line, format_args!("<{}>", std::process::id())),
        FormatPart::RequestHeader(name) => write_header(line, record.request_headers, name),
        FormatPart::ResponseHeader(name) => write_header(line, record.response_headers, name),
    }
}

fn write_number(line: &mut String, number: impl Display) {
    // Writing to a string cannot fail.
    let _ = write!(line, "{number}");
}

/// The value; `-` where there is none, `***` where it is a secret. It may be an address.
fn write_header(line: &mut String, headers: &dyn LoggedHeaders, name: &str) {
    match headers.header(name) {
        None => line.push('-'),
        Some(_) if SECRETS.iter().any(|word| name.contains(word)) => line.push_str("***"),
        Some(value) => format::write_url(line, value),
    }
}

/// Returns the user of `Authorization: Basic`.
fn basic_user(headers: &dyn LoggedHeaders) -> Option<String> {
    let (scheme, credentials) = headers.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(credentials.trim()).ok()?;
    let at = decoded.iter().position(|byte| *byte == b':')?;
    let user = std::str::from_utf8(&decoded[..at]).ok()?;
    (!user.is_empty()).then(|| user.to_owned())
}
