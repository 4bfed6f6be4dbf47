//! The state of both tiers, as it is remembered, for pages and metrics.

use super::breaker::RedisState;
use super::core::{Cache, CacheCore};
use super::redis::RedisTier;
use crate::stats::{Gauges, PoolSnapshot, RedisGauge, RedisInfo};

impl Cache {
    /// Returns what Redis said of itself last; asks nothing. `None` where none is configured, and
    /// before it was first [asked](Cache::ask_redis_info).
    pub fn redis_info(&self) -> Option<RedisInfo> {
        self.inner.redis.as_deref().and_then(RedisTier::server_info)
    }

    /// Asks Redis about itself, unless that was done in the last seconds, and remembers what it
    /// says. Returns within its deadline. Cancel-safe.
    pub async fn ask_redis_info(&self) {
        if let Some(redis) = &self.inner.redis {
            redis.ask_info().await;
        }
    }

    /// Returns the connections to Redis: two, each shared by all who ask, so `used` are those in
    /// service and nobody waits for a free one. `None` where none is configured.
    pub fn redis_pool(&self) -> Option<PoolSnapshot> {
        self.inner.redis.as_deref().map(RedisTier::pool_snapshot)
    }

    /// Returns how Redis is, from remembered state; asks nothing. `None` where none is configured.
    pub fn redis_state(&self) -> Option<RedisState> {
        self.inner.redis.as_deref().map(RedisTier::redis_state)
    }
}

impl CacheCore {
    pub(super) fn read_gauges(&self) -> Gauges {
        Gauges {
            memory: self.memory.memory_gauge(),
            redis: self
                .redis
                .as_deref()
                .map(RedisTier::redis_state)
                .map(|state| RedisGauge {
                    up: state.up,
                    breaker: state.breaker.name(),
                    since: state.since,
                    last_error: state.last_error,
                    complaint: state.complaint,
                }),
        }
    }
}
