//! The read path with loads played by the test and a clock turned by hand. Redis is in
//! `tests/it/cache_redis.rs`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::{Semaphore, mpsc};

use super::entry::tests::{key, loaded};
use super::*;
use crate::stats::Numbers;

const SECOND: Duration = Duration::from_secs(1);
const POLICY: Policy = Policy {
    ttl: Duration::from_secs(10),
    stale_while_revalidate: Duration::from_secs(30),
    stale_if_error: Duration::from_secs(1000),
};
const MAX_ENTRY: u64 = 10_000;

/// A cache and the database it loads from, which answers when it is let.
struct Bench {
    cache: Cache,
    clock: Clock,
    stats: Arc<Stats>,
    database: Arc<Database>,
    key: Key,
}

struct Database {
    started: AtomicUsize,
    /// One permit lets one load end.
    gate: Semaphore,
}

type Loading = std::pin::Pin<Box<dyn Future<Output = Result<Loaded, RequestError>> + Send>>;

impl Bench {
    fn new() -> Bench {
        Bench::with_memory(1 << 20)
    }

    fn with_memory(memory: u64) -> Bench {
        let (clock, stats) = (Clock::by_hand(), Arc::new(Stats::new(["q"].into_iter())));
        let settings = settings::Cache {
            ttl: POLICY.ttl,
            stale_while_revalidate: POLICY.stale_while_revalidate,
            stale_if_error: POLICY.stale_if_error,
            memory,
            max_entry: MAX_ENTRY,
        };
        let engine = Handle::current();
        let cache = Cache::with_clock(&settings, None, engine, Arc::clone(&stats), clock.clone());
        Bench {
            cache: cache.unwrap(),
            clock,
            stats,
            database: Arc::new(Database {
                started: AtomicUsize::new(0),
                gate: Semaphore::new(0),
            }),
            key: key("p"),
        }
    }

    fn lookup(&self) -> Lookup<'_> {
        Lookup {
            key: &self.key,
            policy: POLICY,
            patience: 30 * SECOND,
            stats: self.stats.query(0),
        }
    }

    /// A load that waits at the gate and then ends so.
    fn load(
        &self,
        end: impl FnOnce() -> Result<Loaded, RequestError> + Send + 'static,
    ) -> impl FnOnce() -> Loading + Send + 'static {
        let database = Arc::clone(&self.database);
        move || {
            Box::pin(async move {
                database.started.fetch_add(1, Ordering::SeqCst);
                database.gate.acquire().await.unwrap().forget();
                end()
            })
        }
    }

    async fn get(&self, body: &'static str) -> Result<Reply, RequestError> {
        let load = self.load(move || Ok(loaded(body)));
        self.cache.get_or_load(self.lookup(), load).await
    }

    async fn get_failing(&self) -> Result<Reply, RequestError> {
        let load = self.load(|| Err(away()));
        self.cache.get_or_load(self.lookup(), load).await
    }

    fn let_load(&self, loads: usize) {
        self.database.gate.add_permits(loads);
    }

    /// Puts `body` in memory by a load, and forgets the counting of it.
    async fn fill(&self, body: &'static str) {
        self.let_load(1);
        assert_eq!(self.get(body).await.unwrap().outcome, Outcome::Miss);
    }

    fn loads(&self) -> usize {
        self.database.started.load(Ordering::SeqCst)
    }

    fn numbers(&self) -> Numbers {
        self.stats.snapshot().total
    }

    /// Until the background has come to rest: every flight has ended.
    async fn settled(&self) {
        while self.cache.inner.flights.count() > 0 {
            tokio::task::yield_now().await;
        }
    }
}

fn away() -> RequestError {
    RequestError::Unavailable {
        detail: "away".into(),
    }
}

fn body(reply: &Reply) -> &[u8] {
    &reply.entry.body
}

#[tokio::test]
async fn a_thousand_callers_on_a_cold_key_are_one_load() {
    let bench = Bench::new();
    let callers = join_all((0..1000).map(|_| bench.get("rows")));
    // The first half is polled before the second: all wait before the load may end.
    let (replies, ()) = tokio::join!(callers, async { bench.let_load(1000) });
    assert!(replies.iter().all(|r| body(r.as_ref().unwrap()) == b"rows"));
    let numbers = bench.numbers();
    assert_eq!(
        (bench.loads(), numbers.miss, numbers.coalesced),
        (1, 1, 999)
    );
    assert_eq!((numbers.requests, numbers.loads), (1000, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_on_many_threads_are_one_load_whenever_they_come() {
    let bench = Arc::new(Bench::new());
    bench.let_load(1000);
    let callers = (0..1000).map(|_| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.get("rows").await.unwrap() })
    });
    for reply in join_all(callers).await {
        assert_eq!(body(&reply.unwrap()), b"rows");
    }
    let numbers = bench.numbers();
    assert_eq!((bench.loads(), numbers.miss), (1, 1));
    assert_eq!(numbers.coalesced + numbers.hit_memory, 999);
}

