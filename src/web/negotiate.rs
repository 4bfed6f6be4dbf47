//! Which format and which encoding a request asks for (RFC 9110, 12.5.1 and 12.5.3). It reads
//! headers and decides; it makes no body.

use actix_web::http::header::{self, HeaderMap, HeaderName};

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

    /// The suffix in `/q/NAME.suffix`, and the word in an `ETag`.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Format::Html => "html",
            Format::Json => "json",
            Format::Csv => "csv",
            Format::Ndjson => "ndjson",
            Format::Text => "txt",
        }
    }

    /// The media type without its parameters.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Format::Html => "text/html",
            Format::Json => "application/json",
            Format::Csv => "text/csv",
            Format::Ndjson => "application/x-ndjson",
            Format::Text => "text/plain",
        }
    }

    /// For `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Html => "text/html; charset=utf-8",
            Format::Json => "application/json",
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::Ndjson => "application/x-ndjson",
            Format::Text => "text/plain; charset=utf-8",
        }
    }

    /// The data format of these that a suffix names; pages have none.
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

/// The format for a path and its headers: the path's suffix beats `Accept`.
pub(super) fn format(path: &str, headers: &HeaderMap) -> Format {
    let suffix = path.strip_prefix("/stats").map(|rest| {
        let suffix = rest.strip_prefix('.').unwrap_or_default();
        Format::of_suffix(&Format::OF_STATS, suffix)
    });
    match suffix {
        Some(known) => known.unwrap_or_else(|| accepted(&Format::OF_STATS, headers)),
        None => match split_suffix(path) {
            (_, Some(format)) => format,
            _ => accepted(&Format::OF_QUERIES, headers),
        },
    }
}

/// Whether `Accept` wants metrics as OpenMetrics 1.0.0 at least as much as in Prometheus' own
/// format. Who names neither gets that.
pub(super) fn wants_open_metrics(headers: &HeaderMap) -> bool {
    let accept = text(headers, &header::ACCEPT).unwrap_or_default();
    let best = |media: &str, version: &str| {
        let is_it = |member: &&str| {
            let mut parts = member.split(';').map(str::trim);
            let named = parts.next().is_some_and(|m| m.eq_ignore_ascii_case(media));
            let mut versions = parts.filter_map(|part| part.strip_prefix("version="));
            named
                && versions
                    .next()
                    .is_none_or(|v| v.trim_matches('"') == version)
        };
        let members = accept.split(',').map(str::trim).filter(is_it);
        members
            .flat_map(weighted)
            .map(|(_, q)| q)
            .max()
            .unwrap_or(0)
    };
    let open = best("application/openmetrics-text", "1.0.0");
    open > 0 && open >= best("text/plain", "0.0.4")
}

/// The one of these formats that `Accept` likes best; a page where it says nothing we have, since
/// a wrong format that can be read is better than a refusal.
fn accepted(forms: &[Format], headers: &HeaderMap) -> Format {
    let Some(accept) = text(headers, &header::ACCEPT) else {
        return Format::Html;
    };
    let quality = |format: Format| {
        let media = format.media_type();
        let family = media.split('/').next().unwrap_or_default();
        weighted(accept)
            .filter_map(|(range, q)| {
                let specific = if range.eq_ignore_ascii_case(media) {
                    2
                } else if range
                    .strip_suffix("/*")
                    .is_some_and(|f| f.eq_ignore_ascii_case(family))
                {
                    1
                } else if range == "*/*" {
                    0
                } else {
                    return None;
                };
                Some((specific, q))
            })
            .max_by_key(|(specific, _)| *specific)
            .map_or(0, |(_, q)| q)
    };
    // The first of the best: a page wins a tie, as under `*/*`.
    forms
        .iter()
        .copied()
        .rev()
        .max_by_key(|format| quality(*format))
        .unwrap_or(Format::Html)
}

