//! What a client sees over HTTP, on the embedded demo: formats, headers, conditional requests,
//! refusals. What the database adds to it is in `end_to_end`.

use std::io::Read;

use crate::unslow::{Answer, Unslow};

const HOME: &str = "/q/version.json";

#[track_caller]
fn assert_error(answer: &Answer, status: u16, words: &[&str]) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let json = answer.json();
    assert_eq!(json["ok"], false);
    assert_eq!(json["status"], status);
    assert_eq!(json["id"], answer.header("x-request-id"));
    assert_eq!(answer.header("cache-control"), "no-store");
    let message = json["error"].as_str().unwrap();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
}

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
fn head_and_options_work_and_other_methods_are_405() {
    let unslow = Unslow::demo();
    let get = unslow.get(HOME);
    let head = unslow.request("HEAD", HOME, &[]);
    assert_eq!(head.status, 200);
    assert!(head.body.is_empty());
    assert_eq!(head.header("content-length"), get.body.len().to_string());
    assert_eq!(head.header("etag"), get.header("etag"));
    for path in ["/", "/q", "/q/version", "/stats", "/healthz"] {
        let options = unslow.request("OPTIONS", path, &[]);
        assert_eq!(options.status, 204, "{path}");
        assert_eq!(options.header("allow"), "GET, HEAD, OPTIONS");
        let put = unslow.request("PUT", path, &[("Accept", "application/json")]);
        assert_error(&put, 405, &["GET, HEAD, OPTIONS"]);
        assert_eq!(put.header("allow"), "GET, HEAD, OPTIONS");
    }
}

#[test]
fn unknown_addresses_are_404_and_suggest_the_nearest_query() {
    let unslow = Unslow::demo();
    let json = [("Accept", "application/json")];
    assert_error(
        &unslow.get_with("/q/versoin", &json),
        404,
        &["versoin", "version"],
    );
    for path in [
        "/q/version.css",
        "/q/version;a.css",
        "/q/version%2f..%2fstatic/",
        "/q/version/",
        "/static/..%2fCargo.toml",
        "/static/%5c..%5capp.ini",
        "/static/app.ini",
        "//etc/passwd",
        "/.env",
        "/nowhere",
    ] {
        let answer = unslow.get_with(path, &json);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.json()["ok"], false);
        assert_eq!(unslow.get(path).status, 404, "{path} as a page");
    }
}

#[test]
fn every_response_has_the_security_headers_and_an_id() {
    let unslow = Unslow::demo();
    let long = format!("/{}", "x".repeat(5000));
    for (path, status) in [
        ("/", 200),
        (HOME, 200),
        ("/stats", 200),
        ("/q/none", 404),
        ("/nope", 404),
        (&long, 414),
    ] {
        let answer = unslow.get(path);
        assert_eq!(answer.status, status, "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe-inline"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.headers.contains_key("referrer-policy"));
        assert_eq!(answer.header("x-request-id").len(), 16);
    }
    let named = unslow.get_with("/nope", &[("X-Request-Id", "mine-1")]);
    assert_eq!(named.header("x-request-id"), "mine-1");
    assert!(named.text().contains("mine-1"));
    let strange = unslow.get_with("/nope", &[("X-Request-Id", "<script>")]);
    assert!(!strange.text().contains("<script>"));
}

#[test]
fn a_request_over_a_limit_is_refused_by_name() {
    let unslow = Unslow::start(&["--limit-request-fields", "20", "--demo-delay", "0s"]);
    let json = ("Accept", "application/json");
    let long = format!("{HOME}?x={}", "x".repeat(5000));
    assert_error(
        &unslow.get_with(&long, &[json]),
        414,
        &["request line", "4094"],
    );
    let wide = "x".repeat(9000);
    assert_error(
        &unslow.get_with(HOME, &[json, ("X-Wide", &wide)]),
        431,
        &["x-wide", "8190"],
    );
    let names: Vec<_> = (0..20).map(|n| format!("X-{n}")).collect();
    let mut many: Vec<_> = names.iter().map(|name| (name.as_str(), "y")).collect();
    many.push(json);
    assert_error(&unslow.get_with(HOME, &many), 431, &["20 header fields"]);
    let body = [json, ("Content-Length", "65537")];
    assert_error(&unslow.request("POST", HOME, &body), 413, &["65536"]);
    assert_eq!(unslow.get(HOME).status, 200);
}

#[test]
fn ambiguous_requests_are_refused() {
    let unslow = Unslow::demo();
    let both =
        b"POST /q HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\
        Connection: close\r\n\r\n0\r\n\r\n";
    assert_eq!(unslow.raw(both).status, 400);
    let two = b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n";
    assert_eq!(unslow.raw(two).status, 400);
}

#[test]
fn what_is_not_part_of_the_key_cannot_poison_an_entry() {
    let unslow = Unslow::demo();
    let canary = "canary-7f3a";
    let names = [
        "X-Forwarded-Host",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Prefix",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Host",
        "Forwarded",
        "X-Real-IP",
        "Via",
        "Referer",
        "User-Agent",
        "Origin",
        "Cookie",
        "Authorization",
        "X-Request-Id",
        "Accept-Language",
        "X-HTTP-Method-Override",
        "X-Method-Override",
        "Cache-Control",
        "Pragma",
        "Range",
        "If-Modified-Since",
        "If-None-Match",
        "X-Wap-Profile",
        "X-Unslow",
        "TE",
        "From",
    ];
    let headers: Vec<_> = names.iter().map(|name| (*name, canary)).collect();
    let poisoned = unslow.get_with(HOME, &headers);
    assert_eq!(poisoned.status, 200);
    let clean = unslow.get(HOME);
    assert_eq!(poisoned.body, clean.body);
    assert!(!clean.text().contains(canary));
    assert!(clean.headers.values().all(|value| !value.contains(canary)));
    let host = unslow.get_with("/", &[("Host", canary)]);
    assert!(!host.text().contains(canary));
    assert_eq!(unslow.numbers("version")["loads"], 1);
}

#[test]
fn stats_are_open_to_this_machine_and_to_nobody_else_by_default() {
    let unslow = Unslow::demo();
    assert_eq!(unslow.get("/stats").status, 200);
    for headers in [
        [("Host", "evil.example")],
        [("X-Forwarded-For", "127.0.0.1")],
    ] {
        for path in ["/stats", "/stats.json"] {
            let answer = unslow.get_with(path, &headers);
            assert_eq!(answer.status, 403, "{path}");
            assert!(answer.text().contains("[stats] allow"), "{}", answer.text());
        }
    }
}

#[test]
fn the_admin_token_opens_stats_as_bearer_and_as_basic_password() {
    let files = [("token", "s3cret\n")];
    let unslow = Unslow::start_with(&["--admin-token-file", "token"], &files, &[]);
    let far = ("Host", "stats.example");
    let ask = |authorization: &str| {
        unslow
            .get_with("/stats", &[far, ("Authorization", authorization)])
            .status
    };
    assert_eq!(ask("Bearer s3cret"), 200);
    assert_eq!(ask("Basic YWRtaW46czNjcmV0"), 200);
    assert_eq!(ask("Bearer s3cre"), 401);
    let unasked = unslow.get_with("/stats", &[far]);
    assert_eq!(unasked.status, 401);
    assert!(
        unasked
            .header("www-authenticate")
            .starts_with("Basic realm=")
    );
    let allowed = Unslow::start(&["--stats-allow", "127.0.0.0/8"]);
    assert_eq!(allowed.get_with("/stats", &[far]).status, 200);
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
