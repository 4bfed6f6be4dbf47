//! Bytes that are no request: the HTTP library refuses them by itself, and the refusal has our
//! words, headers, an id, and a line in the access log all the same. the HTTP library refuses it by
//! itself, and the refusal has our words, headers, an id, and a line in the access log all the
//! same. Raw sockets, as a first request on a connection and as a later one.

use std::io::{Read as _, Write as _};

use crate::servers::wait_until;
use crate::unslow::{Answer, Unslow, parse};

const GOOD: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Each kind of it, with the status that it gets.
fn kinds() -> Vec<(String, u16)> {
    let get = |rest: &str| format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{rest}\r\n");
    // It is as much as the library reads of a head, so that nothing is left unread when it refuses.
    let begin = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ";
    let endless = begin.to_owned() + &"x".repeat((128 << 10) - begin.len());
    vec![
        ("GET /healthz\r\n\r\n".to_owned(), 400),
        (
            "GET /healthz HTTP/3.0\r\nHost: localhost\r\n\r\n".to_owned(),
            400,
        ),
        ("\x16\x03\x01\x02\r\n\r\n".to_owned(), 400),
        ("GET /healthz HTTP/1.1\r\n\r\n".to_owned(), 400),
        (get("X : a\r\n"), 400),
        (get("X: a\0b\r\n"), 400),
        (get("Content-Length: -1\r\n"), 400),
        (get("Content-Length: 1\r\nContent-Length: 2\r\n"), 400),
        (get("Transfer-Encoding: xchunked\r\n"), 400),
        (
            get("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"),
            400,
        ),
        (get("Host: elsewhere\r\n"), 400),
        (endless, 431),
    ]
}

/// Returns the answers to these bytes, one by one.
fn answers(unslow: &Unslow, sent: &str) -> Vec<Answer> {
    let mut stream = unslow.connect();
    // The server may end the connection before all is sent.
    let _ = stream.write_all(sent.as_bytes());
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    let text = String::from_utf8(received).unwrap();
    let mut begins: Vec<_> = text.match_indices("HTTP/1.").map(|(at, _)| at).collect();
    begins.retain(|at| *at == 0 || !text[..*at].ends_with("of "));
    begins.push(text.len());
    begins
        .windows(2)
        .map(|part| parse(&text.as_bytes()[part[0]..part[1]]))
        .collect()
}

#[track_caller]
fn assert_told(answer: &Answer, status: u16, what: &str) {
    assert_eq!(answer.status, status, "{what}");
    for (name, words) in [
        ("content-security-policy", "default-src 'none'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
        ("connection", "close"),
        ("content-type", "application/json"),
    ] {
        assert!(answer.header(name).contains(words), "{what}: {name}");
    }
    assert!(answer.headers.contains_key("date"), "{what}");
    let json = answer.json();
    assert_eq!(json["ok"], false);
    assert_eq!(json["status"], status);
    assert_eq!(json["id"], answer.header("x-request-id"));
    assert!(json["error"].as_str().unwrap().len() > 20, "{json}");
}

#[test]
fn what_is_no_request_is_refused_with_words_headers_an_id_and_a_line_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let args = [
        "--access-log",
        log.to_str().unwrap(),
        "--access-log-format",
        "json",
        "--demo-delay",
        "0s",
    ];
    let unslow = Unslow::start(&args);
    let mut expected = 0;
    for (sent, status) in kinds() {
        let what = sent[..sent.len().min(60)].to_owned();
        let alone = answers(&unslow, &sent);
        assert_eq!(alone.len(), 1, "{what:?}");
        assert_told(&alone[0], status, &what);
        // Behind another request in the same packet: both are answered, each in its own form.
        let behind = answers(&unslow, &format!("{GOOD}{sent}"));
        assert_eq!(behind.len(), 2, "{what:?}");
        assert_eq!(
            (behind[0].status, behind[0].text().as_str()),
            (200, "{\"ok\":true}"),
            "{what:?}"
        );
        assert_told(&behind[1], status, &what);
        assert_ne!(
            behind[1].header("x-request-id"),
            alone[0].header("x-request-id")
        );
        let lines = || std::fs::read_to_string(&log).unwrap_or_default();
        for answer in [&alone[0], &behind[1]] {
            let id = answer.header("x-request-id");
            wait_until("the line is there", || lines().contains(id));
            let line = lines()
                .lines()
                .find(|line| line.contains(id))
                .unwrap()
                .to_owned();
            let record: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(record["status"], status, "{line}");
        }
        expected += 3;
        assert_eq!(lines().lines().count(), expected);
    }
    // Two of three lines are of what could not be read.
    let unread = expected / 3 * 2;
    assert_eq!(unslow.get("/stats.json").json()["unread"], unread);
    let metrics = unslow.get("/metrics").text();
    let counted = format!("unslow_unread_requests_total {unread}\n");
    assert!(metrics.contains(&counted), "{metrics}");
    let page = unslow.get("/stats").text();
    let fact = format!("<dt>Requests that could not be read</dt><dd>{unread}</dd>");
    assert!(page.contains(&fact), "{page}");
    assert_eq!(unslow.get("/healthz").status, 200);
}

