//! The decision before a load: is it needed at all, may it run, and under which number? It takes
//! one round trip to Redis. While another instance holds the lease, the wait for that instance is
//! here.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::answers::{Prepared, Verdict};
use super::chance;
use super::commands::Question;
use super::core::Inner;
use super::entry::{Entry, Life};
use super::flight::{Backoff, Flight};
use super::generations::Stored;
use super::lease::Lease;
use super::load_request::Order;
use super::note::{self, Note};
use super::rank::{Rank, next_sequence};
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
pub(super) enum Clearance {
    /// Load.
    Load(Cleared),
    /// It is there after all.
    Found(Arc<Entry>),
    /// It failed a moment ago on another instance.
    Noted(RequestError, Backoff),
}

/// The right to load.
pub(super) struct Cleared {
    pub(super) rank: Rank,
    pub(super) lease: Option<Lease>,
}

impl Cleared {
    fn without_redis() -> Clearance {
        Clearance::Load(Cleared {
            rank: Rank::unnumbered(),
            lease: None,
        })
    }

    /// Makes the permission to load under this number, with the lease under `token` if one was
    /// asked for.
    fn under(
        redis: &Arc<RedisTier>,
        order: &Order,
        stored: &Stored,
        number: u64,
        token: Option<&str>,
    ) -> Clearance {
        Clearance::Load(Cleared {
            rank: Rank {
                hard: stored.hard,
                order: number,
                sequence: next_sequence(),
            },
            lease: token.map(|token| {
                redis.stats.tiers().fleet(Fleet::LeasesTaken);
                Lease::held(redis, &order.key, stored.hard, token)
            }),
        })
    }
}

impl Inner {
    /// Waits until the load is needless or may run; no longer than the order's patience, then it
    /// may. Must be called on the engine runtime.
    pub(super) async fn clear(self: &Arc<Self>, flight: &mut Flight, order: &Order) -> Clearance {
        let generations = self.generations.of(order.key.family());
        let Some(redis) = self.redis.as_ref().filter(|_| !order.without_redis) else {
            return Cleared::without_redis();
        };
        let token = token(redis);
        let is_quick = order.expected.is_some_and(|load| load < QUICK);
        let leased = !is_quick && !Defence::Lease.is_off();
        let deadline = Instant::now() + order.patience;
        // A fresh entry above the one number makes the load needless; what is not above the other
        // need not be sent.
        let mut needed = order.base.order;
        let (mut seen, mut wait) = (needed, LOOK_AGAIN);
        loop {
            let (purges, sequence) = (generations.purges(), next_sequence());
            if generations.is_pending() {
                return Cleared::without_redis();
            }
            let question = Question {
                seen,
                token: (leased && Instant::now() < deadline).then_some(&token),
                anyway: order.anyway,
            };
            let asked = redis
                .prepare(&order.key, &generations, sequence, &question)
                .await;
            let Some(prepared) = asked else {
                return Cleared::without_redis();
            };
            generations.learn(&prepared.stored);
            self.mark(order, &prepared);
            match prepared.verdict {
                Verdict::Found(entry, number) => {
                    let kept = entry.and_then(|entry| {
                        apply(&entry, prepared.tombstone);
                        self.keep_found(*entry, &order.policy, &generations, purges)
                    });
                    if let Some((entry, _)) = kept {
                        let life = entry.life(&order.policy, self.clock.now());
                        if number > needed && life == Life::Fresh {
                            return Clearance::Found(entry);
                        }
                        flight.offer(&entry);
                    }
                    seen = number;
                }
                Verdict::Noted(words, left) => match note::read(&words) {
                    Some(Note::Failed(error, failures)) => {
                        let wait = left;
                        return Clearance::Noted(error, Backoff { wait, failures });
                    }
                    // Others do not wait for what nobody will store; nor does a note that cannot
                    // be read hold anything up.
                    Some(Note::TooLarge) | None => return Cleared::without_redis(),
                },
                Verdict::Load {
                    order: number,
                    note,
                } => {
                    if let Some(Note::Failed(_, failures)) = note.as_deref().and_then(note::read) {
                        flight.raise_failures(failures);
                    }
                    return Cleared::under(redis, order, &prepared.stored, number, question.token);
                }
                Verdict::Busy { standing } => {
                    // A load that another instance has begun by now is no answer to a caller who
                    // asked for a load; the others who wait may have it.
                    if needed == u64::MAX {
                        (needed, seen) = (prepared.stored.last, standing);
                    }
                    redis.stats.tiers().fleet(Fleet::LeaseWaits);
                    let _ = timeout(jittered(wait), flight.nudged()).await;
                    wait = (wait * 2).min(MAX_LOOK_AGAIN);
                }
            }
        }
    }

    /// Lets what Redis says of purges act on the copy in memory, which may be served meanwhile.
    fn mark(&self, order: &Order, prepared: &Prepared) {
        if let Some(copy) = self.memory.get(&order.key) {
            apply(&copy, prepared.tombstone);
        }
    }
}

/// Differs between all flights of all instances.
fn token(redis: &RedisTier) -> String {
    format!("{}-{}", redis.origin, next_sequence())
}

/// Returns up to a quarter longer, so that those who wait do not all ask in one moment.
fn jittered(wait: Duration) -> Duration {
    wait + chance::up_to(wait / 4)
}
