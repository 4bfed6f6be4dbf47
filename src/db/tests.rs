//! What the type of a run must allow its callers.

use std::time::Duration;

use super::*;
use crate::query::{Arguments, Query};

/// Loads are tasks, so what they await must be able to move between threads.
#[test]
fn runs_can_be_tasks_of_the_engine_runtime() {
    fn task<T: Send + 'static>(_: T) {}
    fn made_from(database: std::sync::Arc<Database>, query: std::sync::Arc<Query>) {
        task(async move {
            let args = Arguments(Vec::new());
            let limits = Limits {
                timeout: Duration::from_secs(1),
                max_rows: 1,
                max_bytes: 1,
            };
            drop(database.run(&query, &args, limits).await);
            drop(database.column_names(&query, &args).await);
            drop(database.install().await);
        });
    }
    let _ = made_from;
}
