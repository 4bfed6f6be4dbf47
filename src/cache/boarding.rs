//! The ways in which a request comes to a value over a flight: it leads the flight, waits for it,
//! or loads past it. The time that it waits is decided here. The load itself is `fill`'s.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant as Deadline, timeout_at};

use super::core::CacheCore;
use super::entry::{Entry, Freshness, LoadContext};
use super::flight::{FlightEvent, FlightResult, FlightRole, FlightWaiter};
use super::load_request::LoadRequest;
use super::lookup::{LoadedValue, Lookup};
use super::rank::LoadVersion;
use super::trip::{LookupRecorder, REVALIDATING};
use crate::defence::TiedTask;
use crate::error::RequestError;
use crate::outcome::{BypassReason, Outcome, Tier};
use crate::stats::Trigger;

/// The number of flights that a caller boards, each of which was left dangling by the one before.
const SUCCESSORS: usize = 3;

/// The result of a request that came by way of a flight.
type LookupResult = Result<(Arc<Entry>, Outcome), RequestError>;

impl CacheCore {
    /// Returns an entry by way of the key's flight: the caller's own, or the one it joins. Waits no
    /// longer than the lookup's patience. Cancel-safe: the load goes on and is stored.
    pub(super) async fn join_or_lead<F, Fut>(
        self: &Arc<Self>,
        trip: &LookupRecorder<'_>,
        order: LoadRequest,
        load: F,
    ) -> LookupResult
    where
        F: FnOnce(Duration) -> Fut + Send + 'static,
        Fut: Future<Output = Result<LoadedValue, RequestError>> + Send + 'static,
    {
        let lookup = &trip.lookup;
        let deadline = Deadline::now() + lookup.patience;
        for _ in 0..SUCCESSORS {
            match self.flights.join(lookup.key) {
                FlightRole::Lead(flight) => {
                    let waiter = flight.leader_waiter();
                    let load = self.take_off(flight, order, load);
                    let _tied = TiedTask::unless_detached(load);
                    let came = self
                        .wait_for_flight(waiter, deadline, lookup, Outcome::Miss)
                        .await;
                    return came.unwrap_or_else(|| Err(abandoned_load()));
                }
                FlightRole::Follow(waiter) => {
                    let coalesced = Outcome::Coalesced;
                    if let Some(came) = self
                        .wait_for_flight(waiter, deadline, lookup, coalesced)
                        .await
                    {
                        return came;
                    }
                }
                FlightRole::Failed(error) => return Err(error),
                FlightRole::TooLarge => {
                    let entry = self.load_apart(lookup, Trigger::Request, load).await?;
                    return Ok((entry, Outcome::Bypass(BypassReason::TooLarge)));
                }
            }
        }
        Err(abandoned_load())
    }

    /// Returns what a request gets from a flight, also before its end: a copy that is offered
    /// meanwhile and may be served while the load goes on. A value that was loaded came as
    /// `loaded`; `None` when the flight has left its waiters without an end.
    async fn wait_for_flight(
        &self,
        waiter: FlightWaiter,
        deadline: Deadline,
        lookup: &Lookup<'_>,
        loaded: Outcome,
    ) -> Option<LookupResult> {
        let life = |copy: &Entry| copy.freshness(&lookup.policy, self.clock.now());
        let will_do = |copy: &Entry| {
            matches!(
                life(copy),
                Freshness::Fresh | Freshness::Due | Freshness::Stale
            )
        };
        let Ok(word) = timeout_at(deadline, waiter.next_event(will_do)).await else {
            return Some(Err(wait_timeout(lookup)));
        };
        Some(match word {
            FlightEvent::Offer(copy) => {
                let is_fresh = matches!(life(&copy), Freshness::Fresh | Freshness::Due);
                let hit = Outcome::Hit(Tier::Redis);
                Ok((copy, if is_fresh { hit } else { REVALIDATING }))
            }
            FlightEvent::End(FlightResult::Done(entry, Some(tier))) => {
                Ok((entry, Outcome::Hit(tier)))
            }
            FlightEvent::End(FlightResult::Done(entry, None) | FlightResult::TooLarge(entry)) => {
                Ok((entry, loaded))
            }
            FlightEvent::End(FlightResult::Failed(error)) => Err(error),
            FlightEvent::End(FlightResult::Dangling) => return None,
        })
    }

    /// Runs the load on the engine runtime, past tiers and flights. Cancel-safe: it goes on
    /// without the caller, and nobody gets it.
    pub(super) async fn load_apart<F, Fut>(
        self: &Arc<Self>,
        lookup: &Lookup<'_>,
        trigger: Trigger,
        load: F,
    ) -> Result<Arc<Entry>, RequestError>
    where
        F: FnOnce(Duration) -> Fut + Send + 'static,
        Fut: Future<Output = Result<LoadedValue, RequestError>> + Send + 'static,
    {
        let (inner, order) = (
            Arc::clone(self),
            LoadRequest::from_lookup(lookup, None).with_trigger(trigger),
        );
        let task = self.engine.spawn(async move {
            let origin = LoadContext {
                generations: inner.generations.query_epochs(order.key.family()),
                rank: LoadVersion::without_redis(),
            };
            inner.load(&order, origin, || load(Duration::ZERO)).await
        });
        match tokio::time::timeout(lookup.patience, task).await {
            Ok(Ok(loaded)) => loaded.map(Arc::new),
            Ok(Err(_)) => Err(abandoned_load()),
            Err(_) => Err(wait_timeout(lookup)),
        }
    }
}

pub(super) async fn wait(
    waiter: FlightWaiter,
    deadline: Deadline,
    lookup: &Lookup<'_>,
) -> Result<FlightResult, RequestError> {
    timeout_at(deadline, waiter.wait_for_end())
        .await
        .map_err(|_| wait_timeout(lookup))
}

fn wait_timeout(lookup: &Lookup<'_>) -> RequestError {
    RequestError::Timeout {
        limit: lookup.patience,
    }
}

pub(super) fn abandoned_load() -> RequestError {
    RequestError::Internal {
        detail: "the load ended without a result (it panicked, or the program is ending)".into(),
    }
}
