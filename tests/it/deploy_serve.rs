//! The script by which a new machine becomes an instance (`scripts/serve.sh`), run for real in a
//! folder: what it installs, with which permissions, what it asks of AWS and systemd; again; and
//! with a file that is not the one that was deployed.

use std::fs;

use crate::deploy_support::{Machine, mode, said};

const QUERY: &str = "-- title: One\nselect 1 as one\n";
/// `QUERY` in base64.
const QUERY_LINE: &str = "one.sql LS0gdGl0bGU6IE9uZQpzZWxlY3QgMSBhcyBvbmUK\n";

/// A machine that waits to be made an instance; its database and Redis are not there.
fn machine() -> Machine {
    let mut machine = Machine::new("-----BEGIN CERTIFICATE-----\n");
    machine.program();
    let queries = format!("# 1 query files\n{QUERY_LINE}");
    let hash = machine.object("queries", "v7", queries.as_bytes());
    machine.fact("QUERIES_KEY", "queries");
    machine.fact("QUERIES_VERSION", "v7");
    machine.fact("QUERIES_SHA256", hash);
    machine.fact("REGION", "eu-central-1");
    machine.fact("BUCKET", "files");
    machine.fact("CA_URL", "https://ca.example/bundle.pem");
    machine.fact("DATABASE_SECRET", "arn:database");
    machine.fact("CACHE_SECRET", "arn:cache");
    machine.fact("PORT", "8000");
    machine.secret("arn:database", "of the database\n");
    machine.secret("arn:cache", "of Redis\n");
    fs::write(machine.root("etc/unslow/app.ini"), settings(&machine)).unwrap();
    machine
}

/// The settings as Terraform would fill them in, for the folder that stands for the machine. A user
/// that is there instead of `unslow`, whom the stand-in for `useradd` does not make.
fn settings(machine: &Machine) -> String {
    let user = std::process::Command::new("id")
        .arg("-un")
        .output()
        .unwrap();
    let user = String::from_utf8(user.stdout).unwrap();
    let etc = machine.root("etc/unslow");
    let mut text = String::new();
    for line in machine.template("templates/app.ini.tftpl").lines() {
        if !line.starts_with("%{") {
            text.push_str(line);
            text.push('\n');
        }
    }
    for (name, value) in [
        ("${port}", "8000"),
        ("${join(\", \", proxies)}", "10.0.0.0/24, 10.0.1.0/24"),
        ("${show_host}", "false"),
        ("${database_host}", "127.0.0.1"),
        ("${database_port}", "1"),
        ("${database_name}", "app"),
        ("${database_user}", "unslow_a"),
        ("${cache_host}", "127.0.0.1"),
        ("${cache_port}", "1"),
        ("${namespace}", "unslow"),
        ("${join(\", \", stats_allow)}", "203.0.113.7/32"),
        ("user = unslow\n", &format!("user = {}\n", user.trim())),
        ("/etc/unslow", etc.to_str().unwrap()),
    ] {
        assert!(text.contains(name), "the template has no {name}");
        text = text.replace(name, value);
    }
    assert!(!text.contains("${"), "{text}");
    text
}

fn read(machine: &Machine, path: &str) -> String {
    fs::read_to_string(machine.root(path)).unwrap()
}

#[test]
fn a_new_machine_becomes_an_instance_and_the_script_can_be_repeated() {
    let machine = machine();
    let first = machine.run("serve.sh");
    let words = said(&first);
    assert!(
        words.contains("starting although not everything answers"),
        "{words}"
    );
    assert!(words.contains("serves at port 8000"), "{words}");

    let asked = machine.calls_of("aws");
    let object = |key: &str, version: &str| {
        format!("aws s3api get-object --bucket files --key {key} --version-id {version} ")
    };
    assert!(asked[0].starts_with(&object("unslow", "v1")), "{asked:?}");
    assert!(
        asked
            .iter()
            .any(|call| call.starts_with(&object("queries", "v7")))
    );
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert_eq!(machine.calls_of("useradd").len(), 1);
    assert_eq!(
        machine.calls_of("systemctl"),
        [
            "systemctl daemon-reload",
            "systemctl enable unslow.socket unslow.service",
            "systemctl start unslow.socket",
            "systemctl restart unslow.service",
        ]
    );
    assert_installed(&machine);

    // Again: nothing is fetched that is there, and the end is the same.
    said(&machine.run("serve.sh"));
    let asked = machine.calls_of("aws");
    assert!(
        !asked.iter().any(|call| call.contains("--key unslow ")),
        "{asked:?}"
    );
    assert!(machine.calls_of("useradd").is_empty());
    assert!(
        !machine
            .calls()
            .iter()
            .any(|call| call.contains("ca.example"))
    );
    assert_eq!(machine.calls_of("systemctl").len(), 4);
    assert_installed(&machine);
}

