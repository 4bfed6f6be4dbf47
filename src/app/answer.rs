//! The way from a query and its arguments to a [`Reply`], through the cache or by a load.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::core::App;
use super::format::{columns_to_json, write_json};
use super::keys::ring::KeySet;
use crate::cache::{LoadedValue, Lookup, Policy, Reply};
use crate::db::Limits;
use crate::error::RequestError;
use crate::outcome::BypassReason;
use crate::query::{Arguments, Query};

/// The time for which a request waits beyond its load's own deadline: letting the crowd loose on
/// the database just as the answer arrives would be the worst moment.
const PATIENCE_MARGIN: Duration = Duration::from_secs(3);

impl App {
    /// Tells the other instances that this one ends, as far as that takes no time worth the name.
    pub async fn announce_end(&self) {
        self.fleet.remove_report().await;
    }

    /// Returns the runtime that outlives every generation of workers.
    pub fn engine(&self) -> &Handle {
        self.engine.handle()
    }

    /// Returns what has no effect in the settings and in the query files, one sentence each.
    pub fn idle_settings(&self) -> impl Iterator<Item = &String> {
        self.settings.notes.iter().chain(self.catalog.file_notes())
    }

    /// Returns the query of that name.
    ///
    /// # Errors
    /// [`RequestError::UnknownQuery`].
    pub fn find_query(&self, name: &str) -> Result<&Arc<Query>, RequestError> {
        self.catalog
            .get(name)
            .ok_or_else(|| RequestError::UnknownQuery(name.to_owned()))
    }

    /// Answers a query, from the cache or by a load. The load runs on the engine runtime, so
    /// dropping this future abandons nobody who waits for the same one, and what it brings is
    /// stored.
    ///
    /// # Errors
    /// Whatever kept the query from being loaded, when no stored copy could stand in.
    pub async fn answer_query(
        &self,
        query: &Arc<Query>,
        arguments: Arguments,
    ) -> Result<Reply, RequestError> {
        let limits = Limits::for_query(query, &self.settings.limits);
        let set = match self.keys.known_keys() {
            Some(known) => known,
            None => self.keys.find().await,
        };
        let keys = set.query_keys(query.index);
        let made = (!arguments.0.is_empty()).then(|| keys.base.make_key(arguments.canonical()));
        let lookup = Lookup {
            key: made.as_ref().unwrap_or(&keys.plain),
            policy: self.entry_policy(query),
            patience: self.request_patience(limits),
            stats: self.stats.query_stats(query.index),
        };
        let (of, run) = (Arc::clone(set), Arc::clone(query));
        let newcomer = self.schedules.read(query, &arguments);
        let load = move |waited| async move { load(&of, &run, &arguments, limits, waited).await };
        let answer = if query.policy.cached {
            self.cache.get_or_load(lookup, load).await
        } else {
            self.cache
                .load_bypassing(lookup, BypassReason::CacheOff, load)
                .await
        };
        // A key that no tier keeps, or whose load fails, is not worth a schedule.
        if let (Some(newcomer), Ok(reply)) = (newcomer, &answer)
            && reply.stored
        {
            newcomer.begin_schedule(reply.age);
        }
        answer
    }

    /// Returns how long a request waits for a load under these limits.
    pub(super) fn request_patience(&self, limits: Limits) -> Duration {
        self.db.run_deadline(limits.timeout) + PATIENCE_MARGIN
    }

    /// Returns how long entries of this query live: its file's word, else the settings'.
    pub fn entry_policy(&self, query: &Query) -> Policy {
        let (own, defaults) = (&query.policy, &self.settings.cache);
        Policy {
            ttl: own.ttl.unwrap_or(defaults.ttl),
            stale_while_revalidate: own
                .stale_while_revalidate
                .unwrap_or(defaults.stale_while_revalidate),
            stale_if_error: own.stale_if_error.unwrap_or(defaults.stale_if_error),
        }
    }
}

/// Loads what is to be stored under a key of this set, if it is of the set's database. The caller
/// has `waited` so long for the right to load.
pub(super) async fn load(
    set: &KeySet,
    query: &Query,
    arguments: &Arguments,
    limits: Limits,
    waited: Duration,
) -> Result<LoadedValue, RequestError> {
    let turn = set.db().admit_load(query, waited).await;
    let turn = turn.map_err(|cause| RequestError::NotTried {
        cause: Arc::new(cause),
    })?;
    let rows = set
        .db()
        .run_admitted(query, arguments, limits, turn)
        .await?;
    let is_foreign = !set.is_of(rows.system.as_ref());
    if !is_foreign {
        set.record().await;
    }
    Ok(LoadedValue {
        head: columns_to_json(&rows.columns)?.into(),
        rows: rows.count,
        is_foreign,
        body: write_json(rows.json, rows.truncated).into(),
    })
}
