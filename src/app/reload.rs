//! Loads that no request has asked for: what one takes, and which queries begin with which.

use std::sync::Arc;
use std::time::Duration;

use super::answer::load;
use super::core::App;
use super::keys::ring::KeyRing;
use super::schedule::QuerySchedule;
use super::schedules::QuerySchedules;
use super::warm::warm_query;
use crate::cache::{Cache, Clock, Lookup, Policy, RefreshResult};
use crate::db::Limits;
use crate::error::RequestError;
use crate::query::{Arguments, Query};
use crate::stats::{QueryStats, Trigger};

/// Begins what the catalog asks for, as tasks of the App: the warm-up, one query at a time, and
/// the schedules, which a warm query joins at once and any other with its first reader; those of
/// the App before go on for the keys they knew.
pub(super) fn start(app: &mut App, before: Option<&App>) -> Arc<QuerySchedules> {
    let settings = &app.settings;
    // A query that no tier keeps would be loaded for nobody.
    let is_kept = settings.cache.memory > 0 || settings.redis.is_some();
    let of = |query: &Arc<Query>| {
        let wanted = query.policy.warm || query.policy.refresh.is_some();
        (wanted && is_kept && query.policy.cached)
            .then(|| Arc::new(BackgroundLoad::for_query(app, query)))
    };
    let reloads: Vec<_> = app.catalog.iter().map(of).collect();
    let (tasks, engine) = (&mut app.tasks, app.engine.handle());
    let mut schedule = |reload: &Option<Arc<BackgroundLoad>>| {
        let reload = Arc::clone(reload.as_ref()?);
        let interval = reload.query.policy.refresh?;
        let known = before.and_then(|before| before.schedule_of(&reload.query));
        let (schedule, turns) =
            QuerySchedule::replace_schedule(known, &reload.query, interval, Clock::of_machine());
        let turns = turns.run(move |arguments, max_age| {
            let reload = Arc::clone(&reload);
            async move { reload.run(&arguments, max_age, Trigger::Schedule).await }
        });
        tasks.spawn_on(turns, engine);
        Some(schedule)
    };
    let schedules = Arc::new(QuerySchedules(reloads.iter().map(&mut schedule).collect()));
    let cold: Vec<_> = reloads
        .into_iter()
        .flatten()
        .filter(|reload| reload.query.policy.warm)
        .collect();
    if !cold.is_empty() {
        let warming = warm_up(cold, Arc::clone(&schedules), before.is_some());
        tasks.spawn_on(warming, engine);
    }
    schedules
}

impl App {
    /// The schedule it has for a query of that name, if the parameters are the same.
    fn schedule_of(&self, query: &Query) -> Option<&QuerySchedule> {
        let own = self.catalog.get(&query.name)?;
        let schedule = self.schedules.0.get(own.index)?.as_ref();
        schedule.filter(|_| own.params == query.params)
    }
}

/// Loads what is not fresh; on `renewal`, only what there is no copy of at all: those that there
/// are have their readers, who see to them.
async fn warm_up(cold: Vec<Arc<BackgroundLoad>>, schedules: Arc<QuerySchedules>, renewal: bool) {
    for reload in cold {
        // A query without defaults for all its parameters cannot be warm.
        let Ok(arguments) = reload.query.read_arguments(&[]) else {
            continue;
        };
        let policy = &reload.policy;
        let max_age = if renewal {
            let window = policy.stale_while_revalidate.max(policy.stale_if_error);
            policy.ttl.saturating_add(window)
        } else {
            // A copy of less than this age is fresh, whatever jitter has taken from its TTL.
            policy.ttl / 10 * 9
        };
        let age = warm_query(&reload.query, || {
            reload.run(&arguments, max_age, Trigger::Warm)
        })
        .await;
        if let Some(newcomer) = schedules.read(&reload.query, &arguments) {
            newcomer.begin_schedule(age.unwrap_or_default());
        }
    }
}

/// The things that a load of one query needs.
pub(super) struct BackgroundLoad {
    cache: Cache,
    keys: Arc<KeyRing>,
    query: Arc<Query>,
    policy: Policy,
    limits: Limits,
    patience: Duration,
    stats: Arc<QueryStats>,
}

impl BackgroundLoad {
    pub(super) fn for_query(app: &App, query: &Arc<Query>) -> BackgroundLoad {
        let limits = Limits::for_query(query, &app.settings.limits);
        BackgroundLoad {
            cache: app.cache.clone(),
            keys: Arc::clone(&app.keys),
            query: Arc::clone(query),
            policy: app.entry_policy(query),
            limits,
            patience: app.request_patience(limits),
            stats: Arc::clone(app.stats.query_stats(query.index)),
        }
    }

    /// Loads one key, unless memory or Redis has a copy of less than that age; zero: in any case.
    pub(super) async fn run(
        &self,
        arguments: &Arguments,
        max_age: Duration,
        trigger: Trigger,
    ) -> Result<RefreshResult, RequestError> {
        let set = self.keys.find().await;
        let lookup = Lookup {
            key: &set.make_key(&self.query, arguments),
            policy: self.policy,
            patience: self.patience,
            stats: &self.stats,
        };
        let (set, query, limits) = (Arc::clone(set), Arc::clone(&self.query), self.limits);
        let arguments = arguments.clone();
        let load =
            move |waited| async move { load(&set, &query, &arguments, limits, waited).await };
        self.cache
            .refresh_entry(lookup, max_age, trigger, load)
            .await
    }
}
