//! The words of a proxy: whose word is believed about who a request comes from, over real sockets
//! of either kind, and what is never given away to a client that only says that it is somebody.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use crate::unslow::{Answer, LOST, Unslow, parse};

/// A server on TCP and on a unix socket, which only 198.51.100.0/24 may ask for `/stats` from afar.
struct Proxied {
    unslow: Unslow,
    socket: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

const FAR: &str = "stats.example";

impl Proxied {
    fn start(args: &[&str]) -> Proxied {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("u.sock");
        let bind = format!("unix:{}", socket.display());
        let mut all = vec!["--stats-allow", "198.51.100.0/24", "--bind", &bind];
        all.extend(args);
        Proxied {
            unslow: Unslow::start(&all),
            socket,
            _folder: folder,
        }
    }

    fn over_tcp(&self, host: &str, headers: &[(&str, &str)]) -> u16 {
        let mut all = vec![("Host", host)];
        all.extend(headers);
        self.unslow.get_with("/stats.json", &all).status
    }

    fn over_unix(&self, host: &str, headers: &[(&str, &str)]) -> Answer {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(LOST)).unwrap();
        let mut request = format!("GET /stats.json HTTP/1.1\r\nHost: {host}\r\n");
        for (name, value) in headers {
            request = request + name + ": " + value + "\r\n";
        }
        request += "Connection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        parse(&received)
    }
}

const ALLOWED: (&str, &str) = ("X-Forwarded-For", "198.51.100.7");

#[test]
fn a_trusted_proxys_word_decides_who_the_client_is() {
    let proxied = Proxied::start(&[]);
    assert_eq!(proxied.over_tcp(FAR, &[ALLOWED]), 200);
    for strange in [
        "203.0.113.9",
        // The client's own text stands left of what the proxy added.
        "198.51.100.7, 203.0.113.9",
        "198.51.100.7, unknown",
        "198.51.100.7,",
        "nonsense",
        "127.0.0.1",
    ] {
        let forwarded = [("X-Forwarded-For", strange)];
        assert_eq!(proxied.over_tcp(FAR, &forwarded), 403, "{strange}");
        // Nor does it make anybody local, whatever he calls this machine.
        assert_eq!(proxied.over_tcp("localhost", &forwarded), 403, "{strange}");
    }
}

#[test]
fn a_stranger_is_not_believed() {
    let proxied = Proxied::start(&["--forwarded-allow-ips", "192.0.2.1"]);
    // It does not come from this machine's own names either.
    assert_eq!(proxied.over_tcp(FAR, &[ALLOWED]), 421);
    assert_eq!(proxied.over_tcp("localhost", &[ALLOWED]), 403);
    assert_eq!(
        proxied.over_tcp("localhost", &[]),
        200,
        "it is this machine"
    );
    let nobody = Proxied::start(&["--forwarded-allow-ips", ""]);
    assert_eq!(nobody.over_tcp(FAR, &[ALLOWED]), 421);
    assert_eq!(nobody.over_tcp("localhost", &[ALLOWED]), 403);
}

#[test]
fn a_star_believes_everybody_up_to_the_first_in_the_chain() {
    let proxied = Proxied::start(&["--forwarded-allow-ips", "*"]);
    let chain = [("X-Forwarded-For", "198.51.100.7, 203.0.113.9")];
    assert_eq!(proxied.over_tcp(FAR, &chain), 200);
    assert_eq!(
        proxied.over_tcp(FAR, &[("X-Forwarded-For", "203.0.113.9")]),
        403
    );
}

#[test]
fn a_unix_socket_is_a_proxy_that_is_believed_and_never_local_itself() {
    let proxied = Proxied::start(&["--forwarded-allow-ips", "192.0.2.1"]);
    assert_eq!(proxied.over_unix(FAR, &[ALLOWED]).status, 200);
    for headers in [
        &[][..],
        &[("X-Forwarded-For", "127.0.0.1")],
        &[("X-Forwarded-For", "unix:")],
        &[("X-Forwarded-For", "203.0.113.9")],
        &[("X-Real-IP", "198.51.100.7")],
        &[("Forwarded", "for=198.51.100.7")],
    ] {
        for host in ["localhost", FAR] {
            let answer = proxied.over_unix(host, headers);
            assert_eq!(answer.status, 403, "{host} {headers:?}");
        }
    }
}

/// A request of nginx when its configuration says no more than `proxy_pass`.
#[test]
fn a_proxy_that_says_nothing_of_its_visitors_opens_nothing_by_http_1_0() {
    let proxied = Proxied::start(&[]);
    let host = proxied.unslow.address();
    let ask = |line: &str, version: &str| {
        let text = format!(
            "{line} HTTP/{version}\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        proxied.unslow.raw(text.as_bytes())
    };
    for line in ["GET /stats.json", "GET /stats", "POST /q/version/purge"] {
        let refused = ask(line, "1.0");
        assert_eq!(refused.status, 403, "{line}");
        let said = String::from_utf8_lossy(&refused.body).into_owned();
        assert!(said.contains("HTTP/1.1"), "{line}: {said}");
        assert_eq!(ask(line, "1.1").status, 200, "{line}");
    }
    assert_eq!(ask("GET /healthz", "1.0").status, 200);
}

#[test]
fn the_access_log_names_the_client_that_the_proxy_names() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let proxied = Proxied::start(&["--access-log", log.to_str().unwrap()]);
    proxied.over_tcp(FAR, &[ALLOWED]);
    proxied.over_unix(FAR, &[("X-Forwarded-For", "203.0.113.9")]);
    let lines = || std::fs::read_to_string(&log).unwrap_or_default();
    crate::servers::wait_until("both are there", || lines().lines().count() == 2);
    let text = lines();
    let clients: Vec<_> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(clients, ["198.51.100.7", "203.0.113.9"]);
}
