//! TLS of the server's own: who is let in, what is said to whom, and what a plain address beside
//! it answers.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use nix::sys::signal::Signal;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned,
    SupportedProtocolVersion, version,
};
use tempfile::TempDir;

use crate::servers::certificates::Certificates;
use crate::servers::wait_until as until;
use crate::unslow::{Answer, LOST, Unslow, parse, run};

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A server that speaks TLS, and what its clients have to trust.
struct Secure {
    unslow: Unslow,
    certificates: Certificates,
    _folder: TempDir,
}

/// A folder that everybody may enter, as the tests' servers do.
fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

impl Secure {
    fn start(args: &[&str]) -> Secure {
        let folder = folder();
        let certificates = Certificates::make(folder.path());
        let (cert, key) = (path(&certificates.certificate), path(&certificates.key));
        let mut all = vec!["--tls-cert", cert, "--tls-key", key, "--demo-delay", "0s"];
        all.extend(args);
        Secure {
            unslow: Unslow::start(&all),
            certificates,
            _folder: folder,
        }
    }

    /// A connection on which the handshake is yet to come.
    fn connect(&self, versions: &[&'static SupportedProtocolVersion], alpn: &[&str]) -> Stream {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(&self.certificates.ca).unwrap();
        roots.add(ca).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        StreamOwned::new(client, self.unslow.connect())
    }

    /// Returns whether a client that trusts the CA comes through the handshake.
    fn is_trusted(&self) -> bool {
        let mut stream = self.connect(&[&version::TLS13], &[]);
        stream.write_all(b"GET /healthz HTTP/1.1\r\n").is_ok()
    }

    fn get(&self, path: &str) -> Answer {
        ask(self.connect(&[&version::TLS13], &["http/1.1"]), path)
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Asks for a path on this connection and reads to its end.
fn ask(mut stream: impl Read + Write, path: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    parse(&received)
}

/// An address that nobody listens on. Clients come from other loopback addresses, so that the
/// port stays free.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.9.8.7:0").unwrap();
    listener.local_addr().unwrap()
}

#[test]
fn tcp_addresses_speak_tls_with_hsts_and_unix_sockets_stay_plain() {
    let folder = folder();
    let socket = folder.path().join("u.sock");
    let secure = Secure::start(&["--bind", &format!("unix:{}", socket.display())]);
    assert!(secure.unslow.url.starts_with("https://"));
    for (offered, spoken) in [
        (&version::TLS12, ProtocolVersion::TLSv1_2),
        (&version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let mut stream = secure.connect(&[offered], &["h2", "http/1.1"]);
        let answer = ask(&mut stream, "/q/version.json");
        assert_eq!(answer.status, 200);
        let hsts = answer.header("strict-transport-security");
        assert_eq!(hsts, "max-age=31536000");
        assert_eq!(stream.conn.protocol_version(), Some(spoken));
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
    for path in ["/", "/healthz", "/nope", "/q/version.json?x=1"] {
        let answer = secure.get(path);
        assert!(
            answer.headers.contains_key("strict-transport-security"),
            "{path}"
        );
    }
    let plain = UnixStream::connect(&socket).unwrap();
    let answer = ask(plain, "/q/version.json");
    assert_eq!(answer.status, 200);
    assert!(!answer.headers.contains_key("strict-transport-security"));
}

#[test]
fn who_speaks_no_tls_or_only_http_2_gets_no_answer_and_the_next_one_does() {
    let secure = Secure::start(&[]);
    let mut plain = secure.unslow.connect();
    plain
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut received = Vec::new();
    let _ = plain.read_to_end(&mut received);
    assert!(!received.starts_with(b"HTTP"), "{received:?}");
    let mut foreign = secure.connect(&[&version::TLS13], &["h2"]);
    let refused = foreign.write_all(b"PRI * HTTP/2.0\r\n\r\n").and_then(|()| {
        let mut received = Vec::new();
        foreign.read_to_end(&mut received)
    });
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("NoApplicationProtocol"), "{said}");
    assert_eq!(secure.get("/healthz").status, 200);
}

#[test]
fn handshakes_that_never_end_are_given_up_and_hold_nobody_up() {
    let secure = Secure::start(&["--request-timeout", "3s"]);
    let mut silent: Vec<_> = (0..300).map(|_| secure.unslow.connect()).collect();
    for stream in silent.iter_mut().step_by(2) {
        // The beginning of a handshake.
        stream.write_all(b"\x16\x03\x01").unwrap();
    }
    assert_eq!(secure.get("/healthz").status, 200);
    for mut stream in silent {
        let mut received = Vec::new();
        let ended = stream.read_to_end(&mut received);
        let reset = |error: &std::io::Error| error.kind() == ErrorKind::ConnectionReset;
        assert!(ended.as_ref().err().is_none_or(reset), "{ended:?}");
    }
    assert_eq!(secure.get("/healthz").status, 200);
}

#[test]
fn a_plain_address_sends_visitors_on_and_answers_health_checks_alone() {
    let address = free_address();
    let secure = Secure::start(&["--redirect-bind", &address.to_string()]);
    let port = secure
        .unslow
        .address()
        .rsplit_once(':')
        .unwrap()
        .1
        .to_owned();
    let send = |method: &str, path: &str, headers: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LOST)).unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        parse(&received)
    };
    let host = format!("Host: localhost:{}\r\n", address.port());
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/q/version.json?x=%20y"),
        ("GET", "/stats"),
        ("POST", "/q/version/purge"),
        ("GET", "//elsewhere.example/"),
    ] {
        let answer = send(method, path, &host);
        assert_eq!(answer.status, 308, "{path}");
        assert_eq!(
            answer.header("location"),
            format!("https://localhost:{port}{path}")
        );
        assert!(!answer.headers.contains_key("strict-transport-security"));
        assert!(answer.headers.contains_key("x-request-id"));
    }
    let translated = send("GET", "/q", "Host: shop.example\r\n");
    assert_eq!(translated.header("location"), "https://shop.example/q");
    assert_eq!(send("GET", "/healthz", &host).status, 200);
    assert_eq!(send("GET", "/", "Host: a@b\r\n").status, 400);
    let long = format!("/{}", "x".repeat(5000));
    assert_eq!(send("GET", &long, &host).status, 414);
    // A proxy that ended TLS has nowhere to send anybody.
    let proxied = format!("{host}X-Forwarded-Proto: https\r\n");
    let answer = send("GET", "/q/version.json", &proxied);
    assert_eq!(answer.status, 200);
    assert!(answer.headers.contains_key("strict-transport-security"));
}

