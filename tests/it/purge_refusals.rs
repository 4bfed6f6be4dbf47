//! The clients that may purge, expire and refresh and those that may not, wrong requests, and the
//! words for a browser. The effect on stored copies is in `purge`.

use crate::purge::{assert_done, assert_refused, post};
use crate::unslow::{Answer, Unslow};

/// Queries of the embedded demo, with a token.
pub(crate) fn guarded() -> Unslow {
    let files = [
        ("token", "s3cret\n"),
        (
            "queries/dice.sql",
            "-- param: sides integer : 2..100\n-- ttl: 1h\nselect :sides as sides, random() as r",
        ),
        ("queries/raw.sql", "-- cache: off\nselect random() as r"),
    ];
    let args = [
        "--admin-token-file",
        "token",
        "--demo-delay",
        "0s",
        "--queries",
        "queries",
    ];
    Unslow::start_with(&args, &files, &[])
}

fn post_form(unslow: &Unslow, path: &str, headers: &[(&str, &str)], form: &str) -> Answer {
    let host = unslow.url.trim_start_matches("http://");
    let lines: Vec<_> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let text = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{}\
         Content-Length: {}\r\n\r\n{form}",
        lines.concat(),
        form.len(),
    );
    unslow.raw(text.as_bytes())
}

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

#[test]
fn parameters_may_come_as_a_form_and_what_cannot_be_read_is_refused() {
    let unslow = guarded();
    let path = "/q/dice.json?sides=6";
    let roll = || unslow.get(path).body;
    let kept = roll();
    assert_eq!(roll(), kept);
    let refused = |answer: &Answer, status: u16, words: &[&str]| {
        assert_refused(answer, status, words);
        assert_eq!(roll(), kept, "it had no effect");
    };
    for (given, words) in [
        ("side=6", &["side", "sides"][..]),
        ("sides=six", &["sides", "whole number"]),
        ("sides=1000", &["sides", "2", "100"]),
        ("sides=6&sides=7", &["sides", "more than once"]),
        ("sides=%ff", &["sides", "UTF-8"]),
    ] {
        for action in ["purge", "expire", "refresh"] {
            let by_address = post(&unslow, &format!("/q/dice/{action}?{given}"));
            refused(&by_address, 400, words);
            let by_form = post_form(&unslow, &format!("/q/dice/{action}"), &[FORM], given);
            refused(&by_form, 400, words);
        }
    }
    let twice = post_form(&unslow, "/q/dice/purge?sides=6", &[FORM], "sides=6");
    refused(&twice, 400, &["sides", "more than once"]);
    refused(
        &post(&unslow, "/q/dice/refresh"),
        400,
        &["sides", "missing"],
    );
    let json = [("Content-Type", "application/json")];
    let other = post_form(&unslow, "/q/dice/purge", &json, r#"{"sides":7}"#);
    refused(&other, 415, &["application/x-www-form-urlencoded"]);
    let chunks = b"POST /q/dice/purge HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
        Transfer-Encoding: chunked\r\n\r\n7\r\nsides=7\r\n0\r\n\r\n";
    refused(&unslow.raw(chunks), 411, &["Content-Length"]);

    assert_done(
        &post_form(&unslow, "/q/dice/purge", &[FORM], "sides=7"),
        "purge",
        "entry",
    );
    assert_eq!(roll(), kept, "another entry");
    let form = [(
        "Content-Type",
        "application/x-www-form-urlencoded; charset=UTF-8",
    )];
    assert_done(
        &post_form(&unslow, "/q/dice/purge", &form, "sides=6"),
        "purge",
        "entry",
    );
    let next = roll();
    assert_ne!(next, kept);
    // Without parameters none is required, except by a refresh.
    assert_done(&post(&unslow, "/q/dice/purge"), "purge", "query");
    assert_ne!(roll(), next);
}

#[test]
fn who_may_not_where_it_is_not_and_how_it_is_not_done() {
    let unslow = guarded();
    let kept = unslow.get("/q/dice.json?sides=6").body;
    for action in ["purge", "expire", "refresh"] {
        let path = format!("/q/dice/{action}?sides=6");
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            let answer = unslow.request(method, &path, &[]);
            assert_eq!(answer.status, 405, "{method}");
            assert_eq!(answer.header("allow"), "POST, OPTIONS");
        }
        let options = unslow.request("OPTIONS", &path, &[]);
        assert_eq!(
            (options.status, options.header("allow")),
            (204, "POST, OPTIONS")
        );
        for strange in [
            ("Origin", "http://evil.example"),
            ("Origin", "null"),
            ("Origin", "http://localhost:1"),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
        ] {
            let answer = unslow.request("POST", &path, &[strange]);
            assert_refused(&answer, 403, &["another site", strange.0]);
            // A browser that knows the password is asked no other way.
            let known = ("Authorization", "Basic YWRtaW46czNjcmV0");
            let answer = unslow.request("POST", &path, &[known, strange]);
            assert_refused(&answer, 403, &["another site"]);
        }
        let far = ("X-Forwarded-For", "192.0.2.1");
        let answer = unslow.request("POST", &path, &[far]);
        assert_refused(&answer, 401, &["[admin] token_file", "[stats] allow"]);
        assert!(answer.headers.contains_key("www-authenticate"));
        let wrong = ("Authorization", "Bearer s3cre");
        assert_eq!(unslow.request("POST", &path, &[far, wrong]).status, 401);

        let unknown = post(&unslow, &format!("/q/dcie/{action}"));
        assert_refused(&unknown, 404, &["dcie", "dice", "version"]);
        let names = unknown.json()["queries"].clone();
        assert!(names.as_array().unwrap().contains(&"raw".into()), "{names}");
        let page = [("Accept", "text/html")];
        let page = unslow.request("POST", &format!("/q/dcie/{action}"), &page);
        assert_eq!(page.status, 404);
        assert!(page.text().contains("<html") && page.text().contains("dice"));
    }
    assert_eq!(unslow.get("/q/dice.json?sides=6").body, kept);
    let stats = unslow.get("/stats.json").json();
    assert_eq!(stats["fleet"]["purges"], 0, "{stats}");

    let tokenless = Unslow::demo();
    let answer = tokenless.request("POST", "/q/version/purge", &[("X-Forwarded-For", "::1")]);
    assert_refused(&answer, 403, &["[admin] token_file", "[stats] allow"]);
}

