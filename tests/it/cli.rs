//! Bad input at the command line and in files: what is said, that it names the place and the
//! remedy, and the exit code. What a server makes of requests is in `security` and `end_to_end`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use crate::end_to_end::{one_off, start};
use crate::servers::redis::Options;
use crate::servers::{Postgres, Redis, wait_until as until};
use crate::unslow::command;

fn unslow(dir: &Path, args: &[&str]) -> Output {
    command(args).current_dir(dir).output().unwrap()
}

/// It fails with this code and says all of these words, on standard error alone.
#[track_caller]
fn assert_refused(output: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(output.stdout.is_empty());
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
}

#[test]
fn a_settings_file_that_cannot_be_read_says_why_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let check = |name: &str| unslow(dir.path(), &["check", "--config", name]);
    assert_refused(&check("gone.ini"), 6, &["gone.ini", "unslow init"]);
    std::fs::create_dir(path("folder.ini")).unwrap();
    assert_refused(&check("folder.ini"), 6, &["folder.ini", "is a folder"]);
    std::fs::write(path("latin.ini"), b"[postgres]\nuser=m\xfcller\n").unwrap();
    assert_refused(&check("latin.ini"), 6, &["latin.ini", "UTF-8"]);
    std::fs::write(path("secret.ini"), "[cache]\nttl=5s\n").unwrap();
    std::fs::set_permissions(path("secret.ini"), std::fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read everything.
    if std::fs::read(path("secret.ini")).is_err() {
        assert_refused(&check("secret.ini"), 6, &["secret.ini", "let the user"]);
    }
    // The one that is found by itself is no different.
    std::fs::create_dir(path("app.ini")).unwrap();
    assert_refused(&unslow(dir.path(), &["check"]), 6, &["app.ini", "folder"]);
    assert_refused(&unslow(dir.path(), &[]), 6, &["app.ini", "folder"]);
    std::fs::remove_dir(path("app.ini")).unwrap();
    std::os::unix::fs::symlink(path("nowhere.ini"), path("app.ini")).unwrap();
    assert_refused(&unslow(dir.path(), &[]), 6, &["app.ini", "No such file"]);
}

#[test]
fn a_setting_that_cannot_be_used_names_its_line_and_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    for (ini, words) in [
        (
            "[cache]\ntll = 5s\n",
            &["app.ini:2", "tll", "did you mean ttl"][..],
        ),
        ("[cahce]\nttl = 5s\n", &["app.ini:1", "cahce", "[cache]"]),
        (
            "[cache]\nttl = ten\n",
            &["app.ini:2", "[cache] ttl", "ten", "10s"],
        ),
        ("[cache]\nttl = 10\n", &["app.ini:2", "unit"]),
        ("[cache]\nttl = 0\n", &["app.ini:2", "cache: off"]),
        ("[cache]\nttl = -5s\n", &["app.ini:2", "-5s"]),
        (
            "[cache]\n\nttl = 5s ; note\n",
            &["app.ini:3", "line of its own"],
        ),
        ("[cache]\nmemory = 10 parsecs\n", &["app.ini:2", "64MiB"]),
        ("[cache]\nttl=5s\nttl=6s\n", &["app.ini:3", "line 2"]),
        ("[cache]\nttl=5s\n[cache]\n", &["app.ini:3", "line 1"]),
        ("ttl=5s\n", &["app.ini:1", "[cache]"]),
        ("[cache\nttl=5s\n", &["app.ini:1", "]"]),
        ("[server]\nworkers = 513\n", &["app.ini:2", "1 to 512"]),
        (
            "[server]\nbind = 127.0.0.1:99999\n",
            &["app.ini:2", "65535"],
        ),
        ("[queries]\ndir = nowhere\n", &["app.ini:2", "nowhere"]),
        (
            "[postgres]\nurl = mysql://x\n",
            &["app.ini:2", "postgres://", "sqlite:"],
        ),
        (
            "[postgres]\nhost = h\n",
            &["app.ini:2", "database", "--db-name"],
        ),
        ("[redis]\nurl = http://x\n", &["app.ini:2", "redis://"]),
        ("[redis]\nurl = redis://h/abc\n", &["app.ini:2", "number"]),
        (
            "[postgres]\nhost=h\n[postgresql]\nhost=g\n",
            &["app.ini:3", "[postgres]", "line 1"],
        ),
    ] {
        std::fs::write(dir.path().join("app.ini"), ini).unwrap();
        for args in [
            &["check"][..],
            &["print-config"],
            &["query", "version"],
            &[],
        ] {
            assert_refused(&unslow(dir.path(), args), 6, words);
        }
    }
    let home = "[server]\nhome = versoin\n";
    std::fs::write(dir.path().join("app.ini"), home).unwrap();
    for args in [&["check"][..], &[]] {
        let words = ["[server] home", "versoin", "version"];
        assert_refused(&unslow(dir.path(), args), 6, &words);
    }
}

