//! Purge, expire and refresh: what the requests after it see, here and on another instance, while
//! loads run and while Redis is away. Who is refused is in `purge_refusals`.

use std::io::Write;

use crate::crowds::reset;
use crate::end_to_end::{original, start};
use crate::servers::{Postgres, Redis, postgres, wait_until as until};
use crate::unslow::{Answer, Unslow};

/// A query whose answer can be changed behind the cache's back; nothing of it expires by itself.
const NOW: (&str, &str) = (
    "queries/now.sql",
    "-- param: n integer = 1\n-- ttl: 1h\nselect v, :n as n from t",
);

/// A database whose table says 1.
fn table(server: &Postgres) -> String {
    let database = server.database();
    server.psql(
        &database,
        "create table t (v integer); grant all on t to public; insert into t values (1)",
    );
    database
}

fn set(server: &Postgres, database: &str, v: u32) {
    server.psql(database, &format!("update t set v = {v}"));
}

/// Returns the answer of the query, and where it came from.
fn ask(unslow: &Unslow, path: &str) -> (u64, String) {
    let answer = unslow.get(path);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let v = answer.json()["rows"][0]["v"].as_u64().unwrap();
    (v, answer.header("cache-status").to_owned())
}

pub(crate) fn post(unslow: &Unslow, path: &str) -> Answer {
    unslow.request("POST", path, &[])
}

/// It was done, and says so.
#[track_caller]
pub(crate) fn assert_done(answer: &Answer, action: &str, scope: &str) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    let json = answer.json();
    assert_eq!(json["ok"], true);
    assert_eq!(
        (&json["action"], &json["scope"]),
        (&action.into(), &scope.into())
    );
    if action != "refresh" {
        assert_eq!(json["reach"], "fleet", "{json}");
    }
}

#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, status: u16, words: &[&str]) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    let json = answer.json();
    assert_eq!(json["ok"], false);
    let message = json["error"].as_str().unwrap();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
}

#[test]
fn what_is_purged_expired_or_refreshed_shows_in_the_requests_after_it_on_every_instance() {
    let (server, redis) = (postgres(), Redis::start());
    let database = table(server);
    let ini = original(server, &database, &redis);
    let (one, other) = (start(&ini, &[NOW]), start(&ini, &[NOW]));
    let [first, second] = ["/q/now.json?n=1", "/q/now.json?n=2"];
    for path in [first, second] {
        assert_eq!(ask(&one, path).0, 1);
    }
    until("both are in Redis", || redis.entries().len() == 2);
    for path in [first, second] {
        assert!(ask(&other, path).1.ends_with("detail=redis"));
    }

    // One entry: it alone is gone.
    set(server, &database, 2);
    assert_done(&post(&one, "/q/now/purge?n=1"), "purge", "entry");
    assert_eq!(
        ask(&one, first),
        (2, "unslow; fwd=uri-miss; stored".to_owned())
    );
    let (v, status) = ask(&one, second);
    assert!(v == 1 && status.contains("; hit;"), "{v} {status}");
    until("the other instance follows", || ask(&other, first).0 == 2);
    assert_eq!(ask(&other, second).0, 1);

    // Made stale: served once more, while a new one is loaded.
    set(server, &database, 3);
    assert_done(&post(&one, "/q/now/expire?n=1"), "expire", "entry");
    let (v, status) = ask(&one, first);
    assert!(v == 2 && status.ends_with("detail=stale"), "{v} {status}");
    until("it is loaded behind", || ask(&one, first).0 == 3);
    until("the other instance follows", || ask(&other, first).0 == 3);
    assert_eq!(ask(&one, second).0, 1, "the other entry is as it was");

    // Loaded again: there before the answer is.
    until("nobody loads", || {
        let in_flight = |unslow: &Unslow| unslow.numbers("now")["loads_in_flight"] == 0;
        in_flight(&one) && in_flight(&other)
    });
    set(server, &database, 4);
    let loads = one.numbers("now")["loads"].as_u64().unwrap();
    assert_done(&post(&one, "/q/now/refresh"), "refresh", "entry");
    assert_eq!(one.numbers("now")["loads"], loads + 1);
    let (v, status) = ask(&one, first);
    assert!(v == 4 && status.contains("; hit;"), "{v} {status}");
    until("the other instance follows", || ask(&other, first).0 == 4);
    assert_eq!(ask(&one, second).0, 1, "it was not the default entry");

    // All of the query.
    assert_done(&post(&other, "/q/now/expire"), "expire", "query");
    set(server, &database, 5);
    assert_done(&post(&other, "/q/now/purge"), "purge", "query");
    for path in [first, second] {
        assert_eq!(ask(&other, path).0, 5);
        until("the other instance follows", || ask(&one, path).0 == 5);
    }
    // It is so for an entry that is not there, too.
    assert_done(&post(&one, "/q/now/purge?n=99"), "purge", "entry");

    let counted = |unslow: &Unslow| {
        let all = unslow.get("/stats.json").json();
        let fleet = &all["fleet"];
        (fleet["purges"].as_u64(), fleet["expires"].as_u64())
    };
    assert_eq!(counted(&one), (Some(2), Some(1)));
    assert_eq!(counted(&other), (Some(1), Some(1)));
}

