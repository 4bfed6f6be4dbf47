//! The format and the encoding that a request asks for (RFC 9110, 12.5.1 and 12.5.3). It reads
//! headers and decides; it makes no body. `weights` takes lists apart, `coding` chooses the
//! encoding.

mod coding;
#[cfg(test)]
mod tests;
mod weights;

use std::cmp::Reverse;

use actix_web::http::header::{self, HeaderMap};

pub(super) use coding::{AcceptedCodings, Encoding};
use weights::{ListMember, list_members};

/// The forms in which rows, numbers and errors are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A page.
    Html,
    /// One JSON document.
    Json,
    /// RFC 4180.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// Lines of keys and values.
    Text,
}

impl Format {
    /// The forms of a query; those that are no page have a suffix.
    const OF_QUERIES: [Format; 4] = [Format::Html, Format::Json, Format::Csv, Format::Ndjson];
    /// The forms of `/stats`, likewise.
    pub(super) const OF_STATS: [Format; 4] =
        [Format::Html, Format::Json, Format::Csv, Format::Text];

    /// Returns the suffix in `/q/NAME.suffix`, and the word in an `ETag`.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Format::Html => "html",
            Format::Json => "json",
            Format::Csv => "csv",
            Format::Ndjson => "ndjson",
            Format::Text => "txt",
        }
    }

    /// Returns the media type without its parameters.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Format::Html => "text/html",
            Format::Json => "application/json",
            Format::Csv => "text/csv",
            Format::Ndjson => "application/x-ndjson",
            Format::Text => "text/plain",
        }
    }

    /// Returns the value of `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Html => "text/html; charset=utf-8",
            Format::Json => "application/json",
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::Ndjson => "application/x-ndjson",
            Format::Text => "text/plain; charset=utf-8",
        }
    }

    /// Returns the data format of these that a suffix names; pages have none.
    pub(super) fn of_suffix(forms: &[Format], suffix: &str) -> Option<Format> {
        forms[1..]
            .iter()
            .copied()
            .find(|format| format.suffix() == suffix)
    }
}

/// Splits `NAME.json` into the name and the format its suffix names; a name without a suffix
/// leaves the choice to `Accept`, an unknown suffix stays part of the name.
pub(super) fn split_suffix(name: &str) -> (&str, Option<Format>) {
    match name.rsplit_once('.') {
        Some((stem, suffix)) => match Format::of_suffix(&Format::OF_QUERIES, suffix) {
            Some(format) => (stem, Some(format)),
            None => (name, None),
        },
        None => (name, None),
    }
}

/// Returns the format for a path and its headers: the path's suffix beats `Accept`.
pub(super) fn choose_format(path: &str, headers: &HeaderMap) -> Format {
    let suffix = path.strip_prefix("/stats").map(|rest| {
        let suffix = rest.strip_prefix('.').unwrap_or_default();
        Format::of_suffix(&Format::OF_STATS, suffix)
    });
    match suffix {
        Some(known) => known.unwrap_or_else(|| accepted_format(&Format::OF_STATS, headers)),
        None => match split_suffix(path) {
            (_, Some(format)) => format,
            _ => accepted_format(&Format::OF_QUERIES, headers),
        },
    }
}

/// Returns whether `Accept` wants metrics as OpenMetrics 1.0.0 at least as much as in Prometheus'
/// own format. Who names neither gets that.
pub(super) fn wants_open_metrics(headers: &HeaderMap) -> bool {
    let best = |media: &str, version: &str| {
        let is_it = |member: &ListMember<'_>| {
            let mut versions = member
                .parameters()
                .filter_map(|part| part.strip_prefix("version="));
            member.token.eq_ignore_ascii_case(media)
                && versions
                    .next()
                    .is_none_or(|v| v.trim_matches('"') == version)
        };
        let wanted = list_members(headers, &header::ACCEPT).filter(is_it);
        wanted.map(|member| member.weight).max().unwrap_or(0)
    };
    let open = best("application/openmetrics-text", "1.0.0");
    open > 0 && open >= best("text/plain", "0.0.4")
}

/// Returns the one of these formats that `Accept` likes best: by weight, and of equal weights the
/// one that is named rather than only covered by a wildcard. A format that is not mentioned is
/// served only where no mentioned one is left, and a refused one only where there is no other:
/// a wrong format that can be read is better than a refusal.
fn accepted_format(forms: &[Format], headers: &HeaderMap) -> Format {
    if !headers.contains_key(header::ACCEPT) {
        return Format::Html;
    }
    // The first of the best: a page wins a tie, as under `*/*`.
    let best = forms.iter().copied().rev();
    best.max_by_key(|format| format_preference(*format, headers))
        .unwrap_or(Format::Html)
}

/// Returns how much `Accept` likes a format; the greater, the more.
fn format_preference(format: Format, headers: &HeaderMap) -> (u8, u16, u8) {
    let matching = list_members(headers, &header::ACCEPT)
        .filter_map(|member| Some((range_precision(&member, format)?, Reverse(member.weight))));
    // The least weight counts among equally precise ranges, so that a refusal is never overlooked.
    match matching.max() {
        None => (1, 0, 0),
        Some((_, Reverse(0))) => (0, 0, 0),
        Some((precision, Reverse(weight))) => (2, weight, precision.min(NAMED)),
    }
}

/// The precision of a range that names the format itself.
const NAMED: u8 = 2;

/// Returns how precisely a range describes a format, `None` where it does not. A range with
/// parameters, which no format of ours has, still means the format, but less so than one without.
fn range_precision(member: &ListMember<'_>, format: Format) -> Option<u8> {
    let media = format.media_type();
    let family = media.split('/').next().unwrap_or_default();
    let of_family = |range: &str| {
        range
            .strip_suffix("/*")
            .is_some_and(|f| f.eq_ignore_ascii_case(family))
    };
    let range = member.token;
    if range.eq_ignore_ascii_case(media) {
        Some(NAMED + u8::from(member.parameters().next().is_none()))
    } else if of_family(range) {
        Some(1)
    } else {
        // Java's first client writes one star.
        matches!(range, "*/*" | "*").then_some(0)
    }
}
