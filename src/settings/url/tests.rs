//! URLs taken apart, refused without being repeated, and shown without passwords.
#![allow(clippy::unwrap_used, reason = "tests")]
use deadpool_redis::redis::{ConnectionAddr, IntoConnectionInfo};

use super::*;
use crate::settings::values::given;

#[test]
fn a_database_url_is_taken_apart() {
    let all =
        pieces("postgres://us%40er:p%23a%25s%2Fs@db.example.com:6432/my%20db?sslmode=require")
            .unwrap();
    assert_eq!(all.host.as_deref(), Some("db.example.com"));
    assert_eq!(all.port.as_deref(), Some("6432"));
    assert_eq!(all.database.as_deref(), Some("my db"));
    assert_eq!(all.user.as_deref(), Some("us@er"));
    assert_eq!(all.password.as_deref(), Some("p#a%s/s"));
    assert_eq!(all.sslmode.as_deref(), Some("require"));
    let few = pieces("postgresql://db").unwrap();
    assert_eq!((few.port, few.user, few.password), (None, None, None));
    for socket in ["postgres://u@%2Frun%2Fpg/db", "postgres:///db?host=/run/pg"] {
        assert_eq!(
            pieces(socket).unwrap().host.as_deref(),
            Some("/run/pg"),
            "{socket}"
        );
    }
}

#[test]
fn any_password_survives_a_url_when_it_is_escaped() {
    let plain = r#"\#;%"' :/?@[]+&=é"#;
    let escaped: Vec<String> = plain.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let escaped = escaped.concat();
    let all = pieces(&format!("postgres://u:{escaped}@h/d")).unwrap();
    assert_eq!(all.password.as_deref(), Some(plain));
    let plus = pieces("postgres://u:a+b;c@h/d").unwrap();
    assert_eq!(plus.password.as_deref(), Some("a+b;c"));
}

#[test]
fn bad_urls_are_refused_and_not_repeated() {
    for text in [
        "mysql://u:hunter2@h/d",
        "postgres:u:hunter2@h",
        "postgres://u:hunter2#x@h/d",
        "postgres://u:hunter2/x@h/d",
        "postgres://u:hunter2%zz@h/d",
        "postgres://u:hunter2@h:99999/d",
        "postgres://u:hunter2@h/d?pgbouncer=true",
        "postgres://u:hunter2@h/d#x",
        "hunter2",
    ] {
        let sentence = pieces(text).unwrap_err().sentence();
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
        let sentence = redis(given(text)).unwrap_err().sentence();
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }
}

#[test]
fn the_redis_crate_reads_what_is_handed_to_it() {
    for (text, address, number) in [
        ("redis://127.0.0.1:6379", "127.0.0.1:6379", 0),
        ("redis://:p%40ss@cache/3", "cache:6379", 3),
        ("rediss://user:pass@[::1]:6380/0", "::1:6380", 0),
        ("redis+unix:///run/redis.sock?db=2", "/run/redis.sock", 2),
        (
            "unix:///run/redis.sock?db=2&password=p",
            "/run/redis.sock",
            2,
        ),
    ] {
        let info = redis(given(text))
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
    let unix = redis(given("unix:///s?username=u&password=p%23")).unwrap();
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
        ("hunter2", "***"),
    ] {
        assert_eq!(redacted(text), shown);
    }
    let bare = |text: &str| {
        without_password(&redis(given(text)).unwrap())
            .reveal()
            .to_owned()
    };
    assert_eq!(bare("redis://u:hunter2@h/1"), "redis://u@h/1");
    assert_eq!(
        bare("redis+unix:///s?db=1&pass=hunter2"),
        "redis+unix:///s?db=1"
    );
}
