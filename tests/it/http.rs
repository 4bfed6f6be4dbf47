//! The view of a client over HTTP, on the embedded demo: formats, headers, conditional requests,
//! refusals. The part of the database is in `end_to_end`.

use std::io::Read;

use crate::unslow::{Answer, Unslow};

const HOME: &str = "/q/version.json";

#[test]
fn the_first_page_takes_the_queries_time_and_the_next_comes_from_memory() {
    let unslow = Unslow::start(&["--demo-delay", "300ms"]);
    let first = unslow.get("/");
    assert_eq!(first.status, 200);
    assert_eq!(first.header("cache-status"), "unslow; fwd=uri-miss; stored");
    assert_eq!(first.header("cache-control"), "no-store");
    let page = first.text();
    for words in [
        "Database Host",
        "Database Version",
        "SQLite",
        "Elapsed Time",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let second = unslow.get("/");
    assert!(
        second
            .header("cache-status")
            .starts_with("unslow; hit; ttl=")
    );
    assert!(second.header("cache-status").ends_with("; detail=memory"));
    let numbers = unslow.numbers("version");
    assert_eq!(
        (&numbers["loads"], &numbers["hit_memory"]),
        (&1.into(), &1.into())
    );
    assert!(numbers["time_saved_seconds"].as_f64().unwrap() > 0.2);
}

#[test]
fn nothing_in_the_json_of_a_query_changes_from_request_to_request() {
    let unslow = Unslow::demo();
    let miss = unslow.get(HOME);
    let hit = unslow.get(HOME);
    assert_eq!(miss.status, 200);
    assert_eq!(miss.body, hit.body);
    assert_eq!(miss.header("etag"), hit.header("etag"));
    let json = hit.json();
    assert_eq!(json["ok"], true);
    assert_eq!(json["truncated"], false);
    assert!(
        json["rows"][0]["database_version"]
            .as_str()
            .unwrap()
            .starts_with("SQLite")
    );
    assert_ne!(miss.header("x-request-id"), hit.header("x-request-id"));
}

#[test]
fn data_carries_the_headers_that_let_others_keep_it() {
    let unslow = Unslow::demo();
    unslow.get(HOME);
    let hit = unslow.get(HOME);
    assert_eq!(hit.header("content-type"), "application/json");
    assert_eq!(hit.header("vary"), "Accept, Accept-Encoding");
    assert!(hit.header("age").parse::<u64>().unwrap() <= 10);
    let control = hit.header("cache-control");
    let rest = control.strip_prefix("max-age=").unwrap();
    let (left, window) = rest.split_once(", ").unwrap();
    assert!(left.parse::<u64>().unwrap() <= 10);
    assert_eq!(window, "stale-while-revalidate=30");
    assert!(hit.header("server-timing").contains("memory;dur="));
}

#[test]
fn a_client_that_has_it_gets_304() {
    let unslow = Unslow::demo();
    let tag = unslow.get(HOME).header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'));
    let known = unslow.get_with(HOME, &[("If-None-Match", &tag)]);
    assert_eq!(known.status, 304);
    assert!(known.body.is_empty());
    assert_eq!(known.header("etag"), tag);
    assert!(known.headers.contains_key("cache-control"));
    assert_eq!(
        unslow
            .get_with(HOME, &[("If-None-Match", "\"other\"")])
            .status,
        200
    );
    let csv = unslow.get("/q/version.csv");
    assert_ne!(csv.header("etag"), tag);
}

#[test]
fn the_suffix_or_accept_chooses_the_format() {
    let unslow = Unslow::demo();
    for (path, accept, expected) in [
        ("/q/version", "*/*", "text/html; charset=utf-8"),
        ("/q/version", "application/json", "application/json"),
        (
            "/q/version",
            "text/csv",
            "text/csv; charset=utf-8; header=present",
        ),
        ("/q/version", "application/x-ndjson", "application/x-ndjson"),
        (
            "/q/version.csv",
            "application/json",
            "text/csv; charset=utf-8; header=present",
        ),
        ("/q/version.json", "text/html", "application/json"),
        ("/q", "application/json", "application/json"),
        ("/q", "text/html", "text/html; charset=utf-8"),
    ] {
        let answer = unslow.get_with(path, &[("Accept", accept)]);
        assert_eq!(answer.header("content-type"), expected, "{path} {accept}");
        assert_eq!(answer.status, 200);
    }
    let csv = unslow.get("/q/version.csv").text();
    assert!(csv.starts_with("database_version\r\n"), "{csv}");
    let line = unslow.get("/q/version.ndjson").text();
    assert!(line.ends_with("}\n") && line.lines().count() == 1, "{line}");
}

#[test]
fn each_variant_is_compressed_once_per_entry() {
    let unslow = Unslow::demo();
    let path = big_query(&unslow);
    let plain = unslow.get(&path);
    assert!(!plain.headers.contains_key("content-encoding"));
    for _ in 0..3 {
        for encoding in ["gzip", "br", "zstd"] {
            let encoded = unslow.get_with(&path, &[("Accept-Encoding", encoding)]);
            assert_eq!(encoded.header("content-encoding"), encoding);
            assert_eq!(decode(&encoded), plain.body, "{encoding}");
            assert_ne!(encoded.header("etag"), plain.header("etag"));
        }
    }
    let name = path.trim_start_matches("/q/").split('.').next().unwrap();
    assert_eq!(unslow.numbers(name)["compressions"], 3);
}

/// The path of a demo query whose JSON is worth compressing.
fn big_query(unslow: &Unslow) -> String {
    let catalog = unslow
        .get_with("/q", &[("Accept", "application/json")])
        .json();
    let names = catalog["queries"].as_array().unwrap().clone();
    names
        .iter()
        .map(|query| format!("/q/{}.json", query["name"].as_str().unwrap()))
        .find(|path| unslow.get(path).body.len() > 1024)
        .expect("the demo has a query with many rows")
}

fn decode(answer: &Answer) -> Vec<u8> {
    let mut decoded = Vec::new();
    match answer.header("content-encoding") {
        "gzip" => {
            flate2::read::GzDecoder::new(&answer.body[..])
                .read_to_end(&mut decoded)
                .unwrap();
        }
        "br" => brotli::BrotliDecompress(&mut &answer.body[..], &mut decoded).unwrap(),
        "zstd" => decoded = zstd::stream::decode_all(&answer.body[..]).unwrap(),
        other => panic!("{other}"),
    }
    decoded
}

#[test]
fn assets_carry_a_hash_and_may_be_kept_for_good() {
    let unslow = Unslow::demo();
    let page = unslow.get("/").text();
    let start = page.find("/static/style-").expect("a style sheet");
    let path = &page[start..start + page[start..].find('"').unwrap()];
    let style = unslow.get_with(path, &[("Accept-Encoding", "br")]);
    assert_eq!(style.status, 200);
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(
        style.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(style.header("content-encoding"), "br");
    let again = unslow.get_with(path, &[("If-None-Match", unslow.get(path).header("etag"))]);
    assert_eq!(again.status, 304);
    assert_eq!(unslow.get("/static/style.css").status, 404);
}

#[test]
fn health_and_readiness_ask_nothing() {
    let unslow = Unslow::demo();
    assert_eq!(unslow.get("/healthz").json()["ok"], true);
    let ready = unslow.get("/readyz").json();
    assert_eq!(ready["state"], "serving");
    assert_eq!(ready["database"], "not asked yet");
    assert_eq!(ready["redis"], "not configured");
    unslow.get(HOME);
    assert_eq!(unslow.get("/readyz").json()["database"], "up");
    assert_eq!(unslow.numbers("version")["requests"], 1);
}

#[test]
fn pages_are_compressed_per_request_and_have_no_tag() {
    let unslow = Unslow::demo();
    let plain = unslow.get("/q");
    assert!(!plain.headers.contains_key("etag"));
    assert_eq!(plain.header("cache-control"), "no-store");
    for encoding in ["gzip", "br", "zstd"] {
        let encoded = unslow.get_with("/q", &[("Accept-Encoding", encoding)]);
        assert_eq!(encoded.header("content-encoding"), encoding);
        assert_eq!(decode(&encoded), plain.body);
    }
}

#[test]
fn a_thousand_clients_of_a_cold_key_cost_one_load() {
    let unslow = Unslow::start(&["--demo-delay", "2s"]);
    let mut bodies: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..1000)
            .map(|_| scope.spawn(|| unslow.get(HOME).body))
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
    let numbers = unslow.numbers("version");
    assert_eq!(numbers["loads"], 1);
    assert_eq!(numbers["requests"], 1000);
    assert_eq!(numbers["miss"], 1);
    assert_eq!(numbers["error"], 0);
}
