//! `POST /q/NAME/compare` and the ways under it: what each gives, that nothing stored is changed by
//! it, how it is counted, and who is refused. The command that asks is in `compare_command`.

use serde_json::Value;

use crate::end_to_end::{original, start};
use crate::faults::without_redis;
use crate::purge::{assert_refused, post};
use crate::purge_refusals::guarded;
use crate::servers::{Redis, postgres, wait_until as until};
use crate::unslow::{Answer, Unslow};

/// A deadline that a busy machine cannot miss.
pub(crate) const PATIENT: &str = "timeout = 20s\n";

/// An answer long enough to be told from what is said of it.
pub(crate) const LONG: (&str, &str) = (
    "queries/long.sql",
    "-- ttl: 1h\n-- param: n integer = 1\nselect repeat('secret', 5000) as word, :n as n",
);

const WAYS: [&str; 4] = ["cache", "database", "redis", "memory"];

/// Returns the answer of one run; it must be one.
#[track_caller]
fn run(unslow: &Unslow, way: &str) -> Value {
    let answer = post(unslow, &format!("/q/long/compare/{way}?n=7"));
    assert_eq!(answer.status, 200, "{way}: {}", answer.text());
    let json = answer.json();
    assert_eq!(json["ok"], true);
    assert!(json["microseconds"].as_f64().unwrap() >= 0.0, "{json}");
    json
}

#[track_caller]
fn assert_nothing(answer: &Answer, reason: &str) {
    assert_refused(answer, 409, &[]);
    assert_eq!(answer.json()["reason"], reason, "{}", answer.text());
}

#[test]
fn each_way_answers_alone_and_what_is_stored_stays_as_it_is() {
    let redis = Redis::start();
    let server = postgres();
    let ini = original(server, &server.database(), &redis) + PATIENT;
    let unslow = start(&ini, &[LONG]);
    let way = |way: &str| post(&unslow, &format!("/q/long/compare/{way}?n=7"));

    let facts = post(&unslow, "/q/long/compare?n=7").json();
    assert_eq!(
        (&facts["database"], &facts["cached"]),
        (&"postgres".into(), &true.into())
    );
    assert_eq!(facts["loads_at_once"], 2);

    // Cold: the database answers, and nothing is stored of it.
    assert_nothing(&way("memory"), "absent");
    assert_nothing(&way("redis"), "absent");
    assert_eq!(run(&unslow, "database")["loaded"], true);
    assert_nothing(&way("memory"), "absent");
    assert!(redis.entries().is_empty());

    // There is a copy now, as after any request.
    let filled = run(&unslow, "cache");
    assert_eq!(
        (&filled["loaded"], &filled["stored"]),
        (&true.into(), &true.into())
    );
    until("it is in Redis", || redis.entries().len() == 1);
    let name = redis.entries().remove(0);
    let stored = redis.value(&name);
    for way in WAYS {
        for _ in 0..3 {
            assert_eq!(run(&unslow, way)["loaded"], way == "database", "{way}");
        }
    }
    assert!(redis.value(&name) == stored, "it was not replaced");

    // Redis is asked past memory, and what it gives is not kept there.
    let left = redis.ask(&["PTTL", &name]);
    redis.ask(&["DEL", &name]);
    assert_nothing(&way("redis"), "absent");
    assert_eq!(run(&unslow, "memory")["loaded"], false);
    redis.put(&name, &stored, left.trim().trim_start_matches(':'));
    let other = start(&ini, &[LONG]);
    run(&other, "redis");
    assert_nothing(&post(&other, "/q/long/compare/memory?n=7"), "absent");
    // A copy that Redis has is used, not loaded.
    assert_eq!(run(&other, "cache")["loaded"], false);
    run(&other, "memory");
    assert_eq!(other.numbers("long")["loads"], 0);

    let numbers = unslow.numbers("long");
    let counted = |name: &str| numbers[name].as_u64().unwrap();
    assert_eq!((counted("loads"), counted("miss")), (5, 1));
    assert_eq!((counted("bypass"), counted("requests")), (14, 15));
    assert_eq!((counted("error"), counted("hit_memory")), (0, 0));
    assert_eq!(numbers["hit_ratio"], 0.0);
    assert_eq!(numbers["time_saved_seconds"], 0.0);
    assert_eq!(counted("served_bytes"), 0);
}