#[test]
fn a_purge_while_redis_hangs_holds_here_and_is_applied_there_when_it_is_back() {
    let (server, redis) = (postgres(), Redis::start());
    let database = table(server);
    let ini = original(server, &database, &redis);
    let one = start(&ini, &[NOW]);
    let path = "/q/now.json?n=1";
    assert_eq!(ask(&one, path).0, 1);
    until("it is in Redis", || redis.entries().len() == 1);

    set(server, &database, 2);
    redis.stop();
    for (action, word) in [("expire", "expired"), ("purge", "purged")] {
        let answer = post(&one, &format!("/q/now/{action}"));
        let words = "on this instance only; it will be applied in Redis when that is back";
        assert_refused(&answer, 503, &[word, words]);
        assert!(answer.headers.contains_key("retry-after"));
        let json = answer.json();
        assert_eq!(json["reach"], "instance");
        assert_eq!(
            (&json["query"], &json["action"]),
            (&"now".into(), &action.into())
        );
    }
    assert_eq!(ask(&one, path).0, 2);
    redis.cont();
    until("it is applied", || {
        one.log()
            .contains("a purge that waited for Redis is applied")
    });
    // An instance knows nothing of it but what Redis says.
    let other = start(&ini, &[NOW]);
    until("Redis hands out nothing old", || ask(&other, path).0 == 2);
    assert_eq!(ask(&one, path).0, 2);
}

#[test]
fn a_load_that_began_before_a_purge_brings_nothing_back() {
    let (server, redis) = (postgres(), Redis::start());
    let database = table(server);
    let slow = (
        "queries/slow.sql",
        "-- ttl: 1h\nselect v, pg_sleep(1)::text as slept from t",
    );
    let ini = original(server, &database, &redis);
    let (one, other) = (start(&ini, &[slow]), start(&ini, &[slow]));
    let path = "/q/slow.json";
    let sleeping = "select count(*) from pg_stat_activity where datname = current_database() \
                    and wait_event = 'PgSleep'";
    for (v, action) in [(1, "purge"), (3, "refresh"), (5, "expire")] {
        set(server, &database, v);
        assert_done(&post(&one, "/q/slow/purge"), "purge", "query");
        std::thread::scope(|scope| {
            let before = scope.spawn(|| ask(&one, path).0);
            until("the load runs", || {
                one.numbers("slow")["loads_in_flight"] == 1
                    && server.psql(&database, sleeping) == "1"
            });
            set(server, &database, v + 1);
            let done = post(&one, &format!("/q/slow/{action}"));
            assert_eq!(done.status, 200, "{}", done.text());
            // A copy that is only made stale may be had once more.
            if action != "expire" {
                assert_eq!(ask(&one, path).0, u64::from(v) + 1, "{action}");
            }
            // It was asked for before; which one it gets is left open.
            assert!(before.join().unwrap() >= u64::from(v));
        });
        for unslow in [&one, &other] {
            until("the new one is there", || {
                ask(unslow, path).0 == u64::from(v) + 1
            });
        }
        until("all loads have ended", || {
            one.numbers("slow")["loads_in_flight"] == 0
        });
        for unslow in [&one, &other] {
            assert_eq!(ask(unslow, path).0, u64::from(v) + 1, "{action}");
        }
    }
}

#[test]
fn a_client_that_leaves_does_not_stop_a_purge_half_way() {
    let (server, redis) = (postgres(), Redis::start());
    let database = table(server);
    let ini = original(server, &database, &redis) + "timeout = 1s\n";
    let unslow = start(&ini, &[NOW]);
    let path = "/q/now.json?n=1";
    assert_eq!(ask(&unslow, path).0, 1);
    set(server, &database, 2);
    // It waits for Redis, and its client does not.
    redis.stop();
    let mut stream = unslow.connect();
    let request = "POST /q/now/purge HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    until("it has begun", || {
        unslow.get("/stats.json").json()["fleet"]["purges"] == 1
    });
    reset(stream);
    until("it has come to its end", || ask(&unslow, path).0 == 2);
}