#[test]
fn who_has_the_right_is_served_and_a_browser_is_sent_to_the_page() {
    let unslow = guarded();
    let path = "/q/dice.json?sides=6";
    let mut last = unslow.get(path).body;
    let own = format!("Origin: {}", unslow.url);
    let own = own.split_once(": ").unwrap();
    let token = ("Authorization", "Bearer s3cret");
    for headers in [
        &[own, ("Sec-Fetch-Site", "same-origin")][..],
        &[("Sec-Fetch-Site", "none")],
        &[("X-Forwarded-For", "192.0.2.1"), token],
        &[
            ("Host", "unslow.example"),
            ("X-Forwarded-For", "192.0.2.1"),
            token,
            ("Origin", "https://unslow.example"),
        ],
    ] {
        assert_done(
            &unslow.request("POST", "/q/dice/purge", headers),
            "purge",
            "query",
        );
        let next = unslow.get(path).body;
        assert_ne!(next, last, "{headers:?}");
        last = next;
    }
    let browser = [
        FORM,
        ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ];
    let sent = post_form(&unslow, "/q/dice/purge", &browser, "sides=6");
    assert_eq!(
        (sent.status, sent.header("location")),
        (303, "/q/dice?sides=6")
    );
    assert_eq!(sent.header("cache-control"), "no-store");
    let sent = unslow.request("POST", "/q/dice/purge", &browser[1..]);
    assert_eq!((sent.status, sent.header("location")), (303, "/q/dice"));

    for action in ["purge", "expire", "refresh"] {
        let answer = post(&unslow, &format!("/q/raw/{action}"));
        assert_eq!(answer.status, 200);
        let json = answer.json();
        assert!(
            json["note"].as_str().unwrap().contains("cache: off"),
            "{json}"
        );
    }
    assert_eq!(unslow.numbers("raw")["loads"], 0);
}
