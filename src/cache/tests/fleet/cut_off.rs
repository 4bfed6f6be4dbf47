//! An instance that Redis does not reach: what it may still call fresh, and how often it loads.

use super::super::super::trip::REVALIDATING;
use super::*;

/// So long that half of it is far beyond the time for which a copy counts as confirmed.
const LONG: Policy = Policy {
    ttl: Duration::from_secs(100),
    ..POLICY
};
const STEP: Duration = Duration::from_millis(250);
const PROMISE: Duration = super::super::super::trust::CONFIRMED_FOR;

impl Instance {
    async fn get_under(&self, policy: Policy) -> Reply {
        let lookup = Lookup {
            policy,
            ..self.lookup()
        };
        let reply = self.cache.get_or_load(lookup, self.load()).await;
        reply.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_purged_copy_is_not_fresh_for_long_where_redis_is_away() {
    for way in [Way::Held, Way::Refused, Way::Cut] {
        let (_server, source, fleet) = fleet(2).await;
        for instance in &fleet {
            assert_eq!(instance.body().await, "old");
        }
        fleet[1].line.set_way(way);
        source.set("new");
        assert_eq!(fleet[0].purge(PurgeKind::Hard).await, PurgeReach::Fleet);
        let (purged, before) = (tokio::time::Instant::now(), source.loads());
        let mut last = String::new();
        while purged.elapsed() < 60 * SECOND {
            let asked = purged.elapsed();
            let reply = fleet[1].get().await.unwrap();
            let is_hit = matches!(reply.outcome, Outcome::Hit(_));
            assert!(
                body(&reply) == b"new" || !is_hit || asked <= PROMISE,
                "{way:?}: purged {asked:?} ago, and {:?}",
                reply.outcome
            );
            assert!(is_hit || reply.ttl_left.is_zero(), "{way:?}");
            last = String::from_utf8(body(&reply).to_vec()).unwrap();
            pass(STEP).await;
        }
        assert_eq!(last, "new", "{way:?}");
        let loads = source.loads() - before;
        assert!(loads <= 12, "{way:?}: {loads} loads in 6 TTLs");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unconfirmed_copy_is_loaded_again_once_half_its_ttl_is_over() {
    let (_server, source, fleet) = fleet(1).await;
    assert_eq!(body(&fleet[0].get_under(LONG).await), b"old");
    fleet[0].line.set_way(Way::Refused);
    source.set("new");
    let began = tokio::time::Instant::now();
    pass(PROMISE + SECOND).await;
    while began.elapsed() < LONG.ttl / 2 {
        let reply = fleet[0].get_under(LONG).await;
        assert_eq!(reply.outcome, REVALIDATING);
        assert_eq!((body(&reply), source.loads()), (&b"old"[..], 1));
        pass(STEP).await;
    }
    assert_eq!(fleet[0].get_under(LONG).await.outcome, REVALIDATING);
    pass(LOAD + SECOND).await;
    assert_eq!(body(&fleet[0].get_under(LONG).await), b"new");
    assert_eq!(source.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_fresh_again_as_soon_as_redis_confirms_it() {
    let (_server, source, fleet) = fleet(1).await;
    fleet[0].get_under(LONG).await;
    for way in [Way::Held, Way::Refused] {
        fleet[0].line.set_way(way);
        pass(2 * PROMISE).await;
        assert_eq!(fleet[0].get_under(LONG).await.outcome, REVALIDATING);
        fleet[0].line.set_way(Way::Open);
        pass(2 * SECOND).await;
        let reply = fleet[0].get_under(LONG).await;
        assert_eq!(reply.outcome, Outcome::Hit(Tier::Memory), "{way:?}");
    }
    assert_eq!(source.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_many_ask_for_is_compared_by_one_of_them_and_stays_fresh() {
    let (_server, source, fleet) = fleet(1).await;
    fleet[0].get_under(LONG).await;
    for _ in 0..4 * 40 {
        let replies = join_all((0..20).map(|_| fleet[0].get_under(LONG))).await;
        let hit = Outcome::Hit(Tier::Memory);
        assert!(replies.iter().all(|reply| reply.outcome == hit));
        pass(STEP).await;
    }
    let rechecks = fleet[0]
        .stats
        .take_snapshot(crate::stats::Window::Start)
        .fleet;
    let rechecks = serde_json::to_value(&rechecks).unwrap()["rechecks"].as_u64();
    assert!(rechecks.unwrap() <= 11, "{rechecks:?} in 40 s");
    assert_eq!(source.loads(), 1);
}
