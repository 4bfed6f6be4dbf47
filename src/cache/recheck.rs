//! Comparing copies in memory with Redis: what the answer does to a copy, and how a copy gets from
//! Redis into memory. Messages make most of it needless; this is for those that are missed, and
//! for who changes Redis by hand. When a copy has to be compared is `trust`'s.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::answers::{RedisLookup, Tombstone};
use super::core::CacheCore;
use super::entry::{Entry, Freshness};
use super::generations::{PurgeCursor, QueryEpochs};
use super::key::Key;
use super::load_request::RedisRead;
use super::lookup::Policy;
use super::purge_request::PurgeKind;
use super::rank::next_sequence;
use super::redis::RedisTier;
use super::trust::CONFIRMED_FOR;
use crate::outcome::Tier;

impl CacheCore {
    /// Returns the Redis tier, unless there is a purge of this query that it has not heard of.
    pub(super) fn redis_for(&self, generations: &QueryEpochs) -> Option<&Arc<RedisTier>> {
        self.redis.as_ref().filter(|_| !generations.is_pending())
    }

    /// Returns whether a copy that could be served has to be compared with Redis first.
    pub(super) fn must_compare(&self, entry: &Entry, life: Freshness, now: Instant) -> bool {
        self.redis.is_some() && self.trust.must_compare(entry, life, now)
    }

    /// Returns what may be done with a copy after Redis was asked about it, if it had to be. A copy
    /// that Redis has not confirmed for too long is not called fresh: it is served as stale. It is
    /// loaded again as soon as half of its TTL is over (no earlier than that, because each instance
    /// loads for itself while Redis is away), and in the first half it is served without a load.
    pub(super) fn copy_freshness(&self, entry: &Entry, policy: &Policy, now: Instant) -> Freshness {
        let life = entry.freshness(policy, now);
        let is_fresh = matches!(life, Freshness::Fresh | Freshness::Due);
        if !is_fresh || self.redis.is_none() || !self.trust.is_unconfirmed(entry, now) {
            return life;
        }
        if entry.age(now) < CONFIRMED_FOR.max(policy.ttl / 2) {
            Freshness::Unconfirmed
        } else {
            Freshness::Stale
        }
    }

    /// Returns the usable copy that Redis has, which is then in memory too; or the `copy` in
    /// memory, where that is still the one to use.
    pub(super) async fn look_in_redis(
        &self,
        key: &Key,
        policy: &Policy,
        copy: Option<&Arc<Entry>>,
    ) -> RedisRead {
        let generations = self.generations.query_epochs(key.family());
        // Before Redis is asked at all: it may never hear of a purge that comes from now on.
        let (purges, sequence) = (generations.purge_cursor(), next_sequence());
        let Some(redis) = self.redis_for(&generations) else {
            return RedisRead::default();
        };
        let comparing = CheckGuard(copy);
        if let Some(copy) = copy {
            // A store that ends while Redis is asked says nothing of an answer from before it.
            let (asked, was_there) = (self.clock.now(), copy.redis_life.is_there());
            let Some(front) = redis.read_version(key).await else {
                comparing.end_check(|copy| self.trust.compare_soon(copy, self.clock.now()));
                return RedisRead::unanswered();
            };
            merge_purges(&generations, &front, Some(copy));
            if front.found.is_none_or(|order| order <= copy.rank.order) {
                let removed = was_there && front.found.is_none();
                comparing.end_check(|copy| self.settle_copy(copy, &front, removed, asked));
                return RedisRead {
                    copy: Some((Arc::clone(copy), Tier::Memory)),
                    ..RedisRead::default()
                };
            }
        }
        let look = redis.read_settled(key, &generations, sequence, policy);
        let Some(look) = look.await else {
            comparing.end_check(|copy| self.trust.compare_soon(copy, self.clock.now()));
            return RedisRead::unanswered();
        };
        comparing.end_check(|_| ());
        merge_purges(&generations, &look, None);
        let entry = match look.found {
            Some(Ok(entry)) => entry,
            Some(Err(useless)) => {
                return RedisRead {
                    useless,
                    ..RedisRead::default()
                };
            }
            None => return RedisRead::default(),
        };
        apply(&entry, look.tombstone);
        RedisRead {
            copy: self.keep_found(entry, policy, &generations, purges),
            ..RedisRead::default()
        }
    }

