//! One lookup from its start to its answer: where its time goes, and that it is counted once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::breaker::BreakerState;
use super::core::CacheCore;
use super::entry::{Entry, Freshness};
use super::lookup::Lookup;
use super::reply::{LookupTimings, Reply};
use crate::error::RequestError;
use crate::outcome::{Outcome, StaleReason};

pub(super) const REVALIDATING: Outcome = Outcome::Stale(StaleReason::Revalidating);
pub(super) const LOAD_ERROR: Outcome = Outcome::Stale(StaleReason::LoadError);

/// One lookup under way. [`LookupRecorder::record_answer`] or [`LookupRecorder::record_error`] ends and counts it; dropped without
/// (the client has gone), it is not counted.
pub(super) struct LookupRecorder<'a> {
    inner: &'a CacheCore,
    pub(super) lookup: Lookup<'a>,
    start: Instant,
    /// The end of the latest step.
    mark: Instant,
    timings: LookupTimings,
}

impl<'a> LookupRecorder<'a> {
    pub(super) fn start(inner: &'a CacheCore, lookup: Lookup<'a>) -> LookupRecorder<'a> {
        let now = inner.clock.now();
        LookupRecorder {
            inner,
            lookup,
            start: now,
            mark: now,
            timings: LookupTimings::default(),
        }
    }

    /// Returns what may be done with a copy at the end of the latest step.
    pub(super) fn copy_freshness(&self, entry: &Entry) -> Freshness {
        entry.freshness(&self.lookup.policy, self.mark)
    }

    /// The same once Redis was asked about it, if it had to be.
    pub(super) fn life_served(&self, entry: &Entry) -> Freshness {
        self.inner
            .copy_freshness(entry, &self.lookup.policy, self.mark)
    }

    /// Returns whether the copy answers without a load.
    pub(super) fn is_served_by(&self, copy: &Entry) -> bool {
        matches!(
            self.copy_freshness(copy),
            Freshness::Fresh | Freshness::Due | Freshness::Stale
        )
    }

    /// Returns whether Redis is asked before anything is answered. A hanging Redis never delays
    /// what memory can answer on its own.
    pub(super) fn must_ask_redis(&self, copy: Option<&Arc<Entry>>) -> bool {
        copy.is_none_or(|copy| {
            !self.is_served_by(copy)
                || self
                    .inner
                    .must_compare(copy, self.copy_freshness(copy), self.mark)
        })
    }

    /// Ends a step whose time `of` names.
    pub(super) fn end_step(&mut self, of: fn(&mut LookupTimings) -> &mut Duration) {
        let now = self.inner.clock.now();
        *of(&mut self.timings) += now.saturating_duration_since(self.mark);
        self.mark = now;
    }

    /// Ends the trip with a value.
    pub(super) fn record_answer(mut self, entry: Arc<Entry>, outcome: Outcome) -> Reply {
        // The moment for which the copy was judged: a copy that is called fresh has time left.
        let judged = self.mark;
        if self.mark == self.start {
            self.end_step(|timings| &mut timings.memory);
        }
        let elapsed = self.mark.saturating_duration_since(self.start);
        let Lookup {
            key, policy, stats, ..
        } = self.lookup;
        stats.record_key(key.id());
        stats.record_request(outcome, elapsed, entry.load_time);
        let is_read_again = matches!(
            outcome,
            Outcome::Hit(_) | Outcome::Stale(_) | Outcome::Coalesced
        );
        if is_read_again && entry.redis_life.read_again() {
            self.inner.let_last(&entry, policy.retention());
        }
        let (age, ttl) = (entry.age(judged), entry.ttl(&policy));
        // A copy can be stale before its TTL is over: nobody may keep it for what is left of that.
        let ttl_left = match outcome {
            Outcome::Stale(_) => Duration::ZERO,
            // Nor rows that a purge concerns which came while they were loaded.
            Outcome::Miss | Outcome::Coalesced if entry.is_purged() => Duration::ZERO,
            _ => ttl.saturating_sub(age),
        };
        Reply {
            stored: self.is_stored(&entry, outcome),
            entry,
            outcome,
            age,
            ttl,
            ttl_left,
            policy,
            timings: self.timings,
        }
    }

    /// Ends the trip without one.
    pub(super) fn record_error(self, error: RequestError) -> RequestError {
        let elapsed = self.inner.clock.now() - self.start;
        let Lookup { key, stats, .. } = self.lookup;
        stats.record_key(key.id());
        // The client's own fault is in no number that an operator is called for.
        if !matches!(error.cause(), RequestError::RefusedValue(_)) {
            stats.record_request(Outcome::Error, elapsed, Duration::ZERO);
        }
        error
    }

    fn is_stored(&self, entry: &Entry, outcome: Outcome) -> bool {
        // Redis is written to after the answer, so what is known is whether it took the question
        // that came before.
        let kept = || {
            let redis = self
                .inner
                .redis
                .as_deref()
                .map(super::redis::RedisTier::redis_state);
            self.inner.memory.has_room(entry)
                || redis.is_some_and(|state| {
                    let takes = state.up != Some(false) && state.complaint.is_none();
                    state.breaker == BreakerState::Closed && takes
                })
        };
        // A load that a hard purge came upon is answered, and is kept nowhere.
        let is_loaded = matches!(outcome, Outcome::Miss | Outcome::Coalesced);
        let is_gone = || is_loaded && entry.is_gone();
        let passes_by = matches!(outcome, Outcome::Bypass(_));
        !passes_by && self.inner.is_storable(entry) && !is_gone() && kept()
    }
}
