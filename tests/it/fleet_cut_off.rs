//! An instance that Redis does not reach: it calls nothing fresh that was purged elsewhere, and who
//! purges is told that it has not confirmed.

use std::time::{Duration, Instant};

use crate::end_to_end::start;
use crate::fleet_support::{FACT, make_facts, value};
use crate::servers::redis::Options;
use crate::servers::{Manner, Postgres, Redis, Relay, postgres, wait_until as until};
use crate::unslow::{Unslow, command};

const PATH: &str = "/q/fact.json";
/// The time for which a purged row may be called fresh where no message of the purge came.
const PROMISE: Duration = Duration::from_secs(5);

/// Resets what is connected, and takes nothing new.
fn cut(relay: &Relay) {
    relay.behave(Manner::Refuse);
    relay.reset();
}

/// Two instances on one Redis, the second by way of a relay.
fn two(redis: &Redis, relay: &Relay, ttl: &str) -> (Unslow, Unslow, String) {
    let server = postgres();
    let database = server.database();
    make_facts(server, &database);
    let instance = |port: u16| {
        let ini = format!(
            "[postgres]\ndatabase={database}\nhost=127.0.0.1\npassword=secret\nuser=master\n\
             port={}\n\n[redis]\nurl=redis://127.0.0.1:{port}\ntimeout=2s\n",
            server.port()
        );
        let text = FACT.1.replace("ttl: 1h", &format!("ttl: {ttl}"));
        start(&ini, &[(FACT.0, &text.replace("-- notify: facts\n", ""))])
    };
    let (one, other) = (instance(redis.port()), instance(relay.port()));
    for unslow in [&one, &other] {
        until("it is in memory", || {
            let answer = unslow.get(PATH);
            assert_eq!(value(&answer), "v1");
            answer.header("cache-status").ends_with("detail=memory")
        });
    }
    until("each knows of the other", || {
        [&one, &other].iter().all(|unslow| {
            let stats = unslow.get("/stats.json").json();
            stats["instances"]["each"].as_array().map(Vec::len) == Some(2)
        })
    });
    (one, other, database)
}

fn change(server: &Postgres, database: &str) {
    server.psql(database, "update facts set value = 'v2'");
}

#[test]
fn an_instance_cut_off_from_redis_calls_nothing_fresh_that_was_purged_elsewhere() {
    let redis = Redis::with(&Options::default());
    let relay = Relay::to(redis.port());
    let (one, other, database) = two(&redis, &relay, "20s");
    cut(&relay);
    change(postgres(), &database);
    let purge = one.request("POST", "/q/fact/purge", &[("Content-Length", "0")]);
    let purged = Instant::now();
    let json = purge.json();
    assert_eq!(purge.status, 200, "{json}");
    assert_eq!(
        (&json["reach"], &json["confirmed"]),
        (&"fleet".into(), &1.into())
    );
    assert_eq!(json["missing"].as_array().map(Vec::len), Some(1), "{json}");
    let mut was_stale = false;
    until("it is loaded again", || {
        let asked = purged.elapsed();
        let answer = other.get(PATH);
        let status = answer.header("cache-status");
        if value(&answer) == "v2" {
            return true;
        }
        let is_stale = status.contains("detail=stale");
        assert!(
            is_stale || asked <= PROMISE,
            "purged {asked:?} ago: {status}"
        );
        was_stale |= is_stale;
        if is_stale {
            let control = answer.header("cache-control");
            assert!(control.contains("max-age=0"), "{control}");
        }
        false
    });
    assert!(was_stale, "it was served as stale first");
    relay.behave(Manner::Pass);
    until("it is fresh again", || {
        let answer = other.get(PATH);
        assert_eq!(value(&answer), "v2");
        answer.header("cache-status").contains("detail=memory")
    });
}

#[test]
fn who_purges_is_told_which_instances_have_confirmed_it() {
    let redis = Redis::with(&Options::default());
    let relay = Relay::to(redis.port());
    let (one, other, _) = two(&redis, &relay, "1h");
    let post = |path: &str| one.request("POST", path, &[("Content-Length", "0")]).json();
    for (path, confirmed) in [("/q/fact/purge", 2), ("/q/fact/expire?n=1", 2)] {
        let json = post(path);
        assert_eq!(json["confirmed"], confirmed, "{json}");
        assert_eq!(json["missing"], serde_json::json!([]), "{json}");
    }
    let said = || {
        let args = ["purge", "--url", &one.url, "fact"];
        let output = command(&args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let words = said();
    assert!(words.contains("confirmed by 2 instances"), "{words}");
    let stats = other.get("/stats.json").json();
    let name = stats["instance"]["name"].as_str().unwrap().to_owned();
    cut(&relay);
    let json = post("/q/fact/purge");
    assert_eq!(json["confirmed"], 1, "{json}");
    assert_eq!(json["missing"], serde_json::json!([name]), "{json}");
    let words = said();
    assert!(
        words.contains("1 instance") && words.contains(&format!("not by {name}")),
        "{words}"
    );
}
