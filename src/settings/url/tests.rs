//! URLs taken apart, refused without being repeated, and shown without passwords.
#![allow(clippy::unwrap_used, reason = "tests")]
use deadpool_redis::redis::{ConnectionAddr, IntoConnectionInfo};

use super::*;
use crate::settings::raw_value::given;

#[test]
fn a_database_url_is_taken_apart() {
    let all =
        split_url("postgres://us%40er:p%23a%25s%2Fs@db.example.com:6432/my%20db?sslmode=require")
            .unwrap();
    assert_eq!(all.host.as_deref(), Some("db.example.com"));
    assert_eq!(all.port.as_deref(), Some("6432"));
    assert_eq!(all.database.as_deref(), Some("my db"));
    assert_eq!(all.user.as_deref(), Some("us@er"));
    assert_eq!(all.password.as_deref(), Some("p#a%s/s"));
    assert_eq!(all.sslmode.as_deref(), Some("require"));
    let few = split_url("postgresql://db").unwrap();
    assert_eq!((few.port, few.user, few.password), (None, None, None));
    for socket in ["postgres://u@%2Frun%2Fpg/db", "postgres:///db?host=/run/pg"] {
        assert_eq!(
            split_url(socket).unwrap().host.as_deref(),
            Some("/run/pg"),
            "{socket}"
        );
    }
}

/// The parts that libpq finds in these, as `host port database user password`, and what is noted.
const LIBPQ: &[(&str, &str, &[&str])] = &[
    (
        "postgres://u:p@/db?host=/cloudsql/a:b:c",
        "/cloudsql/a:b:c - db u p",
        &[],
    ),
    (
        "postgres://u@/db?host=%2Fcloudsql%2Fa%3Ab%3Ac",
        "/cloudsql/a:b:c - db u -",
        &[],
    ),
    (
        "postgres://%2Fvar%2Frun%2Fpostgresql/db?user=u",
        "/var/run/postgresql - db u -",
        &[],
    ),
    (
        "postgresql://h:5433/db?user=other&password=s%20p",
        "h 5433 db other s p",
        &[],
    ),
    ("postgres://u:@h/db", "h - db u -", &[]),
    (
        "postgres://u@[2001:db8::1]:6432/db",
        "2001:db8::1 6432 db u -",
        &[],
    ),
    ("postgres://u@[::1]/db", "::1 - db u -", &[]),
    ("postgres://u:a%40b%3Ac@h/db", "h - db u a@b:c", &[]),
    (
        "postgres://u:a+b@h/db?application_name=a+b",
        "h - db u a+b",
        &[],
    ),
    ("postgres:///db?host=h&port=7&user=u", "h 7 db u -", &[]),
    ("postgres://u@h?dbname=db", "h - db u -", &[]),
    ("postgres://u@h/db?dbname=other", "h - other u -", &[]),
    (
        "postgres://u@h/db?hostaddr=10.0.0.1",
        "10.0.0.1 - db u -",
        &["hostaddr"],
    ),
    (
        "postgres://u@h/db?channel_binding=require",
        "h - db u -",
        &["verify-full"],
    ),
    (
        "postgres://u@h/db?channel_binding=prefer&client_encoding=UTF8",
        "h - db u -",
        &[],
    ),
    (
        "postgres://u@h/db?keepalives=1&keepalives_idle=30",
        "h - db u -",
        &["keepalives", "keepalives_idle"],
    ),
    (
        "postgres://u@h/db?target_session_attrs=any",
        "h - db u -",
        &[],
    ),
    (
        "postgres://u@h/db?target_session_attrs=read-write",
        "h - db u -",
        &["one host"],
    ),
    (
        "postgres://u@h/db?gssencmode=disable&sslsni=1",
        "h - db u -",
        &["gssencmode", "sslsni"],
    ),
    (
        "postgres://u@h/db?passfile=x",
        "h - db u -",
        &["password_file"],
    ),
];

