//! The input that is not part of a key changes no entry: headers, cookies and parameters that
//! nobody declared leave no trace in what others are answered, in data and on pages. The headers
//! that every response has, whatever its status, are here too.

use crate::unslow::{Answer, Unslow};

const CANARY: &str = "canary-7f3a";

/// Every header that some cache, proxy or framework is known to take a part of its answer from.
const NAMES: [&str; 71] = [
    "X-Forwarded-Host",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Prefix",
    "X-Forwarded-Port",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-Path",
    "X-Forwarded",
    "X-Original-URL",
    "X-Original-Host",
    "X-Original-URI",
    "X-Rewrite-URL",
    "X-Host",
    "X-HTTP-Host-Override",
    "X-Proxy-URL",
    "X-Request-URI",
    "X-URI",
    "X-Script-Name",
    "X-Real-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Originating-IP",
    "X-Remote-IP",
    "X-Remote-Addr",
    "X-Custom-IP-Authorization",
    "True-Client-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
    "X-Azure-ClientIP",
    "Client-IP",
    "Forwarded",
    "Via",
    "Referer",
    "User-Agent",
    "Origin",
    "Cookie",
    "Authorization",
    "Proxy-Authorization",
    "X-Request-Id",
    "X-Correlation-Id",
    "Traceparent",
    "Accept-Language",
    "Accept-Charset",
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "Cache-Control",
    "Pragma",
    "Range",
    "If-Range",
    "If-Modified-Since",
    "If-Unmodified-Since",
    "If-Match",
    "If-None-Match",
    "X-Wap-Profile",
    "X-Unslow",
    "Unslow-Truncated",
    "TE",
    "Trailer",
    "From",
    "Max-Forwards",
    "DNT",
    "Sec-Fetch-Site",
    "Sec-Fetch-Mode",
    "X-Requested-With",
    "X-CSRF-Token",
    "Content-Type",
    "Content-Language",
    "Priority",
    "Save-Data",
];

const QUERIES: [(&str, &str); 2] = [
    (
        "queries/echo.sql",
        "-- param: x text = null\nselect coalesce(:x, 'nothing') as x",
    ),
    (
        "queries/broken.sql",
        "select abs(-9223372036854775807 - 1) as no",
    ),
];

fn start() -> Unslow {
    let args = [
        "--demo-delay",
        "0s",
        "--ttl",
        "1h",
        "--queries",
        "queries",
        "--home",
        "echo",
    ];
    Unslow::start_with(&args, &QUERIES, &[])
}

#[track_caller]
fn assert_clean(answer: &Answer, what: &str) {
    assert!(!answer.text().contains(CANARY), "{what}: {}", answer.text());
    for (name, value) in &answer.headers {
        assert!(!value.contains(CANARY), "{what}: {name}: {value}");
    }
}

/// Each way to ask for the same entry.
const PATHS: [&str; 5] = [
    "/q/echo.json",
    "/q/echo.csv",
    "/q/echo.ndjson",
    "/q/echo",
    "/",
];

#[test]
fn no_header_poisons_an_entry_alone_or_with_all_others() {
    for path in PATHS {
        let unslow = start();
        let all: Vec<_> = NAMES.iter().map(|name| (*name, CANARY)).collect();
        // The first request loads the entry and makes what is kept with it.
        let poisoned = unslow.get_with(path, &all);
        assert_eq!(poisoned.status, 200, "{path}");
        let clean = unslow.get(path);
        assert_clean(&clean, path);
        if path != "/" && path != "/q/echo" {
            assert_eq!(poisoned.body, clean.body, "{path}");
            assert_eq!(poisoned.header("etag"), clean.header("etag"), "{path}");
        }
        for name in NAMES {
            unslow.get_with(path, &[(name, CANARY)]);
            let two = [
                (name, CANARY),
                ("Accept-Encoding", "gzip"),
                ("Accept", "*/*"),
            ];
            unslow.get_with(path, &two);
        }
        for path in PATHS {
            assert_clean(&unslow.get(path), path);
        }
        assert_eq!(
            unslow.numbers("echo")["loads"],
            1,
            "{path}: one entry answers all of them"
        );
        // A foreign Host is refused, and leaves no trace either.
        assert_eq!(unslow.get_with(path, &[("Host", CANARY)]).status, 421);
        assert_clean(&unslow.get_with(path, &[("Host", CANARY)]), path);
        let forwarded = [
            ("Host", CANARY),
            ("X-Forwarded-For", "192.0.2.1"),
            ("X-Forwarded-Host", CANARY),
        ];
        assert_clean(&unslow.get_with(path, &forwarded), path);
        assert_clean(&unslow.get(path), path);
    }
}

