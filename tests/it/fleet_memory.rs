//! The ways in which the memory of one process learns what another one did: by message at once, and
//! by comparing with Redis where no message tells. The clock is turned by hand, so that each of the
//! two is seen without the other.

use std::time::Duration;

use unslow::cache::{PurgeKind, PurgeReach, PurgeScope};
use unslow::outcome::Outcome;

use crate::cache_support::{Instance, key};
use crate::servers::{Redis, until};

/// Longer than a copy goes without being compared, and shorter than it is fresh.
const RECHECK: Duration = Duration::from_secs(6);

/// Two processes with the same copy in memory.
async fn two(redis: &Redis) -> (Instance, Instance) {
    let (one, two) = (Instance::of(redis), Instance::of(redis));
    until("both hear messages", || redis.subscribers() == 2).await;
    one.store(&key("p"), "old").await;
    for instance in [&one, &two] {
        let reply = instance.get(&key("p"), "other").await;
        assert_eq!(reply.entry.body, "old");
    }
    (one, two)
}

/// Waits until `instance` answers with `body`, which a load would bring.
async fn until_new(instance: &Instance, body: &str) {
    for _ in 0..6000 {
        if instance.get(&key("p"), body).await.entry.body == body {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never gives {body:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_reaches_the_memory_of_another_instance_by_message() {
    let redis = Redis::start();
    let (one, two) = two(&redis).await;
    let reach = one
        .cache
        .purge_scope(PurgeScope::Query("unnamed:{q}"), PurgeKind::Hard)
        .await;
    assert_eq!(reach, PurgeReach::Fleet);
    // Its clock stands still, so that no copy is old enough to be compared.
    until_new(&two, "new").await;
    until_new(&one, "new").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_compared_with_redis_from_time_to_time() {
    let redis = Redis::start();
    let (one, two) = two(&redis).await;
    redis.ask(&["DEL", &key("p").redis_name()]);
    // Nobody was told, and nothing is due to be compared.
    for instance in [&one, &two] {
        assert_eq!(instance.get(&key("p"), "new").await.entry.body, "old");
    }
    two.clock.advance(RECHECK);
    let first = two.get(&key("p"), "new").await;
    assert!(
        matches!(first.outcome, Outcome::Hit(_) | Outcome::Stale(_)),
        "the copy serves: {:?}",
        first.outcome
    );
    until_new(&two, "new").await;
}
