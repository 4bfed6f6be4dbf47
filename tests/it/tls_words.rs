//! Certificates of real servers that are refused: each says what is wrong with it and what to do, in
//! words of `unslow` and not of a library.

use std::path::Path;
use std::process::Command;

use rcgen::{CertificateParams, KeyPair};

use crate::end_to_end::one_off;
use crate::servers::certificates::Certificates;
use crate::servers::redis::Options;
use crate::servers::{Postgres, Redis, home, postgres};

/// Puts another certificate with its key in the place of the server's. `openssl` gets these words
/// more.
fn self_signed(files: &Certificates, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = (folder.path().join("k"), folder.path().join("c"));
    // PostgreSQL's manual makes one in this way.
    let made = Command::new("openssl")
        .args(["req", "-new", "-x509", "-days", "365", "-nodes", "-text"])
        .args(["-subj", "/CN=localhost"])
        .args(words)
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    replace(
        files,
        &std::fs::read_to_string(certificate).unwrap(),
        &std::fs::read_to_string(key).unwrap(),
    );
}

fn replace(files: &Certificates, certificate: &str, key: &str) {
    home::write(&files.certificate, certificate);
    home::write(&files.key, key);
}

/// Returns what `check --online` says of this database.
fn said(server: &Postgres, sslmode: &str, ca: Option<&Path>) -> String {
    let ca = ca.map_or_else(String::new, |ca| format!("sslrootcert={}\n", ca.display()));
    let ini = format!(
        "[postgres]\ndatabase=postgres\nhost=localhost\nport={}\nuser=master\npassword=secret\n\
         sslmode={sslmode}\n{ca}",
        server.port(),
    );
    let output = one_off(&ini, &["check", "--online"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    for foreign in ["Other(", "InvalidCertificate", "rustls", "OtherError"] {
        assert!(!text.contains(foreign), "{text}");
    }
    text
}

#[track_caller]
fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}

#[test]
fn each_certificate_of_postgresql_that_is_refused_says_why_and_what_to_do() {
    let server = Postgres::start_tls();
    let (files, ca) = (server.certificates(), server.ca());
    let reload = || drop(server.psql("postgres", "select pg_reload_conf()"));
    let good = said(&server, "verify-full", Some(&ca));
    assert!(good.contains("PostgreSQL 1"), "{good}");
    assert_says(
        &said(&server, "verify-full", None),
        &[
            "signed by nobody who is trusted here",
            "[postgres] sslrootcert",
        ],
    );

    // The manual's, trusted as it is: psql takes it.
    self_signed(files, &[]);
    reload();
    assert_says(
        &said(&server, "verify-ca", Some(&files.certificate)),
        &[
            "CA:TRUE",
            "basicConstraints=critical,CA:FALSE",
            "[postgres] sslrootcert",
        ],
    );
    // The remedy that was named heals it.
    let remedy = [
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-addext",
        "subjectAltName=DNS:localhost",
    ];
    self_signed(files, &remedy);
    reload();
    let healed = said(&server, "verify-full", Some(&files.certificate));
    assert!(healed.contains("PostgreSQL 1"), "{healed}");

    let key = KeyPair::generate().unwrap();
    let other = CertificateParams::new(vec!["other.example".to_owned()]).unwrap();
    let other = other.self_signed(&key).unwrap();
    replace(files, &other.pem(), &key.serialize_pem());
    reload();
    assert_says(
        &said(&server, "verify-full", Some(&files.certificate)),
        &[
            "for another name",
            "connect by a name that is in the certificate",
        ],
    );
}

#[test]
fn servers_without_tls_say_how_to_do_without_it() {
    assert_says(
        &said(postgres(), "require", None),
        &["speaks no TLS", "sslmode"],
    );
    let redis = Redis::start();
    let ini = format!("[redis]\nurl=rediss://127.0.0.1:{}\n", redis.port());
    let output = one_off(&ini, &["check", "--online"]);
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_says(&text, &["look at [redis] url", "TLS"]);
}

#[test]
fn a_redis_whose_certificate_nobody_signed_names_its_own_setting() {
    let redis = Redis::with(&Options {
        tls: true,
        ..Options::default()
    });
    let ini = format!("[redis]\nurl={}\n", redis.url());
    let output = one_off(&ini, &["check", "--online"]);
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_says(
        &text,
        &["signed by nobody who is trusted here", "[redis] ca_file"],
    );
}
