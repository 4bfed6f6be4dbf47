//! The front proxies' own part: TLS, HTTP/2, the way from http to https. Each with the configuration
//! that is written, as `servers::front` fits it.

use std::io::{BufReader, Read, Write};
use std::process::Command;

use rustls::{ProtocolVersion, version};

use crate::front_support::{STRANGER, address, ask, instance};
use crate::servers::front::{Front, Kind, from};
use crate::servers::process::program;

/// The beginning of a handshake that offers TLS 1.1 at most. No client of today would send it.
fn hello_of_tls_1_1() -> Vec<u8> {
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    // No session, three ciphers of that time, no compression.
    hello.extend([0, 0, 6, 0xc0, 0x13, 0xc0, 0x14, 0, 0x2f, 1, 0]);
    // 14 bytes of extensions: the curve P-256, uncompressed points.
    hello.extend([0, 14, 0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0]);
    let length = u16::try_from(hello.len()).unwrap();
    let mut message = vec![1, 0];
    message.extend(length.to_be_bytes());
    message.extend(hello);
    let length = u16::try_from(message.len()).unwrap();
    let mut record = vec![22, 3, 1];
    record.extend(length.to_be_bytes());
    record.extend(message);
    record
}

#[test]
fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    for kind in Kind::ALL {
        let unslow = instance(kind, &[]);
        let front = Front::start(kind, &[address(&unslow)]);
        for (offered, spoken) in [
            (&version::TLS12, ProtocolVersion::TLSv1_2),
            (&version::TLS13, ProtocolVersion::TLSv1_3),
        ] {
            let stream = front.connect(STRANGER, &[offered], "http/1.1").unwrap();
            let mut stream = BufReader::new(stream);
            let answer = ask(&mut stream, "GET /healthz", &[("Host", "localhost")]).unwrap();
            assert_eq!(answer.status, 200, "{kind:?}");
            let version = stream.get_ref().conn.protocol_version();
            assert_eq!(version, Some(spoken), "{kind:?}");
        }
        let mut old = from(STRANGER, front.https).unwrap();
        old.write_all(&hello_of_tls_1_1()).unwrap();
        let mut said = Vec::new();
        let _ = old.read_to_end(&mut said);
        // A fatal alert: protocol_version.
        assert_eq!(said.first(), Some(&21), "{kind:?}: {said:?}");
        assert_eq!(said[5..], [2, 70], "{kind:?}");
    }
}

#[test]
fn http_2_is_spoken_and_says_once_that_https_is_for_good() {
    for kind in Kind::ALL {
        let unslow = instance(kind, &[]);
        let front = Front::start(kind, &[address(&unslow)]);
        let mut stream = front.connect(STRANGER, &[&version::TLS13], "h2").unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\n").unwrap();
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]), "{kind:?}");

        let output = Command::new(program("curl", &[], "curl"))
            .args(["--silent", "--show-error", "--http2", "--dump-header", "-"])
            .args(["--output", "/dev/null", "--max-time", "60", "--cacert"])
            .arg(&front.certificates.ca)
            .arg(format!("https://{}/q/version.json", front.host()))
            .env_clear()
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
        assert!(said.starts_with("http/2 200"), "{kind:?}: {output:?}");
        let count = |name: &str| said.matches(&format!("\n{name}: ")).count();
        for once in ["strict-transport-security", "cache-status", "x-request-id"] {
            assert_eq!(count(once), 1, "{kind:?}, {once}: {said}");
        }
    }
}

#[test]
fn every_answer_says_once_that_https_is_for_good() {
    for kind in Kind::ALL {
        let unslow = instance(kind, &[]);
        let front = Front::start(kind, &[address(&unslow)]);
        for path in ["/", "/healthz", "/nope", "/q/version.json", "/stats"] {
            let answer = front.get(path, &[]);
            let said = answer.header("strict-transport-security");
            assert_eq!(said, "max-age=31536000", "{kind:?}, {path}");
        }
    }
}

#[test]
fn whoever_comes_by_http_is_sent_to_https_with_path_and_parameters() {
    for kind in Kind::ALL {
        let unslow = instance(kind, &[]);
        let front = Front::start(kind, &[address(&unslow)]);
        for (host, path) in [
            ("localhost", "/"),
            ("localhost", "/q/version.json?x=%20y&z=1"),
            ("localhost", "/stats"),
        ] {
            let mut stream = BufReader::new(from(STRANGER, front.http).unwrap());
            let answer = ask(&mut stream, &format!("GET {path}"), &[("Host", host)]).unwrap();
            assert_eq!(answer.status, 301, "{kind:?}");
            let there = format!("https://localhost{path}");
            assert_eq!(answer.header("location"), there, "{kind:?}");
        }
    }
}

#[test]
fn nobody_chooses_by_a_host_where_others_are_sent() {
    // Caddy answers names that it does not know with nothing at all.
    for kind in [Kind::Nginx, Kind::Haproxy] {
        let unslow = instance(kind, &[]);
        let front = Front::start(kind, &[address(&unslow)]);
        let mut stream = BufReader::new(from(STRANGER, front.http).unwrap());
        let answer = ask(&mut stream, "GET /q", &[("Host", "evil.example")]).unwrap();
        assert_eq!(answer.header("location"), "https://localhost/q", "{kind:?}");
    }
}
