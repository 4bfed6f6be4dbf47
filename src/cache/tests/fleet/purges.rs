//! What a purge reaches, and when.

use super::super::fake::Mode;
use super::*;

#[tokio::test(start_paused = true)]
async fn a_hard_purge_reaches_every_memory_and_ends_what_is_loading() {
    for of_one in [true, false] {
        let (server, source, fleet) = fleet(3).await;
        for instance in &fleet {
            assert_eq!(instance.body().await, "old");
        }
        fleet[2].purge(PurgeKind::Hard).await;
        pass(Duration::from_millis(100)).await;
        // A load of what is there now is under way when the next purge comes.
        let early = fleet[0].early();
        pass(SECOND).await;
        source.set("new");
        let reach = fleet[1].purge_some(of_one, PurgeKind::Hard).await;
        assert_eq!(reach, PurgeReach::Fleet);
        pass(Duration::from_millis(100)).await;
        let (zero, one, two) = tokio::join!(fleet[0].body(), fleet[1].body(), fleet[2].body());
        assert_eq!([zero, one, two], ["new", "new", "new"], "of one: {of_one}");
        // Who asked before the purge gets what was there then, and nobody else.
        assert_eq!(body(&early.await.unwrap().unwrap()), b"old");
        for instance in &fleet {
            assert_eq!(instance.body().await, "new");
        }
        assert_eq!(source.loads(), 3);
        assert!(server.violations().is_empty(), "{:?}", server.violations());
    }
}

#[tokio::test(start_paused = true)]
async fn a_soft_purge_makes_stale_and_one_instance_loads_behind() {
    for of_one in [true, false] {
        let (_server, source, fleet) = fleet(3).await;
        for instance in &fleet {
            instance.body().await;
        }
        source.set("new");
        fleet[1].purge_some(of_one, PurgeKind::Soft).await;
        pass(Duration::from_millis(100)).await;
        for instance in &fleet {
            let reply = instance.get().await.unwrap();
            assert_eq!(reply.outcome, Outcome::Stale(StaleReason::Revalidating));
        }
        pass(LOAD + SECOND).await;
        for instance in &fleet {
            assert_eq!(instance.body().await, "new");
        }
        assert_eq!(source.loads(), 2, "of one: {of_one}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_purge_without_redis_is_applied_when_it_is_back() {
    let (_server, source, fleet) = fleet(2).await;
    for instance in &fleet {
        instance.body().await;
    }
    fleet[0].line.set_way(Way::Held);
    source.set("new");
    assert_eq!(fleet[0].purge(PurgeKind::Hard).await, PurgeReach::Instance);
    assert_eq!(fleet[0].body().await, "new");
    assert_eq!(fleet[1].body().await, "old", "it cannot know");
    fleet[0].line.set_way(Way::Open);
    pass(10 * SECOND).await;
    assert_eq!(fleet[1].body().await, "new");
    assert_eq!(fleet[0].body().await, "new");
}

#[tokio::test(start_paused = true)]
async fn news_that_every_instance_hears_of_is_one_purge() {
    let (_server, source, fleet) = fleet(3).await;
    for instance in &fleet {
        instance.body().await;
    }
    source.set("new");
    let heard_ago = Duration::from_millis(250);
    for instance in &fleet {
        let reach = instance
            .cache
            .expire_for_news("unnamed:{version}", heard_ago);
        assert_eq!(reach.await, PurgeReach::Fleet);
        let reply = instance.get().await.unwrap();
        assert_eq!(reply.outcome, Outcome::Stale(StaleReason::Revalidating));
    }
    pass(LOAD + SECOND).await;
    for instance in &fleet {
        assert_eq!(instance.body().await, "new");
    }
    assert_eq!(source.loads(), 2);
    source.set("newer");
    fleet[1]
        .cache
        .expire_for_news("unnamed:{version}", heard_ago)
        .await;
    pass(SECOND).await;
    fleet[0].get().await.unwrap();
    pass(LOAD + SECOND).await;
    assert_eq!(fleet[0].body().await, "newer");
}

#[tokio::test(start_paused = true)]
async fn a_purge_that_redis_refuses_reaches_what_is_on_its_way_from_there() {
    for (kind, of_one) in [
        (PurgeKind::Soft, true),
        (PurgeKind::Soft, false),
        (PurgeKind::Hard, true),
        (PurgeKind::Hard, false),
    ] {
        let (server, source, fleet) = fleet(2).await;
        for instance in &fleet {
            instance.body().await;
        }
        // What the other has loaded since is in Redis, and here is an older copy.
        pass(POLICY.ttl).await;
        fleet[1].get().await.unwrap();
        pass(LOAD + SECOND).await;
        source.set("new");
        server.set_mode(Mode::Replica);
        let (_, reach) = tokio::join!(fleet[0].get(), fleet[0].purge_some(of_one, kind));
        assert_eq!(reach, PurgeReach::Instance);
        let reply = fleet[0].get().await.unwrap();
        let is_old = matches!(reply.outcome, Outcome::Hit(_)) || kind == PurgeKind::Hard;
        assert!(
            !is_old || body(&reply) == b"new",
            "{kind:?} of one: {of_one}"
        );
    }
}
