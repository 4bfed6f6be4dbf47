//! `unslow stats` on a running server: once, again and again, for scripts, and what it says when
//! there is nothing to show.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::servers::wait_until;
use crate::unslow::{Unslow, command};

fn stats(url: &str, more: &[&str]) -> Output {
    let args = [&["stats", "--url", url], more].concat();
    command(&args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn it_shows_the_page_as_a_table_that_fits() {
    let unslow = Unslow::start(&["--demo-delay", "1ms"]);
    for _ in 0..3 {
        unslow.get("/q/version.json");
    }
    let shown = stats(&unslow.url, &[]);
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    let page = text(&shown.stdout);
    for words in [
        "unslow ",
        "Hit ratio   66.7 %",
        "version",
        "all",
        "Memory",
        "Database",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(
        page.lines().all(|line| line.chars().count() <= 80),
        "{page}"
    );
    assert!(!page.contains('\u{1b}'), "no terminal, no colours: {page}");
    let args = ["stats", "--url", &unslow.url];
    let wide = command(&args).env("COLUMNS", "200").output().unwrap();
    assert!(
        text(&wide.stdout)
            .lines()
            .any(|line| line.chars().count() > 80)
    );
}

#[test]
fn for_scripts_it_is_the_document_over_the_window_that_is_named() {
    let unslow = Unslow::demo();
    let shown = stats(&unslow.url, &["--json", "--window", "5m"]);
    let document: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(document["window"], "5m");
    assert_eq!(document["schema"], 1);
    let unknown = stats(&unslow.url, &["--window", "2m"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        text(&unknown.stderr).contains("1m, 5m, 1h, start"),
        "{unknown:?}"
    );
}

#[test]
fn it_is_found_at_its_unix_socket_where_the_token_lets_it_in() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("u.sock");
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let (bind, token) = (
        format!("unix:{}", socket.display()),
        token.display().to_string(),
    );
    let _unslow = Unslow::start(&["--bind", &bind, "--admin-token-file", &token]);
    let refused = stats(&bind, &[]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(text(&refused.stderr).contains("token_file"), "{refused:?}");
    let shown = stats(&bind, &["--admin-token-file", &token]);
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
}

#[test]
fn where_there_are_no_numbers_it_says_why() {
    let nobody = stats("http://127.0.0.1:9", &[]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(text(&nobody.stderr).contains("http://127.0.0.1:9 does not answer"));
    let tls = stats("https://host", &["--window", "1m"]);
    assert_eq!(tls.status.code(), Some(2));
    assert!(
        text(&tls.stderr).contains("curl 'https://host/stats.txt?window=1m'"),
        "{tls:?}"
    );
    let too_often = stats("http://127.0.0.1:9", &["--watch", "0"]);
    assert_eq!(too_often.status.code(), Some(2));
}

#[test]
fn watching_shows_page_after_page_and_ends_well_on_control_c() {
    let unslow = Unslow::demo();
    let mut child = command(&["stats", "--url", &unslow.url, "--watch", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pages = |of: &mut dyn std::io::BufRead, count: usize| {
        let lines = of.lines().map_while(Result::ok);
        lines
            .filter(|line| line.starts_with("Hit ratio"))
            .take(count)
            .count()
    };
    let mut out = BufReader::new(child.stdout.take().unwrap());
    assert_eq!(pages(&mut out, 2), 2);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(said, "");
}

#[test]
fn watching_ends_when_nobody_reads_and_goes_on_when_nobody_answers() {
    let unslow = Unslow::demo();
    let url = unslow.url.clone();
    let mut child = command(&["stats", "--url", &url, "--watch", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(line.starts_with("unslow "), "{line}");
    drop(unslow);
    while !line.contains("does not answer") {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "it has ended");
    }
    drop(out);
    let mut code = None;
    wait_until("it ends", || {
        code = child.try_wait().unwrap();
        code.is_some()
    });
    assert_eq!(code.unwrap().code(), Some(0));
}
