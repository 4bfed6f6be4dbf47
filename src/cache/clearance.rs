//! The decision before a load: is it needed at all, may it run, and under which number? It takes
//! one round trip to Redis. While another instance holds the lease, the wait for that instance is
//! here.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::answers::{PrepareReply, PrepareVerdict};
use super::chance;
use super::commands::PrepareRequest;
use super::core::CacheCore;
use super::entry::{Entry, Freshness};
use super::flight::{FailureBackoff, Flight};
use super::generations::RedisEpochs;
use super::lease::Lease;
use super::load_request::LoadRequest;
use super::note::{self, SharedFailure};
use super::rank::{LoadVersion, next_sequence};
use super::recheck::apply;
use super::redis::RedisTier;
use crate::defence::Defence;
use crate::error::RequestError;
use crate::stats::Fleet;

/// A load that is known to be quicker than this is not worth waiting for another's.
const QUICK: Duration = Duration::from_millis(200);
/// The pause before Redis is asked again for the end of another instance's load, which a message
/// usually tells first: at first, and at most.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const MAX_LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The permission to load, or the reason why no load is needed.
pub(super) enum LoadDecision {
    /// Load.
    Load(LoadPermit),
    /// It is there after all.
    Found(Arc<Entry>),
    /// It failed a moment ago on another instance.
    Noted(RequestError, FailureBackoff),
}

/// The right to load.
pub(super) struct LoadPermit {
    pub(super) rank: LoadVersion,
    pub(super) lease: Option<Lease>,
}

impl LoadPermit {
    fn without_redis() -> LoadDecision {
        LoadDecision::Load(LoadPermit {
            rank: LoadVersion::without_redis(),
            lease: None,
        })
    }

    /// Makes the permission to load under this number, with the lease under `token` if one was
    /// asked for.
    fn with_number(
        redis: &Arc<RedisTier>,
        order: &LoadRequest,
        stored: &RedisEpochs,
        number: u64,
        token: Option<&str>,
    ) -> LoadDecision {
        LoadDecision::Load(LoadPermit {
            rank: LoadVersion {
                hard: stored.hard,
                order: number,
                sequence: next_sequence(),
            },
            lease: token.map(|token| {
                redis.stats.tier_stats().count_fleet(Fleet::LeasesTaken);
                Lease::take_over(redis, &order.key, stored.hard, token)
            }),
        })
    }
}

impl CacheCore {
    /// Waits until the load is needless or may run; no longer than the order's patience, then it
    /// may. Must be called on the engine runtime.
    pub(super) async fn clear(
        self: &Arc<Self>,
        flight: &mut Flight,
        order: &LoadRequest,
    ) -> LoadDecision {
        let generations = self.generations.query_epochs(order.key.family());
        let Some(redis) = self.redis.as_ref().filter(|_| !order.without_redis) else {
            return LoadPermit::without_redis();
        };
        let token = draw_token(redis);
        let is_quick = order.expected.is_some_and(|load| load < QUICK);
        let leased = !is_quick && !Defence::Lease.is_off();
        let deadline = Instant::now() + order.patience;
        // A fresh entry above the one number makes the load needless; what is not above the other
        // need not be sent.
        let mut needed = order.base.order;
        let (mut seen, mut wait) = (needed, LOOK_AGAIN);
        loop {
            let (purges, sequence) = (generations.purge_cursor(), next_sequence());
            if generations.is_pending() {
                return LoadPermit::without_redis();
            }
            let question = PrepareRequest {
                seen,
                token: (leased && Instant::now() < deadline).then_some(&token),
                anyway: order.anyway,
            };
            let asked = redis
                .prepare_load(&order.key, &generations, sequence, &question)
                .await;
            let Some(prepared) = asked else {
                return LoadPermit::without_redis();
            };
            generations.merge_stored(&prepared.stored);
            self.apply_purges(order, &prepared);
            match prepared.verdict {
                PrepareVerdict::Found(entry, number) => {
                    let kept = entry.and_then(|entry| {
                        apply(&entry, prepared.tombstone);
                        self.keep_found(*entry, &order.policy, &generations, purges)
                    });
                    if let Some((entry, _)) = kept {
                        let life = entry.freshness(&order.policy, self.clock.now());
                        if number > needed && life == Freshness::Fresh {
                            return LoadDecision::Found(entry);
                        }
                        flight.offer_stale(&entry);
                    }
                    seen = number;
                }
                PrepareVerdict::Noted(words, left) => match note::read(&words) {
                    Some(SharedFailure::Failed(error, failures)) => {
                        let wait = left;
                        return LoadDecision::Noted(error, FailureBackoff { wait, failures });
                    }
                    // Others do not wait for what nobody will store; nor does a note that cannot
                    // be read hold anything up.
                    Some(SharedFailure::TooLarge) | None => return LoadPermit::without_redis(),
                },
                PrepareVerdict::Load {
                    order: number,
                    note,
                } => {
                    if let Some(SharedFailure::Failed(_, failures)) =
                        note.as_deref().and_then(note::read)
                    {
                        flight.raise_failures(failures);
                    }
                    return LoadPermit::with_number(
                        redis,
                        order,
                        &prepared.stored,
                        number,
                        question.token,
                    );
                }
                PrepareVerdict::Busy { standing } => {
                    // A load that another instance has begun by now is no answer to a caller who
                    // asked for a load; the others who wait may have it.
                    if needed == u64::MAX {
                        (needed, seen) = (prepared.stored.last, standing);
                    }
                    redis.stats.tier_stats().count_fleet(Fleet::LeaseWaits);
                    let _ = timeout(add_jitter(wait), flight.wait_for_wake()).await;
                    wait = (wait * 2).min(MAX_LOOK_AGAIN);
                }
            }
        }
    }

    /// Lets what Redis says of purges act on the copy in memory, which may be served meanwhile.
    fn apply_purges(&self, order: &LoadRequest, prepared: &PrepareReply) {
        if let Some(copy) = self.memory.get(&order.key) {
            apply(&copy, prepared.tombstone);
        }
    }
}

/// Differs between all flights of all instances.
fn draw_token(redis: &RedisTier) -> String {
    format!("{}-{}", redis.origin, next_sequence())
}

/// Returns up to a quarter longer, so that those who wait do not all ask in one moment.
fn add_jitter(wait: Duration) -> Duration {
    wait + chance::up_to(wait / 4)
}
