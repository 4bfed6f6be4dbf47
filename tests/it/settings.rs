//! The binary as a script sees it: settings from all places, exit codes, and which stream says
//! what. No database and no Redis.

use std::path::Path;
use std::process::{Command, Output};

use crate::unslow::Unslow;

/// Runs the binary in a folder, with nothing in its environment but `environment`.
fn unslow(dir: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_unslow"))
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn exit_codes_tell_scripts_what_went_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let run = |environment: &[(&str, &str)], line: &str| {
        let arguments: Vec<&str> = line.split(' ').collect();
        unslow(dir.path(), environment, &arguments)
    };
    for (environment, line, expected) in [
        (vec![], "--help", 0),
        (vec![], "--version", 0),
        (vec![], "print-config", 0),
        (vec![], "check", 0),
        (vec![], "--no-such-flag", 2),
        (vec![], "query nothing-of-this-name", 2),
        (vec![], "query version no_such_parameter=1", 2),
        (vec![], "check --ttl 0s", 6),
        (vec![], "print-config --config gone.ini", 6),
        (vec![("UNSLOW_CACHE_TTL", "ten")], "queries", 6),
        (vec![("UNSLOW_CACHE_TLL", "10s")], "queries", 6),
        (
            vec![],
            "query version --database-url postgres://u@127.0.0.1:1/d",
            1,
        ),
    ] {
        let output = run(&environment, line);
        assert_eq!(code(&output), expected, "{line}: {}", text(&output.stderr));
        assert_eq!(
            output.stderr.is_empty(),
            expected == 0,
            "{line}: errors go to stderr"
        );
        assert_eq!(
            output.stdout.is_empty(),
            expected != 0,
            "{line}: and nothing else does"
        );
    }
}

#[test]
fn what_init_writes_is_read_back_and_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        assert_eq!(code(&unslow(dir.path(), &[], &["init", "site"])), 0);
    }
    let output = unslow(dir.path(), &[], &["check", "--config", "site/app.ini"]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("query hello"),
        "{}",
        text(&output.stdout)
    );
    let output = unslow(
        &dir.path().join("site"),
        &[],
        &["query", "hello", "--format", "csv"],
    );
    assert_eq!(text(&output.stdout), "greeting\r\n\"Hello, world!\"\r\n");
}

#[test]
fn what_has_no_effect_in_a_query_file_is_said() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("app.ini"), "").unwrap();
    std::fs::create_dir(dir.path().join("queries")).unwrap();
    let file = dir.path().join("queries/one.sql");
    std::fs::write(
        file,
        "-- title: One\n-- param: idle text = x\nselect 1 as one",
    )
    .unwrap();
    let note = "queries/one.sql:2: the SQL does not use the parameter `idle`";
    let output = unslow(dir.path(), &[], &["check"]);
    let said = text(&output.stderr);
    assert!(said.contains(note), "{said}");
    let ini = dir.path().join("app.ini");
    let server = Unslow::start(&["--config", ini.to_str().unwrap(), "--home", "one"]);
    assert!(server.log().contains(note), "{}", server.log());
}

#[test]
fn print_config_names_each_origin_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let ini = "[postgres]\nhost=db\nuser=u\ndatabase=d\npassword=hunter2\n";
    std::fs::write(dir.path().join("app.ini"), ini).unwrap();
    let environment = [
        ("REDIS_URL", "redis://:hunter2@cache"),
        ("PGPASSWORD", "hunter2"),
    ];
    let output = unslow(dir.path(), &environment, &["print-config", "--ttl", "7s"]);
    let shown = text(&output.stdout);
    for origin in ["app.ini:2", "environment REDIS_URL", "--ttl", "default"] {
        assert!(shown.contains(origin), "{origin}: {shown}");
    }
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn the_environment_of_other_clients_does_not_choose_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let environment = [
        ("PGHOST", "192.0.2.1"),
        ("PGUSER", "u"),
        ("PGOPTIONS", "-c x=y"),
    ];
    let arguments = ["query", "version", "--demo-delay", "0s", "--format", "csv"];
    let output = unslow(dir.path(), &environment, &arguments);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("SQLite"),
        "{}",
        text(&output.stdout)
    );
}
