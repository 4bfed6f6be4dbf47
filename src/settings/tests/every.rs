//! Every setting: its default, its layers in order, and its place in the sample file.

use super::*;
use table::setting::DefaultValue;

/// Three different values of each setting, for ini, environment and flag.
fn samples(section: &str, key: &str) -> [&'static str; 3] {
    match (section, key) {
        ("server", "bind") => ["127.0.0.1:1", "127.0.0.1:2,[::1]:3", "unix:u.sock"],
        ("tls" | "stats", "redirect_bind" | "bind") => ["127.0.0.1:1", "127.0.0.1:2", "[::1]:3"],
        ("server", "workers") => ["1", "3", "512"],
        ("server", "home") => ["top", "a_b-c", "x1"],
        ("server", "cors_origins") => ["https://a.example", "*", "http://b:1, https://c"],
        ("server" | "stats" | "access", "forwarded_allow_ips" | "allow") => {
            ["10.0.0.0/8", "*", "::1, 1.2.3.4"]
        }
        ("server", "max_unsent") => ["1MiB", "1GiB", "32MiB"],
        ("server", "allowed_hosts") => ["a.example", "b, C.example.", "[::1]"],
        ("server", "debug") => ["yes", "false", "true"],
        ("server", "show_host") => ["off", "true", "false"],
        ("server", "limit_request_line" | "limit_request_field_size") => ["4KiB", "5000", "8KiB"],
        ("server", "limit_request_body") => ["0", "1MiB", "10000"],
        ("server", "backlog" | "max_connections" | "limit_request_fields" | "page_rows") => {
            ["7", "8", "9"]
        }
        ("postgres", "url") => [
            "postgres://u@h1/d",
            "postgres://u@h2/d",
            "postgres://u@h3/d?sslmode=disable",
        ],
        ("postgres", "host") => ["h1", "10.0.0.1", "/run/postgresql"],
        ("postgres", "port") => ["1", "6432", "65535"],
        ("postgres", "database" | "user" | "password") => ["one", "two words", "#;%\"'\\"],
        (
            "postgres" | "redis" | "admin" | "access" | "tls",
            "cert" | "key" | "password_file" | "token_file" | "sslrootcert" | "ca_file",
        ) => ["s1", "s2", "s3"],
        ("postgres", "application_name" | "search_path") => ["one", "two, three", "four"],
        ("postgres", "connect_timeout") => ["1", "2s", "0"],
        ("postgres", "options") => ["-c a=1", "-c a=2 -c b=3", "--geqo=off"],
        ("postgres", "sslmode") => ["disable", "verify-ca", "verify-full"],
        ("database", "pool_size" | "max_rows") => ["1", "20", "300"],
        ("database", "max_result") => ["1MiB", "2MiB", "100000"],
        ("database", "timezone") => ["UTC", "Europe/Berlin", "Etc/GMT-5"],
        ("redis", "url") => [
            "redis://r1",
            "rediss://r2:6380/1",
            "redis+unix:///r3.sock?db=2",
        ],
        ("redis", "namespace") => ["a", "b.c", "d_e-f"],
        ("cache", "memory") => ["0", "1GiB", "128MiB"],
        ("cache", "max_entry") => ["1KiB", "1MiB", "2000"],
        ("queries", "dir") | ("server", "chdir") => ["q1", "q2", "q3"],
        ("log", "access" | "error") => ["a.log", "/var/log/b.log", "-"],
        ("log", "access_format") => ["json", "%(h)s \"%(r)s\" 100%% %(s)s", "%({referer}i)s"],
        ("log", "syslog") => ["udp://h1:514", "unix:/dev/log", "udp://[::1]"],
        ("log", "syslog_facility") => ["local0", "user", "local7"],
        ("log", "level") => ["error", "warn", "trace"],
        (
            "server" | "database" | "redis" | "cache" | "demo",
            "keep_alive"
            | "request_timeout"
            | "graceful_timeout"
            | "drain_delay"
            | "statement_timeout"
            | "timeout"
            | "ttl"
            | "stale_while_revalidate"
            | "stale_if_error"
            | "delay"
            | "start_timeout",
        ) => ["1s", "1m30s", "200ms"],
        ("server", "pidfile") => ["a.pid", "/run/b.pid", "c.pid"],
        ("server", "user" | "group" | "socket_group") => ["www-data", "1000", "a.b_c"],
        ("server", "umask" | "socket_mode") => ["022", "7", "0600"],
        ("server", "env") => ["A=1", "A=1, B=2", "C=3"],
        _ => panic!("[{section}] {key} has no samples: add three valid values of it here"),
    }
}

