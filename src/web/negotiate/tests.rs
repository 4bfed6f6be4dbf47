//! Tables of what clients really send, and that nothing refused is ever served.

use super::*;
use actix_web::http::header::{HeaderName, HeaderValue};
use proptest::prelude::*;

fn headers(name: HeaderName, value: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(name, HeaderValue::from_static(value));
    headers
}

#[test]
fn the_suffix_beats_accept() {
    let json = headers(header::ACCEPT, "application/json");
    assert_eq!(choose_format("/q/x.csv", &json), Format::Csv);
    assert_eq!(choose_format("/q/x", &json), Format::Json);
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
        // What is named beats a wildcard of the same weight.
        ("application/json, text/plain, */*", Format::Json),
        ("text/csv, */*", Format::Csv),
        ("*/*, text/csv", Format::Csv),
        ("application/json;q=0.9, */*;q=0.8", Format::Json),
        (
            "application/json, text/javascript, */*; q=0.01",
            Format::Json,
        ),
        ("application/x-ndjson;q=0.5, */*;q=0.5", Format::Ndjson),
        ("text/*, application/json", Format::Json),
        ("application/*", Format::Json),
        ("application/json, text/html", Format::Html),
        ("application/json, text/html;q=0.9", Format::Json),
        ("application/json; charset=utf-8", Format::Json),
        ("application/json;odata=verbose, */*;q=0.1", Format::Json),
        ("APPLICATION/JSON", Format::Json),
        // RFC 9110, 12.5.1: the most precise range counts.
        (
            "text/html;level=1;q=0, text/html;q=0.7, text/csv;q=0.3",
            Format::Html,
        ),
        (
            "text/*;q=0.9, text/html;q=0.1, application/json;q=0.5",
            Format::Csv,
        ),
        ("*/*;q=0.8, text/html;q=0.2", Format::Json),
        // What is refused comes last of all.
        ("text/html;q=0", Format::Json),
        ("text/html;q=0, application/json;q=0", Format::Csv),
        ("*/*;q=0", Format::Html),
        ("*/*;q=0, text/csv;q=0.001", Format::Csv),
        (
            "text/html, text/html;q=0, application/json;q=0.1",
            Format::Json,
        ),
        ("", Format::Html),
    ] {
        assert_eq!(
            choose_format("/q/x", &headers(header::ACCEPT, accept)),
            expected,
            "{accept}"
        );
    }
    assert_eq!(choose_format("/q/x", &HeaderMap::new()), Format::Html);
}

#[test]
fn browsers_and_tools_without_a_wish_get_the_page() {
    for accept in [
        // Chrome, Firefox, Safari, Edge of old, Internet Explorer 8 and 11.
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,\
         */*;q=0.8,application/signed-exchange;v=b3;q=0.7",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/png,image/svg+xml,*/*;q=0.8",
        "text/html, application/xhtml+xml, image/jxr, */*",
        "image/gif, image/jpeg, image/pjpeg, application/x-ms-application, \
         application/xaml+xml, application/x-ms-xbap, */*",
        "text/html, application/xhtml+xml, */*",
        // Java's URLConnection, curl and fetch, links, lynx.
        "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
        "*/*",
        "text/html, text/*;q=0.5, image/*",
        "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01",
    ] {
        for path in ["/", "/q/x", "/stats"] {
            let headers = headers(header::ACCEPT, accept);
            assert_eq!(
                choose_format(path, &headers),
                Format::Html,
                "{path} {accept}"
            );
        }
    }
}

