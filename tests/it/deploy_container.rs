//! The files of `unslow deploy container`, as far as they do something: the script that makes the
//! database's reader, `install`, the settings, and the health checks, each as the files say it, on
//! a real PostgreSQL and Redis instead of those of the images. the script that makes the database's
//! reader, `install`, the settings, and the health checks, each as the files say it, on a real
//! PostgreSQL and Redis instead of those of the images. The image itself is `make check-deploy`'s
//! and `make check-dist`'s.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use nix::sys::signal::Signal;

use crate::servers::postgres::binary;
use crate::servers::process::program;
use crate::servers::{Postgres, Redis};
use crate::unslow::{Unslow, command};

const OWNER: &str = "the owner's password";
const READER: &str = "the reader's, with ' and \\ and :colon";

/// The folder as it is written out, with passwords as the README has them made.
fn written() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    // The database's user reads from it.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let output = command(&["deploy", "container", "."])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    fs::create_dir(dir.path().join("secrets")).unwrap();
    fs::write(dir.path().join("secrets/owner-password"), OWNER).unwrap();
    fs::write(dir.path().join("secrets/reader-password"), READER).unwrap();
    dir
}

/// A PostgreSQL that asks for passwords over TCP and logs every statement.
fn postgres(dir: &Path) -> Postgres {
    let hba = dir.join("pg_hba.conf");
    fs::write(
        &hba,
        "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
    )
    .unwrap();
    let hba = format!("hba_file={}", hba.display());
    let server = Postgres::with(&[&hba, "log_statement=all"], false);
    server.psql("postgres", "create database unslow");
    let password = OWNER.replace('\'', "''");
    server.psql(
        "postgres",
        &format!("set log_statement = none; alter role postgres password '{password}'"),
    );
    server
}

/// Runs the script as the image of PostgreSQL does.
fn create_reader(dir: &Path, server: &Postgres) -> Output {
    let psql = binary("psql");
    let path = format!("{}:/usr/bin:/bin", psql.parent().unwrap().display());
    Command::new("sh")
        .arg(dir.join("create-reader.sh"))
        .env_clear()
        .env("PATH", path)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", server.port().to_string())
        .env("PGPASSWORD", OWNER)
        .env("POSTGRES_USER", "postgres")
        .env("POSTGRES_DB", "unslow")
        .env("READER_PASSWORD_FILE", dir.join("secrets/reader-password"))
        .output()
        .unwrap()
}

/// Returns the places of the parts, which the names in `app.ini` stand for; a password from its
/// file.
fn environment(
    dir: &Path,
    postgres: &Postgres,
    redis: &Redis,
    who: &str,
) -> Vec<(&'static str, String)> {
    let password = dir.join(format!("secrets/{who}-password"));
    vec![
        ("UNSLOW_POSTGRES_HOST", "127.0.0.1".to_owned()),
        ("UNSLOW_POSTGRES_PORT", postgres.port().to_string()),
        (
            "UNSLOW_POSTGRES_PASSWORD_FILE",
            password.display().to_string(),
        ),
        ("UNSLOW_REDIS_URL", redis.url()),
    ]
}

/// The commands of the health checks, in the order of the services: unslow's, PostgreSQL's,
/// Valkey's.
fn checks(compose: &str) -> [Vec<String>; 3] {
    let lines = compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("test: "));
    let all: Vec<Vec<String>> = lines
        .map(|line| {
            let words: Vec<String> = serde_json::from_str(line).unwrap();
            assert_eq!(words[0], "CMD", "{line}");
            words[1..].to_vec()
        })
        .collect();
    all.try_into().expect("three services have a health check")
}

/// Runs a health check with the program where it is here and with more arguments.
fn ask(program: &Path, words: &[String], more: &[&str]) -> Output {
    Command::new(program)
        .args(&words[1..])
        .args(more)
        .env_clear()
        .output()
        .unwrap()
}