#[test]
fn a_later_request_on_a_kept_connection_is_told_too() {
    let unslow = Unslow::demo();
    let mut stream = unslow.connect();
    stream.write_all(GOOD.as_bytes()).unwrap();
    let mut first = vec![0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(first, b"HTTP/1.1 200");
    let mut begun = Vec::new();
    while !begun.ends_with(b"{\"ok\":true}") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        begun.push(byte[0]);
    }
    stream.write_all(b"NONSENSE\r\n\r\n").unwrap();
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    assert_told(&parse(&received), 400, "nonsense");
}

#[test]
fn a_head_that_does_not_come_is_told_that_it_came_too_late() {
    let unslow = Unslow::start(&["--request-timeout", "1s", "--demo-delay", "0s"]);
    let answer = unslow.raw(b"GET /healthz HTTP/1.1\r\nHost: local");
    assert_told(&answer, 408, "half a head");
    // A later one on its connection, which comes with the request before it or behind the answer.
    for parts in [
        vec![format!("{GOOD}{}", &GOOD[..20])],
        vec![GOOD.into(), GOOD[..20].into()],
    ] {
        let mut stream = unslow.connect();
        let mut received = Vec::new();
        for part in &parts {
            stream.write_all(part.as_bytes()).unwrap();
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            received.push(byte[0]);
        }
        stream.read_to_end(&mut received).unwrap();
        let text = String::from_utf8(received).unwrap();
        let second = text.rfind("HTTP/1.1 ").unwrap();
        assert!(second > 0, "{text}");
        assert_told(
            &parse(&text.as_bytes()[second..]),
            408,
            "half of a later head",
        );
    }
}

#[test]
fn rows_that_look_like_a_refusal_are_sent_as_they_are() {
    // Pieces of a large body end where they do; one of them ends like this.
    let bare = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\
                date: Mon, 30 Nov 2026 23:05:06 GMT\r\n\r\n";
    let text = bare.replace("\r\n", "' || char(13) || char(10) || '");
    // So many before it that the first piece of 64 KiB ends with it, a column's name and a quote in.
    let filler = (64 << 10) - "x\r\n\"".len() - bare.len();
    let sql = format!(
        "select replace(hex(zeroblob({})), '00', 'ab') || '{}' || '{text}' || 'the rest' as x",
        filler / 2,
        "c".repeat(filler % 2)
    );
    let unslow = Unslow::start_with(
        &["--queries", "queries", "--max-entry", "4MiB"],
        &[("queries/x.sql", &sql)],
        &[],
    );
    for _ in 0..2 {
        let answer = unslow.get("/q/x.csv");
        assert_eq!(answer.status, 200);
        let text = answer.text();
        assert_eq!(text.len().to_string(), answer.header("content-length"));
        assert!(
            text.ends_with(&format!("{bare}the rest\"\r\n")),
            "{}",
            &text[text.len() - 200..]
        );
        assert_eq!(text.find("HTTP/1.1").unwrap() + bare.len(), 64 << 10);
    }
}