#[test]
fn a_query_file_that_cannot_be_used_stops_the_start_by_name_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("queries");
    std::fs::write(dir.path().join("app.ini"), "").unwrap();
    for (name, text, words) in [
        ("Up.sql", "select 1", &["Up.sql", "a-z"][..]),
        ("a b.sql", "select 1", &["a b.sql", "a-z"]),
        ("x.sql", "", &["x.sql:1", "no SQL"]),
        ("x.sql", "-- title: x\n", &["x.sql:2", "no SQL"]),
        ("x.sql", "-- tilte: x\nselect 1", &["x.sql:1", "title"]),
        ("x.sql", "-- param: a txet\nselect :a", &["x.sql:1", "text"]),
        (
            "x.sql",
            "-- param: a text\n-- param: a text\nselect :a",
            &["x.sql:2", "twice"],
        ),
        (
            "x.sql",
            "-- param: a integer = x\nselect :a",
            &["x.sql:1", "whole number"],
        ),
        (
            "x.sql",
            "-- param: a integer = 9 : 1..5\nselect :a",
            &["x.sql:1", "default"],
        ),
        ("x.sql", "-- ttl: 5\nselect 1", &["x.sql:1", "unit"]),
        (
            "x.sql",
            "-- ttl: 5s\n-- ttl: 6s\nselect 1",
            &["x.sql:2", "line 1"],
        ),
        ("x.sql", "\nselect 1,\n:b", &["x.sql:3", ":b", "-- param"]),
        (
            "x.sql",
            "select 1; select 2",
            &["x.sql:1", "second statement"],
        ),
        ("x.sql", "delete from t", &["x.sql:1", "delete", "select"]),
        ("x.sql", "select\n'abc", &["x.sql:2", "string"]),
    ] {
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(name), text).unwrap();
        assert_refused(&unslow(dir.path(), &["check"]), 6, words);
        assert_refused(&unslow(dir.path(), &[]), 6, words);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn the_environment_is_checked_as_the_file_is() {
    let dir = tempfile::tempdir().unwrap();
    for (name, value, words) in [
        (
            "UNSLOW_CACHE_TLL",
            "1s",
            &["UNSLOW_CACHE_TLL", "UNSLOW_CACHE_TTL"][..],
        ),
        ("UNSLOW_CACHE_TTL", "ten", &["UNSLOW_CACHE_TTL", "ten"]),
        ("PORT", "eighty", &["PORT", "eighty"]),
        (
            "DATABASE_URL",
            "mysql://h",
            &["DATABASE_URL", "postgres://"],
        ),
        (
            "DATABASE_URL",
            "sqlite:gone.db",
            &["DATABASE_URL", "gone.db"],
        ),
        ("REDIS_URL", "http://h", &["REDIS_URL", "redis://"]),
    ] {
        let output = command(&["check"])
            .env(name, value)
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert_refused(&output, 6, words);
    }
}

/// Signs that some reader of settings would take for something else.
const ODD: &str = r#"a\b#c;d%e"f'g h$i@j:k/l?m&n=o\"#;