#[track_caller]
fn assert_installed(machine: &Machine) {
    assert_eq!(mode(&machine.root("usr/local/bin/unslow")), 0o755);
    for (path, content) in [
        ("etc/unslow/database-password", "of the database\n"),
        ("etc/unslow/cache-password", "of Redis\n"),
        ("etc/unslow/queries/one.sql", QUERY),
    ] {
        assert_eq!(read(machine, path), content);
        assert_eq!(mode(&machine.root(path)), 0o640, "{path}");
    }
    assert_eq!(mode(&machine.root("etc/unslow")), 0o750);
    assert_eq!(mode(&machine.root("etc/unslow/app.ini")), 0o640);
    assert!(read(machine, "etc/unslow/rds-bundle.pem").contains("BEGIN CERTIFICATE"));
    let owned = machine.calls_of("chown");
    for name in [
        "database-password.new",
        "cache-password.new",
        "app.ini",
        "unslow",
    ] {
        let found = owned.iter().any(|call| {
            call.starts_with("chown root:unslow ") && call.ends_with(&format!("/{name}"))
        });
        assert!(found, "{name}: {owned:?}");
    }
    let service = read(machine, "etc/systemd/system/unslow.service");
    let program = machine.root("usr/local/bin/unslow");
    let start = format!("ExecStart={} run --config ", program.display());
    assert!(service.contains(&start), "{service}");
    assert!(service.contains("\n[Service]\nType=notify\n") && !service.contains("ListenStream"));
    let socket = read(machine, "etc/systemd/system/unslow.socket");
    assert!(socket.contains("ListenStream=0.0.0.0:8000") && !socket.contains("ExecStart"));
    for entry in fs::read_dir(machine.root("etc/unslow")).unwrap() {
        let path = entry.unwrap().path();
        let temporary = path
            .extension()
            .is_some_and(|end| end == "new" || end == "said");
        assert!(!temporary, "{} is left behind", path.display());
    }
}

#[test]
fn a_program_that_is_not_the_one_that_was_deployed_is_not_installed() {
    let machine = machine();
    machine.object("unslow", "v1", b"#!/bin/sh\necho something else\n");
    let output = machine.run("serve.sh");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(
        words.contains("SHA-256") && words.contains("Nothing is installed"),
        "{words}"
    );
    let bin = machine.root("usr/local/bin");
    assert_eq!(fs::read_dir(bin).unwrap().count(), 0);
    assert!(!machine.root("etc/systemd").exists());
    assert!(!machine.root("etc/unslow/database-password").exists());
    let calls = machine.calls();
    assert!(
        calls.iter().all(|call| call.starts_with("aws s3api ")),
        "{calls:?}"
    );
}

#[test]
fn queries_that_are_not_the_ones_that_were_deployed_leave_those_that_are_there() {
    let machine = machine();
    said(&machine.run("serve.sh"));
    machine.object("queries", "v7", b"evil.sql c2VsZWN0IDE=\n");
    let output = machine.run("serve.sh");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(read(&machine, "etc/unslow/queries/one.sql"), QUERY);
    assert!(!machine.root("etc/unslow/queries/evil.sql").exists());
    assert!(machine.calls_of("systemctl").is_empty());
}

#[test]
fn a_secret_that_cannot_be_read_is_named_and_nothing_is_started() {
    let machine = machine();
    fs::remove_file(machine.path("store/secrets/arn:cache")).unwrap();
    let output = machine.run("serve.sh");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(
        words.contains("the secret arn:cache cannot be read"),
        "{words}"
    );
    assert!(!words.contains("of the database"), "{words}");
    assert!(machine.calls_of("systemctl").is_empty());
    assert!(!machine.root("etc/unslow/cache-password").exists());
}
