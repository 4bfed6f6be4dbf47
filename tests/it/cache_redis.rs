//! The Redis tier against a real server: what one instance stores another reads, whatever stands
//! under our names is at worst a miss, and a Redis that is away costs its deadline, then nothing.

#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "tests")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::runtime::Handle;
use unslow::cache::{
    BreakerState, Cache, Clock, Key, KeyBase, Loaded, Lookup, Policy, Reply, probe,
};
use unslow::error::RequestError;
use unslow::outcome::{Outcome, StaleReason, Tier};
use unslow::settings::{self, Secret};
use unslow::stats::{RedisSnapshot, Stats};

/// A server of its own for one test, killed when dropped.
struct Redis {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Redis {
    fn start() -> Redis {
        Redis::on(free_port())
    }

    fn on(port: u16) -> Redis {
        Redis::with(port, &[])
    }

    fn with(port: u16, more: &[String]) -> Redis {
        let dir = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(dir.path())
            .args(more)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let redis = Redis {
            child,
            port,
            _dir: dir,
        };
        until("redis-server to answer", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok() && redis.ask(&["PING"]).contains("PONG")
        });
        redis
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Sends one command and gives the raw reply.
    fn ask(&self, words: &[&str]) -> String {
        let words: Vec<_> = words.iter().map(|word| word.as_bytes()).collect();
        String::from_utf8_lossy(&self.raw(&words)).into_owned()
    }

    fn raw(&self, words: &[&[u8]]) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        for command in [words, &[b"QUIT"]] {
            write!(stream, "*{}\r\n", command.len()).unwrap();
            for word in command {
                write!(stream, "${}\r\n", word.len()).unwrap();
                stream.write_all(word).unwrap();
                stream.write_all(b"\r\n").unwrap();
            }
        }
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        reply.truncate(reply.len().saturating_sub(b"+OK\r\n".len()));
        reply
    }