#[test]
fn several_fields_are_one_list() {
    let mut headers = headers(header::ACCEPT, "text/html;q=0.5");
    headers.append(header::ACCEPT, HeaderValue::from_static("text/csv"));
    assert_eq!(choose_format("/q/x", &headers), Format::Csv);
    headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.append(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("gzip;q=0"),
    );
    assert_eq!(
        AcceptedCodings::read(&headers).choose_encoding(true),
        Encoding::Identity
    );
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
        assert_eq!(choose_format(path, &headers), expected, "{path} {accept}");
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
    use Encoding::{Brotli, Gzip, Identity, Zstd};
    // The encoding of a body that is worth it, and of one that is not.
    for (accept, large, small) in [
        ("gzip", Gzip, Identity),
        ("gzip, deflate, br, zstd", Zstd, Identity),
        ("gzip, br", Brotli, Identity),
        ("gzip;q=1.0, br;q=0.5", Gzip, Identity),
        ("br;q=0, gzip;q=0", Identity, Identity),
        ("identity", Identity, Identity),
        ("deflate", Identity, Identity),
        ("*;q=0.5, zstd;q=0, br;q=0", Gzip, Identity),
        ("", Identity, Identity),
        ("*", Zstd, Identity),
        ("*;q=0", Identity, Identity),
        ("identity;q=0", Identity, Identity),
        ("gzip;q=0, *;q=0", Identity, Identity),
        ("gzip;q=0.0", Identity, Identity),
        ("gzip;q=0.000, br;q=0.001", Brotli, Identity),
        ("gzip, *;q=0", Gzip, Gzip),
        ("gzip, identity;q=0", Gzip, Gzip),
        ("identity;q=0, *", Zstd, Zstd),
        ("identity, *;q=0", Identity, Identity),
        ("identity;q=0.5, gzip;q=0.1", Identity, Identity),
        ("x-gzip", Gzip, Identity),
        ("X-GZip;q=0, gzip", Identity, Identity),
        ("gzip, gzip;q=0", Identity, Identity),
        ("gzip;q=0, gzip", Identity, Identity),
        // What is named beats a wildcard of the same weight.
        ("gzip, *", Gzip, Identity),
        ("identity, *", Identity, Identity),
        ("zstd;q=0, *", Brotli, Identity),
        ("gzip;q=nonsense", Gzip, Identity),
    ] {
        let accepted = AcceptedCodings::read(&headers(header::ACCEPT_ENCODING, accept));
        assert_eq!(
            (
                accepted.choose_encoding(true),
                accepted.choose_encoding(false)
            ),
            (large, small),
            "{accept}"
        );
    }
    let nothing = AcceptedCodings::read(&HeaderMap::new());
    assert_eq!(nothing.choose_encoding(true), Identity);
}

/// Lists of these tokens, each with a weight or none.
fn lists(tokens: &'static [&'static str]) -> impl Strategy<Value = Vec<(&'static str, u16)>> {
    let weight = prop_oneof![Just(0), Just(1000), 0..=1000_u16];
    proptest::collection::vec((proptest::sample::select(tokens), weight), 0..6)
}

fn written(list: &[(&str, u16)]) -> HeaderValue {
    let member =
        |(token, weight): &(&str, u16)| format!("{token};q={}.{:03}", weight / 1000, weight % 1000);
    let members: Vec<_> = list.iter().map(member).collect();
    HeaderValue::try_from(members.join(", ")).expect("letters and signs")
}

/// The weights that the list gives to a thing, by the most precise of its names that is there.
fn weights(list: &[(&str, u16)], names: &[&str]) -> Option<Vec<u16>> {
    names.iter().find_map(|name| {
        let of = list.iter().filter(|(token, _)| token == name);
        let of: Vec<u16> = of.map(|(_, weight)| *weight).collect();
        (!of.is_empty()).then_some(of)
    })
}

proptest! {
    #[test]
    fn no_format_is_served_that_is_refused_while_there_is_another(
        list in lists(&["text/html", "application/json", "text/csv", "application/x-ndjson", "text/*", "application/*", "*/*", "image/png"])
    ) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, written(&list));
        let of = |format: Format| {
            let media = format.media_type();
            let family = if media.starts_with("text/") { "text/*" } else { "application/*" };
            weights(&list, &[media, family, "*/*"])
        };
        let is_refused = |format| of(format).is_some_and(|all| all.contains(&0));
        let is_wanted = |format| of(format).is_some_and(|all| !all.contains(&0));
        let served = choose_format("/q/x", &headers);
        let all = Format::OF_QUERIES;
        prop_assert!(!is_refused(served) || all.into_iter().all(is_refused), "{served:?}");
        prop_assert!(is_wanted(served) || !all.into_iter().any(is_wanted), "{served:?}");
        // Nothing else is liked better.
        let least = |format| of(format).and_then(|all| all.into_iter().min()).unwrap_or(0);
        prop_assert!(all.into_iter().all(|other| least(other) <= least(served)), "{served:?}");
    }

    #[test]
    fn no_encoding_is_served_that_is_refused(
        list in lists(&["gzip", "x-gzip", "br", "zstd", "identity", "*", "deflate"]),
        large: bool,
    ) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, written(&list));
        let takes = |encoding: Encoding| {
            let name = encoding.name().unwrap_or("identity");
            let mut all = list.clone();
            for (token, _) in &mut all {
                *token = if *token == "x-gzip" { "gzip" } else { token };
            }
            let by_default = encoding == Encoding::Identity;
            weights(&all, &[name, "*"]).map_or(by_default, |all| !all.contains(&0))
        };
        let served = AcceptedCodings::read(&headers).choose_encoding(large);
        let others = [Encoding::Gzip, Encoding::Brotli, Encoding::Zstd];
        let nothing_is_taken = !takes(Encoding::Identity) && !others.into_iter().any(takes);
        let is_last_resort = served == Encoding::Identity && nothing_is_taken;
        prop_assert!(takes(served) || is_last_resort, "{served:?}");
    }
}
