//! One tier read alone, for a comparison of what each of them costs. It changes no copy: nothing
//! is stored that was not there, nothing replaced, no refresh begun. Counted as a bypass, so that
//! a comparison neither raises the hit ratio nor counts as time saved.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::core::{Cache, CacheCore};
use super::entry::{Entry, Freshness};
use super::key::Key;
use super::lookup::{LoadedValue, Lookup};
use super::rank::next_sequence;
use super::recheck::{apply, merge_purges};
use super::reply::Reply;
use super::trip::LookupRecorder;
use crate::error::RequestError;
use crate::outcome::{BypassReason, Outcome, Tier};

const COMPARED: Outcome = Outcome::Bypass(BypassReason::Compare);

/// The reason why a tier that is asked alone gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCopy {
    /// There is no such tier.
    Off,
    /// It does not answer, or has not heard of a purge yet.
    Down,
    /// It has no copy that may be served.
    Absent,
}

impl NoCopy {
    /// Returns the word for it.
    pub fn name(self) -> &'static str {
        match self {
            NoCopy::Off => "off",
            NoCopy::Down => "down",
            NoCopy::Absent => "absent",
        }
    }
}

impl Cache {
    /// Returns the copy that one tier has, fresh or stale, read as a request would read it there
    /// and past the other one. Without a copy it is not counted.
    ///
    /// Cancel-safe. Takes at most the deadline of Redis.
    ///
    /// # Errors
    /// There is none to be had.
    pub async fn read_alone(&self, tier: Tier, lookup: Lookup<'_>) -> Result<Reply, NoCopy> {
        let mut trip = LookupRecorder::start(&self.inner, lookup);
        let copy = match tier {
            Tier::Memory => self.inner.in_memory(lookup.key),
            Tier::Redis => self.inner.in_redis(&lookup).await,
        }?;
        trip.end_step(match tier {
            Tier::Memory => |timings| &mut timings.memory,
            Tier::Redis => |timings| &mut timings.redis,
        });
        if trip.copy_freshness(&copy) == Freshness::Over {
            return Err(NoCopy::Absent);
        }
        Ok(trip.record_answer(copy, COMPARED))
    }

    /// Sees to it that there is a copy to compare with. One that is there already, in memory or in
    /// Redis, is in memory then and stays as it is, and this is a bypass; else it is a request
    /// like any other, [`Cache::get_or_load`], in every respect.
    pub async fn have_copy<F, Fut>(
        &self,
        lookup: Lookup<'_>,
        load: F,
    ) -> Result<Reply, RequestError>
    where
        F: FnOnce(Duration) -> Fut + Send + 'static,
        Fut: Future<Output = Result<LoadedValue, RequestError>> + Send + 'static,
    {
        let mut trip = LookupRecorder::start(&self.inner, lookup);
        let held = self.inner.in_memory(lookup.key).ok();
        if let Some(copy) = held.filter(|copy| trip.copy_freshness(copy) != Freshness::Over) {
            return Ok(trip.record_answer(copy, COMPARED));
        }
        let found = self.inner.look_in_redis(lookup.key, &lookup.policy, None);
        if let Some((copy, _)) = found.await.copy {
            trip.end_step(|timings| &mut timings.redis);
            return Ok(trip.record_answer(copy, COMPARED));
        }
        self.get_or_load(lookup, load).await
    }
}

impl CacheCore {
    fn in_memory(&self, key: &Key) -> Result<Arc<Entry>, NoCopy> {
        if !self.memory.is_enabled() {
            return Err(NoCopy::Off);
        }
        self.memory.get(key).ok_or(NoCopy::Absent)
    }

    async fn in_redis(&self, lookup: &Lookup<'_>) -> Result<Arc<Entry>, NoCopy> {
        let redis = self.redis.as_ref().ok_or(NoCopy::Off)?;
        let Lookup { key, policy, .. } = lookup;
        let generations = self.generations.query_epochs(key.family());
        let sequence = next_sequence();
        if generations.is_pending() {
            return Err(NoCopy::Down);
        }
        let look = redis
            .read_settled(key, &generations, sequence, policy)
            .await;
        let look = look.ok_or(NoCopy::Down)?;
        merge_purges(&generations, &look, None);
        let Some(Ok(copy)) = look.found else {
            return Err(NoCopy::Absent);
        };
        apply(&copy, look.tombstone);
        Ok(Arc::new(copy))
    }
}
