//! What those who wait for a flight get before its end.

use tokio::time::Instant;

use super::*;
use std::sync::Arc;

/// How long a load has run when something happens.
const HALF: Duration = Duration::from_secs(1);
/// Longer than an answer of Redis takes, and far shorter than a load.
const TICK: Duration = Duration::from_millis(100);

#[tokio::test(start_paused = true)]
async fn a_soft_purge_during_a_load_leaves_nobody_waiting_for_a_second_one() {
    for of_one in [true, false] {
        let (server, source, fleet) = fleet(2).await;
        let (began, holder) = (Instant::now(), fleet[0].early());
        pass(HALF).await;
        let waiting = fleet[1].early();
        pass(TICK).await;
        source.set("new");
        fleet[1].purge_some(of_one, PurgeKind::Soft).await;
        assert_eq!(holder.await.unwrap().unwrap().outcome, Outcome::Miss);
        let reply = waiting.await.unwrap().unwrap();
        assert!(began.elapsed() < LOAD + TICK, "{:?}", began.elapsed());
        assert_eq!(body(&reply), b"old");
        assert_eq!(reply.outcome, Outcome::Stale(StaleReason::Revalidating));
        // The flight goes on for whoever comes later.
        pass(LOAD + SECOND).await;
        assert_eq!(source.loads(), 2, "of one: {of_one}");
        for instance in &fleet {
            assert_eq!(instance.body().await, "new", "of one: {of_one}");
        }
        assert_eq!(source.loads(), 2, "of one: {of_one}");
        assert!(server.violations().is_empty(), "{:?}", server.violations());
    }
}

#[tokio::test(start_paused = true)]
async fn who_joins_an_asked_for_refresh_waits_for_one_load_and_not_for_two() {
    let (_server, source, fleet) = fleet(2).await;
    let (began, holder) = (Instant::now(), fleet[0].early());
    pass(HALF).await;
    let instance = Arc::clone(&fleet[1]);
    let refresh = tokio::spawn(async move {
        let (lookup, load) = (instance.lookup(), instance.load());
        instance
            .cache
            .refresh_entry(lookup, Duration::ZERO, Trigger::Admin, load)
            .await
    });
    pass(TICK).await;
    source.set("new");
    let reply = fleet[1].get().await.unwrap();
    assert!(began.elapsed() < LOAD + TICK, "{:?}", began.elapsed());
    assert_eq!(body(&reply), b"old");
    assert_eq!(reply.outcome, Outcome::Hit(Tier::Redis));
    assert_eq!(holder.await.unwrap().unwrap().outcome, Outcome::Miss);
    // What was loaded before it was asked for is no answer to the refresh.
    assert_eq!(refresh.await.unwrap().unwrap(), RefreshResult::Loaded);
    assert!(began.elapsed() > 2 * LOAD, "{:?}", began.elapsed());
    assert_eq!(fleet[1].body().await, "new");
    assert_eq!(source.loads(), 2);
}