#[test]
fn a_pair_that_does_not_match_is_refused_at_check_and_at_the_start() {
    let folder = folder();
    let certificates = Certificates::make(folder.path());
    let other = folder.path().join("other.key");
    std::fs::write(&other, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let cert = path(&certificates.certificate);
    for command in ["check", "run"] {
        let flags = ["--tls-cert", cert, "--tls-key", path(&other)];
        let output = run(&[&[command, "--bind", "127.0.0.1:0"], &flags[..]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(6), "{said}");
        for word in ["other.key", "server.pem", "[tls] cert, key"] {
            assert!(said.contains(word), "{word:?} is not in {said}");
        }
    }
    let key = path(&certificates.key);
    let output = run(&["check", "--certfile", cert, "--keyfile", key]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        said.contains("tls") && said.contains("server.pem"),
        "{said}"
    );
}

#[test]
fn a_hang_up_swaps_the_pair_and_keeps_the_old_one_where_the_new_is_none() {
    let mut secure = Secure::start(&[]);
    assert_eq!(secure.get("/healthz").status, 200);
    // Copied to where the files of the settings are.
    let next = folder();
    let made = Certificates::make(next.path());
    std::fs::copy(&made.key, &secure.certificates.key).unwrap();
    secure.unslow.signal(Signal::SIGHUP);
    until("the reload is refused", || {
        secure.unslow.log().contains("is not that of")
    });
    assert_eq!(secure.get("/healthz").status, 200);
    std::fs::copy(&made.certificate, &secure.certificates.certificate).unwrap();
    let old = std::mem::replace(&mut secure.certificates.ca, made.ca);
    assert!(!secure.is_trusted());
    secure.unslow.signal(Signal::SIGHUP);
    until("the new pair is there", || secure.is_trusted());
    secure.certificates.ca = old;
    assert!(!secure.is_trusted());
}

#[test]
fn an_expired_certificate_is_served_and_said() {
    let folder = folder();
    let (cert, key) = (folder.path().join("old.pem"), folder.path().join("old.key"));
    let pair = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2002, 1, 1);
    std::fs::write(&cert, params.self_signed(&pair).unwrap().pem()).unwrap();
    std::fs::write(&key, pair.serialize_pem()).unwrap();
    let flags = ["--tls-cert", path(&cert), "--tls-key", path(&key)];
    let output = run(&[&["check"], &flags[..]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("old.pem") && said.contains("expired"),
        "{said}"
    );
    let unslow = Unslow::start(&flags);
    until("it is in the log", || unslow.log().contains("expired"));
}
