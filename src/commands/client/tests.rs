//! How a server is named, and what goes to it and comes back.
#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

fn client(url: &str) -> ServerClient {
    let settings = Settings::from_flags(&[]).unwrap();
    ServerClient::new(&settings, Some(url)).unwrap()
}

#[test]
fn a_server_is_named_by_its_url() {
    for (url, server) in [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost:8000/", "http://localhost:8000"),
        ("http://host", "http://host:80"),
        ("http://[::1]:81/under/", "http://[::1]:81/under"),
        ("unix:/run/u.sock", "unix:/run/u.sock"),
        ("unix:///run/u.sock", "unix:/run/u.sock"),
    ] {
        assert_eq!(client(url).server_name(), server, "{url}");
    }
}

#[test]
fn what_is_no_servers_url_is_a_usage_error_with_the_forms_there_are() {
    let settings = Settings::from_flags(&[]).unwrap();
    for url in [
        "",
        "localhost:8000",
        "unix:",
        "ftp://host",
        "https://host",
        "http://user:secret@host",
        "http://host/?a=b",
        "http://",
    ] {
        let failure = ServerClient::new(&settings, Some(url)).unwrap_err();
        assert_eq!(failure.exit_code(), 2, "{url}");
        let said = failure.message().unwrap();
        assert!(
            said.contains("unix:PATH") && !said.contains("secret"),
            "{said}"
        );
    }
}

#[test]
fn the_server_of_the_settings_is_asked_on_this_machine() {
    let of = |bind: &str| {
        let settings = Settings::from_flags(&["--bind", bind]).unwrap();
        ServerClient::new(&settings, None).map(|client| client.server_name())
    };
    assert_eq!(of(":8001").unwrap(), "http://127.0.0.1:8001");
    assert_eq!(of("[::]:8001").unwrap(), "http://[::1]:8001");
    assert_eq!(of("127.0.0.2:8001,:1").unwrap(), "http://127.0.0.2:8001");
    assert_eq!(of("unix:/run/u.sock").unwrap(), "unix:/run/u.sock");
    let failure = of("127.0.0.1:0").unwrap_err();
    assert!(failure.message().unwrap().contains("--url"));
}

#[test]
fn a_server_that_speaks_tls_is_asked_at_its_unix_socket() {
    let of = |bind: &str| {
        let flags = ["--bind", bind, "--tls-cert=c", "--tls-key=k"];
        let settings = Settings::from_flags(&flags).unwrap();
        ServerClient::new(&settings, None).map(|client| client.server_name())
    };
    assert_eq!(of(":443,unix:/run/u.sock").unwrap(), "unix:/run/u.sock");
    let failure = of(":443").unwrap_err();
    assert!(failure.message().unwrap().contains("unix:PATH"));
}

#[test]
fn a_server_with_an_address_for_operators_is_asked_there() {
    let of = |flags: &[&str]| {
        let settings = Settings::from_flags(flags).unwrap();
        ServerClient::new(&settings, None).map(|client| client.server_name())
    };
    let address = of(&["--stats-bind", "127.0.0.1:9,unix:/run/s.sock"]);
    assert_eq!(address.unwrap(), "http://127.0.0.1:9");
    let tls = ["--tls-cert=c", "--tls-key=k", "--bind", "unix:/run/u.sock"];
    let with = |bind| of(&[&tls[..], &["--stats-bind", bind]].concat());
    assert_eq!(with("unix:/run/s.sock").unwrap(), "unix:/run/s.sock");
    let failure = with("127.0.0.1:9").unwrap_err();
    assert!(failure.message().unwrap().contains("[stats] bind"));
}

#[test]
fn a_request_is_for_one_answer_and_carries_the_form() {
    let mut client = client("http://host:1/under");
    client.token = Some(Secret::new("s3cret".to_owned()));
    let request = client.post_request("/q/a/purge", "x=1", "close");
    assert!(request.starts_with("POST /under/q/a/purge HTTP/1.1\r\nHost: host:1\r\n"));
    assert!(request.contains("\r\nAuthorization: Bearer s3cret\r\n"));
    assert!(request.ends_with("\r\nContent-Length: 3\r\n\r\nx=1"));
    assert!(!format!("{client:?}").contains("s3cret"));
    let head = client.request_head("GET", "/stats.json?window=1m", "close");
    assert!(head.starts_with("GET /under/stats.json?window=1m HTTP/1.1\r\nHost: host:1\r\n"));
    assert!(head.ends_with("\r\nAuthorization: Bearer s3cret\r\n"));
}