/// How a body is encoded on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As it is.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl Encoding {
    /// For `Content-Encoding` and within an `ETag`; `None` for [`Encoding::Identity`].
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Encoding::Identity => None,
            Encoding::Gzip => Some("gzip"),
            Encoding::Brotli => Some("br"),
            Encoding::Zstd => Some("zstd"),
        }
    }

    /// The encoding that `Accept-Encoding` likes best; of equals zstd before br before gzip, by
    /// what they cost to make and to read. `identity` where nothing is said.
    pub(super) fn accepted(headers: &HeaderMap) -> Encoding {
        let Some(accept) = text(headers, &header::ACCEPT_ENCODING) else {
            return Encoding::Identity;
        };
        let quality = |encoding: Encoding| {
            let name = encoding.name().unwrap_or("identity");
            let named = weighted(accept).find(|(token, _)| token.eq_ignore_ascii_case(name));
            let any = || weighted(accept).find(|(token, _)| *token == "*");
            match (named.or_else(any), encoding) {
                (Some((_, q)), _) => q,
                // Acceptable unless it is refused, but the last choice.
                (None, Encoding::Identity) => 1,
                (None, _) => 0,
            }
        };
        [
            Encoding::Identity,
            Encoding::Gzip,
            Encoding::Brotli,
            Encoding::Zstd,
        ]
        .into_iter()
        .max_by_key(|encoding| quality(*encoding))
        .unwrap_or(Encoding::Identity)
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The members of a list with their `q` in thousandths; a member whose weight cannot be read
/// counts in full.
fn weighted(list: &str) -> impl Iterator<Item = (&str, u16)> {
    list.split(',').map(|member| {
        let mut parts = member.split(';').map(str::trim);
        let token = parts.next().unwrap_or_default();
        let weight = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .and_then(|q| q.parse::<f32>().ok())
            .map_or(1000.0, |q| q.clamp(0.0, 1.0) * 1000.0);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 0..=1000 above"
        )]
        (token, weight.round() as u16)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn the_suffix_beats_accept() {
        let json = headers(header::ACCEPT, "application/json");
        assert_eq!(format("/q/x.csv", &json), Format::Csv);
        assert_eq!(format("/q/x", &json), Format::Json);
        assert_eq!(split_suffix("x.css"), ("x.css", None));
        assert_eq!(split_suffix("x.html"), ("x.html", None));
    }

    #[test]
    fn accept_chooses_by_weight_and_precision() {
        for (accept, expected) in [
            ("*/*", Format::Html),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                Format::Html,
            ),
            ("application/json", Format::Json),
            ("text/csv;q=0.5, application/json;q=0.9", Format::Json),
            ("application/x-ndjson", Format::Ndjson),
            ("text/*;q=0.1, text/csv", Format::Csv),
            ("text/html;q=0, */*", Format::Json),
            ("image/png", Format::Html),
            ("nonsense;;;,,", Format::Html),
        ] {
            assert_eq!(
                format("/q/x", &headers(header::ACCEPT, accept)),
                expected,
                "{accept}"
            );
        }
        assert_eq!(format("/q/x", &HeaderMap::new()), Format::Html);
    }

    #[test]
    fn numbers_come_as_plain_text_too_and_never_line_by_line() {
        for (path, accept, expected) in [
            ("/stats", "text/plain", Format::Text),
            ("/stats", "*/*", Format::Html),
            ("/stats", "text/*", Format::Html),
            ("/stats", "application/json", Format::Json),
            ("/stats", "text/csv, text/plain;q=0.5", Format::Csv),
            ("/stats", "application/x-ndjson", Format::Html),
            ("/stats", "image/png", Format::Html),
            ("/stats.txt", "application/json", Format::Text),
            ("/stats.csv", "text/html", Format::Csv),
            ("/stats.ndjson", "text/csv", Format::Csv),
            ("/stats.xml", "text/plain", Format::Text),
            ("/q/stats.txt", "text/html", Format::Html),
            ("/q/stats", "text/plain", Format::Html),
        ] {
            let headers = headers(header::ACCEPT, accept);
            assert_eq!(format(path, &headers), expected, "{path} {accept}");
        }
    }

    #[test]
    fn open_metrics_comes_to_whom_prefers_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0,\
                          application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, expected) in [
            (prometheus, true),
            ("application/openmetrics-text", true),
            (
                "application/openmetrics-text; version=\"1.0.0\"; charset=utf-8",
                true,
            ),
            ("Application/OpenMetrics-Text;q=0.5, text/plain;q=0.5", true),
            ("application/openmetrics-text;q=0.4, text/plain", false),
            ("application/openmetrics-text;q=0", false),
            ("application/openmetrics-text;version=0.0.1", false),
            ("text/plain;version=0.0.4", false),
            ("*/*", false),
            ("", false),
        ] {
            let headers = headers(header::ACCEPT, accept);
            assert_eq!(wants_open_metrics(&headers), expected, "{accept}");
        }
        assert!(!wants_open_metrics(&HeaderMap::new()));
    }

    #[test]
    fn accept_encoding_chooses_by_weight_and_never_what_is_refused() {
        for (accept, expected) in [
            ("gzip", Encoding::Gzip),
            ("gzip, deflate, br, zstd", Encoding::Zstd),
            ("gzip, br", Encoding::Brotli),
            ("gzip;q=1.0, br;q=0.5", Encoding::Gzip),
            ("br;q=0, gzip;q=0", Encoding::Identity),
            ("identity", Encoding::Identity),
            ("deflate", Encoding::Identity),
            ("*;q=0.5, zstd;q=0, br;q=0", Encoding::Gzip),
            ("", Encoding::Identity),
        ] {
            let chosen = Encoding::accepted(&headers(header::ACCEPT_ENCODING, accept));
            assert_eq!(chosen, expected, "{accept}");
        }
        assert_eq!(Encoding::accepted(&HeaderMap::new()), Encoding::Identity);
    }
}
