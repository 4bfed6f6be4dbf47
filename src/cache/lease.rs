//! The lease: one load per key in the whole fleet. It saves work; correctness never depends on
//! it, so what goes wrong with it is no error. A holder that was suspended past its lease may still
//! store, unless something newer stands there or another holds the lease: the age of what it has
//! read counts the time in which it was suspended.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::key::Key;
use super::redis::RedisTier;
use crate::stats::Fleet;

/// The interval at which a lease is renewed while its load runs.
const RENEW: Duration = Duration::from_millis(800);

/// A lease that is held, and renewed. However it is dropped, it is given back, so that another
/// instance need not wait for it to run out.
pub(super) struct Lease {
    redis: Arc<RedisTier>,
    key: Key,
    hard: u64,
    value: String,
    renewal: AbortHandle,
    returned: bool,
}

impl Lease {
    /// Returns the lease that the pre-load script took with `token`. Must be called on the engine
    /// runtime.
    pub(super) fn take_over(redis: &Arc<RedisTier>, key: &Key, hard: u64, token: &str) -> Lease {
        let value = format!("{hard} {token}");
        let renewal = tokio::spawn(renew_until_lost(
            Arc::clone(redis),
            key.clone(),
            value.clone(),
        ));
        Lease {
            redis: Arc::clone(redis),
            key: key.clone(),
            hard,
            value,
            renewal: renewal.abort_handle(),
            returned: false,
        }
    }

    /// Returns what stands in Redis for it. Whoever asks gives it back with the store or the note
    /// that comes next.
    pub(super) fn into_value(mut self) -> String {
        self.returned = true;
        std::mem::take(&mut self.value)
    }
}

/// Waits until the lease is another's or is given back. An answer that does not come is asked for
/// again: the lease may have outlived it.
async fn renew_until_lost(redis: Arc<RedisTier>, key: Key, value: String) {
    loop {
        tokio::time::sleep(RENEW).await;
        if redis.renew_lease(&key, &value).await == Some(false) {
            redis.stats.tier_stats().count_fleet(Fleet::LeasesLost);
            return;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
        if self.returned {
            return;
        }
        let (redis, key, hard) = (Arc::clone(&self.redis), self.key.clone(), self.hard);
        let value = std::mem::take(&mut self.value);
        self.redis.engine.spawn(async move {
            redis.release_lease(&key, hard, Some(&value), None).await;
        });
    }
}
