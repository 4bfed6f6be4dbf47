//! All numbers that there are of this process at one moment. The counters are `stats`'; how
//! database and Redis are is asked of them here, from what they remember, so nothing is waited for.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::sleep;

use super::core::App;
use crate::query::Query;
use crate::stats::{
    DatabaseSnapshot, InstanceTotals, PoolSnapshot, StatsSnapshot, Window, wall_clock,
};

/// Begins to cut time into the slots that windows are made of, and says whose parameters may be
/// shown.
pub(super) fn begin_slots(app: &mut App) {
    let stats = Arc::clone(&app.stats);
    let slots = async move {
        loop {
            sleep(stats.close_slot()).await;
        }
    };
    app.tasks.spawn_on(slots, app.engine.handle());
    let queries: HashMap<String, Arc<Query>> = app
        .catalog
        .iter()
        .filter(|query| query.policy.show_params)
        .map(|query| (query.name.clone(), Arc::clone(query)))
        .collect();
    let shows: Vec<bool> = app.catalog.iter().map(|q| q.policy.show_params).collect();
    app.stats.show_params(
        |place| shows[place],
        move |query, canonical| queries.get(query)?.shown_params(canonical),
    );
}

impl App {
    /// Returns the numbers over a window. Waits for nothing.
    pub fn take_snapshot(&self, window: Window) -> StatsSnapshot {
        let mut snapshot = self.stats.take_snapshot(window);
        for query in &mut snapshot.queries {
            let known = self.catalog.get(&query.query).filter(|_| !query.removed);
            let kept = known.filter(|known| known.policy.cached);
            query.ttl_seconds = kept.map(|known| self.entry_policy(known).ttl.as_secs_f64());
        }
        snapshot.generated_at = wall_clock();
        snapshot.instance = self.fleet.instance();
        snapshot.unsent = self.unsent.snapshot();
        snapshot.unread = self.standing.unread_requests();
        snapshot.aside = self.side_work.snapshot();
        snapshot.database = self.snapshot_database();
        if let Some(redis) = &mut snapshot.redis {
            redis.pool = self.cache.redis_pool().unwrap_or_default();
            redis.info = self.cache.redis_info();
        }
        snapshot.instances = self.snapshot_instances(&snapshot);
        snapshot
    }

    fn snapshot_instances(&self, snapshot: &StatsSnapshot) -> InstanceTotals {
        let instance = snapshot.instance.clone();
        let since_start = |start| self.source.report_since_start(instance, start);
        let mut own = if snapshot.window == Window::Start {
            since_start(snapshot)
        } else {
            since_start(&self.stats.take_snapshot(Window::Start))
        };
        own.add_window(snapshot);
        self.fleet
            .collect_instances(&own, &self.cache, snapshot.window)
    }

    fn snapshot_database(&self) -> DatabaseSnapshot {
        let (health, pool) = (self.db.health(), self.db.pool_state());
        let count = |number| u64::try_from(number).unwrap_or(u64::MAX);
        let listening = self.listening.as_ref();
        DatabaseSnapshot {
            kind: self.db.kind().name().to_owned(),
            up: health.up,
            breaker: if health.refuses { "open" } else { "closed" }.to_owned(),
            since_seconds: health.since.as_secs_f64(),
            last_error: health.class.map(str::to_owned),
            pool: PoolSnapshot {
                used: count(pool.used),
                idle: count(pool.idle),
                max: count(pool.max),
                waiting: count(pool.waiting),
                timeouts: pool.timeouts,
                stuck: count(pool.stuck),
            },
            listening: listening.map(|listening| listening.state().listening),
            says_which: self.db.database_system().map(|system| system.is_named()),
        }
    }
}
