//! The contact with the database beside loads: while copies are served, nobody else would notice
//! that the database has gone, or that its name leads to another one. What comes of a contact is
//! the database's own matter.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::core::App;
use crate::cache::Cache;
use crate::db::Database;
use crate::stats::{Stats, Window};

/// The time between two looks at whether requests came: as old as a copy may be that was not
/// compared with Redis.
const EVERY: Duration = Duration::from_secs(5);

/// Begins both as tasks of the App.
pub(super) fn begin_contacts(app: &mut App) {
    let forgiving = forgive_when_back(app.db.watch_recoveries(), app.cache.clone());
    let confirming = confirm_while_asked(Arc::clone(&app.db), Arc::clone(&app.stats));
    let engine = app.engine.handle();
    app.tasks.spawn_on(forgiving, engine);
    app.tasks.spawn_on(confirming, engine);
}

/// Tries again what failed while the database was away, as soon as it is back.
async fn forgive_when_back(mut recoveries: watch::Receiver<u64>, cache: Cache) {
    while recoveries.changed().await.is_ok() {
        cache.clear_failures();
    }
}

/// Asks the database how it is, and which one it is, as long as requests come. Where none come it
/// is left alone: it may be one that sleeps when nobody needs it.
async fn confirm_while_asked(db: Arc<Database>, stats: Arc<Stats>) {
    let mut known = 0;
    loop {
        sleep(EVERY).await;
        let requests = stats.take_snapshot(Window::Start).total.requests;
        if requests != known {
            known = requests;
            db.connect_eagerly().await;
        }
    }
}
