//! How long Redis keeps what was asked for once, and from its second reader on.

use deadpool_redis::redis::Value;

use super::*;

/// Returns the rest of the entry's life in Redis.
fn left(server: &Server, key: &Key) -> Duration {
    let entry = key.redis_names().entry;
    match server.execute(&[b"PTTL", entry.as_bytes()]) {
        Value::Int(left) if left > 0 => Duration::from_millis(left.unsigned_abs()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_once_is_not_kept_for_errors_and_from_the_second_reader_on_it_is() {
    for second in [0, 1] {
        let (server, _source, fleet) = fleet(2).await;
        let once = POLICY.ttl + POLICY.stale_while_revalidate;
        fleet[0].body().await;
        pass(SECOND).await;
        assert!(left(&server, &fleet[0].key) <= once);
        pass(2 * SECOND).await;
        let reply = fleet[second].get().await.unwrap();
        assert!(matches!(reply.outcome, Outcome::Hit(_)));
        pass(SECOND).await;
        let long = left(&server, &fleet[0].key);
        let whole = POLICY.ttl + POLICY.stale_if_error;
        assert!(long > once && long + 4 * SECOND <= whole, "{long:?}");
        // Its age is told by what is left of its life.
        let third = Instance::new(&server, &fleet[0].source, 9);
        let reply = third.get().await.unwrap();
        assert_eq!(reply.outcome, Outcome::Hit(Tier::Redis));
        let age = reply.age.as_secs_f64();
        assert!((4.0..4.1).contains(&age), "{age}");
        assert_eq!(fleet[0].source.loads(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_values_that_are_asked_for_once_leave_redis_when_their_windows_end() {
    let (server, _source, fleet) = fleet(1).await;
    let keys: Vec<_> = (0..1000).map(|n| key(&n.to_string())).collect();
    let ask = |key| {
        let lookup = lookup(key, &fleet[0].stats);
        fleet[0].cache.get_or_load(lookup, fleet[0].load())
    };
    for reply in join_all(keys.iter().map(ask)).await {
        assert_eq!(reply.unwrap().outcome, Outcome::Miss);
    }
    pass(SECOND).await;
    let once = POLICY.ttl + POLICY.stale_while_revalidate;
    assert!(keys.iter().all(|key| left(&server, key) <= once));
    // A refresh has a reader: what it brings is kept for long.
    pass(POLICY.ttl).await;
    ask(&keys[0]).await.unwrap();
    pass(LOAD + SECOND).await;
    assert!(left(&server, &keys[0]) > once);
}

#[tokio::test(start_paused = true)]
async fn one_who_shares_the_first_load_is_a_second_reader() {
    let (server, _source, fleet) = fleet(1).await;
    let (one, two) = tokio::join!(fleet[0].get(), fleet[0].get());
    let outcomes = [one.unwrap().outcome, two.unwrap().outcome];
    assert!(outcomes.contains(&Outcome::Coalesced), "{outcomes:?}");
    pass(SECOND).await;
    assert!(left(&server, &fleet[0].key) > POLICY.ttl + POLICY.stale_while_revalidate);
}

#[tokio::test(start_paused = true)]
async fn a_second_reader_brings_nothing_back_that_redis_no_longer_has() {
    let (server, _source, fleet) = fleet(1).await;
    fleet[0].body().await;
    pass(SECOND).await;
    let entry = fleet[0].key.redis_names().entry.clone();
    server.evict(&entry);
    assert_eq!(
        fleet[0].get().await.unwrap().outcome,
        Outcome::Hit(Tier::Memory)
    );
    pass(SECOND).await;
    assert_eq!(
        server.execute(&[b"EXISTS", entry.as_bytes()]),
        Value::Int(0)
    );
}

#[tokio::test(start_paused = true)]
async fn the_life_for_errors_is_asked_for_once_and_needs_a_redis_that_has_the_entry() {
    let (_server, _source, fleet) = fleet(1).await;
    let writes = || {
        fleet[0]
            .stats
            .take_snapshot(crate::stats::Window::Start)
            .redis
            .unwrap()
            .writes
    };
    for (reads, written) in [(1, 1), (1, 2), (20, 2)] {
        for _ in 0..reads {
            fleet[0].body().await;
            pass(Duration::from_millis(10)).await;
        }
        assert_eq!(writes(), written);
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_reader_leaves_the_note_of_a_load_that_failed_meanwhile() {
    let (server, _source, fleet) = fleet(1).await;
    fleet[0].body().await;
    pass(SECOND).await;
    let note = fleet[0].key.redis_names().note.clone();
    server.execute(&[b"SET", note.as_bytes(), b"words"]);
    fleet[0].body().await;
    pass(SECOND).await;
    assert!(left(&server, &fleet[0].key) > POLICY.ttl + POLICY.stale_while_revalidate);
    assert_eq!(server.execute(&[b"EXISTS", note.as_bytes()]), Value::Int(1));
}
