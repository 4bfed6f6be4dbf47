//! What is served from memory, and for how long.

use super::*;

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
async fn a_copy_that_is_due_is_a_hit_for_everybody_while_one_refresh_runs() {
    let bench = Bench::new();
    bench.fill("old").await;
    bench.until_due().await;
    for _ in 0..10 {
        let reply = bench.get("new").now_or_never().unwrap().unwrap();
        assert_eq!(reply.outcome, Outcome::Hit(Tier::Memory));
        assert_eq!(body(&reply), b"old");
        tokio::task::yield_now().await;
    }
    bench.let_load(1);
    bench.settled().await;
    let reply = bench.get("newer").await.unwrap();
    assert_eq!((body(&reply), reply.age), (&b"new"[..], Duration::ZERO));
    let numbers = bench.numbers();
    assert_eq!((bench.loads(), numbers.loads, numbers.miss), (2, 2, 1));
    assert_eq!((numbers.hit_memory, numbers.requests), (12, 13));
}

#[tokio::test]
async fn a_refresh_that_fails_early_changes_nothing_for_the_fresh_copy() {
    let bench = Bench::new();
    bench.fill("old").await;
    bench.until_due().await;
    bench.let_load(1);
    for _ in 0..3 {
        let reply = bench.get_failing().await.unwrap();
        assert_eq!(reply.outcome, Outcome::Hit(Tier::Memory));
        bench.settled().await;
    }
    assert_eq!(bench.numbers().load_errors, 1);
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
async fn what_is_measured_is_in_the_snapshot() {
    let bench = Bench::new();
    bench.fill("rows").await;
    let snapshot = bench.stats.take_snapshot(crate::stats::Window::Start);
    assert_eq!(snapshot.memory.entries, 1);
    assert_eq!(snapshot.memory.max_bytes, 1 << 20);
    assert!(snapshot.memory.bytes > 0);
    assert!(snapshot.redis.is_none());
}
