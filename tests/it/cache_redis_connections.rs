//! Connections to Redis: by TLS, by a socket, with a password; how long they live; and the probe.

use std::time::Duration;

use unslow::cache::probe_redis;
use unslow::outcome::{Outcome, Tier};
use unslow::settings::{self, Secret};
use unslow::stats::RedisSnapshot;

use crate::cache_support::{Instance, key, settings};
use crate::servers::redis::Options;
use crate::servers::{Redis, home, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_past_its_age_is_replaced_while_it_serves() {
    let redis = Redis::start();
    let one = Instance::of(&redis);
    one.store(&key("p"), "rows").await;
    let before = redis.connections(0);
    one.clock.advance(Duration::from_secs(61));
    one.store(&key("q"), "rows").await;
    let mut asked = 0;
    until("there are two new connections", || {
        asked += 1;
        redis.connections(asked) == before + 2
    })
    .await;
    until("the old ones are closed", || redis.clients() == 3).await;
    assert_eq!(one.redis().errors.values().sum::<u64>(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_trusts_the_given_authority_and_no_stranger() {
    let redis = Redis::with(&Options {
        tls: true,
        ..Options::default()
    });
    let url = redis.url();
    let trusting = settings::RedisSettings {
        ca_file: Some(redis.ca()),
        ..settings(url.clone())
    };
    probe_redis(&trusting).await.unwrap();
    Instance::with(&trusting, 0).store(&key("p"), "rows").await;
    let error = probe_redis(&settings(url.clone())).await.unwrap_err();
    assert!(error.contains("certificate"), "{error}");
    let stranger = Instance::with(&settings(url), 0);
    let reply = stranger.get(&key("p"), "rows").await;
    assert_eq!(reply.outcome, Outcome::Miss);
    assert!(stranger.redis().errors["connect"] > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_cannot_be_used_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for (url, file, expected) in [
        (
            "rediss://localhost",
            &dir.path().join("none"),
            "cannot be read",
        ),
        ("rediss://localhost", &empty, "no certificate"),
    ] {
        let settings = settings::RedisSettings {
            ca_file: Some(file.clone()),
            ..settings(url.to_owned())
        };
        let error = probe_redis(&settings).await.unwrap_err();
        assert!(
            error.contains(expected) && error.contains("ca_file"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_with_a_password_and_a_database_number_works() {
    let socket = home::folder("socket").join("redis.sock");
    let socket = socket.display().to_string();
    let redis = Redis::with(&Options {
        arguments: &["--unixsocket", &socket],
        ..Options::default()
    });
    let at_socket = || settings(format!("redis+unix://{socket}?db=3"));
    Instance::with(&at_socket(), 0)
        .store(&key("p"), "rows")
        .await;
    assert!(
        redis.ask(&["INFO", "keyspace"]).contains("db3:keys=2"),
        "generations and entry"
    );
    let password = r#"p%s#w\";"#;
    redis.ask(&["CONFIG", "SET", "requirepass", password]);
    let one = Instance::with(
        &settings::RedisSettings {
            password: Some(Secret::new(password.to_owned())),
            ..at_socket()
        },
        0,
    );
    one.store(&key("q"), "rows").await;
}

#[test]
fn connections_outlive_the_runtime_of_the_worker_that_asked_first() {
    let mut redis = Redis::start();
    redis.kill();
    let engine = tokio::runtime::Runtime::new().unwrap();
    let instance = engine.block_on(async { Instance::with(&settings(redis.url()), 0) });
    // The cache's own first try finds nobody, once for each lane.
    let failed = |redis: &RedisSnapshot| redis.errors["connect"] == 2;
    engine.block_on(instance.until("the first try", failed));
    redis.start_again();
    let worker = |outcome| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let reply = runtime.block_on(instance.get(&key("p"), "rows"));
        assert_eq!(reply.outcome, outcome);
    };
    let before = redis.connections(0);
    worker(Outcome::Miss);
    engine.block_on(instance.until("the write", |redis| redis.writes == 1));
    for _ in 0..3 {
        worker(Outcome::Hit(Tier::Redis));
    }
    assert_eq!(redis.connections(1), before + 2, "one per lane");
    assert_eq!(instance.redis().errors.values().sum::<u64>(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_says_what_is_wrong_and_never_the_password() {
    let mut redis = Redis::start();
    probe_redis(&settings(redis.url())).await.unwrap();
    assert!(redis.ask(&["DBSIZE"]).starts_with(":0"));
    redis.ask(&["CONFIG", "SET", "requirepass", "right"]);
    let none = probe_redis(&settings(redis.url())).await.unwrap_err();
    assert!(none.contains("password"), "{none}");
    let wrong = settings::RedisSettings {
        password: Some(Secret::new("canary".to_owned())),
        ..settings(redis.url())
    };
    let wrong = probe_redis(&wrong).await.unwrap_err();
    assert!(
        wrong.contains("refuses") && !wrong.contains("canary"),
        "{wrong}"
    );
    redis.kill();
    let away = probe_redis(&settings(redis.url())).await.unwrap_err();
    assert!(away.contains("cannot connect"), "{away}");
    let bad = settings("http://canary@nowhere".to_owned());
    let bad = probe_redis(&bad).await.unwrap_err();
    assert!(
        bad.contains("[redis] url") && !bad.contains("canary"),
        "{bad}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_names_the_command_that_a_user_may_not_use() {
    let redis = Redis::start();
    let url = redis.url().replace("://", "://guest:pw@");
    let rights = ["on", ">pw", "allkeys", "allchannels", "+@all"];
    for command in ["set", "get", "eval", "subscribe", "publish", "del"] {
        let without = format!("-{command}");
        let user = [&["ACL", "SETUSER", "guest"], &rights[..], &[&without]].concat();
        assert!(redis.ask(&user).starts_with("+OK"));
        let error = probe_redis(&settings(url.clone())).await.unwrap_err();
        assert!(
            error.contains(&command.to_uppercase()) && error.contains("NOPERM"),
            "{error}"
        );
    }
    redis.ask(&[&["ACL", "SETUSER", "guest"], &rights[..]].concat());
    probe_redis(&settings(url)).await.unwrap();
}
