//! Values of others under our names in Redis, seen from the real binary without a memory tier: no
//! client gets an error or another key's body, it is counted and overwritten, nothing is blocked
//! for good, and memory stays flat. no client gets an error or another key's body, it is counted
//! and overwritten, nothing is blocked for good, and memory stays flat. What one cache makes of
//! each is in `cache_redis`.

use crate::crowds::resident;
use crate::end_to_end::{original, start};
use crate::fleet_support::{counted, post};
use crate::servers::{Redis, postgres, wait_until as until};
use crate::unslow::Unslow;

/// The memory that may be held after something that should leave no trace.
const FLAT: u64 = 24 << 20;

/// Slow enough to be worth a lease, as the statement of a query file.
const WORTH_A_LEASE: &str = "pg_sleep(0.25)";
const QUICK: &str = "pg_sleep(0)";

fn on(redis: &Redis, load: &str) -> Unslow {
    let database = postgres().database();
    let ini = original(postgres(), &database, redis);
    let ini = format!("{ini}timeout = 20s\n[cache]\nmemory = 0\n");
    let query = format!(
        "-- param: n integer\n-- ttl: 1h\n\
         select :n as n, repeat('x', 2000) as filler, {load}::text as slept"
    );
    start(&ini, &[("queries/slow.sql", &query)])
}

/// Asks for a key: the answer is right whatever stands in Redis. Gives its `Cache-Status`.
#[track_caller]
fn ask(unslow: &Unslow, n: u32, what: &str) -> String {
    let answer = unslow.get(&format!("/q/slow.json?n={n}"));
    assert_eq!(answer.status, 200, "{what}: {}", answer.text());
    assert_eq!(answer.json()["rows"][0]["n"], n, "{what}");
    answer.header("cache-status").to_owned()
}

/// Waits until the key is served from Redis.
fn until_stored(unslow: &Unslow, n: u32, what: &str) {
    until(
        &format!("it is served from Redis again after {what}"),
        || ask(unslow, n, what).ends_with("detail=redis"),
    );
}

/// The name of the only entry there is.
fn entry(redis: &Redis) -> String {
    let names = redis.ask(&["KEYS", "unslow:v2:*:{slow}:*"]);
    let digest = |name: &&str| {
        let last = name.rsplit(':').next().unwrap_or_default();
        last.len() == 32 && last.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let mut entries = names.lines().filter(digest);
    let name = entries.next().expect("an entry").to_owned();
    assert_eq!(entries.next(), None);
    name
}

/// The name of the generations of an entry's query.
fn counter(entry: &str) -> String {
    let (family, _) = entry.rsplit_once(':').expect("a name in parts");
    format!("{family}:gen")
}

fn rejected(unslow: &Unslow, reason: &str) -> u64 {
    counted(unslow, &format!("/redis/rejected/{reason}"))
}

#[test]
fn envelopes_that_are_not_ours_are_counted_and_overwritten_with_memory_flat() {
    let redis = Redis::start();
    let unslow = on(&redis, QUICK);
    until_stored(&unslow, 1, "nothing");
    let name = entry(&redis);
    let good = redis.value(&name);
    redis.ask(&["DEL", &name]);
    until_stored(&unslow, 2, "nothing");
    let another = redis.value(&entry(&redis));
    redis.put(&name, &good, "3600000");

    let mut next_version = good.clone();
    next_version[0] += 1;
    let mut old_version = good.clone();
    old_version[0] -= 1;
    let cases: [(&str, &[u8], &str); 5] = [
        ("half of it", &good[..good.len() / 2], "damaged"),
        ("nothing", b"", "damaged"),
        ("another key's", &another, "other_key"),
        ("the next version's", &next_version, "version"),
        ("the last version's", &old_version, "version"),
    ];
    for (what, value, reason) in cases {
        let before = rejected(&unslow, reason);
        redis.put(&name, value, "3600000");
        assert!(ask(&unslow, 1, what).contains("fwd=uri-miss"), "{what}");
        assert!(rejected(&unslow, reason) > before, "{what}");
        until_stored(&unslow, 1, what);
    }
    let before = (resident(&unslow), rejected(&unslow, "too_large"));
    redis.ask(&["SETRANGE", &name, "200000000", "x"]);
    ask(&unslow, 1, "200 MB");
    until_stored(&unslow, 1, "200 MB");
    assert!(rejected(&unslow, "too_large") > before.1);
    assert!(resident(&unslow) < before.0 + FLAT);
}

#[test]
fn no_flipped_bit_of_an_envelope_gives_another_body() {
    let redis = Redis::start();
    let unslow = on(&redis, QUICK);
    until_stored(&unslow, 1, "nothing");
    let name = entry(&redis);
    let good = redis.value(&name);
    let body = unslow.get("/q/slow.json?n=1").body;
    // Each part of it: numbers at the front, digest, lengths, parameters, body, checksum.
    for at in (0..good.len()).step_by(1 + good.len() / 24) {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 8);
        redis.put(&name, &flipped, "3600000");
        let answer = unslow.get("/q/slow.json?n=1");
        assert_eq!((answer.status, &answer.body), (200, &body), "byte {at}");
        // The test restores it, as if the miss had not overwritten it.
        redis.put(&name, &good, "3600000");
    }
    until_stored(&unslow, 1, "flipped bits");
}

