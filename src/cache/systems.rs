//! The databases that were ever seen under one configured name: Redis remembers their identities,
//! for instances that start while their database is away. The database says what an identity is; to
//! the cache it is text.

use std::time::Duration;

use deadpool_redis::redis::{Value, pipe};

use super::answers::reply_text;
use super::core::Cache;
use super::key::{SystemTag, name_prefix};
use super::redis::{RedisChannel, RedisTier};

/// The time for which it is remembered after the last instance that saw it has ended: longer than
/// copies are of use.
const KEPT: Duration = Duration::from_hours(90 * 24);

impl Cache {
    /// Returns the identities that were seen under this configured name; `None` where there is no
    /// Redis, or it does not answer. Cancel-safe.
    pub async fn systems_of(&self, configured: &str) -> Option<Vec<String>> {
        self.inner.redis.as_ref()?.systems_of(configured).await
    }

    /// Remembers that this identity was seen under this configured name, in place of these others;
    /// whether Redis has taken it. Without Redis there is nothing to remember it for. Cancel-safe.
    pub async fn record_system(&self, configured: &str, system: &str, others: &[String]) -> bool {
        match &self.inner.redis {
            Some(redis) => redis.record_system(configured, system, others).await,
            None => true,
        }
    }

    /// Returns whether there is a Redis.
    pub fn is_shared(&self) -> bool {
        self.redis_state().is_some()
    }
}

impl RedisTier {
    /// Returns the name of the set. Its hash tag is one that no query can have.
    fn systems_name(&self, configured: &str) -> String {
        let configured = SystemTag::for_system(configured);
        format!("{}:{{/systems}}:{configured}", name_prefix(&self.namespace))
    }

    async fn systems_of(&self, configured: &str) -> Option<Vec<String>> {
        let mut ask = pipe();
        ask.cmd("SMEMBERS").arg(self.systems_name(configured));
        match self.try_run(RedisChannel::Quick, &ask).await?.pop()? {
            Value::Array(seen) | Value::Set(seen) => {
                Some(seen.iter().filter_map(reply_text).collect())
            }
            _ => None,
        }
    }

    async fn record_system(&self, configured: &str, system: &str, others: &[String]) -> bool {
        let name = self.systems_name(configured);
        let life = u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX);
        let mut ask = pipe();
        if !others.is_empty() {
            ask.cmd("SREM").arg(&name).arg(others);
        }
        ask.cmd("SADD").arg(&name).arg(system);
        ask.cmd("PEXPIRE").arg(&name).arg(life);
        self.run(RedisChannel::Quick, &ask).await.is_some()
    }
}
