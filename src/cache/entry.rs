//! A stored body with its metadata, how old it is, and the variants made of it. Where entries are
//! kept is the tiers' business.

use std::fmt;
use std::sync::{OnceLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::memory::Memory;
use super::{Key, Loaded, Policy};

/// A stored body with its metadata and what was made of it.
pub struct Entry {
    /// The body, as it was loaded.
    pub body: Bytes,
    /// What the load gave along; opaque to the cache.
    pub head: Bytes,
    /// How many rows the body holds.
    pub rows: u64,
    /// How long the load took.
    pub load_time: Duration,
    /// Hex digest of head and body; the base of every `ETag`.
    pub etag: String,
    pub(super) key: Key,
    /// Tells this load from others of its key; its jitter is drawn from it.
    pub(super) stamp: u64,
    /// When this process first saw it, and how old it was then.
    seen: Instant,
    aged: Duration,
    variants: [OnceLock<Bytes>; Entry::SLOTS],
    /// Whom to tell when it has grown.
    home: OnceLock<Weak<Memory>>,
}

/// What may be done with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// Within its TTL.
    Fresh,
    /// Within stale-while-revalidate: served at once, refreshed behind.
    Stale,
    /// Within stale-if-error only.
    IfError,
    /// Past every window.
    Over,
}

/// The part of a TTL that jitter may take, in thousandths.
const JITTER: u64 = 100;

impl Entry {
    /// How many variants one entry can have.
    pub const SLOTS: usize = 16;

    /// An entry that has just been loaded.
    pub(super) fn loaded(key: &Key, loaded: Loaded, load_time: Duration, now: Instant) -> Entry {
        let etag = etag(&loaded);
        Entry::revived(key, loaded, load_time, etag, draw(key), now, Duration::ZERO)
    }

    /// An entry that was loaded `aged` ago.
    pub(super) fn revived(
        key: &Key,
        loaded: Loaded,
        load_time: Duration,
        etag: [u8; 16],
        stamp: u64,
        now: Instant,
        aged: Duration,
    ) -> Entry {
        Entry {
            body: loaded.body,
            head: loaded.head,
            rows: loaded.rows,
            load_time,
            etag: format!("{:032x}", u128::from_be_bytes(etag)),
            key: key.clone(),
            stamp,
            seen: now,
            aged,
            variants: [const { OnceLock::new() }; Entry::SLOTS],
            home: OnceLock::new(),
        }
    }

    /// The variant in `slot` (below [`Entry::SLOTS`]), made on first use and weighed with the
    /// entry. Called by many at once, `make` runs once and the others wait for it. What a slot
    /// means is the callers' agreement.
    ///
    /// # Panics
    ///
    /// When there is no such slot.
    pub fn variant(&self, slot: usize, make: impl FnOnce(&Entry) -> Bytes) -> Bytes {
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

    /// The variant in `slot`, if it has been made.
    ///
    /// # Panics
    ///
    /// When there is no such slot.
    pub fn kept(&self, slot: usize) -> Option<Bytes> {
        self.variants[slot].get().cloned()
    }

    /// Since the result arrived from the database.
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.aged + now.saturating_duration_since(self.seen)
    }

    /// The TTL of this entry: 90–100 % of the policy's, the same on every instance, so that
    /// entries of one age do not expire together.
    pub(super) fn ttl(&self, policy: &Policy) -> Duration {
        let part = u32::try_from(self.stamp % (JITTER + 1)).expect("at most JITTER");
        policy.ttl.saturating_sub(policy.ttl / 1000 * part)
    }

    /// Computed with the policy of now, so that a changed TTL acts on old entries at once.
    pub(super) fn life(&self, policy: &Policy, now: Instant) -> Life {
        let age = self.age(now);
        let ttl = self.ttl(policy);
        if age < ttl {
            Life::Fresh
        } else if age < ttl.saturating_add(policy.stale_while_revalidate) {
            Life::Stale
        } else if age < ttl.saturating_add(policy.stale_if_error) {
            Life::IfError
        } else {
            Life::Over
        }
    }

    /// Whether both came from one load.
    pub(super) fn is_same_load(&self, other: &Entry) -> bool {
        self.stamp == other.stamp && self.etag == other.etag
    }

    /// What it takes in memory, near enough.
    pub(super) fn weight(&self) -> u64 {
        let variants: usize = self
            .variants
            .iter()
            .filter_map(OnceLock::get)
            .map(Bytes::len)
            .sum();
        let held = self.key.canonical().len() + self.body.len() + self.head.len() + variants;
        (held + OVERHEAD) as u64
    }

    pub(super) fn settle_in(&self, home: Weak<Memory>) {
        // An entry only ever lives in the one memory tier of its cache.
        let _ = self.home.set(home);
    }
}

