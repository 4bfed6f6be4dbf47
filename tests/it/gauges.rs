//! The gauges of `/stats` about Redis, the database and connections: their state, not counts.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fleet_stats::{ask, instances, start, start_on, stats};
use crate::servers::{Redis, wait_until as until};
use crate::unslow::Unslow;

#[test]
fn redis_says_what_is_on_the_list_and_nothing_else() {
    let redis = Redis::start();
    assert_eq!(redis.command("CONFIG SET maxmemory 50000000"), "+OK");
    let unslow = start(&redis);
    until("it has been asked", || {
        stats(&unslow)["redis"]["info"]["redis_version"].is_string()
    });
    let said = stats(&unslow);
    let info = said["redis"]["info"].as_object().unwrap();
    assert_eq!(info["maxmemory"], 50_000_000);
    assert_eq!(info["maxmemory_policy"], "noeviction");
    assert_eq!(info["role"], "master");
    for field in [
        "uptime_in_seconds",
        "connected_clients",
        "used_memory",
        "evicted_keys",
        "expired_keys",
        "keyspace_hits",
        "keyspace_misses",
        "rejected_connections",
    ] {
        assert!(info[field].is_u64(), "{field}: {said}");
    }
    assert_eq!(info.len(), 13, "{info:?}");
    until("both connections are in service", || {
        let pool = stats(&unslow)["redis"]["pool"].clone();
        (&pool["used"], &pool["max"]) == (&json!(2), &json!(2))
    });
}

#[test]
fn a_user_without_info_and_without_reports_is_no_fault_of_redis() {
    let redis = Redis::start();
    for (user, rights) in [
        ("careful", "+@all -@dangerous -@admin"),
        ("narrow", "+@all -@dangerous -@admin -zadd"),
    ] {
        let rule = format!("ACL SETUSER {user} on >s3cret ~unslow:* &unslow:* {rights}");
        assert_eq!(redis.command(&rule), "+OK");
    }
    let url = |user: &str| format!("redis://{user}:s3cret@127.0.0.1:{}", redis.port());
    let (careful, narrow) = (start_on(&url("careful"), ""), start_on(&url("narrow"), ""));
    for unslow in [&careful, &narrow] {
        until("it was asked", || {
            stats(unslow)["redis"]["info"].is_object()
        });
        let said = stats(unslow);
        assert_eq!(said["redis"]["info"]["redis_version"], Value::Null);
        assert_eq!(said["redis"]["breaker"], "closed");
        ask(unslow, 1, 1);
        assert_eq!(stats(unslow)["redis"]["up"], true);
        assert_eq!(stats(unslow)["redis"]["errors"]["auth"], 0);
    }
    until("its reports are kept", || {
        instances(&careful)["alone_because"] == Value::Null
    });
    until("its reports are refused", || {
        instances(&narrow)["alone_because"] == "refused by redis"
    });
    assert_eq!(stats(&narrow)["redis"]["breaker"], "closed");
    assert_eq!(stats(&narrow)["redis"]["errors"]["other"], 0);
    assert!(narrow.log().contains("takes no reports of instances"));
}

#[test]
fn loads_that_wait_for_a_connection_are_counted_while_they_do() {
    let query = (
        "queries/slow.sql",
        "-- param: n integer\nselect slow_version() as v, :n as n",
    );
    let arguments = [
        "--config",
        "app.ini",
        "--demo-delay",
        "3s",
        "--pool-size",
        "2",
    ];
    let unslow = Unslow::start_with(&arguments, &[("app.ini", ""), query], &[]);
    let asked: Vec<_> = (0..3)
        .map(|n| unslow.send("GET", &format!("/q/slow.json?n={n}"), &[]))
        .collect();
    until("two wait", || {
        stats(&unslow)["database"]["pool"]["waiting"] == 2
    });
    for one in asked {
        one.answer();
    }
    let said = stats(&unslow);
    let pool = &said["database"]["pool"];
    assert_eq!((&pool["waiting"], &pool["max"]), (&json!(0), &json!(2)));
    assert_eq!(pool["timeouts"], 2, "they wait for less than a load takes");
    assert_eq!(said["database"]["breaker"], "closed");
    assert!(said["database"]["since_seconds"].as_f64() > Some(0.0));
    assert!(
        said["database"]["since_seconds"].as_f64().unwrap() < Duration::from_hours(1).as_secs_f64()
    );
}

#[test]
fn a_database_that_is_away_is_said_in_one_word_and_since_when() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let url = format!("postgres://somebody:pa55word@127.0.0.1:{port}/elsewhere");
    let unslow = Unslow::start_with(&[], &[], &[("DATABASE_URL", &url)]);
    until("it is said", || stats(&unslow)["database"]["up"] == false);
    let said = stats(&unslow)["database"].clone();
    assert_eq!(
        (&said["breaker"], &said["last_error"]),
        (&json!("open"), &json!("connect"))
    );
    let first = said["since_seconds"].as_f64().unwrap();
    // The prober fails again and again, and the time goes on.
    until("it has been so for longer", || {
        stats(&unslow)["database"]["since_seconds"]
            .as_f64()
            .unwrap()
            > first + 1.5
    });
    for text in [
        unslow.get("/stats.json").text(),
        unslow.get("/stats").text(),
    ] {
        let place = format!("127.0.0.1:{port}");
        for secret in ["pa55word", "somebody", "elsewhere", &place] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
