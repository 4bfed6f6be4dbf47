//! The words to browsers about queries when a page of another site asks for them.

use crate::unslow::{Answer, Unslow};

const APP: (&str, &str) = ("Origin", "https://app.example");
const EVIL: (&str, &str) = ("Origin", "https://evil.example");
const ASKS: (&str, &str) = ("Access-Control-Request-Method", "GET");

fn start(args: &[&str]) -> Unslow {
    Unslow::start(&[args, &["--demo-delay", "0s"]].concat())
}

#[track_caller]
fn assert_closed(answer: &Answer) {
    for name in answer.headers.keys() {
        assert!(!name.starts_with("access-control-"), "{name}");
    }
}

fn allowed(answer: &Answer) -> Option<&str> {
    let origin = answer.headers.get("access-control-allow-origin");
    origin.map(String::as_str)
}

#[test]
fn without_the_setting_no_other_site_reads_anything() {
    let unslow = start(&[]);
    for path in ["/q", "/q/version.json", "/q/version", "/stats.json"] {
        for method in ["GET", "HEAD", "OPTIONS"] {
            let answer = unslow.request(method, path, &[APP, ASKS]);
            assert_closed(&answer);
            let vary = answer.headers.get("vary");
            assert!(vary.is_none_or(|vary| !vary.contains("Origin")));
        }
    }
}

#[test]
fn the_sites_that_are_named_read_queries_and_nothing_else() {
    let unslow = start(&["--cors-origin", "https://app.example,http://localhost:3000"]);
    for path in ["/q", "/q/version.json", "/q/versio%6e.csv", "/q/none.json"] {
        let answer = unslow.get_with(path, &[APP]);
        assert_eq!(allowed(&answer), Some(APP.1), "{path}");
        let exposed = answer.header("access-control-expose-headers");
        for name in [
            "Cache-Status",
            "Age",
            "ETag",
            "Server-Timing",
            "X-Request-Id",
            "Retry-After",
        ] {
            assert!(exposed.contains(name), "{exposed}");
        }
        assert!(answer.header("vary").ends_with("Origin"));
        assert!(
            !answer
                .headers
                .contains_key("access-control-allow-credentials")
        );
        for headers in [&[][..], &[EVIL], &[("Origin", "null")], &[APP, EVIL]] {
            let answer = unslow.get_with(path, headers);
            assert_closed(&answer);
            assert!(
                answer.header("vary").ends_with("Origin"),
                "{path} {headers:?}"
            );
        }
    }
    let preflight = unslow.request("OPTIONS", "/q/version", &[APP, ASKS]);
    assert_eq!((preflight.status, allowed(&preflight)), (204, Some(APP.1)));
    assert_eq!(
        preflight.header("access-control-allow-methods"),
        "GET, HEAD"
    );
    let carried = preflight.header("access-control-allow-headers");
    assert!(carried.contains("If-None-Match") && !carried.contains("Authorization"));
    assert_closed(&unslow.request("OPTIONS", "/q/version", &[EVIL, ASKS]));
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/stats"),
        ("GET", "/stats.json"),
        ("OPTIONS", "/stats.json"),
        ("GET", "/metrics"),
        ("GET", "/readyz"),
        ("OPTIONS", "/q/version/purge"),
        ("POST", "/q/version/purge"),
        ("POST", "/q/version"),
    ] {
        assert_closed(&unslow.request(method, path, &[APP, ASKS]));
    }
}

#[test]
fn a_named_site_may_bring_a_token_and_every_site_may_not() {
    let access = ["--access-allow", "198.51.100.0/24"];
    let of = |origins: &str| start(&[&access[..], &["--cors-origin", origins]].concat());
    let named = of("https://app.example");
    let preflight = named.request("OPTIONS", "/q/version", &[APP, ASKS]);
    assert_eq!(preflight.status, 204);
    let carried = preflight.header("access-control-allow-headers");
    assert!(carried.contains("Authorization"), "{carried}");
    // A script is told why it was kept out.
    let refused = named.get_with("/q/version.json", &[APP]);
    assert_eq!((refused.status, allowed(&refused)), (403, Some(APP.1)));
    let every = of("*");
    let preflight = every.request("OPTIONS", "/q/version", &[EVIL, ASKS]);
    assert_eq!(allowed(&preflight), Some("*"));
    assert!(
        !preflight
            .header("access-control-allow-headers")
            .contains("Authorization")
    );
    assert!(
        !preflight
            .headers
            .contains_key("access-control-allow-credentials")
    );
}
