//! The time for which Redis keeps an entry. One that was asked for once is kept for its TTL and
//! stale-while-revalidate, so that visitors' own values do not fill Redis; the rest of its life,
//! for stale-if-error, begins with its second reader. What is loaded is `fill`'s.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answers::RedisLookup;
use super::clearance::LoadPermit;
use super::core::CacheCore;
use super::entry::Entry;
use super::generations::QueryEpochs;
use super::key::Key;
use super::lease::Lease;
use super::load_request::LoadRequest;
use super::lookup::Policy;
use super::recheck::{force_check, merge_purges};
use super::redis::RedisTier;
use crate::stats::{Refused, Trigger};

impl LoadRequest {
    /// Returns how long Redis keeps the entry that it brings: not for long where one request has
    /// asked for it, and nobody before.
    fn kept_for(&self) -> Duration {
        let is_first = self.trigger == Trigger::Request && self.base.sequence == 0;
        if is_first {
            self.policy.physical_once()
        } else {
            self.policy.retention()
        }
    }
}

impl CacheCore {
    /// Stores what was loaded in Redis, unless it has no number to be stored under.
    pub(super) async fn store(&self, cleared: LoadPermit, entry: &Arc<Entry>, order: &LoadRequest) {
        let lease = cleared.lease.map(Lease::into_value);
        let Some(redis) = self.redis.as_ref().filter(|_| cleared.rank.order > 0) else {
            return;
        };
        let asked = self.clock.now();
        let (kept_for, whole) = (order.kept_for(), order.policy.retention());
        let stored = redis.store(entry, kept_for, lease.as_deref()).await;
        let Some((look, refused)) = stored else {
            return;
        };
        match refused {
            None => {
                self.trust.note_compared(entry, asked);
                if entry.redis_life.begin_life(kept_for, whole) {
                    self.let_last(entry, whole);
                }
            }
            Some(Refused::Purged) => {
                let generations = self.generations.query_epochs(entry.key.family());
                merge_purges(&generations, &look, Some(entry));
            }
            // There is something newer, or will be.
            Some(Refused::Older | Refused::Lost) => force_check(entry),
        }
    }

    /// Lets Redis keep an entry that has a second reader for all of its life, in the background.
    /// Ages are told by how long the envelope says that it is kept, so it is stored again, in place
    /// of itself. Where that fails, the entry ends with its stale window there, which costs a load.
    pub(super) fn let_last(&self, entry: &Arc<Entry>, whole: Duration) {
        let Some(redis) = self.redis.as_ref().filter(|_| entry.rank.order > 0) else {
            return;
        };
        let (redis, entry) = (Arc::clone(redis), Arc::clone(entry));
        self.engine
            .spawn(async move { redis.let_last(&entry, whole).await });
    }
}

impl RedisTier {
    /// Reads as [`RedisTier::read`], and once more where what was left of the entry's life may have been read
    /// just before that was made longer: the entry would seem older by the difference.
    pub(super) async fn read_settled(
        &self,
        key: &Key,
        generations: &Arc<QueryEpochs>,
        sequence: u64,
        policy: &Policy,
    ) -> Option<RedisLookup<Result<Entry, u64>>> {
        let look = self.read(key, generations, sequence).await?;
        match &look.found {
            Some(Ok(found)) if may_be_younger(found, policy, self.clock.now()) => {
                self.read(key, generations, sequence).await
            }
            _ => Some(look),
        }
    }
}

/// Returns whether an entry that is kept for all of its life is as old as one that is not kept so
/// long would be told to be.
fn may_be_younger(entry: &Entry, policy: &Policy, now: Instant) -> bool {
    let (whole, kept_for) = (policy.retention(), entry.redis_life.kept_for);
    let longer = whole.saturating_sub(policy.physical_once());
    !longer.is_zero() && kept_for >= whole && entry.age(now) >= longer
}
