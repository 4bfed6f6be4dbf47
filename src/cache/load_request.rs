//! The facts that are known when a load is asked for: the lookup as its task keeps it, and the
//! result of a look in Redis before it. the lookup as its task keeps it, and what a look in Redis
//! has brought before. How it is loaded is `fill`'s.

use std::sync::Arc;
use std::time::Duration;

use super::entry::Entry;
use super::key::Key;
use super::lookup::{Lookup, Policy};
use super::rank::LoadVersion;
use crate::outcome::Tier;
use crate::stats::{QueryStats, Trigger};

/// A lookup as the task keeps it.
pub(super) struct LoadRequest {
    pub(super) key: Key,
    pub(super) policy: Policy,
    pub(super) patience: Duration,
    pub(super) stats: Arc<QueryStats>,
    /// The cause that began it.
    pub(super) trigger: Trigger,
    /// The copy that is to be replaced: only one of a later load makes this load needless.
    pub(super) base: LoadVersion,
    /// The time for which the load will take, if that is known.
    pub(super) expected: Option<Duration>,
    /// Also when it failed a moment ago.
    pub(super) anyway: bool,
    /// Redis has not answered this request once; it is not waited for again.
    pub(super) without_redis: bool,
}

impl LoadRequest {
    pub(super) fn from_lookup(lookup: &Lookup<'_>, copy: Option<&Entry>) -> LoadRequest {
        let none = LoadVersion {
            hard: 0,
            order: 0,
            sequence: 0,
        };
        LoadRequest {
            key: lookup.key.clone(),
            policy: lookup.policy,
            patience: lookup.patience,
            stats: Arc::clone(lookup.stats),
            trigger: Trigger::Request,
            base: copy.map_or(none, |copy| copy.rank),
            expected: copy
                .map(|copy| copy.load_time)
                .or_else(|| lookup.stats.last_load()),
            anyway: false,
            without_redis: false,
        }
    }

    /// Begun not by a request that waits for it, but so.
    pub(super) fn with_trigger(mut self, trigger: Trigger) -> LoadRequest {
        self.trigger = trigger;
        self
    }

    /// Adds what the caller has found out from Redis.
    pub(super) fn after_redis_read(mut self, glance: &RedisRead) -> LoadRequest {
        // A request waits for it once.
        self.without_redis = glance.unanswered;
        self.base.order = self.base.order.max(glance.useless);
        self
    }
}

/// The result of a look in Redis.
#[derive(Default)]
pub(super) struct RedisRead {
    /// The copy to use, and where it is from.
    pub(super) copy: Option<(Arc<Entry>, Tier)>,
    /// The order number of an entry that cannot be used and need not be fetched again.
    pub(super) useless: u64,
    /// Redis was asked and did not answer.
    pub(super) unanswered: bool,
}

impl RedisRead {
    pub(super) fn unanswered() -> RedisRead {
        RedisRead {
            unanswered: true,
            ..RedisRead::default()
        }
    }
}