    /// The stored bytes; empty when there are none.
    fn value(&self, key: &Key) -> Vec<u8> {
        let reply = self.raw(&[b"GET", key.redis_name().as_bytes()]);
        let start = reply
            .iter()
            .position(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        match reply.first() {
            Some(b'$') if !reply.starts_with(b"$-1") => reply[start..reply.len() - 2].to_vec(),
            _ => Vec::new(),
        }
    }

    /// A number from `INFO stats`.
    fn stat(&self, name: &str) -> u64 {
        let info = self.ask(&["INFO", "stats"]);
        let value = info
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap().parse().unwrap()
    }

    /// Connections it has taken, without those of this question and of `asked` others.
    fn connections(&self, asked: u64) -> u64 {
        self.stat("total_connections_received") - asked - 1
    }

    /// Connections it has now, the asking one included.
    fn clients(&self) -> usize {
        self.ask(&["CLIENT", "LIST"]).matches("laddr=").count()
    }

    fn put(&self, key: &Key, value: &[u8], milliseconds: &str) {
        let name = key.redis_name();
        let words: [&[u8]; 5] = [
            b"SET",
            name.as_bytes(),
            value,
            b"PX",
            milliseconds.as_bytes(),
        ];
        assert_eq!(self.raw(&words), b"+OK\r\n");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Arguments that make a server speak TLS with a certificate for localhost, and the file of the
/// authority that signed it.
fn tls(dir: &std::path::Path, port: u16) -> (Vec<String>, std::path::PathBuf) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, secret) = (dir.join("cert.pem"), dir.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&secret, made.signing_key.serialize_pem()).unwrap();
    let mut words = vec!["--tls-port".to_owned(), port.to_string()];
    for (name, file) in [("cert", &cert), ("ca-cert", &cert), ("key", &secret)] {
        words.push(format!("--tls-{name}-file"));
        words.push(file.display().to_string());
    }
    words.extend(["--tls-auth-clients", "no"].map(str::to_owned));
    (words, cert)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

const LIMIT: Duration = Duration::from_secs(30);

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < limit, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

/// Of which part of 20 s jitter leaves at least 18.
const POLICY: Policy = Policy {
    ttl: Duration::from_secs(20),
    stale_while_revalidate: Duration::from_secs(30),
    stale_if_error: Duration::from_secs(100),
};
const MAX_ENTRY: u64 = 100_000;

/// One process's cache.
struct Instance {
    cache: Cache,
    clock: Clock,
    stats: Arc<Stats>,
    loads: Arc<AtomicUsize>,
}

impl Instance {
    fn of(redis: &Redis) -> Instance {
        Instance::with(settings(redis.url()), 1 << 20)
    }

    fn with(redis: settings::Redis, memory: u64) -> Instance {
        let (clock, stats) = (Clock::by_hand(), Arc::new(Stats::new(["q"].into_iter())));
        let cache = settings::Cache {
            ttl: POLICY.ttl,
            stale_while_revalidate: POLICY.stale_while_revalidate,
            stale_if_error: POLICY.stale_if_error,
            memory,
            max_entry: MAX_ENTRY,
        };
        let (engine, counted) = (Handle::current(), Arc::clone(&stats));
        let cache = Cache::with_clock(&cache, Some(&redis), engine, counted, clock.clone());
        Instance {
            cache: cache.unwrap(),
            clock,
            stats,
            loads: Arc::default(),
        }
    }

    async fn get(&self, key: &Key, body: &str) -> Reply {
        let (loads, body) = (Arc::clone(&self.loads), body.to_owned());
        self.look_up(key, move || {
            loads.fetch_add(1, Ordering::SeqCst);
            async move { Ok(loaded(body)) }
        })
        .await
        .unwrap()
    }

    async fn look_up<F, Fut>(&self, key: &Key, load: F) -> Result<Reply, RequestError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded, RequestError>> + Send + 'static,
    {
        let lookup = Lookup {
            key,
            policy: POLICY,
            patience: LIMIT,
            stats: self.stats.query(0),
        };
        self.cache.get_or_load(lookup, load).await
    }

    fn redis(&self) -> RedisSnapshot {
        self.stats.snapshot().redis.unwrap()
    }

    fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    async fn until(&self, what: &str, mut holds: impl FnMut(&RedisSnapshot) -> bool) {
        let limit = Instant::now() + LIMIT;
        while !holds(&self.redis()) {
            assert!(
                Instant::now() < limit,
                "waited in vain for {what}: {:?}",
                self.redis()
            );
            tokio::task::yield_now().await;
        }
    }

    /// Loads `body` for `key` and waits until Redis has it.
    async fn store(&self, key: &Key, body: &str) {
        let before = self.redis().writes;
        assert_eq!(self.get(key, body).await.outcome, Outcome::Miss);
        self.until("the write", |redis| redis.writes > before).await;
    }
}

fn settings(url: String) -> settings::Redis {
    settings::Redis {
        url: Secret::new(url),
        password: None,
        ca_file: None,
        namespace: "test".to_owned(),
        // What a busy machine cannot miss; tests of the deadline set a short one.
        timeout: LIMIT,
    }
}

/// Settings with a deadline that is meant to be missed.
fn hasty(url: String) -> settings::Redis {
    settings::Redis {
        timeout: Duration::from_millis(500),
        ..settings(url)
    }
}

fn loaded(body: String) -> Loaded {
    Loaded {
        body: body.into(),
        head: Bytes::from_static(b"head"),
        rows: 3,
    }
}

fn key(parameters: &str) -> Key {
    KeyBase::new("test", "q", "select 1", "db").key(parameters.as_bytes().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_instance_stores_another_reads_and_copies_to_memory() {
    let redis = Redis::start();
    let (one, two) = (Instance::of(&redis), Instance::of(&redis));
    let body = "rows ".repeat(1000);
    one.store(&key("p"), &body).await;
    let reply = two.get(&key("p"), "other").await;
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Redis));
    assert_eq!(reply.entry.body, body);
    assert_eq!((&reply.entry.head[..], reply.entry.rows), (&b"head"[..], 3));
    let own = one.get(&key("p"), "other").await;
    assert_eq!(
        (own.ttl, &own.entry.etag),
        (reply.ttl, &reply.entry.etag),
        "the same on every instance"
    );
    let again = two.get(&key("p"), "other").await;
    assert_eq!(again.outcome, Outcome::Hit(Tier::Memory));
    assert_eq!((one.loads(), two.loads()), (1, 0));
    assert!(redis.value(&key("p")).len() < 500, "compressed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_age_comes_from_redis_and_a_stale_copy_is_refreshed_behind() {
    let redis = Redis::start();
    let (one, two) = (Instance::of(&redis), Instance::of(&redis));
    one.store(&key("p"), "old").await;
    // As if 25 s had gone by: the rest of 120 s is 95 s.
    let name = key("p").redis_name();
    redis.ask(&["PEXPIRE", &name, "95000"]);
    let reply = two.get(&key("p"), "new").await;
    assert_eq!(reply.outcome, Outcome::Stale(StaleReason::Revalidating));
    assert_eq!(reply.entry.body, "old");
    assert!(reply.age >= Duration::from_secs(25) && reply.age < Duration::from_mins(1));
    two.until("the refresh", |redis| redis.writes == 1).await;
    let reply = two.get(&key("p"), "newer").await;
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Memory));
    assert_eq!((reply.entry.body.as_ref(), two.loads()), (&b"new"[..], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_takes_what_another_instance_has_stored_meanwhile() {
    let redis = Redis::start();
    let (one, two) = (Instance::of(&redis), Instance::of(&redis));
    one.store(&key("p"), "old").await;
    two.get(&key("p"), "").await;
    for instance in [&one, &two] {
        instance.clock.advance(POLICY.ttl);
    }
    redis.ask(&["DEL", &key("p").redis_name()]);
    let stale = one.get(&key("p"), "new").await;
    assert_eq!(stale.entry.body, "old");
    one.until("the refresh", |redis| redis.writes == 2).await;
    let stale = two.get(&key("p"), "newer").await;
    assert_eq!(stale.entry.body, "old");
    let limit = Instant::now() + LIMIT;
    while two.get(&key("p"), "newer").await.entry.body != "new" {
        assert!(Instant::now() < limit, "the refresh did not take it");
        tokio::task::yield_now().await;
    }
    assert_eq!((one.loads(), two.loads()), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_memory_tier_redis_serves_and_a_crowd_is_one_load() {
    let redis = Redis::start();
    let one = Arc::new(Instance::with(settings(redis.url()), 0));
    let crowd = (0..200).map(|_| {
        let one = Arc::clone(&one);
        tokio::spawn(async move { one.get(&key("p"), "rows").await })
    });
    for reply in futures_util::future::join_all(crowd).await {
        assert_eq!(reply.unwrap().entry.body, "rows");
    }
    assert_eq!(one.loads(), 1);
    one.until("the write", |redis| redis.writes == 1).await;
    let reply = one.get(&key("p"), "other").await;
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Redis));
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_values_are_misses_with_a_reason_and_overwritten() {
    let redis = Redis::start();
    let writer = Instance::of(&redis);
    writer.store(&key("p"), &"rows ".repeat(1000)).await;
    writer.store(&key("other"), "other").await;
    let good = redis.value(&key("p"));
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let mut next_version = good.clone();
    next_version[0] += 1;
    let cases: [(&str, &[u8], &str); 6] = [
        ("cut", &good[..good.len() - 1], "damaged"),
        ("empty", b"", "damaged"),
        ("flipped", &flipped, "damaged"),
        ("another key's", &redis.value(&key("other")), "other_key"),
        ("next version", &next_version, "version"),
        ("text", b"\x01hello", "damaged"),
    ];
    for (what, value, reason) in cases {
        redis.put(&key("p"), value, "120000");
        check_overwritten(&redis, what, reason, &good).await;
    }
    redis.put(&key("p"), &good, "99000000");
    check_overwritten(&redis, "later expiry", "expiry", &good).await;
    redis.put(&key("p"), &good, "120000");
    redis.ask(&["PERSIST", &key("p").redis_name()]);
    check_overwritten(&redis, "no expiry", "expiry", &good).await;
    redis.ask(&["DEL", &key("p").redis_name()]);
    redis.ask(&["RPUSH", &key("p").redis_name(), "a", "list"]);
    check_overwritten(&redis, "a list", "wrong_type", &good).await;
}

/// A fresh instance loads anew, counts why, and leaves an envelope that another can read.
async fn check_overwritten(redis: &Redis, what: &str, reason: &str, good: &[u8]) {
    let instance = Instance::of(redis);
    instance.store(&key("p"), "anew").await;
    let seen = instance.redis();
    assert_eq!(seen.rejected[reason], 1, "{what}: {seen:?}");
    assert_eq!(seen.rejected.values().sum::<u64>(), 1, "{what}");
    assert_eq!(seen.errors.values().sum::<u64>(), 0, "{what}");
    assert_ne!(redis.value(&key("p")), good, "{what}");
    let reply = Instance::of(redis).get(&key("p"), "other").await;
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Redis), "{what}");
    assert_eq!(reply.entry.body, "anew", "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_foreign_value_is_not_fetched() {
    let redis = Redis::start();
    let name = key("p").redis_name();
    redis.ask(&["SETRANGE", &name, "200000000", "x"]);
    redis.ask(&["PEXPIRE", &name, "120000"]);
    let sent = || redis.stat("total_net_output_bytes");
    let before = sent();
    check_overwritten(&redis, "200 MB", "too_large", b"").await;
    assert!(sent() - before < 4 * MAX_ENTRY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_stops_costs_its_deadline_until_the_breaker_opens_and_then_nothing() {
    let redis = Redis::start();
    let one = Instance::with(hasty(redis.url()), 1 << 20);
    one.store(&key("p"), "rows").await;
    redis.pause();
    // Memory is not delayed, …
    let reply = one.get(&key("p"), "").await;
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Memory));
    // … other keys come from the database, …
    let mut asked = 0;
    while one.redis().breaker != "open" {
        asked += 1;
        let reply = one.get(&key(&asked.to_string()), "rows").await;
        assert_eq!(reply.outcome, Outcome::Miss);
        assert!(asked <= 3, "{:?}", one.redis());
    }
    let failed = one.redis().errors.values().sum::<u64>();
    // … and once it is open, Redis is not even asked.
    for number in 100..200 {
        let reply = one.get(&key(&number.to_string()), "rows").await;
        assert_eq!(reply.outcome, Outcome::Miss);
        assert_eq!(reply.timings.redis, Duration::ZERO);
    }
    let seen = one.redis();
    assert!(
        seen.up == Some(false) && seen.last_error == Some("timeout"),
        "{seen:?}"
    );
    // Loads that ended meanwhile may have had a write under way, no more.
    assert!(seen.errors.values().sum::<u64>() <= failed + 3, "{seen:?}");
    assert_eq!(one.cache.redis_state().unwrap().breaker, BreakerState::Open);
    redis.resume();
    // Its connections are not kept for TCP to find out: only the one that asks is left.
    until("our connections to be closed", || redis.clients() == 1);
    one.clock.advance(Duration::from_secs(6));
    heal(&one).await;
}

/// Asks for new keys until Redis is up again; turns the clock past a probe that came too early.
async fn heal(one: &Instance) {
    let limit = Instant::now() + LIMIT;
    let mut number = 1000;
    while one.redis().up != Some(true) {
        assert!(Instant::now() < limit, "{:?}", one.redis());
        number += 1;
        one.get(&key(&number.to_string()), "rows").await;
        if one.redis().breaker == "open" {
            one.clock.advance(Duration::from_secs(6));
        }
    }
    one.store(&key(&format!("after {number}")), "rows").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_killed_and_comes_back_empty_is_used_again() {
    let mut redis = Redis::start();
    let one = Instance::of(&redis);
    one.store(&key("p"), "rows").await;
    redis.kill();
    let mut number = 0;
    while one.redis().breaker != "open" {
        number += 1;
        let reply = one.get(&key(&number.to_string()), "rows").await;
        assert_eq!(reply.outcome, Outcome::Miss);
        assert!(number < 10, "{:?}", one.redis());
    }
    assert_eq!(
        one.get(&key("p"), "").await.outcome,
        Outcome::Hit(Tier::Memory)
    );
    let _redis = Redis::on(redis.port);
    one.clock.advance(Duration::from_secs(6));
    heal(&one).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_redis_closed_is_replaced_without_a_failure() {
    let redis = Redis::start();
    let one = Instance::of(&redis);
    one.store(&key("p"), "rows").await;
    redis.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
    let two = Instance::of(&redis);
    two.get(&key("p"), "other").await;
    one.store(&key("q"), "rows").await;
    let seen = one.redis();
    assert_eq!(seen.errors.values().sum::<u64>(), 0, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_past_its_age_is_replaced_while_it_serves() {
    let redis = Redis::start();
    let one = Instance::of(&redis);
    one.store(&key("p"), "rows").await;
    let before = redis.connections(0);
    one.clock.advance(Duration::from_secs(61));
    one.store(&key("q"), "rows").await;
    let mut asked = 0;
    until("two new connections", || {
        asked += 1;
        redis.connections(asked) == before + 2
    });
    until("the old ones to be closed", || redis.clients() == 3);
    assert_eq!(one.redis().errors.values().sum::<u64>(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_serves_reads_and_its_refused_writes_are_counted() {
    let redis = Redis::start();
    let one = Instance::of(&redis);
    one.store(&key("p"), "rows").await;
    redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    for number in 0..10 {
        one.get(&key(&number.to_string()), "rows").await;
    }
    one.until("ten refusals", |redis| redis.errors["out_of_memory"] == 10)
        .await;
    let seen = one.redis();
    assert_eq!(
        (seen.breaker, seen.up, seen.writes),
        ("closed", Some(true), 1)
    );
    let reply = Instance::of(&redis).get(&key("p"), "other").await;
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Redis));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_wants_a_password_counts_as_down() {
    let redis = Redis::start();
    redis.ask(&["CONFIG", "SET", "requirepass", "s3cret"]);
    let one = Instance::of(&redis);
    for number in 0..5 {
        let reply = one.get(&key(&number.to_string()), "rows").await;
        assert_eq!(reply.outcome, Outcome::Miss);
    }
    one.until("the breaker", |redis| redis.breaker == "open")
        .await;
    let seen = one.redis();
    assert!(
        seen.errors["auth"] >= 3 && seen.up == Some(false),
        "{seen:?}"
    );
    let with_password = Instance::with(
        settings::Redis {
            password: Some(Secret::new("s3cret".to_owned())),
            ..settings(redis.url())
        },
        1 << 20,
    );
    with_password.store(&key("p"), "rows").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_reads_and_its_refused_writes_drop_the_connections() {
    let (redis, primary) = (Redis::start(), Redis::start());
    let one = Instance::of(&redis);
    one.store(&key("p"), "rows").await;
    let port = primary.port.to_string();
    redis.ask(&["REPLICAOF", "127.0.0.1", &port]);
    one.get(&key("q"), "rows").await;
    one.until("the refusal", |redis| redis.errors["read_only"] == 1)
        .await;
    redis.ask(&["REPLICAOF", "NO", "ONE"]);
    let before = redis.connections(0);
    one.store(&key("r"), "rows").await;
    assert_eq!(redis.connections(1), before + 2, "both lanes anew");
    assert_eq!(one.redis().breaker, "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port_and_one_that_swallows_packets_still_give_answers() {
    let closed = Instance::with(settings(format!("redis://127.0.0.1:{}", free_port())), 0);
    // Accepts and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let silent_one = Instance::with(hasty(format!("redis://127.0.0.1:{port}")), 0);
    for instance in [closed, silent_one] {
        for number in 0..5 {
            let reply = instance.get(&key(&number.to_string()), "rows").await;
            assert_eq!(reply.outcome, Outcome::Miss);
        }
        instance
            .until("the breaker", |redis| redis.breaker == "open")
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_trusts_the_given_authority_and_no_stranger() {
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let (words, authority) = tls(dir.path(), port);
    let _redis = Redis::with(free_port(), &words);
    let url = format!("rediss://localhost:{port}");
    let trusting = settings::Redis {
        ca_file: Some(authority),
        ..settings(url.clone())
    };
    probe(&trusting).await.unwrap();
    Instance::with(trusting, 0).store(&key("p"), "rows").await;
    let error = probe(&settings(url.clone())).await.unwrap_err();
    assert!(error.contains("certificate"), "{error}");
    let stranger = Instance::with(settings(url), 0);
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
        let settings = settings::Redis {
            ca_file: Some(file.clone()),
            ..settings(url.to_owned())
        };
        let error = probe(&settings).await.unwrap_err();
        assert!(
            error.contains(expected) && error.contains("ca_file"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_with_a_password_and_a_database_number_works() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("redis.sock").display().to_string();
    let words = ["--unixsocket", &socket].map(str::to_owned);
    let redis = Redis::with(free_port(), &words);
    let at_socket = || settings(format!("redis+unix://{socket}?db=3"));
    Instance::with(at_socket(), 0)
        .store(&key("p"), "rows")
        .await;
    assert!(redis.ask(&["INFO", "keyspace"]).contains("db3:keys=1"));
    let password = r#"p%s#w\";"#;
    redis.ask(&["CONFIG", "SET", "requirepass", password]);
    let one = Instance::with(
        settings::Redis {
            password: Some(Secret::new(password.to_owned())),
            ..at_socket()
        },
        0,
    );
    one.store(&key("q"), "rows").await;
}

#[test]
fn connections_outlive_the_runtime_of_the_worker_that_asked_first() {
    let port = free_port();
    let engine = tokio::runtime::Runtime::new().unwrap();
    let url = format!("redis://127.0.0.1:{port}");
    let instance = engine.block_on(async { Instance::with(settings(url), 0) });
    // The cache's own first try finds nobody, once for each lane.
    let failed = |redis: &RedisSnapshot| redis.errors["connect"] == 2;
    engine.block_on(instance.until("the first try", failed));
    let redis = Redis::on(port);
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
async fn without_a_memory_tier_the_flight_serves_until_redis_has_it() {
    let redis = Redis::start();
    let one = Instance::with(settings(redis.url()), 0);
    one.get(&key("other"), "rows").await;
    one.until("the write", |redis| redis.writes == 1).await;
    redis.ask(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    let reply = one.get(&key("p"), "rows").await;
    assert_eq!(
        reply.outcome,
        Outcome::Miss,
        "it did not wait for the write"
    );
    let reply = one.get(&key("p"), "other").await;
    assert_eq!(
        (reply.outcome, reply.entry.body.as_ref()),
        (Outcome::Coalesced, &b"rows"[..])
    );
    redis.ask(&["CLIENT", "UNPAUSE"]);
    one.until("the write", |redis| redis.writes == 2).await;
    assert_eq!(one.loads(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_says_what_is_wrong_and_never_the_password() {
    let mut redis = Redis::start();
    probe(&settings(redis.url())).await.unwrap();
    assert!(redis.ask(&["DBSIZE"]).starts_with(":0"));
    redis.ask(&["CONFIG", "SET", "requirepass", "right"]);
    let none = probe(&settings(redis.url())).await.unwrap_err();
    assert!(none.contains("password"), "{none}");
    let wrong = settings::Redis {
        password: Some(Secret::new("canary".to_owned())),
        ..settings(redis.url())
    };
    let wrong = probe(&wrong).await.unwrap_err();
    assert!(
        wrong.contains("refuses") && !wrong.contains("canary"),
        "{wrong}"
    );
    redis.kill();
    let away = probe(&settings(redis.url())).await.unwrap_err();
    assert!(away.contains("cannot connect"), "{away}");
    let bad = settings("http://canary@nowhere".to_owned());
    let bad = probe(&bad).await.unwrap_err();
    assert!(
        bad.contains("[redis] url") && !bad.contains("canary"),
        "{bad}"
    );
}