#[test]
fn a_run_has_the_length_of_the_answer_and_holds_nothing_of_it() {
    let server = postgres();
    let unslow = start(&without_redis(server, &server.database(), ""), &[LONG]);
    let whole = unslow.get("/q/long.json?n=7").body;
    for way in ["cache", "database", "memory"] {
        let path = format!("/q/long/compare/{way}?n=7");
        let answer = unslow.request("POST", &path, &[("Accept-Encoding", "gzip, br, zstd")]);
        assert_eq!(answer.body.len(), whole.len(), "{way}");
        assert_eq!(answer.json()["bytes"], whole.len());
        assert!(!answer.text().contains("secret"));
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(!answer.headers.contains_key("content-encoding"));
    }
}

#[test]
fn what_is_not_there_and_what_fails_is_told_apart() {
    let mut redis = Redis::start();
    let server = postgres();
    let ini = original(server, &server.database(), &redis) + "[cache]\nmemory = 0\n";
    let fails = (
        "queries/fails.sql",
        "select 1 / (n - n) as x from (select 1 as n) t",
    );
    let off = ("queries/off.sql", "-- cache: off\nselect 1 as x");
    let unslow = start(&ini, &[LONG, fails, off]);
    let way = |query: &str, way: &str| post(&unslow, &format!("/q/{query}/compare/{way}"));
    assert_nothing(&way("long", "memory"), "off");
    redis.kill();
    assert_nothing(&way("long", "redis"), "down");
    for kind in ["cache", "redis", "memory"] {
        assert_nothing(&way("off", kind), "off");
    }
    assert_eq!(way("off", "database").status, 200);
    assert_eq!(post(&unslow, "/q/off/compare").json()["cached"], false);
    for kind in ["cache", "database"] {
        let answer = way("fails", kind);
        assert_refused(&answer, 503, &["technical difficulties"]);
        assert_eq!(answer.json()["class"], "failed");
        assert!(!answer.text().contains("zero"));
    }
}

#[test]
fn who_may_not_compare_learns_nothing_and_has_nothing_run() {
    let unslow = guarded();
    let mut paths = vec!["/q/dice/compare?sides=6".to_owned()];
    paths.extend(WAYS.map(|way| format!("/q/dice/compare/{way}?sides=6")));
    for path in &paths {
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            let answer = unslow.request(method, path, &[]);
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), "POST, OPTIONS");
        }
        for strange in [
            ("Origin", "http://evil.example"),
            ("Sec-Fetch-Site", "cross-site"),
        ] {
            let answer = unslow.request("POST", path, &[strange]);
            assert_refused(&answer, 403, &["another site"]);
        }
        for stranger in [("X-Real-IP", "192.0.2.1"), ("X-Forwarded-For", "192.0.2.1")] {
            let answer = unslow.request("POST", path, &[stranger]);
            assert_refused(&answer, 401, &["[admin] token_file"]);
            let unknown = path.replace("dice", "dcie");
            let answer = unslow.request("POST", &unknown, &[stranger]);
            assert_refused(&answer, 401, &["[admin] token_file"]);
            assert!(!answer.text().contains("dice"));
        }
    }
    assert_eq!(unslow.numbers("dice")["requests"], 0);
    assert_eq!(unslow.numbers("dice")["loads"], 0);

    for path in &paths {
        let unknown = post(&unslow, &path.replace("dice", "dcie"));
        assert_refused(&unknown, 404, &["dcie", "dice", "version"]);
        let names = unknown.json()["queries"].clone();
        assert!(
            names.as_array().unwrap().contains(&"dice".into()),
            "{names}"
        );
        let wrong = post(&unslow, &path.replace("sides=6", "sides=six"));
        assert_refused(&wrong, 400, &["sides", "whole number"]);
        let missing = post(&unslow, path.split('?').next().unwrap());
        assert_refused(&missing, 400, &["sides", "missing"]);
    }
    assert_eq!(unslow.numbers("dice")["loads"], 0);
    let token = ("Authorization", "Bearer s3cret");
    let far = [("X-Forwarded-For", "192.0.2.1"), token];
    let answer = unslow.request("POST", "/q/dice/compare/database?sides=6", &far);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(post(&unslow, "/q/dice/compare/lightning").status, 404);
}
