//! The things that pass through the front proxies: answers as they are, and the truth about who
//! asks.

use std::io::BufReader;
use std::net::TcpListener;

use crate::front_support::{Fake, OPERATOR, STRANGER, address, ask, instance, instance_with};
use crate::servers::certificates::Certificates;
use crate::servers::front::{Front, Kind, from};
use crate::servers::wait_until as until;
use crate::unslow::command;

/// A query of about 12 MB, in rows that differ.
const LARGE: (&str, &str) = (
    "queries/large.sql",
    "-- ttl: 1h\n-- max-rows: 100000\nwith recursive n(i) as (select 1 union all select i + 1 from n \
     where i < 60000) select i, i * 7919 % 104729 as mixed, 'x' || i || ' ' || \
     hex(zeroblob(60)) as filler, i % 17 as kind from n",
);

#[test]
fn answers_come_through_as_they_are() {
    let same = [
        "etag",
        "content-type",
        "content-encoding",
        "vary",
        "content-security-policy",
        "content-length",
    ];
    for kind in Kind::ALL {
        let unslow = instance(kind, &["--ttl", "1h"]);
        let front = Front::start(kind, &[address(&unslow)]);
        let page = front.get("/", &[]);
        assert_eq!(page.status, 200, "{kind:?}");
        assert!(page.text().contains("Database Version"), "{kind:?}");
        for path in ["/q/version.json", "/q/version.csv", "/q/orders.ndjson"] {
            for encoding in ["", "gzip", "br", "zstd"] {
                let headers = [("Accept-Encoding", encoding)];
                let headers = if encoding.is_empty() {
                    &[]
                } else {
                    &headers[..]
                };
                unslow.get_with(path, headers);
                let direct = unslow.get_with(path, headers);
                let through = front.get(path, headers);
                assert_eq!(through.status, 200, "{kind:?}, {path}");
                assert!(through.body == direct.body, "{kind:?}, {path}, {encoding}");
                for name in same {
                    let direct: Vec<_> = direct
                        .headers
                        .get(name)
                        .map(String::as_str)
                        .into_iter()
                        .collect();
                    assert_eq!(through.all(name), direct, "{kind:?}, {path}, {encoding}");
                }
                let status = through.header("cache-status");
                assert!(
                    status.starts_with("unslow; hit; ttl="),
                    "{kind:?}: {status}"
                );
                assert!(through.header("cache-control").starts_with("max-age="));
                through.header("age");
                let etag = through.header("etag").to_owned();
                let again = front.get(path, &[headers, &[("If-None-Match", &etag)]].concat());
                assert_eq!(again.status, 304, "{kind:?}, {path}, {encoding}");
            }
        }
    }
}

#[test]
fn a_large_answer_comes_through_whole() {
    for kind in Kind::ALL {
        let unslow = instance_with(kind, &["--max-entry", "64MiB"], &[LARGE]);
        let front = Front::start(kind, &[address(&unslow)]);
        for path in ["/q/large.ndjson", "/q/large.csv"] {
            let direct = unslow.get(path);
            assert!(direct.body.len() > 8 << 20, "{:.200}", direct.text());
            let through = front.get(path, &[]);
            assert_eq!(through.status, 200);
            assert!(through.body == direct.body, "{kind:?}, {path}");
        }
    }
}

#[test]
fn unslow_believes_the_proxy_and_nobody_else_about_who_asks() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    let forged = [
        ("X-Forwarded-For", "127.0.0.5"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Host", "localhost"),
        ("X-Real-IP", "127.0.0.5"),
        ("Forwarded", "for=127.0.0.5"),
    ];
    for kind in Kind::ALL {
        let unslow = instance(kind, &["--access-log", log.to_str().unwrap()]);
        let front = Front::start(kind, &[address(&unslow)]);
        for (line, post) in [
            ("GET /stats.json", false),
            ("GET /metrics", false),
            ("POST /q/version/purge", true),
        ] {
            let length = [("Content-Length", "0")];
            let headers = if post { &length[..] } else { &[] };
            let status = |from, more: &[(&str, &str)]| {
                front.request(from, line, &[headers, more].concat()).status
            };
            assert_eq!(status(OPERATOR, &[]), 200, "{kind:?}, {line}");
            assert_eq!(status(STRANGER, &[]), 403, "{kind:?}, {line}");
            assert_eq!(status([127, 0, 0, 1], &[]), 403, "{kind:?}, {line}");
            for header in forged {
                assert_eq!(
                    status(STRANGER, &[header]),
                    403,
                    "{kind:?}, {line}, {header:?}"
                );
            }
            assert_eq!(status(STRANGER, &forged), 403, "{kind:?}, {line}");
        }
        // Past the proxy, from an address that is none: what it says of others is not believed.
        for header in &forged[..2] {
            let mut direct = BufReader::new(from(STRANGER, address(&unslow)).unwrap());
            let headers = [("Host", "localhost"), *header];
            let answer = ask(&mut direct, "GET /stats.json", &headers).unwrap();
            assert_eq!(answer.status, 403, "{kind:?}");
        }
        let path = format!("/q/version.json?{kind:?}=hunter2");
        let id = format!("of-{kind:?}");
        let headers = [forged[0], ("X-Request-ID", id.as_str())];
        assert_eq!(front.get(&path, &headers).header("x-request-id"), id);
        until("it is in the log", || said().contains(&id));
        let line = said()
            .lines()
            .find(|line| line.contains(&id))
            .unwrap()
            .to_owned();
        assert!(line.starts_with("127.0.0.66 "), "{kind:?}: {line}");
        if kind != Kind::Caddy {
            // Caddy keeps no access log.
            until("the proxy has it too", || front.logs().contains(&id));
        }
        assert!(
            !front.logs().contains("hunter2"),
            "{kind:?}: {}",
            front.logs()
        );
    }
}