#[tokio::test]
async fn a_memory_hit_says_its_age_and_what_is_left() {
    let bench = Bench::new();
    bench.fill("rows").await;
    bench.clock.advance(2 * SECOND);
    let reply = bench.get("other").await.unwrap();
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Memory));
    assert_eq!((body(&reply), reply.age), (&b"rows"[..], 2 * SECOND));
    assert_eq!(reply.ttl_left, reply.ttl.saturating_sub(2 * SECOND));
    assert!(reply.ttl <= POLICY.ttl && reply.ttl >= POLICY.ttl * 9 / 10);
    assert!(reply.stored);
    assert_eq!(bench.loads(), 1);
}

#[tokio::test]
async fn a_memory_hit_is_ready_at_once() {
    let bench = Bench::new();
    bench.fill("rows").await;
    assert!(bench.get("other").now_or_never().is_some());
}

#[tokio::test]
async fn the_load_of_a_caller_who_has_gone_is_stored_and_serves_the_others() {
    let bench = Bench::new();
    let mut gone = Box::pin(bench.get("rows"));
    assert!((&mut gone).now_or_never().is_none());
    let mut follower = Box::pin(bench.get("other"));
    assert!((&mut follower).now_or_never().is_none());
    drop(gone);
    bench.let_load(1);
    let reply = follower.await.unwrap();
    assert_eq!(
        (body(&reply), reply.outcome),
        (&b"rows"[..], Outcome::Coalesced)
    );
    let reply = bench.get("other").await.unwrap();
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Memory));
    assert_eq!(
        (bench.loads(), bench.numbers().requests),
        (1, 2),
        "who has gone is no request"
    );
}

#[tokio::test]
async fn a_load_without_anybody_left_is_stored() {
    let bench = Bench::new();
    assert!(bench.get("rows").now_or_never().is_none());
    bench.let_load(1);
    bench.settled().await;
    let reply = bench.get("other").await.unwrap();
    assert_eq!(
        (body(&reply), reply.outcome),
        (&b"rows"[..], Outcome::Hit(Tier::Memory))
    );
}

#[tokio::test]
async fn a_panic_in_the_load_elects_one_successor() {
    let bench = Bench::new();
    let panicking = bench.load(|| panic!("played by the test"));
    let leader = bench.cache.get_or_load(bench.lookup(), panicking);
    let followers = join_all((0..10).map(|_| bench.get("rows")));
    let (leader, followers, ()) = tokio::join!(leader, followers, async { bench.let_load(2) });
    assert_eq!(leader.unwrap_err().class(), "internal");
    let misses = followers
        .iter()
        .filter(|r| r.as_ref().unwrap().outcome == Outcome::Miss)
        .count();
    assert_eq!((misses, bench.loads()), (1, 2));
    let numbers = bench.numbers();
    assert_eq!((numbers.coalesced, numbers.error), (9, 1));
    assert_eq!((numbers.loads, numbers.load_errors), (2, 1));
}

#[tokio::test]
async fn loads_that_always_panic_end_for_everybody() {
    let bench = Bench::new();
    bench.let_load(1000);
    let callers = (0..100).map(|_| {
        let load = bench.load(|| panic!("played by the test"));
        bench.cache.get_or_load(bench.lookup(), load)
    });
    for end in join_all(callers).await {
        assert_eq!(end.unwrap_err().class(), "internal");
    }
    assert_eq!(bench.numbers().error, 100);
    assert!(bench.loads() <= 4, "{}", bench.loads());
}

#[tokio::test]
async fn a_failure_is_shared_and_not_tried_again_for_a_second() {
    let bench = Bench::new();
    let callers = join_all((0..100).map(|_| bench.get_failing()));
    let (ends, ()) = tokio::join!(callers, async { bench.let_load(100) });
    for end in ends {
        assert_eq!(end.unwrap_err().class(), "unavailable");
    }
    let again = bench.get("rows").now_or_never().unwrap();
    assert_eq!(again.unwrap_err().class(), "unavailable");
    assert_eq!((bench.loads(), bench.numbers().error), (1, 101));
    bench.clock.advance(SECOND);
    assert_eq!(bench.get("rows").await.unwrap().outcome, Outcome::Miss);
}

