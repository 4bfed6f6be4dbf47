//! What is too large to store, and what is never to be stored.

use super::*;

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
    assert_eq!(
        bench
            .stats
            .snapshot(crate::stats::Window::Start)
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
            .snapshot(crate::stats::Window::Start)
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
        let reply = bench.cache.bypass(bench.lookup(), why, load).await.unwrap();
        assert_eq!(reply.outcome, Outcome::Bypass(why));
        assert!(!reply.stored);
    }
    let load = bench.load(|| Err(away()));
    let why = BypassReason::CacheOff;
    bench
        .cache
        .bypass(bench.lookup(), why, load)
        .await
        .unwrap_err();
    let numbers = bench.numbers();
    assert_eq!((numbers.bypass, numbers.error, numbers.loads), (2, 1, 3));
    assert_eq!(
        bench
            .stats
            .snapshot(crate::stats::Window::Start)
            .memory
            .entries,
        0
    );
}
