//! The same copies over another Redis, while the cache over the one before goes on.

use super::super::super::redis::RedisTier;
use super::*;
use std::sync::Arc;

impl Instance {
    /// The same process over another Redis, or none.
    fn renewed(&self, server: Option<&Server>) -> Arc<Instance> {
        let stats = Arc::new(self.stats.reconfigured(["q"].into_iter()));
        let line = server.unwrap_or(&Server::new()).line(77);
        let settings = settings_of_redis();
        let max_entry = usize::try_from(MAX_ENTRY).unwrap();
        let (clock, counted) = (self.cache.inner.clock.clone(), Arc::clone(&stats));
        let tier = RedisTier::with_transport(
            RedisTransport::Fake(line.clone()),
            &settings,
            max_entry,
            &Handle::current(),
            counted,
            clock,
        );
        let tier = server.map(|_| tier);
        let cache = self.cache.over_another(tier, max_entry, &stats);
        cache.install_gauges(&stats);
        Arc::new(Instance {
            cache,
            line,
            stats,
            source: Arc::clone(&self.source),
            key: self.key.clone(),
        })
    }
}

#[tokio::test(start_paused = true)]
async fn copies_stay_and_are_compared_with_the_new_redis_before_their_next_use() {
    // Their clocks agree.
    let (other, empty) = (Server::new(), Server::new());
    let (_, source, fleet) = fleet(1).await;
    assert_eq!(fleet[0].body().await, "old");
    pass(SECOND).await;
    let there = Arc::new(Source::default());
    there.set("newer");
    let neighbour = Instance::new(&other, &there, 5);
    assert_eq!(neighbour.body().await, "newer");
    pass(SECOND).await;
    let next = fleet[0].renewed(Some(&other));
    assert_eq!(next.body().await, "newer", "of the two, the later load");
    // Without another copy there, it is served as that of an emptied Redis is.
    let next = next.renewed(Some(&empty));
    let reply = next.get().await.unwrap();
    assert_eq!(reply.outcome, Outcome::Stale(StaleReason::Revalidating));
    assert_eq!(body(&reply), b"newer");
    assert_eq!(source.loads() + there.loads(), 2);
    let none = next.renewed(None);
    pass(LOAD + SECOND).await;
    assert_eq!(
        none.get().await.unwrap().outcome,
        Outcome::Hit(Tier::Memory)
    );
    assert_eq!(source.loads() + there.loads(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_load_under_way_is_the_one_of_both_and_a_purge_by_the_new_one_concerns_it() {
    for purged in [false, true] {
        let other = Server::new();
        let (_, source, fleet) = fleet(1).await;
        let early = fleet[0].early();
        pass(SECOND).await;
        let next = fleet[0].renewed(Some(&other));
        source.set("new");
        if purged {
            assert_eq!(next.purge(PurgeKind::Hard).await, PurgeReach::Fleet);
        }
        let reply = next.get().await.unwrap();
        assert_eq!(body(&early.await.unwrap().unwrap()), b"old");
        let expected = if purged {
            (Outcome::Miss, "new")
        } else {
            (Outcome::Coalesced, "old")
        };
        let got = std::str::from_utf8(body(&reply)).unwrap();
        assert_eq!((reply.outcome, got), expected);
        assert_eq!(next.body().await, expected.1);
        assert_eq!(source.loads(), 1 + usize::from(purged));
    }
}

#[tokio::test(start_paused = true)]
async fn a_purge_by_the_new_one_concerns_copies_of_before_and_one_by_the_old_one_those_of_after() {
    for kind in [PurgeKind::Soft, PurgeKind::Hard] {
        for of_one in [true, false] {
            let other = Server::new();
            let (_, source, fleet) = fleet(1).await;
            assert_eq!(fleet[0].body().await, "old");
            let next = fleet[0].renewed(Some(&other));
            let purges_and_reads = [(&next, &fleet[0]), (&fleet[0], &next)];
            for (number, (purger, reader)) in purges_and_reads.into_iter().enumerate() {
                let value = format!("value {number}");
                source.set(&value);
                purger.purge_some(of_one, kind).await;
                let reply = reader.get().await.unwrap();
                let hidden = kind == PurgeKind::Hard;
                assert_eq!(reply.outcome == Outcome::Miss, hidden, "{kind:?} {of_one}");
                assert!(
                    !matches!(reply.outcome, Outcome::Hit(_)),
                    "{kind:?} {of_one}"
                );
                pass(LOAD + SECOND).await;
                for instance in [&next, &fleet[0]] {
                    assert_eq!(instance.body().await, value, "{kind:?} {of_one}");
                    pass(LOAD + SECOND).await;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn purges_that_no_redis_has_heard_of_are_told_to_the_new_one() {
    let other = Server::new();
    let (_, source, fleet) = fleet(1).await;
    // What the new one holds is older than the purge.
    Instance::new(&other, &source, 5).body().await;
    fleet[0].body().await;
    fleet[0].line.set_way(Way::Refused);
    assert_eq!(fleet[0].purge(PurgeKind::Hard).await, PurgeReach::Instance);
    source.set("new");
    let next = fleet[0].renewed(Some(&other));
    assert_eq!(next.body().await, "new", "nothing of it is used meanwhile");
    pass(3 * SECOND).await;
    let generations = next
        .cache
        .inner
        .generations
        .query_epochs("unnamed:{version}");
    assert!(
        generations.is_pending(),
        "the old one still waits for its own"
    );
    drop(fleet);
    pass(3 * SECOND).await;
    assert!(!generations.is_pending());
    let beginner = Instance::new(&other, &source, 6);
    assert_eq!(beginner.body().await, "new");
    // One that is given up takes its own along, and nothing else.
    next.line.set_way(Way::Refused);
    assert_eq!(next.purge(PurgeKind::Hard).await, PurgeReach::Instance);
    let given_up = next.renewed(Some(&Server::new()));
    given_up.line.set_way(Way::Cut);
    pass(3 * SECOND).await;
    drop(given_up);
    assert!(generations.is_pending());
    next.line.set_way(Way::Open);
    pass(12 * SECOND).await;
    assert!(!generations.is_pending());
}

#[tokio::test(start_paused = true)]
async fn each_listens_to_its_own_redis_as_long_as_it_lives() {
    let other = Server::new();
    let (server, source, fleet) = fleet(2).await;
    fleet[0].body().await;
    let next = fleet[0].renewed(Some(&other));
    let neighbour = Instance::new(&other, &source, 5);
    pass(SECOND).await;
    let subscribers = |server: &Server| {
        let told = server.execute(&[b"PUBLISH", b"unslow:v2:events", b""]);
        deadpool_redis::redis::from_redis_value::<usize>(told).unwrap()
    };
    assert_eq!((subscribers(&server), subscribers(&other)), (2, 2));
    next.body().await;
    source.set("new");
    neighbour.purge(PurgeKind::Hard).await;
    pass(Duration::from_millis(100)).await;
    assert_eq!(next.body().await, "new");
    let gauge = |instance: &Instance| {
        instance
            .stats
            .take_snapshot(crate::stats::Window::Start)
            .redis
            .unwrap()
            .up
    };
    assert_eq!((gauge(&fleet[0]), gauge(&next)), (Some(true), Some(true)));
    drop(next);
    pass(Duration::from_millis(100)).await;
    assert_eq!((subscribers(&server), subscribers(&other)), (2, 1));
    assert_eq!(gauge(&fleet[0]), Some(true));
}
