//! The readers of queries, where `[access]` says who they are: every way to the queries, and the
//! words for a client that is kept out. The rule itself, row by row, is tested beside it.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::Signal;

use crate::daemon_support::Daemon;
use crate::end_to_end::one_off;
use crate::servers::{UntilDropped, wait_until as until};
use crate::unslow::{Answer, Asked, Unslow};

const READER: (&str, &str) = ("Authorization", "Bearer r3ader");
const ADMIN: (&str, &str) = ("Authorization", "Bearer adm1n");
const WRONG: (&str, &str) = ("Authorization", "Bearer guess");
/// `me:r3ader`
const BASIC: (&str, &str) = ("Authorization", "Basic bWU6cjNhZGVy");

/// Two protected queries and an open one, beside those of the demo.
fn protected() -> Unslow {
    let files = [
        ("r", "r3ader\n"),
        ("a", "adm1n\n"),
        (
            "queries/secret.sql",
            "-- title: Salaries\n-- ttl: 1h\nselect 1 as salary",
        ),
        (
            "queries/said.sql",
            "-- access: token\n-- ttl: 1h\n-- param: x integer\nselect :x as x",
        ),
        ("queries/open.sql", "-- access: open\nselect 2 as free"),
    ];
    let args = [
        "--access-token-file",
        "r",
        "--access-allow",
        "198.51.100.0/24",
        "--admin-token-file",
        "a",
        "--queries",
        "queries",
        "--demo-delay",
        "0s",
    ];
    Unslow::start_with(&args, &files, &[])
}

#[track_caller]
fn assert_kept_out(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    let text = answer.text();
    for secret in [
        "salary",
        "Salaries",
        "secret",
        "did you mean",
        "Database Version",
    ] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[test]
fn every_way_to_a_protected_query_takes_what_opens_it() {
    let unslow = protected();
    for path in [
        "/",
        "/q/version",
        "/q/secret",
        "/q/secret.json",
        "/q/secret.csv",
        "/q/secret.ndjson",
        "/q/secret?x=1",
        // Past the shortcut, by the route table.
        "/q/secre%74",
        "/q/secret%2Ejson",
        "/q/said.json?x=1",
        "/q/said.json?x=one",
        // A client that may read none is not told which there are.
        "/q/secre",
        "/q/secre.json",
    ] {
        for headers in [
            &[][..],
            &[("Authorization", "Basic !")],
            &[("Cookie", "r3ader")],
        ] {
            let answer = unslow.get_with(path, headers);
            assert_kept_out(&answer, 401);
            assert!(
                answer
                    .header("www-authenticate")
                    .contains("realm=\"unslow\"")
            );
            let words = "[access] token_file";
            assert!(answer.text().contains(words), "{path}: {}", answer.text());
        }
        let head = unslow.request("HEAD", path, &[]);
        assert_eq!(head.status, 401, "{path}");
        let expected = match path {
            "/q/said.json?x=one" | "/q/secret?x=1" => 400,
            path if path.ends_with("secre") || path.ends_with("secre.json") => 404,
            _ => 200,
        };
        for header in [READER, ADMIN, BASIC, ("X-Forwarded-For", "198.51.100.9")] {
            let answer = unslow.get_with(path, &[header]);
            assert_eq!(
                answer.status,
                expected,
                "{path} {header:?}: {}",
                answer.text()
            );
        }
        let other = unslow.get_with(path, &[("X-Forwarded-For", "203.0.113.9")]);
        assert_kept_out(&other, 401);
    }
    assert_kept_out(&unslow.get_with("/q/secret.json", &[WRONG]), 401);
    assert_eq!(unslow.numbers("secret")["loads"], 1);
    assert_eq!(unslow.numbers("said")["loads"], 1);
    // An open query stays open, whatever a client brings.
    for headers in [&[][..], &[WRONG], &[READER]] {
        let open = unslow.get_with("/q/open.json", headers);
        assert_eq!(open.json()["rows"][0]["free"], 2);
        assert!(!open.header("cache-control").contains("private"));
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(unslow.get(path).status, 200);
    }
}

#[test]
fn what_was_let_in_is_for_that_client_alone() {
    let unslow = protected();
    let listed = ("X-Forwarded-For", "198.51.100.9");
    for header in [READER, ADMIN, BASIC, listed] {
        for suffix in ["json", "csv", "ndjson"] {
            let path = format!("/q/secret.{suffix}");
            let answer = unslow.get_with(&path, &[header]);
            let control = answer.header("cache-control");
            assert!(control.starts_with("private, max-age="), "{control}");
            let tag = answer.header("etag").to_owned();
            let known = unslow.get_with(&path, &[header, ("If-None-Match", &tag)]);
            assert_eq!(known.status, 304);
            assert!(known.header("cache-control").starts_with("private, "));
            let stranger = unslow.get_with(&path, &[("If-None-Match", &tag)]);
            assert_kept_out(&stranger, 401);
        }
        let page = unslow.get_with("/q/secret", &[header]);
        assert_eq!(page.header("cache-control"), "no-store");
    }
}

#[test]
fn the_catalog_shows_strangers_what_is_open_to_them() {
    let unslow = protected();
    let names = |headers: &[(&str, &str)]| {
        let json = [headers, &[("Accept", "application/json")]].concat();
        let catalog = unslow.get_with("/q", &json).json();
        let queries = catalog["queries"].as_array().unwrap().clone();
        let name = |query: &serde_json::Value| query["name"].as_str().unwrap().to_owned();
        queries.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), ["open"]);
    let page = unslow.get("/q");
    assert!(page.text().contains("/q/open") && !page.text().contains("Salaries"));
    for header in [READER, ADMIN] {
        let all = names(&[header]);
        assert!(all.contains(&"secret".to_owned()) && all.contains(&"version".to_owned()));
        assert!(unslow.get_with("/q", &[header]).text().contains("Salaries"));
    }
    assert_kept_out(&unslow.get_with("/q", &[WRONG]), 401);
    let args = ["--access-allow", "198.51.100.0/24", "--demo-delay", "0s"];
    let none_is_open = Unslow::start(&args);
    assert_eq!(none_is_open.get("/q").status, 403);
    assert_eq!(none_is_open.get("/").status, 403);
    let listed = ("X-Forwarded-For", "198.51.100.9");
    assert_eq!(none_is_open.get_with("/q", &[listed]).status, 200);
}