/// Puts a foreign value somewhere.
type Foreign<'a> = (&'a str, Vec<&'a str>);

fn texts(name: &str) -> Vec<Foreign<'_>> {
    let texts = [
        ("garbage", "garbage \u{1}\r\n"),
        ("nothing", ""),
        ("small numbers", "1 1"),
        (
            "numbers no clock gives",
            "9007199254740991 9007199254740991",
        ),
        ("numbers of the future", "4000000000000000 4000000000000000"),
        ("generations from long ago", "1 1 0 1"),
        (
            "generations no clock gives",
            "9007199254740991 9007199254740991 0 9007199254740991",
        ),
        (
            "generations of the future",
            "4000000000000000 4000000000000000 0 4000000000000000",
        ),
        (
            "numbers too large",
            "99999999999999999999 99999999999999999999 0 1",
        ),
    ];
    let others = [
        ("a list", vec!["RPUSH", name, "a", "list"]),
        ("a hash", vec!["HSET", name, "a", "hash"]),
        ("20 MB", vec!["SETRANGE", name, "20000000", "x"]),
    ];
    let texts = texts.map(|(what, text)| (what, vec!["SET", name, text]));
    texts.into_iter().chain(others).collect()
}

/// Puts each foreign value under `name`; the key is then answered, loaded where need be, and
/// stored. None of them expires by itself.
fn check_foreign(unslow: &Unslow, redis: &Redis, name: &str, entry: &str) {
    for (what, words) in texts(name) {
        let what = format!("{what} under {name}");
        redis.ask(&["DEL", name, entry]);
        let done = redis.ask(&words);
        assert!(!done.starts_with('-'), "{what}: {done}");
        ask(unslow, 1, &what);
        until_stored(unslow, 1, &what);
        redis.ask(&["DEL", name]);
        redis.ask(&words);
        until_stored(unslow, 1, &what);
        redis.ask(&["DEL", name]);
    }
    assert_eq!(unslow.numbers("slow")["error"], 0);
}

#[test]
fn foreign_values_for_the_generations_block_nothing() {
    let redis = Redis::start();
    let unslow = on(&redis, QUICK);
    until_stored(&unslow, 1, "nothing");
    let before = resident(&unslow);
    let entry = entry(&redis);
    check_foreign(&unslow, &redis, &counter(&entry), &entry);
    assert!(resident(&unslow) < before + FLAT);
}

#[test]
fn foreign_values_beside_an_entry_block_nothing() {
    let redis = Redis::start();
    let unslow = on(&redis, WORTH_A_LEASE);
    until_stored(&unslow, 1, "nothing");
    let entry = entry(&redis);
    let before = resident(&unslow);
    for part in ["l", "n", "t"] {
        check_foreign(&unslow, &redis, &format!("{entry}:{part}"), &entry);
    }
    assert!(resident(&unslow) < before + FLAT);
}

#[test]
fn a_lease_or_a_note_of_nobody_that_never_ends_is_passed_over() {
    let redis = Redis::start();
    let unslow = on(&redis, WORTH_A_LEASE);
    until_stored(&unslow, 1, "nothing");
    let entry = entry(&redis);
    let generations = String::from_utf8(redis.value(&counter(&entry))).unwrap();
    let hard = generations.split(' ').next().unwrap();
    for (part, text) in [
        ("l", format!("{hard} nobody")),
        ("n", format!("{hard} 4000000000000000 1 failed 42601")),
        ("n", format!("{hard} 4000000000000000 1 large")),
        ("n", format!("{hard} 4000000000000000 what")),
    ] {
        redis.ask(&["DEL", &entry]);
        redis.ask(&["SET", &format!("{entry}:{part}"), &text]);
        ask(&unslow, 1, &text);
        until_stored(&unslow, 1, &text);
    }
}

#[test]
fn a_purge_works_whatever_stands_where_it_writes() {
    let redis = Redis::start();
    let unslow = on(&redis, QUICK);
    until_stored(&unslow, 1, "nothing");
    let entry = entry(&redis);
    for name in [counter(&entry), format!("{entry}:t"), format!("{entry}:n")] {
        for (what, words) in texts(&name) {
            let what = format!("{what} under {name}");
            for path in ["/q/slow/purge", "/q/slow/purge?n=1"] {
                redis.ask(&["DEL", &name]);
                redis.ask(&words);
                let loads = unslow.numbers("slow")["loads"].as_u64();
                post(&unslow, path);
                ask(&unslow, 1, &what);
                assert!(unslow.numbers("slow")["loads"].as_u64() > loads, "{what}");
                until_stored(&unslow, 1, &what);
            }
        }
    }
}
