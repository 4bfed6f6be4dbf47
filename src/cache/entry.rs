//! A stored body with its metadata, how old it is, what has been purged of it, and the variants
//! made of it. Where entries are kept is the tiers' business.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::chance;
use super::generations::QueryEpochs;
use super::key::Key;
use super::lookup::{LoadedValue, Policy};
use super::purge_request::PurgeKind;
use super::rank::LoadVersion;
use super::redis_life::RedisLife;
use crate::defence::Defence;

/// A stored body with its metadata and what was made of it.
pub struct Entry {
    /// The body, as it was loaded.
    pub body: Bytes,
    /// Bytes that the load gave along; opaque to the cache.
    pub head: Bytes,
    /// The number of rows that the body holds.
    pub rows: u64,
    /// The time for which the load took.
    pub load_time: Duration,
    /// Hex digest of head and body; the base of every `ETag`.
    pub etag: String,
    pub(super) key: Key,
    /// True where it comes from another database than the one that its key names; never stored.
    pub(super) is_foreign: bool,
    /// Tells this load from others of its key; its jitter is drawn from it.
    pub(super) stamp: u64,
    /// The place where its load stands among the purges of its query.
    pub(super) rank: LoadVersion,
    generations: Arc<QueryEpochs>,
    /// The effect of purges of this entry alone.
    purged: AtomicU8,
    pub(super) redis_life: RedisLife,
    /// The moment when it was last compared with Redis, or another comparison began, as `recheck`
    /// measures time.
    pub(super) checked: AtomicU64,
    /// The moment when Redis last said that nothing newer is known of it, as `recheck` measures
    /// time.
    pub(super) confirmed: AtomicU64,
    /// Redis did not answer the latest comparison.
    pub(super) unanswered: AtomicBool,
    /// The moment when this process first saw it, and how old it was then.
    seen: Instant,
    aged: Duration,
    variants: [OnceLock<Bytes>; Entry::SLOTS],
    /// The tier that is notified when the entry has grown.
    home: OnceLock<Weak<dyn EntryHome>>,
}

/// The uses that an entry may be put to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freshness {
    /// It is within its TTL.
    Fresh,
    /// Fresh too, and so near its end that a load begun now is done about when the TTL is over.
    Due,
    /// It is within its TTL, but Redis has not confirmed it for too long: it is served as stale,
    /// and not loaded again yet. Only `recheck` says so.
    Unconfirmed,
    /// It is within stale-while-revalidate: served at once, refreshed behind.
    Stale,
    /// It is within stale-if-error only.
    IfError,
    /// It is past every window, or purged.
    Over,
}

/// The place of an entry among those of its key and among the purges of its query.
#[derive(Debug, Clone)]
pub(super) struct LoadContext {
    pub(super) generations: Arc<QueryEpochs>,
    pub(super) rank: LoadVersion,
}

/// The metadata that an earlier load left of itself, beside the value.
pub(super) struct StoredMetadata {
    pub(super) etag: [u8; 16],
    pub(super) stamp: u64,
    pub(super) load_time: Duration,
    /// The time since its result arrived.
    pub(super) aged: Duration,
    /// The time for which Redis keeps it from its load; zero: it has not been there.
    pub(super) kept_for: Duration,
}

const EXPIRED: u8 = 1;
const GONE: u8 = 2;

/// The part of a TTL that jitter may take, in thousandths.
const JITTER: u64 = 100;

/// The tier that an entry lives in, which wants to know when it grows.
pub(super) trait EntryHome: Send + Sync {
    /// Weighs an entry again whose variants have grown.
    fn weigh_again(&self, entry: &Entry);
}

impl Entry {
    /// The number of variants that one entry can have.
    pub const SLOTS: usize = 16;

    /// An entry that has just been loaded.
    pub(super) fn new_loaded(
        key: &Key,
        origin: LoadContext,
        loaded: LoadedValue,
        load_time: Duration,
        now: Instant,
    ) -> Entry {
        let revived = StoredMetadata {
            etag: make_etag(&loaded),
            stamp: chance::draw_number(),
            load_time,
            aged: Duration::ZERO,
            kept_for: Duration::ZERO,
        };
        Entry::new_revived(key, origin, loaded, &revived, now)
    }

    /// Returns the same entry, whose rows were read so long before they arrived.
    pub(super) fn read_before(self, aged: Duration) -> Entry {
        Entry { aged, ..self }
    }

    /// Returns an entry of an earlier load.
    pub(super) fn new_revived(
        key: &Key,
        origin: LoadContext,
        loaded: LoadedValue,
        revived: &StoredMetadata,
        now: Instant,
    ) -> Entry {
        Entry {
            body: loaded.body,
            head: loaded.head,
            rows: loaded.rows,
            load_time: revived.load_time,
            etag: format!("{:032x}", u128::from_be_bytes(revived.etag)),
            key: key.clone(),
            is_foreign: loaded.is_foreign,
            stamp: revived.stamp,
            rank: origin.rank,
            generations: origin.generations,
            purged: AtomicU8::new(0),
            redis_life: RedisLife::new(revived.kept_for),
            checked: AtomicU64::new(0),
            confirmed: AtomicU64::new(0),
            unanswered: AtomicBool::new(false),
            seen: now,
            aged: revived.aged,
            variants: [const { OnceLock::new() }; Entry::SLOTS],
            home: OnceLock::new(),
        }
    }

