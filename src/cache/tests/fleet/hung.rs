//! A database that hangs: how long the fleet waits for it.

use super::*;
use std::sync::Arc;

/// How long a load waits for a connection at most, and at least.
const CHECKOUT: Duration = Duration::from_millis(1800);
const LEAST: Duration = Duration::from_millis(300);

/// The time until each instance has the error of a database that hangs, and how often it was tried.
async fn errors(count: u64) -> (Vec<Duration>, usize) {
    let (_server, source, fleet) = fleet(count).await;
    let began = tokio::time::Instant::now();
    let waits = fleet.iter().map(async |instance| {
        let source = Arc::clone(&instance.source);
        let load = move |waited: Duration| async move {
            source.loads.fetch_add(1, Ordering::SeqCst);
            pass(CHECKOUT.saturating_sub(waited).max(LEAST)).await;
            Err(away())
        };
        let end = instance.cache.get_or_load(instance.lookup(), load).await;
        assert_eq!(end.unwrap_err().class(), "unavailable");
        began.elapsed()
    });
    (join_all(waits).await, source.loads())
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_takes_over_from_one_whose_database_hangs_does_not_wait_as_long_again() {
    let slack = Duration::from_millis(100);
    for count in 1..=4 {
        let (mut waits, loads) = errors(count).await;
        waits.sort();
        // Each instance looks for itself: the others may be cut off from the database alone.
        assert_eq!(loads, waits.len());
        for (after, wait) in (0_u32..).zip(waits) {
            let most = CHECKOUT + slack + after * (LEAST + slack);
            assert!(wait >= CHECKOUT && wait <= most, "{count}: {wait:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_that_nobody_waited_for_has_all_of_its_time() {
    let (_server, _source, fleet) = fleet(1).await;
    let told = Arc::new(Mutex::new(None));
    let load = {
        let told = Arc::clone(&told);
        move |waited| async move {
            *told.lock().unwrap() = Some(waited);
            Ok(loaded("rows"))
        }
    };
    let reply = fleet[0].cache.get_or_load(fleet[0].lookup(), load).await;
    assert_eq!(reply.unwrap().outcome, Outcome::Miss);
    let waited = told.lock().unwrap().unwrap();
    assert!(waited < Duration::from_millis(10), "{waited:?}");
}
