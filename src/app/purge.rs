//! The orders of an operator: stored copies of a query are thrown away, made stale, or loaded anew.
//! Each runs as a task of the engine runtime and comes to its end without its caller. The right to
//! order is decided in `web`, the effect on copies in `cache`.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};

use super::core::App;
use super::reload::BackgroundLoad;
use crate::cache::{PurgeConfirmation, PurgeKind, PurgeReach, PurgeScope, RefreshResult};
use crate::db::Limits;
use crate::error::RequestError;
use crate::query::{Arguments, Query};
use crate::stats::Trigger;

/// The time for which a purge of one entry is remembered beyond all that a copy or a load may last.
const MARGIN: Duration = Duration::from_mins(1);

/// The extent to which a purge has taken effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeDone {
    /// The place where it has taken effect.
    pub reach: PurgeReach,
    /// The number of instances that are known to have applied it, this one included.
    pub confirmed: usize,
    /// The names of the instances that report to the same Redis and have not confirmed it in time.
    pub missing: Vec<String>,
}

impl App {
    /// Makes what is stored of a query stale or gone: the one entry of these arguments, or all of
    /// it without them. `None` where the query says `cache: off`: nothing of it is ever stored.
    ///
    /// Takes at most the deadline of Redis; where other instances are known, also up to half a
    /// second until they have confirmed it. Cancel-safe: it goes on without its caller.
    ///
    /// # Errors
    /// [`RequestError::Unavailable`] where it is not known which database it is, and
    /// [`RequestError::Internal`].
    pub async fn purge_query(
        &self,
        query: &Arc<Query>,
        arguments: Option<&Arguments>,
        kind: PurgeKind,
    ) -> Result<Option<PurgeDone>, RequestError> {
        if !query.policy.cached {
            return Ok(None);
        }
        let limits = Limits::for_query(query, &self.settings.limits);
        let policy = self.entry_policy(query);
        let window = policy.stale_while_revalidate.max(policy.stale_if_error);
        let life = [window, self.request_patience(limits), MARGIN]
            .iter()
            .fold(policy.ttl, |life, more| life.saturating_add(*more));
        let set = Arc::clone(self.keys.find().await);
        if !set.is_known() && self.cache.is_shared() {
            return Err(unknown_database());
        }
        let key = arguments.map(|arguments| set.make_key(query, arguments));
        let (cache, place) = (self.cache.clone(), query.index);
        let known = self.fleet.known_instances();
        let task = self.engine.handle().spawn(async move {
            let scope = match &key {
                Some(key) => PurgeScope::Entry { key, life },
                None => PurgeScope::Query(set.query_keys(place).base.family()),
            };
            let ids: Vec<_> = known.iter().map(|(id, _)| id.clone()).collect();
            let PurgeConfirmation { reach, by } = cache.purge_confirmed(scope, kind, &ids).await;
            PurgeDone {
                reach,
                confirmed: by.len() + 1,
                missing: known
                    .into_iter()
                    .filter(|(id, _)| !by.contains(id))
                    .map(|(_, name)| name)
                    .collect(),
            }
        });
        task_result(task).await.map(Some)
    }

    /// Loads the entry of these arguments anew, whatever is stored of it; what the load brings is
    /// stored and served from then on. `None` where the query says `cache: off`: it is loaded for
    /// every request anyway.
    ///
    /// Cancel-safe: it goes on without its caller.
    ///
    /// # Errors
    /// Whatever kept the query from being loaded; the copies that were there stay as they were.
    pub async fn refresh_entry(
        &self,
        query: &Arc<Query>,
        arguments: Arguments,
    ) -> Result<Option<RefreshResult>, RequestError> {
        if !query.policy.cached {
            return Ok(None);
        }
        let reload = BackgroundLoad::for_query(self, query);
        let task = async move { reload.run(&arguments, Duration::ZERO, Trigger::Admin).await };
        task_result(self.engine.handle().spawn(task))
            .await?
            .map(Some)
    }
}

/// Returns the error of a purge that would not know whose copies are meant: Redis may hold copies
/// of several databases under one configured name.
fn unknown_database() -> RequestError {
    RequestError::Unavailable {
        detail: "the database has not been reached since the start, so it is not known which \
                 one it is: purge again when it answers"
            .into(),
    }
}

/// Returns what a task brought, or that it panicked.
async fn task_result<T>(task: JoinHandle<T>) -> Result<T, RequestError> {
    task.await
        .map_err(|error: JoinError| RequestError::Internal {
            detail: format!("a task of the engine runtime did not end: {error}").into(),
        })
}