#[test]
fn a_password_of_odd_signs_logs_in_from_the_ini_a_url_and_a_file() {
    let own = Postgres::start();
    let quoted = ODD.replace('\'', "''");
    own.psql(
        "postgres",
        &format!("set standard_conforming_strings = on; alter role master password '{quoted}'"),
    );
    let redis = Redis::with(&Options {
        password: Some(ODD),
        ..Options::default()
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, format!("{ODD}\n")).unwrap();
    let escaped: Vec<_> = ODD.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let escaped = escaped.concat();
    let port = own.port();
    let parts =
        format!("[postgres]\nhost=127.0.0.1\nport={port}\nuser=master\ndatabase=postgres\n");
    let redis_file = format!(
        "[redis]\nurl=redis://127.0.0.1:{}\npassword_file={}\n",
        redis.port(),
        file.display()
    );
    let redis_url = format!(
        "[redis]\nurl=redis://:{escaped}@127.0.0.1:{}\n",
        redis.port()
    );
    for ini in [
        format!("{parts}password={ODD}\n{redis_file}"),
        format!("{parts}password = {ODD}\n{redis_url}"),
        format!("{parts}password_file={}\n{redis_file}", file.display()),
        format!(
            "[postgres]\nurl=postgres://master:{escaped}@127.0.0.1:{port}/postgres\n{redis_url}"
        ),
    ] {
        let install = one_off(&ini, &["install"]);
        let said = String::from_utf8_lossy(&install.stderr);
        // A user who is let in may still not create functions; one who is not is told about the
        // password.
        assert!(!said.contains("authentication failed"), "{ini}: {said}");
        let unslow = start(&ini, &[("queries/one.sql", "select 1 as one")]);
        let answer = unslow.get("/q/one.json");
        assert_eq!(answer.status, 200, "{ini}: {}", unslow.log());
        until("Redis let it in", || {
            unslow.get("/stats.json").json()["redis"]["up"] == true
        });
    }
    let wrong = format!("{parts}password={ODD}x\n");
    let output = one_off(&wrong, &["check", "--online"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_init_writes_checks_and_serves_as_the_readme_says() {
    let dir = tempfile::tempdir().unwrap();
    assert!(unslow(dir.path(), &["init"]).status.success());
    let online = unslow(dir.path(), &["check", "--online"]);
    let said = String::from_utf8_lossy(&online.stdout);
    assert!(online.status.success(), "{said}");
    assert!(said.contains("query hello"), "{said}");
    let hello = unslow(dir.path(), &["query", "hello", "--format", "json"]);
    let text = String::from_utf8(hello.stdout).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["ok"], true);
    let before = std::fs::read(dir.path().join("app.ini")).unwrap();
    assert!(unslow(dir.path(), &["init"]).status.success());
    assert_eq!(std::fs::read(dir.path().join("app.ini")).unwrap(), before);
}

#[test]
fn a_query_on_the_command_line_is_refused_as_over_http() {
    let dir = tempfile::tempdir().unwrap();
    for (args, code, words) in [
        (&["query", "revenu"][..], 2, &["revenu", "revenue"][..]),
        (&["query", "revenue", "tpo=3"], 2, &["tpo", "top"]),
        (&["query", "revenue", "top=x"], 2, &["top", "whole number"]),
        (
            &["query", "revenue", "top=1", "top=2"],
            2,
            &["top", "more than once"],
        ),
        (&["query", "revenue", "top"], 2, &["NAME=VALUE"]),
        (
            &["query", "revenue", "--format", "xml"],
            2,
            &["xml", "ndjson"],
        ),
        (&["qeury"], 2, &["qeury", "query"]),
    ] {
        assert_refused(&unslow(dir.path(), args), code, words);
    }
}

#[test]
fn a_secret_in_the_wrong_place_is_in_no_message() {
    let flags: [&[&str]; 8] = [
        &["-e", "hunter2"],
        &["-e", "=hunter2"],
        &["-e", "UNSLOW_POOL_SIZE=hunter2"],
        &["-e", "1A=hunter2"],
        &["--syslog", "udp://u:hunter2@h:x"],
        &["--syslog", "tcp://u:hunter2@h"],
        &["--bind", "u:hunter2@h"],
        &["--bind", "http://u:hunter2@h:80"],
    ];
    for flags in flags {
        let output = one_off("", &[&["check"], flags].concat());
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!output.status.success(), "{flags:?}: {said}");
        assert!(said.contains(flags[0].trim_start_matches("-e")), "{said}");
        assert!(!said.contains("hunter2"), "{flags:?}: {said}");
    }
    for ini in [
        "[postgres]\nhost=u:hunter2@db",
        "[postgres]\nhost=postgres://u:hunter2@db/x",
        "[postgres]\nhost=h password=hunter2",
        "[postgres]\nport=u:hunter2@1",
        "[postgres]\nsslmode=postgres://hunter2@h",
        "[postgres]\nsslrootcert=https://u:hunter2@h/ca.pem",
        "[postgres]\npostgres://u:hunter2@h/d=1",
        "redis://u:hunter2@h=1",
        "[redis]\nnamespace=redis://u:hunter2@x/",
        "[server]\nallowed_hosts=a, http://u:hunter2@h",
        "[server]\nhome=http://u:hunter2@h",
        "[server]\nenv=hunter2",
        "[log]\nsyslog=http://u:hunter2@h",
    ] {
        let output = one_off(ini, &["check"]);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!output.status.success(), "{ini}: {said}");
        assert!(said.contains("app.ini:"), "{ini}: {said}");
        assert!(!said.contains("hunter2"), "{ini}: {said}");
    }
    let shown = one_off("", &["print-config", "-e", "PGPASSWORD=hunter2"]);
    let said = String::from_utf8_lossy(&shown.stdout);
    assert!(
        said.contains("PGPASSWORD=***") && !said.contains("hunter2"),
        "{said}"
    );
}