/// What else must be set for a setting to have an effect.
fn context(section: &str, key: &str) -> String {
    let parts = [("host", "h"), ("database", "d"), ("user", "u")];
    match section {
        "postgres" if key != "url" => parts
            .iter()
            .filter(|(part, _)| *part != key)
            .map(|(part, text)| [part, "=", text, "\n"].concat())
            .collect::<Vec<_>>()
            .concat(),
        "tls" => ["cert", "key"]
            .iter()
            .filter(|part| **part != key)
            .map(|part| [part, "=x\n"].concat())
            .collect(),
        "redis" if key != "url" => "url=redis://r\n".to_owned(),
        _ => String::new(),
    }
}

/// Everything in the settings, the secrets too.
fn everything(settings: &Settings) -> String {
    let secret = |secret: Option<&Secret>| secret.map(|s| s.reveal().to_owned());
    let password = match &settings.database {
        DatabaseTarget::Postgres(postgres) => secret(postgres.password.as_ref()),
        _ => None,
    };
    let redis = settings.redis.as_ref();
    let url = redis.map(|redis| redis.url.reveal());
    let redis_password = redis.and_then(|redis| secret(redis.password.as_ref()));
    let token = secret(settings.admin_token.as_ref());
    let access = secret(settings.access.token.as_ref());
    format!("{settings:?} {password:?} {url:?} {redis_password:?} {token:?} {access:?}")
}

/// A start with the first `depth` layers above the defaults.
fn start(row: &SettingRow, texts: [&str; 3], depth: usize) -> Start {
    let (section, key) = (row.section, row.key);
    // Without the setting, its context could be half a database.
    let context = if depth == 0 {
        String::new()
    } else {
        context(section, key)
    };
    let mut ini = format!("[{section}]\n{context}");
    if depth >= 1 {
        ini = format!("{ini}{key} = {}\n", texts[0]);
    }
    let mut start = Start::with_ini(&ini);
    for (name, content) in [("s1", "first"), ("s2", "second"), ("s3", "third")] {
        start = start.file(name, content);
    }
    for name in ["q1", "q2", "q3"] {
        std::fs::create_dir(start.path().join(name)).unwrap();
    }
    if depth >= 2 {
        start = start.env(&row.variable_name(), texts[1]);
    }
    if depth >= 3 {
        let flag = row.flag.unwrap().long;
        start = start.flags(&[&format!("--{flag}={}", texts[2])]);
    }
    start
}

#[test]
fn every_setting_takes_the_value_of_the_highest_layer_that_has_it() {
    for row in table::all_settings() {
        let name = row.name();
        let texts = samples(row.section, row.key);
        let layers = if row.flag.is_some() { 3 } else { 2 };
        for depth in 0..=layers {
            let start = start(row, texts, depth);
            let (text, origin) = start.shown(row.section, row.key);
            let ground = DefaultContext {
                ini_folder: Some(start.path().to_owned()),
                working_folder: None,
            };
            let expected = match depth {
                0 => row.default_text(&ground),
                _ if row.secrecy == SettingSecrecy::Secret => Some("***".to_owned()),
                _ if row.secrecy == SettingSecrecy::Values => {
                    let names = texts[depth - 1].split(", ").map(|pair| &pair[..1]);
                    let hidden: Vec<_> = names.map(|name| format!("{name}=***")).collect();
                    Some(hidden.join(","))
                }
                _ => Some(texts[depth - 1].to_owned()),
            };
            // Without a value there is nobody it came from, which is called default too.
            assert_eq!(text, expected, "{name} at depth {depth}");
            let line = 2 + context(row.section, row.key).lines().count();
            let from = match depth {
                0 => "default".to_owned(),
                1 => format!("app.ini:{line}"),
                2 => format!("environment {}", row.variable_name()),
                _ => format!("--{}", row.flag.unwrap().long),
            };
            assert_eq!(origin, from, "{name} at depth {depth}");
        }
    }
}

