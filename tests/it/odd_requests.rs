//! Requests that no ordinary client sends: each gets the one answer it deserves, none is taken for
//! two, and serving goes on.

use std::io::{Read, Write};

use crate::servers::wait_until as until;
use crate::unslow::Unslow;

/// The status lines in what came back.
fn statuses(unslow: &Unslow, request: &[u8]) -> Vec<u16> {
    let mut stream = unslow.connect();
    stream.write_all(request).unwrap();
    let mut received = Vec::new();
    // A reset after the answer is how a server ends a connection whose request it refused.
    let _ = stream.read_to_end(&mut received);
    String::from_utf8_lossy(&received)
        .match_indices("HTTP/1.")
        .filter_map(|(at, _)| {
            let line = received.get(at..at + 12)?;
            std::str::from_utf8(&line[9..]).ok()?.parse().ok()
        })
        .collect()
}

#[test]
fn odd_requests_get_one_answer_each_and_serving_goes_on() {
    let unslow = Unslow::start_with(
        &["--queries", "queries", "--limit-request-line", "20000"],
        &[(
            "queries/echo.sql",
            "-- param: x text = null\nselect :x as x",
        )],
        &[],
    );
    let many: Vec<_> = (0..1000).map(|n| format!("p{n}=1")).collect();
    let many = format!(
        "GET /q/echo?{} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        many.join("&")
    );
    let end = "Host: localhost\r\nConnection: close\r\n\r\n";
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\n{end}").into_bytes();
    let with = |header: &str| format!("GET /healthz HTTP/1.1\r\n{header}\r\n{end}").into_bytes();
    for (request, expected) in [
        (get("/q/echo.json?x=a&x=b"), 400),
        (get("/q/echo.json?x=%ff"), 400),
        (get("/q/echo.json?x=%c3%28"), 400),
        (get("/q/echo.json?%ff=1"), 400),
        (get("/q/echo.json?x=%00"), 400),
        (get("/q/echo.json?x=%zz%"), 200),
        (get("/q/echo.json?&&&"), 200),
        (get("/q/echo%00.json"), 404),
        (get("/q/echo%ff.json"), 404),
        (get("/%ff"), 404),
        (get("/q/../healthz"), 404),
        (get(&format!("/{}", "a/".repeat(8000))), 404),
        (get(&format!("/{}", "a".repeat(30000))), 414),
        (get("http://localhost/healthz"), 200),
        (get("http://elsewhere.example/healthz"), 421),
        (get("*"), 404),
        (many.into_bytes(), 400),
        (b"GET /healthz HTTP/1.0\r\n\r\n".to_vec(), 200),
        (b"GET /healthz\r\n\r\n".to_vec(), 400),
        (b"GET /healthz HTTP/2.0\r\n\r\n".to_vec(), 400),
        (
            b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec(),
            400,
        ),
        (
            b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\r\n\r\n".to_vec(),
            400,
        ),
        (with("X: a\0b"), 400),
        (with("X: a\r\n folded"), 400),
        (with("X : a"), 400),
        (with("Content-Length: -1"), 400),
        (with("Content-Length: +1"), 400),
        (with("Content-Length: 1\r\nContent-Length: 2"), 400),
        (with("Content-Length: 1, 1"), 400),
        (with("Transfer-Encoding: xchunked"), 400),
        (with("Transfer-Encoding: chunked\r\nContent-Length: 0"), 400),
        (with("Range: bytes=0-3"), 200),
        (with("Accept: ;;,,/;q=NaN"), 200),
        (with("Accept-Encoding: ;q=x,,\u{e9}"), 200),
        (with("Upgrade: websocket\r\nConnection: Upgrade"), 200),
    ] {
        let what = String::from_utf8_lossy(&request[..request.len().min(80)]).into_owned();
        assert_eq!(statuses(&unslow, &request), [expected], "{what:?}");
    }
    assert_eq!(unslow.get("/healthz").status, 200);
}

#[test]
fn requests_in_one_packet_are_answered_in_order_and_none_is_made_of_anothers_body() {
    let unslow = Unslow::demo();
    let last = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for (first, expected) in [
        (
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            vec![200, 200],
        ),
        (
            "GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n",
            vec![404, 200],
        ),
        (
            "HEAD /q HTTP/1.1\r\nHost: localhost\r\n\r\n",
            vec![200, 200],
        ),
        (
            "POST /q HTTP/1.1\r\nHost: localhost\r\nContent-Length: 28\r\n\r\nGET /stats HTTP/1.1\r\nX: y\r\n\r\n",
            vec![405],
        ),
        (
            "POST /q HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            vec![405],
        ),
    ] {
        let both = format!("{first}{last}");
        assert_eq!(statuses(&unslow, both.as_bytes()), expected, "{first:?}");
        if expected == [405] {
            // A body that nobody reads ends the connection, and the answer says so.
            let answer = unslow.raw(both.as_bytes());
            assert_eq!(answer.header("connection"), "close", "{first:?}");
        }
    }
}

#[test]
fn plus_is_a_space_and_an_escaped_plus_is_a_plus() {
    let unslow = Unslow::start_with(
        &["--queries", "queries"],
        &[("queries/echo.sql", "-- param: x text\nselect :x as x")],
        &[],
    );
    for (sent, received) in [
        ("a+b", "a b"),
        ("a%20b", "a b"),
        ("a%2Bb", "a+b"),
        ("a%2bb", "a+b"),
        ("%C3%A9", "é"),
        ("a%26b%3Dc", "a&b=c"),
        ("a=b", "a=b"),
        ("%25", "%"),
    ] {
        let answer = unslow.get(&format!("/q/echo.json?x={sent}"));
        assert_eq!(answer.json()["rows"][0]["x"], received, "{sent}");
    }
}

#[test]
fn errors_are_never_304_or_kept_and_head_has_their_headers() {
    let unslow = Unslow::demo();
    for path in [
        "/q/version.json?nonsense=1",
        "/q/none.json",
        "/nope",
        "/q/none",
    ] {
        let answer = unslow.get_with(path, &[("If-None-Match", "*")]);
        assert!(answer.status >= 400, "{path}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(!answer.headers.contains_key("etag"), "{path}");
        let head = unslow.request("HEAD", path, &[]);
        assert_eq!(head.status, answer.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
    }
    let tag = unslow.get("/q/version.json").header("etag").to_owned();
    let known = unslow.request("HEAD", "/q/version.json", &[("If-None-Match", &tag)]);
    assert_eq!((known.status, known.body.len()), (304, 0));
}

#[test]
fn a_body_without_an_end_is_answered_and_not_read_for_ever() {
    let unslow = Unslow::demo();
    let chunk = [b"1000\r\n".as_slice(), &[b'x'; 4096], b"\r\n"].concat();
    for (method, framing, status) in [
        ("POST", "Transfer-Encoding: chunked", "405"),
        ("GET", "Transfer-Encoding: chunked", "200"),
        ("POST", "Content-Length: 100000000000", "413"),
    ] {
        let mut stream = unslow.connect();
        let head = format!("{method} /q HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut line = [0; 12];
        stream.read_exact(&mut line).unwrap();
        let line = String::from_utf8_lossy(&line).into_owned();
        assert_eq!(line, format!("HTTP/1.1 {status}"), "{method} {framing}");
        until("the connection ends", || stream.write_all(&chunk).is_err());
    }
}