#[test]
fn what_clients_say_of_themselves_is_replaced() {
    for kind in Kind::ALL {
        let fake = Fake::start(|_| Some((200, "ok")));
        let front = Front::start(kind, &[fake.address]);
        let host = front.host();
        let forged = [
            ("X-Forwarded-For", "6.6.6.6"),
            ("X-Forwarded-For", "7.7.7.7"),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Host", "evil.example"),
            ("X-Request-ID", "no {id}"),
        ];
        front.get("/forged", &forged);
        let heads = fake.asked("/forged");
        assert_eq!(heads.len(), 1, "{kind:?}");
        let head = heads[0].to_lowercase();
        let all = |name: &str| -> Vec<&str> {
            let prefix = format!("{name}: ");
            let lines = head.lines();
            lines
                .filter_map(|line| line.strip_prefix(prefix.as_str()))
                .collect()
        };
        assert!(head.starts_with("get /forged http/1.1\r\n"), "{kind:?}");
        assert_eq!(all("x-forwarded-for"), ["127.0.0.66"], "{kind:?}");
        assert_eq!(all("x-forwarded-proto"), ["https"], "{kind:?}");
        assert_eq!(all("x-forwarded-host"), [host.as_str()], "{kind:?}");
        assert_eq!(all("host"), [host.as_str()], "{kind:?}");
        let ids = all("x-request-id");
        assert!(ids.len() == 1 && ids[0].len() >= 32, "{kind:?}: {ids:?}");
        assert!(!all("connection").contains(&"close"), "{kind:?}");
        front.get("/plain", &[]);
        let heads = fake.asked("/plain");
        assert!(
            heads[0].to_lowercase().contains("x-request-id: "),
            "{kind:?}"
        );
    }
}

#[test]
fn an_unslow_that_speaks_tls_itself_is_told_of_https_and_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let own = Certificates::make(folder.path());
    let plain = TcpListener::bind("127.9.8.6:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let redirect = plain.to_string();
    let files = [&own.certificate, &own.key].map(|file| file.to_str().unwrap());
    for kind in Kind::ALL {
        let _unslow = instance(
            kind,
            &[
                "--tls-cert",
                files[0],
                "--tls-key",
                files[1],
                "--redirect-bind",
                &redirect,
            ],
        );
        let front = Front::with(kind, &[plain], |text| {
            if kind != Kind::Nginx {
                // All that is answered to a check by http.
                text.swap("/readyz", "/healthz");
            }
        });
        // There unslow answers only who came by https to a proxy that it believes.
        let answer = front.get("/q/version.json", &[("X-Forwarded-Proto", "http")]);
        assert_eq!(answer.status, 200, "{kind:?}");
        assert_eq!(
            answer.header("strict-transport-security"),
            "max-age=31536000"
        );
    }
}

#[test]
fn a_form_of_ones_own_page_is_taken_and_one_of_another_site_is_not() {
    for kind in Kind::ALL {
        let unslow = instance(kind, &[]);
        let front = Front::start(kind, &[address(&unslow)]);
        let own = format!("https://{}", front.host());
        for (origin, status) in [(own.as_str(), 200), ("https://evil.example", 403)] {
            let headers = [("Origin", origin), ("Content-Length", "0")];
            let answer = front.request(OPERATOR, "POST /q/version/purge", &headers);
            assert_eq!(
                answer.status,
                status,
                "{kind:?}, {origin}: {}",
                answer.text()
            );
        }
    }
}

/// The first whole number behind these words.
fn seconds(text: &str, words: &str) -> u64 {
    let (_, rest) = text
        .split_once(words)
        .unwrap_or_else(|| panic!("no {words:?} in {text}"));
    let digits = rest
        .trim_start()
        .split(|c: char| !c.is_ascii_digit())
        .next();
    digits.unwrap().parse().unwrap()
}

#[test]
fn a_proxy_waits_longer_for_an_answer_and_keeps_connections_shorter_than_unslow() {
    for kind in Kind::ALL {
        let (waits, keeps) = match kind {
            Kind::Nginx => ("proxy_read_timeout ", Some("keepalive_timeout ")),
            // It keeps them for five seconds where nothing is said.
            Kind::Haproxy => ("timeout server ", None),
            Kind::Caddy => ("response_header_timeout ", Some("\tkeepalive ")),
        };
        let configuration = kind.configuration();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("app.ini"), kind.written("app.ini")).unwrap();
        let output = command(&["print-config"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let settings = String::from_utf8(output.stdout).unwrap();
        let request_timeout = seconds(&settings, "request_timeout ");
        assert!(seconds(&configuration, waits) > request_timeout, "{kind:?}");
        let kept = keeps.map_or(5, |keeps| seconds(&configuration, keeps));
        assert!(seconds(&settings, "keep_alive ") >= 2 * kept, "{kind:?}");
    }
}