    /// Keeps an entry that Redis gave, unless a hard purge of it came while it was on its way;
    /// there had been `purges` before.
    pub(super) fn keep_found(
        &self,
        entry: Entry,
        policy: &Policy,
        generations: &QueryEpochs,
        purges: PurgeCursor,
    ) -> Option<(Arc<Entry>, Tier)> {
        let now = self.clock.now();
        if entry.freshness(policy, now) == Freshness::Over {
            return None;
        }
        entry
            .redis_life
            .begin_life(entry.redis_life.kept_for, policy.retention());
        self.trust.note_compared(&entry, entry.seen_at());
        let entry = self.memory.insert(Arc::new(entry), policy.retention());
        let meanwhile = generations.purged_since(purges, entry.key.digest(), entry.rank);
        if let Some(kind) = meanwhile {
            entry.note_purge(kind);
        }
        if meanwhile == Some(PurgeKind::Hard) {
            self.memory.remove(&entry);
            return None;
        }
        Some((entry, Tier::Redis))
    }

    /// Keeps an entry that was loaded here; `is_doomed` says whether a hard purge concerns it.
    pub(super) fn keep_loaded(
        &self,
        entry: &Arc<Entry>,
        physical: Duration,
        is_doomed: impl Fn() -> bool,
    ) -> Arc<Entry> {
        if is_doomed() {
            entry.note_purge(PurgeKind::Hard);
            return Arc::clone(entry);
        }
        // Purges that were missed while it was loaded concern it.
        let seen = entry.seen_at();
        let took = entry.load_time + entry.age(seen);
        let began = seen.checked_sub(took).unwrap_or(seen);
        self.trust.note_compared(entry, began);
        let kept = self.memory.insert(Arc::clone(entry), physical);
        // One that came in between did not find it in memory.
        if is_doomed() {
            entry.note_purge(PurgeKind::Hard);
            self.memory.remove(entry);
        }
        kept
    }

    /// Settles a copy that Redis has nothing newer for; `removed`: Redis had it and has it no more.
    fn settle_copy(&self, copy: &Entry, front: &RedisLookup<u64>, removed: bool, asked: Instant) {
        // Emptied, or removed by hand: nothing says that the copy is wrong, so it is not dropped;
        // but something happened, so it is not called fresh.
        let lost_numbers = front.stored.is_none() && copy.rank.order > 0;
        if lost_numbers || removed {
            copy.note_purge(PurgeKind::Soft);
        }
        self.trust.note_compared(copy, asked);
    }
}

/// A comparison under way, which others do not make meanwhile. When who makes it leaves, the next
/// use of the copy has to.
struct CheckGuard<'a>(Option<&'a Arc<Entry>>);

impl CheckGuard<'_> {
    fn end_check(mut self, how: impl FnOnce(&Entry)) {
        if let Some(copy) = self.0.take() {
            how(copy);
        }
    }
}

impl Drop for CheckGuard<'_> {
    fn drop(&mut self) {
        if let Some(copy) = self.0 {
            force_check(copy);
        }
    }
}

/// The next use of this copy compares it with Redis.
pub(super) fn force_check(copy: &Entry) {
    copy.checked.store(0, Ordering::SeqCst);
}

/// Takes over what Redis says of purges, of the query and of this entry.
pub(super) fn merge_purges<T>(
    generations: &QueryEpochs,
    look: &RedisLookup<T>,
    copy: Option<&Arc<Entry>>,
) {
    if let Some(stored) = &look.stored {
        generations.merge_stored(stored);
    }
    if let Some(copy) = copy {
        apply(copy, look.tombstone);
    }
}

/// Lets the purges of this entry alone act on a copy of it.
pub(super) fn apply(copy: &Entry, tombstone: Tombstone) {
    let concerns = |number: u64| number > 0 && copy.rank.order <= number;
    if concerns(tombstone.hard) {
        copy.note_purge(PurgeKind::Hard);
    } else if concerns(tombstone.soft) {
        copy.note_purge(PurgeKind::Soft);
    }
}