    /// Returns the variant in `slot` (below [`Entry::SLOTS`]), made on first use and weighed with
    /// the entry. Called by many at once, `make` runs once and the others wait for it. What a slot
    /// means is the callers' agreement.
    ///
    /// # Panics
    ///
    /// When there is no such slot.
    pub fn derived_body(&self, slot: usize, make: impl FnOnce(&Entry) -> Bytes) -> Bytes {
        if let Some(made) = self.variants[slot].get() {
            return made.clone();
        }
        let mut grown = false;
        let variant = self.variants[slot].get_or_init(|| {
            grown = true;
            make(self)
        });
        if grown && let Some(memory) = self.home.get().and_then(Weak::upgrade) {
            memory.weigh_again(self);
        }
        variant.clone()
    }

    /// Returns the variant in `slot`, if it has been made.
    ///
    /// # Panics
    ///
    /// When there is no such slot.
    pub fn kept_body(&self, slot: usize) -> Option<Bytes> {
        self.variants[slot].get().cloned()
    }

    /// Returns the time since the result arrived from the database.
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.aged + now.saturating_duration_since(self.seen)
    }

    /// Returns the TTL of this entry: 90–100 % of the policy's, the same on every instance, so that
    /// entries of one age do not expire together.
    pub(super) fn ttl(&self, policy: &Policy) -> Duration {
        let part = u32::try_from(self.stamp % (JITTER + 1)).expect("at most JITTER");
        policy.ttl.saturating_sub(policy.ttl / 1000 * part)
    }

    /// Returns the age from which on the next load is begun while this copy is still fresh: as long
    /// before the end as one and a half loads take, so that a slow query is refreshed in time and a
    /// quick one not sooner than it needs.
    fn refresh_point(&self, ttl: Duration) -> Duration {
        let lead = self.load_time.saturating_add(self.load_time / 2);
        ttl.saturating_sub(lead).clamp(ttl / 2, ttl / 10 * 9)
    }

    /// Computed with the policy of now, so that a changed TTL acts on old entries at once.
    pub(super) fn freshness(&self, policy: &Policy, now: Instant) -> Freshness {
        if self.is_gone() {
            return Freshness::Over;
        }
        let ttl = self.ttl(policy);
        let at_least = if self.is_expired() {
            ttl
        } else {
            Duration::ZERO
        };
        let age = self.age(now).max(at_least);
        if age < self.refresh_point(ttl) {
            Freshness::Fresh
        } else if age < ttl {
            Freshness::Due
        } else if Defence::Stale.is_off() {
            Freshness::Over
        } else if age < ttl.saturating_add(policy.stale_while_revalidate) {
            Freshness::Stale
        } else if age < ttl.saturating_add(policy.stale_if_error) {
            Freshness::IfError
        } else {
            Freshness::Over
        }
    }

    /// A purge of this entry alone.
    pub(super) fn note_purge(&self, kind: PurgeKind) {
        let purged = match kind {
            PurgeKind::Soft => EXPIRED,
            PurgeKind::Hard => GONE,
        };
        self.purged.fetch_max(purged, Ordering::SeqCst);
    }

    /// Returns whether it must not be served any more, by a hard purge.
    pub(super) fn is_gone(&self) -> bool {
        self.purged.load(Ordering::SeqCst) == GONE || self.generations.is_purged(self.rank)
    }

    /// Returns whether a purge of either kind keeps it from being called fresh.
    pub(super) fn is_purged(&self) -> bool {
        self.is_expired() || self.is_gone()
    }

    /// Returns whether it is stale before its time, by a soft purge.
    pub(super) fn is_expired(&self) -> bool {
        self.purged.load(Ordering::SeqCst) == EXPIRED || self.generations.is_expired(self.rank)
    }

    /// Returns when this process first saw it; of one from Redis: when it asked for it.
    pub(super) fn seen_at(&self) -> Instant {
        self.seen
    }

    /// Returns whether it is of a later load than `other`: by the numbers of Redis where both have
    /// one of the same generation. A Redis that came back empty may draw lower ones than before;
    /// but of two with numbers, one that a purge has made stale began before one that it does not
    /// concern.
    pub(super) fn is_newer_than(&self, other: &Entry, now: Instant) -> bool {
        let (mine, others) = (self.rank, other.rank);
        let are_numbered = mine.order > 0 && others.order > 0;
        if are_numbered && mine.hard != others.hard && self.is_expired() != other.is_expired() {
            other.is_expired()
        } else if !are_numbered || mine.hard != others.hard {
            self.age(now) < other.age(now)
        } else {
            mine.order > others.order
        }
    }

    /// Returns whether both came from one load.
    pub(super) fn is_same_load(&self, other: &Entry) -> bool {
        self.stamp == other.stamp && self.etag == other.etag
    }

    /// Returns what it takes in memory, near enough.
    pub(super) fn memory_size(&self) -> u64 {
        let variants: usize = self
            .variants
            .iter()
            .filter_map(OnceLock::get)
            .map(Bytes::len)
            .sum();
        let held = self.key.canonical().len() + self.body.len() + self.head.len() + variants;
        (held + OVERHEAD) as u64
    }

    pub(super) fn settle_in(&self, home: Weak<dyn EntryHome>) {
        // An entry only ever lives in the one memory tier of its cache.
        let _ = self.home.set(home);
    }
}

/// The entry itself, its `ETag`, and what the memory tier's map, queues and timers take for it.
const OVERHEAD: usize = size_of::<Entry>() + 32 + 400;

/// Shows neither body, head nor variants: they hold result rows.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("key", &self.key)
            .field("bytes", &self.body.len())
            .field("rows", &self.rows)
            .field("load_time", &self.load_time)
            .finish_non_exhaustive()
    }
}

fn make_etag(loaded: &LoadedValue) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update((loaded.head.len() as u64).to_le_bytes());
    hash.update(&loaded.head);
    hash.update(&loaded.body);
    let digest: [u8; 32] = hash.finalize().into();
    *digest.first_chunk().expect("32 bytes")
}

#[cfg(test)]
mod tests;
