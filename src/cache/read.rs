//! The read path: a value from memory, from Redis, or by a load; and the way past all of them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::core::Cache;
use super::entry::Freshness;
use super::flight::FlightRole;
use super::load_request::{LoadRequest, RedisRead};
use super::lookup::{LoadedValue, Lookup};
use super::reply::Reply;
use super::trip::{LOAD_ERROR, LookupRecorder, REVALIDATING};
use crate::error::RequestError;
use crate::outcome::{BypassReason, Outcome, Tier};
use crate::stats::Trigger;

impl Cache {
    /// Returns the value for a key: from memory, from Redis, or by `load`, of which one runs per
    /// key and process at a time, as a task of the engine runtime. The whole read path. `load` is
    /// told how long it has been waited for: while another instance's load ran, which then brought
    /// nothing.
    ///
    /// Fails with the load's error, the same one for every waiter, or with
    /// [`RequestError::Timeout`] when patience runs out while the load goes on; but not while
    /// there is a copy within stale-if-error. Redis is never the reason.
    ///
    /// Cancel-safe: dropped, it takes nothing from anybody; a load it began goes on and is
    /// stored. It is then not counted as a request. Needs a tokio runtime with time.
    pub async fn get_or_load<F, Fut>(
        &self,
        lookup: Lookup<'_>,
        load: F,
    ) -> Result<Reply, RequestError>
    where
        F: FnOnce(Duration) -> Fut + Send + 'static,
        Fut: Future<Output = Result<LoadedValue, RequestError>> + Send + 'static,
    {
        let inner = &self.inner;
        let mut trip = LookupRecorder::start(inner, lookup);
        let (mut copy, mut tier) = (inner.memory.get(lookup.key), Tier::Memory);
        let mut glance = RedisRead::default();
        if inner.redis.is_some() && trip.must_ask_redis(copy.as_ref()) {
            trip.end_step(|timings| &mut timings.memory);
            let served = copy.as_ref().filter(|copy| trip.is_served_by(copy));
            let (key, policy) = (lookup.key, &lookup.policy);
            glance = inner.look_in_redis(key, policy, served).await;
            if let Some((found, from)) = glance.copy.take() {
                (copy, tier) = (Some(found), from);
            }
            trip.end_step(|timings| &mut timings.redis);
        }
        if let Some(copy) = &copy {
            let life = trip.life_served(copy);
            let copy = Arc::clone(copy);
            let hit = Outcome::Hit(tier);
            match life {
                Freshness::Fresh => return Ok(trip.record_answer(copy, hit)),
                Freshness::Unconfirmed => return Ok(trip.record_answer(copy, REVALIDATING)),
                _ => {}
            }
            if matches!(life, Freshness::Due | Freshness::Stale) {
                let role = inner.flights.join(lookup.key);
                let outcome = match (life, &role) {
                    (Freshness::Due, _) => Some(hit),
                    (_, FlightRole::Lead(_) | FlightRole::Follow(_)) => Some(REVALIDATING),
                    (_, FlightRole::Failed(_)) => Some(LOAD_ERROR),
                    // Nothing newer would ever be stored: the copy is of no more use.
                    (_, FlightRole::TooLarge) => None,
                };
                if let Some(outcome) = outcome {
                    if let FlightRole::Lead(flight) = role {
                        let order = LoadRequest::from_lookup(&lookup, Some(&copy))
                            .with_trigger(Trigger::Refresh);
                        let order = order.after_redis_read(&glance);
                        inner.take_off(flight, order, load);
                    }
                    return Ok(trip.record_answer(copy, outcome));
                }
            }
        }
        let order = LoadRequest::from_lookup(&lookup, copy.as_deref()).after_redis_read(&glance);
        let came = inner.join_or_lead(&trip, order, load).await;
        trip.end_step(match &came {
            Ok((_, Outcome::Miss | Outcome::Bypass(_))) => |timings| &mut timings.load,
            _ => |timings| &mut timings.wait,
        });
        match (
            came,
            copy.filter(|copy| trip.copy_freshness(copy) != Freshness::Over),
        ) {
            (Ok((entry, outcome)), _) => Ok(trip.record_answer(entry, outcome)),
            (Err(_), Some(copy)) => Ok(trip.record_answer(copy, LOAD_ERROR)),
            (Err(error), None) => Err(trip.record_error(error)),
        }
    }

    /// Runs `load` past both tiers and all flights, as a task of the engine runtime, for this
    /// reason. Errors as those of [`Cache::get_or_load`], never a stale copy.
    ///
    /// Cancel-safe: the load goes on without the caller, and its result is dropped.
    pub async fn load_bypassing<F, Fut>(
        &self,
        lookup: Lookup<'_>,
        why: BypassReason,
        load: F,
    ) -> Result<Reply, RequestError>
    where
        F: FnOnce(Duration) -> Fut + Send + 'static,
        Fut: Future<Output = Result<LoadedValue, RequestError>> + Send + 'static,
    {
        let mut trip = LookupRecorder::start(&self.inner, lookup);
        let trigger = match why {
            BypassReason::Compare => Trigger::Admin,
            _ => Trigger::Request,
        };
        let loaded = self.inner.load_apart(&lookup, trigger, load).await;
        trip.end_step(|timings| &mut timings.load);
        match loaded {
            Ok(entry) => Ok(trip.record_answer(entry, Outcome::Bypass(why))),
            Err(error) => Err(trip.record_error(error)),
        }
    }
}
