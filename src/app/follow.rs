//! The begin of listening to the database's messages, as a task of an application. What a message
//! does is in `listen`.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::core::App;
use super::listen::{ListenMonitor, NotificationListener, TagIndex, follow_messages};
use crate::query::DatabaseKind;

/// Begins to follow on the engine runtime, where the database sends messages and some query wants
/// them; or goes on with the follower of the App before, where that does the same: a new one would
/// have to take everything for missed.
pub(super) fn start(app: &App, before: Option<&App>) -> Option<Arc<NotificationListener>> {
    let tags = TagIndex::collect(&app.catalog);
    if app.db.kind() != DatabaseKind::Postgres || tags.0.is_empty() {
        return None;
    }
    let same = before
        .filter(|before| Arc::ptr_eq(&before.db, &app.db) && before.cache.is_same(&app.cache))
        .and_then(|before| before.follower.as_ref())
        .filter(|follower| follower.tags == tags);
    if let Some(same) = same {
        return Some(Arc::clone(same));
    }
    let listening = Arc::new(ListenMonitor::default());
    let (db, cache, state) = (
        Arc::clone(&app.db),
        app.cache.clone(),
        Arc::clone(&listening),
    );
    let keys = Arc::clone(&app.keys);
    let wanted = tags.clone();
    let following = async move {
        let expire = |query: Arc<str>, heard_ago: Duration| {
            let (cache, keys) = (cache.clone(), Arc::clone(&keys));
            async move {
                tracing::debug!(query = &*query, "expired by the database");
                if let Some(family) = keys.find().await.query_family(&query) {
                    // Where Redis does not answer, the cache remembers it.
                    cache.expire_for_news(family, heard_ago).await;
                }
            }
        };
        follow_messages(&db, &wanted, &state, expire).await;
    };
    let mut task = JoinSet::new();
    task.spawn_on(following, app.engine.handle());
    Some(Arc::new(NotificationListener {
        listening,
        tags,
        _task: task,
    }))
}