#[test]
fn parameters_that_nobody_declared_load_and_change_nothing() {
    let unslow = start();
    for path in PATHS {
        unslow.get(path);
        for wrong in [
            format!("{CANARY}=1"),
            format!("y={CANARY}"),
            format!("x=1&x={CANARY}"),
            format!("x=1&X={CANARY}"),
            format!("x[]={CANARY}"),
            format!("x=1;y={CANARY}&z=1"),
            format!("callback={CANARY}"),
            format!("_method={CANARY}"),
        ] {
            let answer = unslow.get(&format!("{path}?{wrong}"));
            assert_eq!(answer.status, 400, "{path}?{wrong}");
            assert_eq!(answer.header("cache-control"), "no-store");
        }
        // Pages pass these over; data does not.
        for added in ["utm_source", "fbclid", "_"] {
            let answer = unslow.get(&format!("{path}?{added}={CANARY}"));
            let expected = if path == "/" || path == "/q/echo" {
                200
            } else {
                400
            };
            assert_eq!(answer.status, expected, "{path} {added}");
            assert!(
                expected == 400 || !answer.text().contains(CANARY),
                "{path} {added}"
            );
        }
        assert_clean(&unslow.get(path), path);
    }
    assert_eq!(unslow.numbers("echo")["loads"], 1);
    // A value that is declared is in the answers to those who sent it, and in no others.
    assert!(unslow.get(&format!("/?x={CANARY}")).text().contains(CANARY));
    for path in PATHS {
        assert_clean(&unslow.get(path), path);
    }
}

#[test]
fn every_status_has_the_headers_of_every_response() {
    let unslow = start();
    let tag = unslow.get("/q/echo.json").header("etag").to_owned();
    let known = [("If-None-Match", tag.as_str())];
    let long = format!("/{}", "x".repeat(5000));
    let wide = "x".repeat(9000);
    for (method, path, headers, status) in [
        ("GET", "/q/echo.json", &known[..], 304),
        ("HEAD", "/q/echo.json", &known, 304),
        ("OPTIONS", "/q/echo", &[], 204),
        ("GET", "/q/echo.json?nonsense=1", &[], 400),
        ("GET", "/q/echo?nonsense=1", &[], 400),
        ("GET", "/stats", &[("X-Forwarded-For", "192.0.2.1")], 403),
        ("GET", "/nope", &[], 404),
        ("PUT", "/q/echo", &[], 405),
        ("POST", "/q/echo/purge", &[("Content-Length", "99999")], 413),
        ("GET", &long, &[], 414),
        ("GET", "/q/echo.json", &[("Host", "evil.example")], 421),
        ("GET", "/q/echo.json", &[("X-Wide", wide.as_str())], 431),
        ("GET", "/q/broken.json", &[], 503),
        ("GET", "/q/broken", &[], 503),
    ] {
        let answer = unslow.request(method, path, headers);
        let what = format!("{method} {}", &path[..path.len().min(40)]);
        assert_eq!(answer.status, status, "{what}");
        for (name, words) in [
            ("content-security-policy", "frame-ancestors 'none'"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("x-frame-options", "DENY"),
        ] {
            assert!(answer.header(name).contains(words), "{what}: {name}");
        }
        assert_eq!(answer.header("x-request-id").len(), 16, "{what}");
    }
}
