//! All numbers that there are of this process at one moment. The counters are `stats`'; how
//! database and Redis are is asked of them here, from what they remember, so nothing is waited for.

use std::time::{SystemTime, UNIX_EPOCH};

use super::App;
use crate::stats::{DatabaseSnapshot, Instance, PoolSnapshot, Snapshot, Window};

impl App {
    /// The numbers over a window. Waits for nothing.
    pub fn snapshot(&self, window: Window) -> Snapshot {
        let mut snapshot = self.stats.snapshot(window);
        for query in &mut snapshot.queries {
            let known = self.catalog.get(&query.query).filter(|_| !query.removed);
            let kept = known.filter(|known| known.policy.cached);
            query.ttl_seconds = kept.map(|known| self.policy(known).ttl.as_secs_f64());
        }
        snapshot.generated_at = now();
        snapshot.instance = self.instance();
        snapshot.database = self.database();
        snapshot
    }

    fn instance(&self) -> Instance {
        Instance {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generation: self.standing.now().generation,
            ..Instance::default()
        }
    }

    fn database(&self) -> DatabaseSnapshot {
        let (health, pool) = (self.db.health(), self.db.pool_state());
        let count = |number| u64::try_from(number).unwrap_or(u64::MAX);
        DatabaseSnapshot {
            kind: self.db.kind().name().to_owned(),
            up: health.up,
            pool: PoolSnapshot {
                used: count(pool.used),
                idle: count(pool.idle),
                max: count(pool.max),
                ..PoolSnapshot::default()
            },
            ..DatabaseSnapshot::default()
        }
    }
}

/// In seconds since 1970.
fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}