#[tokio::test]
async fn a_stale_copy_is_served_at_once_while_one_refresh_runs() {
    let bench = Bench::new();
    bench.fill("old").await;
    bench.clock.advance(POLICY.ttl);
    for _ in 0..10 {
        let reply = bench.get("new").now_or_never().unwrap().unwrap();
        assert_eq!(reply.outcome, Outcome::Stale(StaleReason::Revalidating));
        assert_eq!(
            (body(&reply), reply.ttl_left),
            (&b"old"[..], Duration::ZERO)
        );
        tokio::task::yield_now().await;
    }
    bench.let_load(1);
    bench.settled().await;
    let reply = bench.get("newer").await.unwrap();
    assert_eq!(
        (body(&reply), reply.outcome),
        (&b"new"[..], Outcome::Hit(Tier::Memory))
    );
    let numbers = bench.numbers();
    assert_eq!(
        (bench.loads(), numbers.loads, numbers.stale_revalidating),
        (2, 2, 10)
    );
}

#[tokio::test]
async fn after_a_failed_refresh_the_stale_copy_says_so_and_the_next_try_waits() {
    let bench = Bench::new();
    bench.fill("old").await;
    bench.clock.advance(POLICY.ttl);
    bench.let_load(1);
    bench.get_failing().await.unwrap();
    bench.settled().await;
    let reply = bench.get("new").await.unwrap();
    assert_eq!(reply.outcome, Outcome::Stale(StaleReason::LoadError));
    assert_eq!(bench.loads(), 2);
    bench.clock.advance(SECOND);
    let reply = bench.get("new").await.unwrap();
    assert_eq!(reply.outcome, Outcome::Stale(StaleReason::Revalidating));
}

#[tokio::test]
async fn a_copy_within_stale_if_error_is_served_only_when_loading_fails() {
    let bench = Bench::new();
    bench.fill("old").await;
    bench
        .clock
        .advance(POLICY.ttl + POLICY.stale_while_revalidate);
    bench.let_load(2);
    let reply = bench.get_failing().await.unwrap();
    assert_eq!(reply.outcome, Outcome::Stale(StaleReason::LoadError));
    assert_eq!(body(&reply), b"old");
    // At once, within the second in which it is not tried again.
    let reply = bench.get("new").now_or_never().unwrap().unwrap();
    assert_eq!(reply.outcome, Outcome::Stale(StaleReason::LoadError));
    bench.clock.advance(SECOND);
    let reply = bench.get("new").await.unwrap();
    assert_eq!((body(&reply), reply.outcome), (&b"new"[..], Outcome::Miss));
    assert_eq!(bench.numbers().stale_load_error, 2);
}

#[tokio::test]
async fn a_copy_past_every_window_is_not_served() {
    let bench = Bench::new();
    bench.fill("old").await;
    bench.clock.advance(POLICY.ttl + POLICY.stale_if_error);
    bench.let_load(1);
    let error = bench.get_failing().await.unwrap_err();
    assert_eq!(error.class(), "unavailable");
}

#[tokio::test]
async fn patience_runs_out_while_the_load_goes_on() {
    let bench = Bench::new();
    let lookup = Lookup {
        patience: Duration::from_millis(1),
        ..bench.lookup()
    };
    let load = bench.load(|| Ok(loaded("rows")));
    let error = bench.cache.get_or_load(lookup, load).await.unwrap_err();
    assert!(matches!(error, RequestError::Timeout { limit } if limit == lookup.patience));
    bench.let_load(1);
    bench.settled().await;
    let reply = bench.get("other").await.unwrap();
    assert_eq!(
        (body(&reply), reply.outcome),
        (&b"rows"[..], Outcome::Hit(Tier::Memory))
    );
    assert_eq!(bench.numbers().error, 1);
}

#[tokio::test]
async fn what_is_too_large_is_shared_with_who_waits_and_then_loaded_in_parallel() {
    let bench = Bench::new();
    let big = || Ok(loaded(&"x".repeat(10_001)));
    let get = || {
        let load = bench.load(big);
        bench.cache.get_or_load(bench.lookup(), load)
    };
    let (replies, ()) = tokio::join!(join_all((0..5).map(|_| get())), async {
        bench.let_load(5);
    });
    assert!(replies.iter().all(|r| !r.as_ref().unwrap().stored));
    assert_eq!(bench.loads(), 1);
    bench.database.gate.forget_permits(4);
    // All of them start before any ends.
    let (began, mut starts) = mpsc::unbounded_channel();
    let parallel = join_all((0..3).map(|_| {
        let (inner, began) = (bench.load(big), began.clone());
        let load = move || {
            began.send(()).unwrap();
            inner()
        };
        bench.cache.get_or_load(bench.lookup(), load)
    }));
    let (replies, ()) = tokio::join!(parallel, async {
        for _ in 0..3 {
            starts.recv().await.unwrap();
        }
        bench.let_load(3);
    });
    for reply in replies {
        let reply = reply.unwrap();
        assert_eq!(reply.outcome, Outcome::Bypass(BypassReason::TooLarge));
        assert!(!reply.stored);
    }
    let numbers = bench.numbers();
    assert_eq!((numbers.miss, numbers.coalesced, numbers.bypass), (1, 4, 3));
    assert_eq!(bench.cache.memory_state().entries, 0);
    bench.clock.advance(60 * SECOND);
    bench.let_load(1);
    assert_eq!(bench.get("small").await.unwrap().outcome, Outcome::Miss);
    assert_eq!(bench.cache.memory_state().entries, 1);
}

