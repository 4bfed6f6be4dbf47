//! DNS rebinding: over loopback only this machine's own names are answered, and those in
//! `[server] allowed_hosts`, on every route; what a proxy passes on is answered as before.

use crate::unslow::{Answer, Unslow};

fn start(ini: &str) -> Unslow {
    Unslow::start_with(&["--demo-delay", "0s"], &[("app.ini", ini)], &[])
}

#[track_caller]
fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 421, "{what}: {}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(
        answer.headers.contains_key("content-security-policy"),
        "{what}"
    );
    assert!(!answer.text().contains("SQLite"), "{what}");
}

#[test]
fn a_foreign_name_gets_nothing_on_any_route() {
    let unslow = start("");
    let evil = format!(
        "evil.example:{}",
        unslow.address().rsplit(':').next().unwrap()
    );
    let style = unslow.get("/").text();
    let style = style
        .split('"')
        .find(|part| part.starts_with("/static/style-"))
        .unwrap();
    for host in [
        evil.as_str(),
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "192.0.2.1",
        "x@localhost",
    ] {
        for path in [
            "/",
            "/q",
            "/q/version",
            "/q/version.json",
            "/q/versio%6e.csv",
            "/stats",
            "/stats.json",
            "/metrics",
            "/openapi.json",
            "/healthz",
            "/readyz",
            style,
            "/nope",
        ] {
            for method in ["GET", "HEAD", "OPTIONS", "POST"] {
                let answer = unslow.request(method, path, &[("Host", host)]);
                assert_eq!(answer.status, 421, "{host} {method} {path}");
                assert!(!answer.headers.contains_key("access-control-allow-origin"));
            }
        }
        let answer = unslow.get_with(
            "/q/version.json",
            &[("Host", host), ("Accept", "application/json")],
        );
        assert_refused(&answer, host);
        let words = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(words.contains("[server] allowed_hosts"), "{words}");
        assert!(!words.contains("evil"), "{words}");
    }
    assert_eq!(
        unslow.numbers("version")["requests"],
        1,
        "only the page at the beginning"
    );
    // A proxy's form of a request's line names the host too.
    let raw = b"GET http://evil.example/q/version.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(unslow.raw(raw).status, 421);
}

#[test]
fn this_machines_own_names_are_answered_and_those_that_are_set() {
    let unslow = start("[server]\nallowed_hosts = reports.example, Other.Example.\n");
    for host in [
        "localhost",
        "localhost:1",
        "LOCALHOST:8000",
        "app.localhost:8000",
        "localhost.",
        "127.0.0.1",
        "127.8.8.8:1",
        "[::1]:8000",
        "reports.example",
        "reports.example:8000",
        "other.example",
    ] {
        for path in ["/q/version.json", "/healthz", "/q/version"] {
            assert_eq!(
                unslow.get_with(path, &[("Host", host)]).status,
                200,
                "{host} {path}"
            );
        }
    }
    assert_refused(
        &unslow.get_with("/q/version.json", &[("Host", "sub.reports.example")]),
        "a name below",
    );
    // Names are for reading; operators' pages stay this machine's.
    assert_eq!(
        unslow
            .get_with("/stats", &[("Host", "reports.example")])
            .status,
        403
    );
    for old in [
        &b"GET /healthz HTTP/1.0\r\n\r\n"[..],
        b"GET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n",
    ] {
        assert_eq!(unslow.raw(old).status, 200);
    }
}

#[test]
fn what_a_trusted_proxy_passes_on_is_answered_and_a_page_cannot_pretend_to_be_one() {
    let unslow = start("");
    let port = unslow.address().rsplit(':').next().unwrap();
    for header in [
        "X-Forwarded-For",
        "X-Real-IP",
        "Forwarded",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "Via",
    ] {
        for host in ["reports.example", "reports.example:443"] {
            let answer =
                unslow.get_with("/q/version.json", &[("Host", host), (header, "192.0.2.1")]);
            assert_eq!(answer.status, 200, "{header} {host}");
        }
        // A script may add such a header, but its browser says the port that it connects to: this
        // one, or a tunnel's.
        for port in [port, "9000"] {
            let rebound = format!("evil.example:{port}");
            let answer = unslow.get_with(
                "/q/version.json",
                &[("Host", &rebound), (header, "192.0.2.1")],
            );
            assert_refused(&answer, header);
            let words = answer.text();
            assert!(words.contains("a Host without a port"), "{words}");
        }
    }
    let nobody = start("[server]\nforwarded_allow_ips = 192.0.2.1\n");
    let forwarded = [
        ("Host", "reports.example"),
        ("X-Forwarded-For", "192.0.2.7"),
    ];
    assert_refused(
        &nobody.get_with("/q/version.json", &forwarded),
        "a proxy that is not trusted",
    );
}

#[test]
fn a_name_that_is_none_is_refused_at_the_start() {
    for (value, words) in [
        ("https://a.example", "has a scheme"),
        ("a.example:8000", "has a port"),
        ("*.example", "stands for several names"),
        ("a b", "is no name of a host"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("app.ini"),
            format!("[server]\nallowed_hosts = {value}\n"),
        )
        .unwrap();
        let output = crate::unslow::command(&["check"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(6), "{value}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains(words) && said.contains("app.ini:2: [server] allowed_hosts"),
            "{said}"
        );
    }
}