#[test]
fn guessing_is_bounded_for_each_client_and_costs_others_nothing() {
    let unslow = protected();
    let far = ("Host", "unslow.example");
    let by = |client: &'static str| ("X-Forwarded-For", client);
    let guess = ("Authorization", "Bearer guess");
    let sent: Vec<_> = (0..60)
        .map(|_| unslow.send("GET", "/stats.json", &[far, by("203.0.113.5"), guess]))
        .collect();
    let answers: Vec<_> = sent.into_iter().map(Asked::answer).collect();
    let count = |status| answers.iter().filter(|one| one.status == status).count();
    assert_eq!(count(401) + count(429), 60);
    assert!(
        (10..30).contains(&count(401)),
        "{} were compared",
        count(401)
    );
    let refused = answers.iter().find(|one| one.status == 429).unwrap();
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert!(refused.text().contains("too many wrong tokens"));
    // The operator comes from elsewhere, or from here.
    let from_elsewhere = (1..=5).any(|last| {
        let client = format!("203.0.113.{}", 100 + last);
        let headers = [far, ("X-Forwarded-For", &client), ADMIN];
        unslow.get_with("/stats.json", &headers).status == 200
    });
    assert!(from_elsewhere);
    assert_eq!(unslow.get("/stats.json").status, 200);
    let listed = [("X-Forwarded-For", "198.51.100.9"), guess];
    assert_eq!(unslow.get_with("/q/secret.json", &listed).status, 200);
}

#[test]
fn a_query_that_nothing_protects_keeps_the_server_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("salaries.sql");
    fs::write(&file, "-- ttl: 1m\n-- access: token\nselect 1").unwrap();
    let queries = folder.path().to_str().unwrap();
    for command in ["run", "check"] {
        let output = one_off("", &[command, "--queries", queries]);
        assert_eq!(output.status.code(), Some(6));
        let said = String::from_utf8_lossy(&output.stderr);
        for words in ["salaries.sql:2", "access: token", "[access] token_file"] {
            assert!(said.contains(words), "{said}");
        }
    }
    let allowed = ["check", "--queries", queries, "--access-allow", "127.0.0.1"];
    assert!(one_off("", &allowed).status.success());
}

#[test]
fn a_reload_changes_who_may() {
    let ini = "[demo]\ndelay = 0s\n";
    let daemon = Daemon::start(ini);
    assert_eq!(daemon.get("/q/version.json").0, 200);
    fs::write(daemon.path("r"), "r3ader\n").unwrap();
    daemon.configure(&format!("{ini}[access]\ntoken_file = r\n"));
    daemon.reload();
    assert_eq!(daemon.get("/q/version.json").0, 401);
    daemon.configure(&format!("{ini}[access]\nallow = {}\n", daemon.address.ip()));
    daemon.reload();
    assert_eq!(
        daemon.get("/q/version.json").0,
        403,
        "clients have another address"
    );
    daemon.configure(&format!("{ini}[access]\nallow = 127.0.0.0/8\n"));
    daemon.reload();
    assert_eq!(daemon.get("/q/version.json").0, 200);
    daemon.configure(ini);
    daemon.reload();
    assert_eq!(daemon.get("/q/version.json").0, 200);
}

#[test]
fn a_token_that_changes_under_load_costs_no_request_of_others_and_no_copy() {
    let files = [
        ("r", "first"),
        ("queries/secret.sql", "-- ttl: 1h\nselect 1 as salary"),
        (
            "queries/open.sql",
            "-- access: open\n-- ttl: 1h\nselect 2 as free",
        ),
    ];
    let args = ["--access-token-file", "r", "--queries", "queries"];
    let unslow = Unslow::start_with(&args, &files, &[]);
    let ask = |token: &str| {
        let token = format!("Bearer {token}");
        unslow.get_with("/q/secret.json", &[("Authorization", &token)])
    };
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    assert_eq!(unslow.get("/q/open.json").status, 200);
                }
            });
        }
        let _end = UntilDropped(&over);
        for (reloads, [old, new]) in [["first", "second"], ["second", "third"]]
            .iter()
            .enumerate()
        {
            assert_eq!(ask(old).status, 200);
            fs::write(unslow.folder().join("r"), new).unwrap();
            unslow.signal(Signal::SIGHUP);
            until("the settings are read again", || {
                unslow.log().matches(" reloaded: ").count() > reloads
            });
            assert_eq!(ask(new).status, 200);
            assert_kept_out(&ask(old), 401);
        }
    });
    assert_eq!(unslow.numbers("secret")["loads"], 1);
    assert_eq!(unslow.numbers("open")["error"], 0);
}
