//! `unslow purge` against a running server: what it does, what it says, and its exit codes.

use std::process::{Child, Output, Stdio};

use crate::purge_refusals::guarded;
use crate::servers::wait_until as until;
use crate::unslow::{Unslow, command};

fn purge(unslow: &Unslow, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "s3cret\n").unwrap();
    let url = ["purge", "--url", &unslow.url];
    command(&[&url, args].concat())
        .current_dir(folder.path())
        .output()
        .unwrap()
}

#[track_caller]
fn assert_said(output: &Output, code: i32, words: &[&str]) {
    let (out, err) = (&output.stdout, &output.stderr);
    let said = String::from_utf8_lossy(if code == 0 { out } else { err });
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
}

#[test]
fn the_command_asks_the_server_and_says_what_that_said() {
    let unslow = guarded();
    let path = "/q/dice.json?sides=6";
    let kept = unslow.get(path).body;
    let other = ["dice", "sides=7"];
    assert_said(&purge(&unslow, &other), 0, &["dice: one entry purged"]);
    assert_eq!(unslow.get(path).body, kept);
    let again = ["dice", "sides=6", "--refresh"];
    assert_said(
        &purge(&unslow, &again),
        0,
        &["dice: one entry loaded again"],
    );
    let next = unslow.get(path).body;
    assert_ne!(next, kept);
    assert_said(
        &purge(&unslow, &["dice", "--soft"]),
        0,
        &["all entries made stale"],
    );
    assert_eq!(unslow.get(path).body, next, "served once more");
    until("it is loaded behind", || unslow.get(path).body != next);
    assert_said(&purge(&unslow, &["dice"]), 0, &["dice: all entries purged"]);
    assert_said(&purge(&unslow, &["raw"]), 0, &["cache: off"]);

    let unknown = purge(&unslow, &["dcie"]);
    assert_said(&unknown, 2, &["dcie", "dice", "version"]);
    assert_said(&purge(&unslow, &["../stats"]), 2, &["stats", "version"]);
    assert_said(&purge(&unslow, &["dice", "side=6"]), 2, &["side", "sides"]);
    assert_said(
        &purge(&unslow, &["dice", "--refresh"]),
        2,
        &["sides", "missing"],
    );
    assert_said(
        &purge(&unslow, &["dice", "--soft", "--refresh"]),
        2,
        &["--soft"],
    );

    let tls = command(&["purge", "dice", "sides=6", "--url", "https://host"]).output();
    let curl = "curl -X POST --data-urlencode 'sides=6' 'https://host/q/dice/purge'";
    assert_said(&tls.unwrap(), 2, &["https://", curl]);
    // Nobody listens at port 1.
    let nobody = command(&["purge", "dice", "--url", "http://127.0.0.1:1"]).output();
    assert_said(&nobody.unwrap(), 1, &["http://127.0.0.1:1", "--url"]);
}

/// A process that ends with the test, however that ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_command_finds_the_server_of_its_own_settings_and_brings_the_token() {
    let unslow = guarded();
    let bind = unslow.url.trim_start_matches("http://");
    let folder = tempfile::tempdir().unwrap();
    let found = command(&["purge", "dice", "--bind", bind])
        .current_dir(folder.path())
        .output();
    assert_said(&found.unwrap(), 0, &["dice: all entries purged"]);

    // At a unix socket everyone is a stranger without the token.
    std::fs::write(folder.path().join("token"), "s3cret").unwrap();
    let ini = "[server]\nbind = unix:u.sock\n[admin]\ntoken_file = token\n[demo]\ndelay = 0s\n";
    std::fs::write(folder.path().join("app.ini"), ini).unwrap();
    let in_folder = |args: &[&str]| {
        let mut command = command(args);
        command.current_dir(folder.path());
        command
    };
    let quiet = Stdio::null;
    let started = in_folder(&[]).stdout(quiet()).stderr(quiet()).spawn();
    let server = Ended(started.unwrap());
    let connects = || std::os::unix::net::UnixStream::connect(folder.path().join("u.sock")).is_ok();
    until("it serves", connects);
    let with_token = in_folder(&["purge", "version"]).output();
    std::fs::remove_file(folder.path().join("app.ini")).unwrap();
    let without = in_folder(&["purge", "version", "--url", "unix:u.sock"]).output();
    drop(server);
    assert_said(&with_token.unwrap(), 0, &["version: all entries purged"]);
    assert_said(&without.unwrap(), 1, &["[admin] token_file"]);
    let gone = in_folder(&["purge", "version", "--url", "unix:u.sock"]).output();
    assert_said(&gone.unwrap(), 1, &["unix:u.sock", "is it running"]);
}
