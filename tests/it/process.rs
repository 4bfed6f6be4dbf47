//! The process: its start, its end by signal, its exit codes, its logs.

use std::io::{Read, Write};

use nix::sys::signal::Signal;

use crate::servers::wait_until as until;
use crate::unslow::{LOST, Unslow, command, run};

#[test]
fn term_lets_a_running_request_finish_and_ends_with_0() {
    let unslow = Unslow::start(&["--demo-delay", "2s"]);
    let mut stream = unslow.connect();
    stream
        .write_all(b"GET /q/version.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    until("the load runs", || {
        unslow.numbers("version")["loads_in_flight"] == 1
    });
    unslow.signal(Signal::SIGTERM);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(
        answer.to_lowercase().contains("connection: close"),
        "{answer}"
    );
    assert!(answer.contains("database_version"), "{answer}");
    assert!(unslow.wait().success());
}

#[test]
fn while_it_drains_readyz_says_503_and_requests_are_still_served() {
    let unslow = Unslow::start(&["--demo-delay", "0s", "--drain-delay", "20s"]);
    unslow.signal(Signal::SIGTERM);
    until("/readyz says 503", || unslow.get("/readyz").status == 503);
    assert_eq!(unslow.get("/readyz").json()["state"], "draining");
    assert_eq!(unslow.get("/q/version.json").status, 200);
    // A second signal does not wait.
    unslow.signal(Signal::SIGINT);
    assert!(unslow.wait().success());
}

#[test]
fn int_ends_it_at_once() {
    let unslow = Unslow::start(&["--demo-delay", "60s"]);
    let mut stream = unslow.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    until("the load runs", || {
        unslow.numbers("version")["loads_in_flight"] == 1
    });
    unslow.signal(Signal::SIGINT);
    assert!(unslow.wait().success());
}

#[test]
fn an_address_in_use_is_said_with_its_setting() {
    let unslow = Unslow::demo();
    let address = unslow.url.trim_start_matches("http://").to_owned();
    let output = run(&["--bind", &address]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    for word in [address.as_str(), "--bind", "[server] bind", "in use"] {
        assert!(error.contains(word), "{word:?} is not in {error}");
    }
}

#[test]
fn exit_codes_tell_usage_from_settings() {
    for (args, code, words) in [
        (&["--wrokers", "3"][..], 2, &["--workers"][..]),
        (
            &["--workers", "0"],
            6,
            &["--workers", "[server] workers", "512"],
        ),
        (&["--config", "missing.ini"], 6, &["missing.ini"]),
        (&["--home", "versoin"], 6, &["versoin", "version"]),
    ] {
        let output = run(args);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
        for word in words {
            assert!(error.contains(word), "{word:?} is not in {error}");
        }
    }
}

#[test]
fn a_unix_socket_is_served_and_removed_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unslow.sock");
    let mut child = command(&["--bind", &format!("unix:{}", path.display())])
        .current_dir(folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("the socket is there", || {
        std::os::unix::net::UnixStream::connect(&path).is_ok()
    });
    let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(LOST)).unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child.id().cast_signed()),
        Signal::SIGTERM,
    )
    .unwrap();
    assert!(child.wait().unwrap().success());
    assert!(!path.exists());
}

#[test]
fn the_access_log_has_a_line_per_request_without_the_query_string() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let unslow = Unslow::start(&["--access-log", log.to_str().unwrap(), "--demo-delay", "0s"]);
    unslow.get_with(
        "/q/version.json?secret=hunter2",
        &[("User-Agent", "evil \"agent\" %0d%0a")],
    );
    unslow.get("/healthz");
    let text = || std::fs::read_to_string(&log).unwrap_or_default();
    until("two lines are there", || text().lines().count() == 2);
    let first = text().lines().next().unwrap().to_owned();
    assert!(first.contains("GET /q/version.json?… HTTP/1.1"), "{first}");
    assert!(
        !first.contains("hunter2") && !first.contains('\u{1b}'),
        "{first}"
    );
}