/// The entry itself, its `ETag`, and what the memory tier's map, queues and timers take for it.
const OVERHEAD: usize = size_of::<Entry>() + 32 + 400;

/// Without body, head and variants: they hold result rows.
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

fn etag(loaded: &Loaded) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update((loaded.head.len() as u64).to_le_bytes());
    hash.update(&loaded.head);
    hash.update(&loaded.body);
    let digest: [u8; 32] = hash.finalize().into();
    *digest.first_chunk().expect("32 bytes")
}

/// Drawn from key and time of storing. The wall clock is good enough for what only has to differ.
fn draw(key: &Key) -> u64 {
    let time = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let mut hash = Sha256::new();
    hash.update(key.digest());
    hash.update(time.as_nanos().to_le_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    u64::from_le_bytes(*digest.first_chunk().expect("32 bytes"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::KeyBase;
    use super::*;

    pub(in super::super) fn key(parameters: &str) -> Key {
        KeyBase::new("unslow", "version", "select 1", "db").key(parameters.as_bytes().to_vec())
    }

    pub(in super::super) fn loaded(body: &str) -> Loaded {
        Loaded {
            body: Bytes::copy_from_slice(body.as_bytes()),
            head: Bytes::from_static(b"columns"),
            rows: 1,
        }
    }

    const POLICY: Policy = Policy {
        ttl: Duration::from_secs(10),
        stale_while_revalidate: Duration::from_secs(30),
        stale_if_error: Duration::from_secs(100),
    };

    fn entry(stamp: u64, now: Instant, aged: Duration) -> Entry {
        let load_time = Duration::from_secs(5);
        Entry::revived(&key(""), loaded("x"), load_time, [7; 16], stamp, now, aged)
    }

    #[test]
    fn an_entry_goes_through_its_windows_one_after_the_other() {
        let now = Instant::now();
        let entry = entry(0, now, Duration::from_secs(1));
        let life = |seconds| entry.life(&POLICY, now + Duration::from_secs(seconds));
        assert_eq!(life(8), Life::Fresh);
        assert_eq!(life(9), Life::Stale);
        assert_eq!(life(38), Life::Stale);
        assert_eq!(life(39), Life::IfError);
        assert_eq!(life(108), Life::IfError);
        assert_eq!(life(109), Life::Over);
    }

    #[test]
    fn a_changed_ttl_acts_on_an_old_entry_and_zero_turns_the_windows_off() {
        let now = Instant::now();
        let entry = entry(0, now, Duration::from_secs(5));
        let short = Policy {
            ttl: Duration::from_secs(5),
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
        };
        assert_eq!(entry.life(&POLICY, now), Life::Fresh);
        assert_eq!(entry.life(&short, now), Life::Over);
    }

    #[test]
    fn jitter_only_shortens_by_a_tenth_at_most_and_depends_on_the_stamp_alone() {
        let now = Instant::now();
        let mut ttls: Vec<_> = (0..1000)
            .map(|stamp| entry(stamp, now, Duration::ZERO).ttl(&POLICY))
            .collect();
        assert_eq!(
            entry(77, now, Duration::ZERO).ttl(&POLICY),
            entry(77, now, POLICY.ttl).ttl(&POLICY)
        );
        ttls.sort_unstable();
        assert_eq!(ttls.first(), Some(&Duration::from_secs(9)));
        assert_eq!(ttls.last(), Some(&POLICY.ttl));
        ttls.dedup();
        assert!(ttls.len() > 50);
    }

    #[test]
    fn the_etag_depends_on_head_and_body() {
        let now = Instant::now();
        let tag = |loaded| Entry::loaded(&key(""), loaded, Duration::ZERO, now).etag;
        let other_head = Loaded {
            head: Bytes::from_static(b"other"),
            ..loaded("x")
        };
        assert_eq!(tag(loaded("x")), tag(loaded("x")));
        assert_ne!(tag(loaded("x")), tag(loaded("y")));
        assert_ne!(tag(loaded("x")), tag(other_head));
        assert_eq!(tag(loaded("x")).len(), 32);
    }

    #[test]
    fn a_variant_is_made_once_even_when_many_ask_at_once() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let entry = entry(0, Instant::now(), Duration::ZERO);
        let made = AtomicUsize::new(0);
        let start = std::sync::Barrier::new(16);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    start.wait();
                    let variant = entry.variant(3, |entry| {
                        made.fetch_add(1, Ordering::SeqCst);
                        let mut bytes = entry.body.to_vec();
                        bytes.push(b'!');
                        bytes.into()
                    });
                    assert_eq!(variant, &b"x!"[..]);
                });
            }
        });
        assert_eq!(made.load(Ordering::SeqCst), 1);
        assert_eq!(entry.variant(4, |_| Bytes::from_static(b"other")), "other");
    }
}
