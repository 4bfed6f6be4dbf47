//! One load for all who ask, however it ends and whoever leaves.

use super::super::flight::FlightRole;
use super::*;
use std::sync::Arc;

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
    let FlightRole::Lead(flight) = bench.cache.inner.flights.join(&bench.key) else {
        panic!("no flight yet");
    };
    let mut waiting = Box::pin(bench.get("second"));
    assert!((&mut waiting).now_or_never().is_none());
    // The other flight stores, and then is gone without telling.
    let now = bench.clock.now();
    let entry = Entry::new_loaded(&bench.key, origin(), loaded("first"), SECOND, now);
    let memory = &bench.cache.inner.memory;
    memory.insert(Arc::new(entry), POLICY.retention());
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
async fn a_refresh_keeps_to_the_backoff_of_a_failed_load_unless_it_is_asked_for() {
    let bench = Bench::new();
    bench.let_load(1);
    assert!(bench.get_failing().await.is_err());
    let refresh = |max_age| {
        let load = bench.load(|| Ok(loaded("rows")));
        bench
            .cache
            .refresh_entry(bench.lookup(), max_age, Trigger::Schedule, load)
    };
    assert!(refresh(SECOND).await.is_err());
    assert_eq!(bench.loads(), 1);
    bench.let_load(1);
    assert_eq!(
        refresh(Duration::ZERO).await.unwrap(),
        RefreshResult::Loaded
    );
    assert_eq!(bench.loads(), 2);
}

/// Runs a load of `rows` during which time goes by so, and returns its outcome.
async fn loaded_while(bench: &Bench, passes: impl Fn(&Clock)) -> Reply {
    let (reply, ()) = tokio::join!(bench.get("rows"), async {
        while bench.loads() == 0 {
            tokio::task::yield_now().await;
        }
        passes(&bench.clock);
        bench.let_load(1);
    });
    reply.unwrap()
}

#[tokio::test]
async fn rows_that_were_read_before_the_machine_slept_are_as_old_as_the_sleep() {
    // Longer than all windows, longer than the TTL, and shorter.
    for (asleep, next) in [
        (3600 * SECOND, Outcome::Miss),
        (12 * SECOND, Outcome::Stale(StaleReason::Revalidating)),
        (3 * SECOND, Outcome::Hit(Tier::Memory)),
    ] {
        let bench = Bench::new();
        let reply = loaded_while(&bench, |clock| {
            clock.advance(SECOND);
            clock.advance_asleep(asleep);
        })
        .await;
        assert_eq!((reply.outcome, reply.age), (Outcome::Miss, asleep));
        assert_eq!(reply.ttl_left, reply.ttl.saturating_sub(asleep));
        assert_eq!(reply.entry.load_time, SECOND, "the sleep is no load");
        bench.let_load(1);
        assert_eq!(bench.get("new").await.unwrap().outcome, next, "{asleep:?}");
    }
}

#[tokio::test]
async fn rows_that_waited_for_a_process_that_was_stopped_are_older_than_any_load_takes() {
    let bench = Bench::new();
    let patience = bench.lookup().patience;
    let reply = loaded_while(&bench, |clock| clock.advance(patience + 3600 * SECOND)).await;
    assert_eq!((reply.age, reply.ttl_left), (3600 * SECOND, Duration::ZERO));
    assert_eq!(reply.entry.load_time, patience);
}

#[tokio::test]
async fn rows_that_a_purge_came_upon_have_no_life_left() {
    let kinds = [PurgeKind::Soft, PurgeKind::Hard];
    for (kind, of_all) in kinds
        .into_iter()
        .flat_map(|kind| [(kind, true), (kind, false)])
    {
        let bench = Bench::new();
        let (one, two, ()) = tokio::join!(bench.get("rows"), bench.get("rows"), async {
            while bench.loads() == 0 {
                tokio::task::yield_now().await;
            }
            let (key, life) = (&bench.key, SECOND);
            let entry = PurgeScope::Entry { key, life };
            let scope = if of_all {
                PurgeScope::Query(key.family())
            } else {
                entry
            };
            bench.cache.purge_scope(scope, kind).await;
            bench.let_load(1);
        });
        for reply in [one.unwrap(), two.unwrap()] {
            assert!(matches!(reply.outcome, Outcome::Miss | Outcome::Coalesced));
            let told = (reply.age, reply.ttl_left);
            assert_eq!(told, (Duration::ZERO, Duration::ZERO), "{kind:?} {of_all}");
            let is_kept = kind == PurgeKind::Soft;
            assert_eq!(reply.stored, is_kept, "{kind:?} {of_all}");
        }
    }
}