#[test]
fn a_url_is_taken_as_libpq_takes_it_and_what_does_nothing_is_noted() {
    for (text, parts, notes) in LIBPQ {
        let all = split_url(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        let found = [
            &all.host,
            &all.port,
            &all.database,
            &all.user,
            &all.password,
        ];
        let found = found.map(|part| part.as_deref().unwrap_or("-"));
        assert_eq!(found.join(" "), *parts, "{text}");
        assert_eq!(all.notes.len(), notes.len(), "{text}: {:?}", all.notes);
        for (note, word) in all.notes.iter().zip(*notes) {
            assert!(note.contains(word), "{text}: {note}");
        }
    }
    let session = split_url(
        "postgres://u@h/d?options=-c%20search_path%3Da,b&connect_timeout=3&application_name=x\
         &fallback_application_name=y&sslmode=verify-full&sslrootcert=system",
    )
    .unwrap();
    assert_eq!(session.options.as_deref(), Some("-c search_path=a,b"));
    assert_eq!(session.connect_timeout.as_deref(), Some("3"));
    assert_eq!(session.application_name.as_deref(), Some("x"));
    assert_eq!(session.sslrootcert.as_deref(), Some("system"));
    let fallback = split_url("postgres://u@h/d?fallback_application_name=y").unwrap();
    assert_eq!(fallback.application_name.as_deref(), Some("y"));
}

#[test]
fn what_cannot_be_done_is_refused_in_words() {
    for (text, word) in [
        ("postgres://u@h/d?sslcert=c&sslkey=k", "client certificates"),
        ("postgres://u@h/d?sslcrl=c", "revoked"),
        ("postgres://u@h/d?service=s", "service files"),
        ("postgres://u@h1:5432,h2:5433/d", "one host"),
        ("postgres://u@h1,h2/d", "one host"),
        ("postgres://u@/d?host=h1,h2", "one host"),
        ("postgres://u@h/d?applicaton_name=x", "application_name"),
        ("postgres://u@h/d?schema=x", "search_path"),
        ("postgres://u@h/d?pgbouncer=true", "leave it out"),
        ("postgres://u@[::1/d", "[::1]"),
    ] {
        let sentence = split_url(text).unwrap_err().sentence();
        assert!(sentence.contains(word), "{text}: {sentence}");
    }
}

#[test]
fn any_password_survives_a_url_when_it_is_escaped() {
    let plain = r#"\#;%"' :/?@[]+&=é"#;
    let escaped: Vec<String> = plain.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let escaped = escaped.concat();
    let all = split_url(&format!("postgres://u:{escaped}@h/d")).unwrap();
    assert_eq!(all.password.as_deref(), Some(plain));
    let plus = split_url("postgres://u:a+b;c@h/d").unwrap();
    assert_eq!(plus.password.as_deref(), Some("a+b;c"));
}

#[test]
fn bad_urls_are_refused_and_not_repeated() {
    for text in [
        "mysql://u:hunter2@h/d",
        "postgres:u:hunter2@h",
        "postgres://u:hunter2#x@h/d",
        "postgres://u:hunter2@pw/x@h:5432/d",
        "postgres://u:hunter2/x@h:5432/d",
        "postgres://u:hunter2/x@h/d",
        "postgres://u:hunter2%zz@h/d",
        "postgres://u:hunter2@h:99999/d",
        "postgres://u:hunter2@h/d?pgbouncer=true",
        "postgres://u:hunter2@h/d#x",
        "hunter2",
    ] {
        let sentence = split_url(text).unwrap_err().sentence();
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }
    for text in [
        "http://:hunter2@h",
        "redis://:hunter2@/0",
        "redis://:hunter2#@h",
        "rediss://:hunter2@h/0#insecure",
        "redis://:hunter2@h/zero",
        "redis://:hunter2@h/-1",
        "redis://:hunter2@h?db=1",
        "redis+unix://?pass=hunter2",
        "redis+unix:///s?db=x&pass=hunter2",
        "unix:///s?word=hunter2",
        "hunter2",
    ] {
        let sentence = read_redis(given(text)).unwrap_err().sentence();
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }
}

#[test]
fn the_redis_crate_reads_what_is_handed_to_it() {
    for (text, address, number) in [
        ("redis://127.0.0.1:6379", "127.0.0.1:6379", 0),
        ("redis://:p%40ss@cache/3", "cache:6379", 3),
        ("rediss://user:pass@[::1]:6380/0", "::1:6380", 0),
        ("valkey://:p@cache:6400/1", "cache:6400", 1),
        ("valkey+unix:///run/valkey.sock?db=2", "/run/valkey.sock", 2),
        ("redis://h?protocol=resp3", "h:6379", 0),
        ("redis+unix:///run/redis.sock?db=2", "/run/redis.sock", 2),
        (
            "unix:///run/redis.sock?db=2&password=p",
            "/run/redis.sock",
            2,
        ),
    ] {
        let info = read_redis(given(text))
            .unwrap()
            .reveal()
            .into_connection_info()
            .unwrap();
        assert_eq!(info.addr().to_string(), address, "{text}");
        assert_eq!(info.redis_settings().db(), number, "{text}");
        let tls = matches!(
            info.addr(),
            ConnectionAddr::TcpTls {
                insecure: false,
                ..
            }
        );
        assert_eq!(tls, text.starts_with("rediss"));
    }
    let valkeys = read_redis(given("valkeys://u:p@h:1/2")).unwrap();
    assert_eq!(valkeys.reveal(), "rediss://u:p@h:1/2");
    let long = format!("redis+unix:///{}/s", "n".repeat(120));
    let sentence = read_redis(given(&long)).unwrap_err().sentence();
    assert!(sentence.contains("107"), "{sentence}");
    let unix = read_redis(given("unix:///s?username=u&password=p%23")).unwrap();
    let info = unix.reveal().into_connection_info().unwrap();
    assert_eq!(info.redis_settings().username(), Some("u"));
    assert_eq!(info.redis_settings().password(), Some("p#"));
}

#[test]
fn passwords_are_taken_out_of_urls() {
    for (text, shown) in [
        ("postgres://u:hunter2@h/d", "postgres://u:***@h/d"),
        ("postgres://u@h/d", "postgres://u@h/d"),
        ("redis://:hunter2@h:6379/0", "redis://:***@h:6379/0"),
        (
            "redis+unix:///s?db=1&pass=hunter2",
            "redis+unix:///s?db=1&pass=***",
        ),
        ("sqlite:file.db", "sqlite:file.db"),
        (
            "postgres://u:hunter2@/d?host=/cloudsql/a&password=hunter2",
            "postgres://u:***@/d?host=%2Fcloudsql%2Fa&password=***",
        ),
        ("hunter2", "***"),
    ] {
        assert_eq!(redact_url(text), shown);
    }
    let bare = |text: &str| {
        without_password(&read_redis(given(text)).unwrap())
            .reveal()
            .to_owned()
    };
    assert_eq!(bare("redis://u:hunter2@h/1"), "redis://u@h/1");
    assert_eq!(
        bare("redis+unix:///s?db=1&pass=hunter2"),
        "redis+unix:///s?db=1"
    );
}
