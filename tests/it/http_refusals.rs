//! The refusals to a client, and the facts that it never gets: methods, addresses, limits, the
//! access rule of `/stats`, and the headers that stand on every response. They are tested on the
//! embedded demo.

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
        b"POST /q HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\
        Connection: close\r\n\r\n0\r\n\r\n";
    assert_eq!(unslow.raw(both).status, 400);
    let two =
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(unslow.raw(two).status, 400);
}

#[test]
fn stats_are_open_to_this_machine_and_to_nobody_else_by_default() {
    let unslow = Unslow::demo();
    assert_eq!(unslow.get("/stats").status, 200);
    for headers in [
        [("X-Real-IP", "127.0.0.1")],
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
    let far = ("X-Real-IP", "192.0.2.1");
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