#[tokio::test]
async fn a_result_that_grew_too_large_is_not_hidden_by_its_stale_copy() {
    let bench = Bench::new();
    bench.fill("old").await;
    bench.clock.advance(POLICY.ttl);
    bench.let_load(2);
    let load = bench.load(|| Ok(loaded(&"x".repeat(10_001))));
    let reply = bench.cache.get_or_load(bench.lookup(), load).await.unwrap();
    assert_eq!(reply.outcome, Outcome::Stale(StaleReason::Revalidating));
    bench.settled().await;
    let reply = bench.get("new").await.unwrap();
    assert_eq!(reply.outcome, Outcome::Bypass(BypassReason::TooLarge));
    assert_eq!(body(&reply), b"new");
}

#[tokio::test]
async fn a_bypass_loads_every_time_and_stores_nothing() {
    let bench = Bench::new();
    bench.let_load(3);
    for _ in 0..2 {
        let load = bench.load(|| Ok(loaded("rows")));
        let reply = bench.cache.bypass(bench.lookup(), load).await.unwrap();
        assert_eq!(reply.outcome, Outcome::Bypass(BypassReason::CacheOff));
        assert!(!reply.stored);
    }
    let load = bench.load(|| Err(away()));
    bench.cache.bypass(bench.lookup(), load).await.unwrap_err();
    let numbers = bench.numbers();
    assert_eq!((numbers.bypass, numbers.error, numbers.loads), (2, 1, 3));
    assert_eq!(bench.cache.memory_state().entries, 0);
}

#[tokio::test]
async fn without_any_tier_callers_still_share_loads() {
    let bench = Bench::with_memory(0);
    let callers = join_all((0..10).map(|_| bench.get("rows")));
    let (replies, ()) = tokio::join!(callers, async { bench.let_load(10) });
    assert!(replies.iter().all(|r| !r.as_ref().unwrap().stored));
    assert_eq!(bench.loads(), 1);
    bench.settled().await;
    assert_eq!(bench.get("rows").await.unwrap().outcome, Outcome::Miss);
}

#[tokio::test]
async fn an_entry_that_was_stored_between_look_and_flight_is_not_loaded_again() {
    let bench = Bench::new();
    let Role::Lead(flight) = bench.cache.inner.flights.board(&bench.key) else {
        panic!("no flight yet");
    };
    let mut waiting = Box::pin(bench.get("second"));
    assert!((&mut waiting).now_or_never().is_none());
    // The other flight stores, and then is gone without telling.
    let entry = Entry::loaded(&bench.key, loaded("first"), SECOND, bench.clock.now());
    let memory = &bench.cache.inner.memory;
    memory.insert(Arc::new(entry), POLICY.physical());
    drop(flight);
    let reply = waiting.await.unwrap();
    assert_eq!(
        (body(&reply), reply.outcome),
        (&b"first"[..], Outcome::Hit(Tier::Memory))
    );
    assert_eq!(bench.loads(), 0);
}

#[tokio::test]
async fn a_load_outlives_the_runtime_of_its_caller() {
    let bench = Arc::new(Bench::new());
    let caller = Arc::clone(&bench);
    let worker = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            assert!(caller.get("rows").now_or_never().is_none());
        });
    });
    worker.join().unwrap();
    bench.let_load(1);
    bench.settled().await;
    let reply = bench.get("other").await.unwrap();
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Memory));
}

#[tokio::test]
async fn what_is_measured_is_in_the_snapshot() {
    let bench = Bench::new();
    bench.fill("rows").await;
    let snapshot = bench.stats.snapshot();
    assert_eq!(snapshot.memory.entries, 1);
    assert_eq!(snapshot.memory.max_bytes, 1 << 20);
    assert!(snapshot.memory.bytes > 0);
    assert!(snapshot.redis.is_none());
}
