//! Wishes for another protocol: they are ignored, the answer is as any other's, and the connection is
//! kept. Two requests on one raw connection show it.

use std::io::{BufReader, Write as _};
use std::net::TcpStream;

use crate::front_support::{Reply, ask};
use crate::unslow::Unslow;

type Wish<'a> = &'a [(&'a str, &'a str)];

const WISHES: [Wish<'_>; 8] = [
    // Java's HttpClient.
    &[
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA"),
    ],
    &[("Connection", "upgrade")],
    &[("Connection", "keep-alive, Upgrade")],
    &[
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "x3JJHMbDL1EzLkh9GBhXDw=="),
    ],
    &[("connection", "UPGRADE"), ("upgrade", "WebSocket")],
    &[("Upgrade", "websocket")],
    &[
        ("Connection", "keep-alive"),
        ("Connection", "Upgrade"),
        ("Upgrade", "TLS/1.2, HTTP/2.0"),
    ],
    &[
        ("Upgrade-Insecure-Requests", "1"),
        ("Connection", "keep-alive"),
    ],
];

fn asked(stream: &mut BufReader<TcpStream>, line: &str, headers: Wish<'_>) -> Reply {
    let all = [&[("Host", "localhost")], headers].concat();
    ask(stream, line, &all).unwrap_or_else(|error| panic!("{line} {headers:?}: {error}"))
}

fn assert_ordinary(reply: &Reply, status: u16, wish: Wish<'_>) {
    assert_eq!(reply.status, status, "{wish:?}");
    assert!(reply.all("upgrade").is_empty(), "{wish:?}");
    for value in reply.all("connection") {
        assert!(
            !value.to_ascii_lowercase().contains("upgrade"),
            "{wish:?}: {value}"
        );
        assert!(!value.eq_ignore_ascii_case("close"), "{wish:?}: {value}");
    }
    assert_eq!(reply.all("x-request-id").len(), 1);
}

#[test]
fn a_wish_for_another_protocol_is_ignored_and_the_connection_is_kept() {
    let unslow = Unslow::start(&["--demo-delay", "0s"]);
    let json = unslow.get("/q/version.json").body;
    for wish in WISHES {
        let mut stream = BufReader::new(unslow.connect());
        for _ in 0..2 {
            for path in ["/q/version.json", "/healthz", "/"] {
                let reply = asked(&mut stream, &format!("GET {path}"), wish);
                assert_ordinary(&reply, 200, wish);
                assert!(path != "/q/version.json" || reply.body == json, "{wish:?}");
            }
        }
        // A form with a body: read as one, and what follows is a request of its own.
        let form = "product=Upgrade%3A";
        let length = form.len().to_string();
        let headers = [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Content-Length", length.as_str()),
            ("Accept", "application/json"),
        ];
        let all = [&[("Host", "localhost")][..], &headers, wish].concat();
        let mut request = "POST /q/orders/expire HTTP/1.1\r\n".to_owned();
        for (name, value) in &all {
            request = request + name + ": " + value + "\r\n";
        }
        request = request + "\r\n" + form;
        // The POST is sent here, and `ask` sends a GET behind it.
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let posted = asked(&mut stream, "GET /healthz", &[]);
        assert_ordinary(&posted, 200, wish);
        assert!(
            posted.text().contains("\"scope\":\"entry\""),
            "{wish:?}: {}",
            posted.text()
        );
        // The answer to the GET comes next.
        let health = asked(&mut stream, "GET /readyz", &[]);
        assert_ordinary(&health, 200, wish);
    }
    let closing = asked(
        &mut BufReader::new(unslow.connect()),
        "GET /healthz",
        &[("Connection", "close, Upgrade")],
    );
    assert_eq!(closing.header("connection"), "close");
}