#[test]
fn what_compose_starts_works_together_on_real_servers() {
    let dir = written();
    let redis = Redis::start();
    let server = postgres(dir.path());

    // The volume is new: the reader is made.
    let made = create_reader(dir.path(), &server);
    assert!(made.status.success(), "{made:?}");
    // A second time is an error, which must not write the password down.
    assert!(!create_reader(dir.path(), &server).status.success());
    let log = "select pg_read_file(current_setting('data_directory') || '/../output')";
    let log = server.psql("postgres", log);
    assert!(log.contains("statement:"), "every statement is logged");
    assert!(log.contains("already exists"), "{log}");
    assert!(!log.contains("with ' and") && !log.contains("with '' and"));

    // `install`, as the owner.
    let mut env = environment(dir.path(), &server, &redis, "owner");
    env.push(("UNSLOW_POSTGRES_USER", "postgres".to_owned()));
    let compose = fs::read_to_string(dir.path().join("compose.yaml")).unwrap();
    assert!(compose.contains("UNSLOW_POSTGRES_USER: postgres\n"));
    assert!(compose.contains("UNSLOW_POSTGRES_PASSWORD_FILE: /run/secrets/owner-password\n"));
    for _ in 0..2 {
        let installed = command(&["install"])
            .current_dir(dir.path())
            .envs(env.iter().cloned())
            .output()
            .unwrap();
        assert!(installed.status.success(), "{installed:?}");
    }

    // unslow, with the settings as they are written, as the reader.
    server.psql("unslow", "create table orders as select 7 as total");
    let ini = fs::read_to_string(dir.path().join("app.ini")).unwrap();
    let hello = fs::read_to_string(dir.path().join("queries/hello.sql")).unwrap();
    let orders = "select total, to_regprocedure('slow_version()') is not null as installed, \
                  has_table_privilege('orders', 'insert, update, delete, truncate') or \
                  has_schema_privilege('public', 'create') as writes from orders";
    let files = [
        ("app.ini", ini.as_str()),
        ("queries/hello.sql", hello.as_str()),
        ("queries/orders.sql", orders),
    ];
    let env = environment(dir.path(), &server, &redis, "reader");
    let env: Vec<_> = env.iter().map(|(name, it)| (*name, it.as_str())).collect();
    let unslow = Unslow::start_with(&[], &files, &env);
    let rows = unslow.get("/q/orders.json").json()["rows"].clone();
    let wanted = serde_json::json!([{ "total": 7, "installed": true, "writes": false }]);
    assert_eq!(rows, wanted);
    assert!(unslow.get("/q/hello.json").text().contains("Hello, world!"));
    assert!(
        !redis.entries().is_empty(),
        "what was loaded is in Redis too"
    );
    let who = "select distinct usename from pg_stat_activity where datname = 'unslow'";
    assert_eq!(server.psql("postgres", who), "unslow");

    // The health checks, while all of it runs.
    let [of_unslow, of_postgres, of_valkey] = checks(&compose);
    let (port, redis_port) = (server.port().to_string(), redis.port().to_string());
    assert_eq!(of_postgres[0], "pg_isready");
    let ready = ask(&binary("pg_isready"), &of_postgres, &["--port", &port]);
    assert_eq!(ready.status.code(), Some(0), "{ready:?}");
    assert_eq!(of_valkey[0], "valkey-cli");
    let client = program("redis-cli", &[], "redis-tools");
    let pong = Command::new(client)
        .args(["-p", &redis_port])
        .args(&of_valkey[1..])
        .output()
        .unwrap();
    assert!(pong.status.success(), "{pong:?}");
    assert_eq!(of_unslow[0], "/unslow");
    let (last, words) = of_unslow.split_last().unwrap();
    assert_eq!(last, "http://127.0.0.1:8000");
    let words = [words, std::slice::from_ref(&unslow.url)].concat();
    let itself = Path::new(env!("CARGO_BIN_EXE_unslow"));
    let well = ask(itself, &words, &[]);
    assert_eq!(well.status.code(), Some(0), "{well:?}");
    unslow.signal(Signal::SIGTERM);
    assert!(unslow.wait().success());
    let gone = ask(itself, &words, &[]);
    assert_eq!(gone.status.code(), Some(1), "{gone:?}");
}

#[test]
fn the_image_listens_where_its_health_check_asks_whatever_the_settings_say() {
    let dir = written();
    let text = fs::read_to_string(dir.path().join("Containerfile")).unwrap();
    let (name, value) = text
        .lines()
        .find_map(|line| line.strip_prefix("ENV ")?.split_once('='))
        .expect("an environment");
    let bind = |ini: &str, flags: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("app.ini"), ini).unwrap();
        let output = command(&[&["print-config"], flags].concat())
            .current_dir(folder.path())
            .env(name, value)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix("[server] bind "));
        let words = line.and_then(|line| line.split_whitespace().next());
        words.expect("an address").to_owned()
    };
    assert!(text.contains("http://127.0.0.1:8000"));
    let ini = fs::read_to_string(dir.path().join("app.ini")).unwrap();
    let place = dir.path().join("secrets").display().to_string();
    let ini = ini.replace("/run/secrets", &place);
    assert_eq!(bind(&ini, &[]), "0.0.0.0:8000");
    let other = "[server]\nbind = 127.0.0.1:9\n";
    assert_eq!(bind(other, &[]), "0.0.0.0:8000");
    assert_eq!(bind(other, &["--bind", "127.0.0.1:9"]), "127.0.0.1:9");
}

#[test]
fn what_the_files_set_in_the_environment_is_taken() {
    let dir = written();
    for (file, count) in [("compose.yaml", 2), ("kubernetes.yaml", 5)] {
        let text = fs::read_to_string(dir.path().join(file)).unwrap();
        // `NAME: value` and `- { name: NAME, value: value }`.
        let set: Vec<(&str, &str)> = text
            .lines()
            .filter_map(|line| {
                let line = line.trim();
                let line = line.strip_prefix("- { name: ").unwrap_or(line);
                let (name, value) = line
                    .split_once(", value: ")
                    .or_else(|| line.split_once(": "))?;
                let value = value.trim_end_matches('}').trim().trim_matches('"');
                name.starts_with("UNSLOW_").then_some((name, value))
            })
            .collect();
        assert_eq!(set.len(), count, "{set:?}");
        let password = dir.path().join("secrets/reader-password");
        let mut shown = command(&["print-config"]);
        shown.current_dir(dir.path());
        for (name, value) in set {
            match name {
                "UNSLOW_POSTGRES_PASSWORD_FILE" => shown.env(name, &password),
                _ => shown.env(name, value),
            };
        }
        let shown = shown.output().unwrap();
        assert!(shown.status.success(), "{file}: {shown:?}");
    }
}
