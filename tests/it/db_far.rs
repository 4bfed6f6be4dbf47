//! A PostgreSQL that is well and far: no load is refused because its round trip is long.

use std::sync::Arc;
use std::time::Duration;

use unslow::settings::DatabaseTarget;

use crate::db_support::{json, on_postgres, open_with, run};
use crate::servers;
use crate::servers::relay::{Manner, Relay};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_far_answers_every_load() {
    for delay in [100, 500].map(Duration::from_millis) {
        let relay = Relay::to(servers::postgres().port());
        relay.behave(Manner::Delay(delay));
        let target = DatabaseTarget::Postgres(on_postgres(relay.port(), "postgres"));
        let database = Arc::new(open_with(target, |settings| settings.limits.pool_size = 8));
        // At first nothing is known of how far it is; then connections are there, or are made.
        for loads in [1, 3, 3] {
            let loads: Vec<_> = (0..loads)
                .map(|_| {
                    let database = Arc::clone(&database);
                    tokio::spawn(async move { run(&database, "select 1 as a").await })
                })
                .collect();
            for load in loads {
                let end = load.await.unwrap();
                assert!(end.is_ok(), "{delay:?}: {end:?}");
                assert_eq!(json(&end.unwrap()), r#"{"a":1}"#);
            }
        }
        assert_eq!(database.health().up, Some(true));
    }
}
