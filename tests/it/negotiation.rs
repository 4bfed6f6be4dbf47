//! The formats and encodings that clients take, seen over HTTP: the format that `Accept` names, and
//! no encoding that `Accept-Encoding` refuses, on every kind of answer.

use std::io::Read as _;

use crate::unslow::{Answer, Unslow};

fn decoded(answer: &Answer) -> Vec<u8> {
    let mut plain = Vec::new();
    match answer.headers.get("content-encoding").map(String::as_str) {
        None => plain.clone_from(&answer.body),
        Some("gzip") => {
            let mut decoder = flate2::read::GzDecoder::new(&answer.body[..]);
            decoder.read_to_end(&mut plain).unwrap();
        }
        Some("br") => brotli::BrotliDecompress(&mut &answer.body[..], &mut plain).unwrap(),
        Some("zstd") => plain = zstd::stream::decode_all(&answer.body[..]).unwrap(),
        Some(other) => panic!("{other}"),
    }
    plain
}

#[test]
fn no_answer_is_encoded_in_a_way_that_is_refused() {
    let unslow = Unslow::start(&["--demo-delay", "0s"]);
    let style = unslow.get("/").text();
    let style = style
        .split('"')
        .find(|part| part.starts_with("/static/style-"));
    let long = format!("/q/orders.json?product={}", "x".repeat(9_000));
    for path in [
        "/",
        "/q",
        "/q/orders?limit=40",
        "/q/orders.json?limit=200",
        "/q/orders.csv?limit=200",
        "/q/orders.ndjson?limit=200&meta=1",
        "/q/version.json",
        "/stats",
        "/stats.json",
        "/stats.csv",
        "/stats.txt",
        "/metrics",
        "/openapi.json",
        "/healthz",
        "/readyz",
        style.unwrap(),
        "/nope",
        "/q/orders?limit=none",
        &long,
    ] {
        let plain = unslow.get(path);
        assert!(!plain.headers.contains_key("content-encoding"), "{path}");
        for (accept, allowed) in [
            ("*;q=0", &[""][..]),
            ("identity;q=0", &[""]),
            ("gzip;q=0, *;q=0", &[""]),
            ("", &[""]),
            ("gzip;q=0.0", &[""]),
            ("gzip;q=0, gzip", &[""]),
            ("gzip;q=0, x-gzip", &[""]),
            ("gzip, *;q=0", &["gzip"]),
            ("identity;q=0, gzip", &["gzip"]),
            ("identity;q=0, br;q=0.001", &["br"]),
            ("x-gzip", &["gzip", ""]),
            ("*", &["zstd", ""]),
            ("*, zstd;q=0", &["br", ""]),
            ("gzip, *", &["gzip", ""]),
        ] {
            let answer = unslow.get_with(path, &[("Accept-Encoding", accept)]);
            let coding = answer
                .headers
                .get("content-encoding")
                .map_or("", String::as_str);
            assert!(
                allowed.contains(&coding),
                "{path}: {accept:?} got {coding:?}"
            );
            assert_eq!(answer.status, plain.status, "{path}: {accept:?}");
            let kind = plain.header("content-type");
            if kind.starts_with("text/csv") && path.starts_with("/q/") {
                assert_eq!(decoded(&answer), plain.body, "{path}: {accept:?}");
            }
            assert!(!decoded(&answer).is_empty(), "{path}: {accept:?}");
        }
    }
}

#[test]
fn a_named_format_beats_a_wildcard_and_browsers_get_the_page() {
    let unslow = Unslow::demo();
    for (accept, kind) in [
        ("application/json, text/plain, */*", "application/json"),
        ("text/csv, */*", "text/csv"),
        ("application/json;q=0.9, */*;q=0.8", "application/json"),
        (
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html",
        ),
        ("*/*", "text/html"),
    ] {
        for path in ["/q/version", "/q/versio%6e"] {
            let answer = unslow.get_with(path, &[("Accept", accept)]);
            assert!(
                answer.header("content-type").starts_with(kind),
                "{path} {accept}"
            );
        }
    }
    let error = unslow.get_with(
        "/q/none",
        &[("Accept", "application/json, text/plain, */*")],
    );
    assert_eq!(error.json()["status"], 404);
}

#[test]
fn pages_pass_over_what_other_sites_add_to_links_and_data_does_not() {
    let unslow = Unslow::start_with(
        &["--demo-delay", "0s", "--queries", "queries", "--ttl", "1h"],
        &[
            (
                "queries/echo.sql",
                "-- param: x text = null\nselect :x as x",
            ),
            (
                "queries/own.sql",
                "-- param: gclid text = null\n-- param: utm_source text = null\n\
              select coalesce(:gclid, '') || coalesce(:utm_source, '') as x",
            ),
        ],
        &[],
    );
    let added = "utm_source=tracked&utm_medium=tracked%ff&fbclid=tracked&gclid=tracked&msclkid=tracked&_=tracked";
    for path in ["/", "/q", "/q/echo", "/stats", "/q/echo?x=1&"] {
        let path = if path.contains('?') {
            format!("{path}{added}")
        } else {
            format!("{path}?{added}")
        };
        let page = unslow.get(&path);
        assert_eq!(page.status, 200, "{path}");
        for word in [
            "tracked",
            "utm_medium",
            "fbclid",
            "msclkid",
            "?_=",
            "amp;_=",
        ] {
            assert!(!page.text().contains(word), "{path} carries {word} on");
        }
    }
    // They are no part of the key.
    assert_eq!(unslow.numbers("echo")["loads"], 2);
    assert!(
        unslow
            .get("/q/echo?x=1&fbclid=2")
            .text()
            .contains("/q/echo.csv?x=1\"")
    );
    for path in [
        "/q/echo.json",
        "/q/echo.csv",
        "/q/echo.ndjson",
        "/stats.json",
    ] {
        for name in ["utm_source", "fbclid", "gclid", "msclkid", "_"] {
            let answer = unslow.get(&format!("{path}?{name}=1"));
            assert_eq!(answer.status, 400, "{path} {name}");
        }
    }
    // A name that only looks like one is a mistake on pages too, and a declared one is a parameter.
    for name in ["utm", "fbclid2", "nonsense"] {
        assert_eq!(
            unslow.get(&format!("/q/echo?{name}=1")).status,
            400,
            "{name}"
        );
    }
    let own = unslow
        .get("/q/own?gclid=mine&fbclid=theirs&utm_source=too")
        .text();
    assert!(
        own.contains("minetoo") && own.contains("/q/own.csv?gclid=mine&amp;utm_source=too\""),
        "{own}"
    );
    assert_eq!(
        unslow.get("/q/own.json?gclid=mine").json()["rows"][0]["x"],
        "mine"
    );
}