#[test]
fn every_setting_reaches_the_settings_from_every_layer() {
    for row in table::all_settings() {
        let name = row.name();
        let texts = samples(row.section, row.key);
        let [one, two, three] = texts;
        let dir_free = |start: Start| {
            let text = everything(&start.settings());
            text.replace(start.path().to_str().unwrap(), "DIR")
        };
        let alone = |text| dir_free(start(row, [text, "", ""], 1));
        assert_ne!(
            alone(one),
            alone(two),
            "{name}: the samples have the same effect"
        );
        assert_ne!(
            alone(two),
            alone(three),
            "{name}: the samples have the same effect"
        );
        assert_eq!(
            dir_free(start(row, texts, 2)),
            alone(two),
            "{name}: environment"
        );
        if row.flag.is_some() {
            assert_eq!(dir_free(start(row, texts, 3)), alone(three), "{name}: flag");
        }
    }
}

/// The settings of the sample, switched on, without those that stand for the same thing.
fn sample_with(leave_out: &[&str]) -> String {
    let uncommented = SAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| c.is_ascii_lowercase()) => setting,
        _ => line,
    });
    let kept = uncommented.filter(|line| !leave_out.iter().any(|key| line.starts_with(key)));
    kept.collect::<Vec<_>>().join("\n")
}

fn beside_the_sample(text: &str) -> Start {
    let mut start = Start::with_ini(text).file("queries/hello.sql", "select 1");
    for name in [
        "db-password",
        "redis-password",
        "global-bundle.pem",
        "redis-ca.pem",
        "admin-token",
        "access-token",
    ] {
        let secret = if name == "access-token" {
            "other\n"
        } else {
            "secret\n"
        };
        start = start.file(name, secret);
    }
    start
}

#[test]
fn the_sample_file_as_it_is_changes_nothing() {
    let sample = everything(&Start::with_ini(SAMPLE).settings());
    assert_eq!(sample, everything(&Start::new().settings()));
}

#[test]
fn the_sample_file_has_every_setting_with_its_true_default() {
    let start = beside_the_sample(&sample_with(&["password ="]));
    let loaded = start.load().unwrap();
    for row in table::all_settings() {
        let shown = loaded
            .shown
            .iter()
            .find(|one| (one.section, one.key) == (row.section, row.key));
        let shown = shown.unwrap();
        if row.key != "password" {
            assert!(
                shown.origin.line().is_some(),
                "{} is not in the sample",
                row.name()
            );
        }
        match row.default {
            DefaultValue::Text(text) => {
                assert_eq!(shown.text.as_deref(), Some(text), "{}", row.name());
            }
            DefaultValue::Found { words, .. } => {
                let flat = SAMPLE.replace("\n# ", " ");
                assert!(
                    flat.contains(&format!("Default: {words}.")),
                    "{}: {words}",
                    row.name()
                );
            }
            DefaultValue::Unset => {}
        }
    }
    assert_eq!(start.postgres().password.unwrap().reveal(), "secret");
}

#[test]
fn the_sample_file_shows_that_a_password_may_hold_anything() {
    let start = beside_the_sample(&sample_with(&["password_file = db"]));
    let password = start.postgres().password.unwrap();
    assert_eq!(password.reveal(), "any characters, \\ # ; % \" ' too");
}
