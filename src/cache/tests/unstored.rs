//! What is too large to store, and what is never to be stored.

use super::*;
use std::sync::Arc;

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
        let load = move |waited| {
            began.send(()).unwrap();
            inner(waited)
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
    assert_eq!(
        bench
            .stats
            .take_snapshot(crate::stats::Window::Start)
            .memory
            .entries,
        0
    );
    bench.clock.advance(60 * SECOND);
    bench.let_load(1);
    assert_eq!(bench.get("small").await.unwrap().outcome, Outcome::Miss);
    assert_eq!(
        bench
            .stats
            .take_snapshot(crate::stats::Window::Start)
            .memory
            .entries,
        1
    );
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
    for why in [BypassReason::CacheOff, BypassReason::Compare] {
        let load = bench.load(|| Ok(loaded("rows")));
        let reply = bench
            .cache
            .load_bypassing(bench.lookup(), why, load)
            .await
            .unwrap();
        assert_eq!(reply.outcome, Outcome::Bypass(why));
        assert!(!reply.stored);
    }
    let load = bench.load(|| Err(away()));
    let why = BypassReason::CacheOff;
    bench
        .cache
        .load_bypassing(bench.lookup(), why, load)
        .await
        .unwrap_err();
    let numbers = bench.numbers();
    assert_eq!((numbers.bypass, numbers.error, numbers.loads), (2, 1, 3));
    assert_eq!(
        bench
            .stats
            .take_snapshot(crate::stats::Window::Start)
            .memory
            .entries,
        0
    );
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_remembered_with_its_size_and_the_bound() {
    let bench = Bench::new();
    bench.let_load(1);
    let load = bench.load(|| Ok(loaded(&"x".repeat(10_001))));
    bench.cache.get_or_load(bench.lookup(), load).await.unwrap();
    let not_kept = |stats: &Stats| {
        stats.take_snapshot(crate::stats::Window::Start).queries[0]
            .not_kept
            .clone()
    };
    let found = not_kept(&bench.stats).unwrap();
    assert_eq!(
        (found.limit, &found.setting[..]),
        (MAX_ENTRY, "[cache] max_entry")
    );
    assert!(found.bytes > MAX_ENTRY);
    // One that memory has no room for, where there is no other tier.
    let bench = Bench::with_memory(2_000);
    bench.fill("x").await;
    assert!(not_kept(&bench.stats).is_none());
    let key = key("q");
    bench.let_load(1);
    let load = bench.load(|| Ok(loaded(&"x".repeat(5_000))));
    bench
        .cache
        .get_or_load(lookup(&key, &bench.stats), load)
        .await
        .unwrap();
    assert_eq!(not_kept(&bench.stats).unwrap().setting, "[cache] memory");
}

#[tokio::test]
async fn a_load_that_was_not_tried_is_no_load_and_has_no_time() {
    let bench = Bench::new();
    bench.let_load(3);
    let load = bench.load(|| {
        let cause = Arc::new(away());
        Err(RequestError::NotTried { cause })
    });
    let error = bench
        .cache
        .get_or_load(bench.lookup(), load)
        .await
        .unwrap_err();
    assert_eq!((error.class(), error.status()), ("unavailable", 503));
    let numbers = bench.numbers();
    assert_eq!(
        (numbers.loads, numbers.load_errors, numbers.load.count),
        (0, 0, 0)
    );
    assert_eq!((numbers.loads_not_tried, numbers.error), (1, 1));
    assert_eq!((numbers.loads_in_flight, numbers.load_seconds), (0, 0.0));
    // What is remembered of it is no load either.
    assert!(bench.get_failing().await.is_err());
    assert_eq!(bench.numbers().loads_not_tried, 1);
    bench.clock.advance(2 * SECOND);
    assert!(bench.get_failing().await.is_err());
    let numbers = bench.numbers();
    assert_eq!(
        (numbers.loads, numbers.load_errors, numbers.load.count),
        (1, 1, 1)
    );
}
