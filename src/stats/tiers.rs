//! The counters of the two tiers: evictions from memory; Redis commands, failures by class and
//! stored values that could not be used. The cache says when; this file only counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes an enum whose variants have a fixed name each, and can be listed.
macro_rules! words {
    ($(#[$meta:meta])* $enum:ident { $($(#[$doc:meta])* $variant:ident => $name:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $enum { $($(#[$doc])* $variant,)+ }

        impl $enum {
            /// Every one, in order.
            pub const ALL: [$enum; [$($name),+].len()] = [$($enum::$variant),+];

            /// Returns the name in snapshots, logs and labels.
            pub fn name(self) -> &'static str {
                match self { $($enum::$variant => $name,)+ }
            }
        }
    };
}
pub(super) use words;

words! {
    /// The reason why an entry left the memory tier.
    Eviction {
        /// No space.
        Size => "size",
        /// Its physical life was over.
        Expired => "expired",
        /// Removed on request.
        Explicit => "explicit",
        /// A newer one took its place.
        Replaced => "replaced",
    }
}

words! {
    /// The failure of Redis.
    RedisError {
        /// No connection could be made.
        Connect => "connect",
        /// No answer within the deadline.
        Timeout => "timeout",
        /// The connection broke.
        Closed => "closed",
        /// It does not let us in (`NOAUTH`, `WRONGPASS`).
        Auth => "auth",
        /// It lets us in, and this user may not do what was asked (`NOPERM`).
        Denied => "denied",
        /// It is loading its data (`LOADING`).
        Loading => "loading",
        /// A replica without its primary (`MASTERDOWN`).
        MasterDown => "master_down",
        /// A replica does not take writes (`READONLY`).
        ReadOnly => "read_only",
        /// Its memory is full (`OOM`).
        OutOfMemory => "out_of_memory",
        /// It takes no writes for another reason: it cannot save them to its disk, or too few
        /// replicas follow it (`MISCONF`, `NOREPLICAS`).
        NoWrites => "no_writes",
        /// Any other error reply.
        Other => "other",
    }
}

impl RedisError {
    /// Returns whether it is the word of a Redis that answers, about what it was asked alone.
    pub fn is_complaint(self) -> bool {
        use RedisError::{Denied, NoWrites, Other, OutOfMemory, ReadOnly};
        matches!(self, ReadOnly | OutOfMemory | NoWrites | Denied | Other)
    }
}

words! {
    /// The reason why a value found in Redis could not be used.
    Rejected {
        /// An envelope of another format version.
        Version => "version",
        /// Cut, altered, or no envelope at all.
        Damaged => "damaged",
        /// Another key's envelope.
        OtherKey => "other_key",
        /// Larger than `max_entry`.
        TooLarge => "too_large",
        /// Not a string (`WRONGTYPE`).
        WrongType => "wrong_type",
        /// The entry has no expiry, or a later one than was stored: its age is unknown.
        Expiry => "expiry",
    }
}

words! {
    /// The reason why Redis did not take an entry that was loaded.
    Refused {
        /// It was purged while it was loaded.
        Purged => "purged",
        /// One of a later load stands there.
        Older => "older",
        /// The lease has gone to another instance.
        Lost => "lost",
    }
}

words! {
    /// The effects of the instances on each other's loads and copies.
    Fleet {
        /// A lease was taken.
        LeasesTaken => "leases_taken",
        /// Redis was asked again because another instance held the lease.
        LeaseWaits => "lease_waits",
        /// A lease ended before its load.
        LeasesLost => "leases_lost",
        /// Copies in memory that were compared with Redis.
        Rechecks => "rechecks",
        /// Messages that came in, one's own included.
        Messages => "messages",
        /// Soft purges asked of this instance.
        Expired => "expires",
        /// Hard purges asked of this instance.
        Purged => "purges",
    }
}

/// Counters of both tiers.
#[derive(Debug, Default)]
pub struct TierStats {
    evictions: [AtomicU64; Eviction::ALL.len()],
    reads: AtomicU64,
    writes: AtomicU64,
    written_bytes: AtomicU64,
    errors: [AtomicU64; RedisError::ALL.len()],
    rejected: [AtomicU64; Rejected::ALL.len()],
    refused: [AtomicU64; Refused::ALL.len()],
    fleet: [AtomicU64; Fleet::ALL.len()],
}

impl TierStats {
    /// Notes that an entry left the memory tier.
    pub fn count_evicted(&self, cause: Eviction) {
        self.evictions[cause as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Redis answered a look-up.
    pub fn redis_read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    /// Redis took an envelope of so many bytes.
    pub fn redis_wrote(&self, bytes: u64) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.written_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes that a command failed so.
    pub fn redis_failed(&self, error: RedisError) {
        self.errors[error as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a value was found and could not be used.
    pub fn count_rejected(&self, reason: Rejected) {
        self.rejected[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Redis did not take an entry.
    pub fn count_refused(&self, reason: Refused) {
        self.refused[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that something happened between the instances.
    pub fn count_fleet(&self, what: Fleet) {
        self.fleet[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn tier_numbers(&self) -> TierNumbers {
        TierNumbers {
            evictions: named_counts(&Eviction::ALL.map(Eviction::name), &self.evictions),
            reads: self.reads.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            written_bytes: self.written_bytes.load(Ordering::Relaxed),
            errors: named_counts(&RedisError::ALL.map(RedisError::name), &self.errors),
            rejected: named_counts(&Rejected::ALL.map(Rejected::name), &self.rejected),
            refused: named_counts(&Refused::ALL.map(Refused::name), &self.refused),
            fleet: named_counts(&Fleet::ALL.map(Fleet::name), &self.fleet),
        }
    }
}

/// The counters of both tiers at one moment, zeros included.
pub(super) struct TierNumbers {
    pub(super) evictions: BTreeMap<String, u64>,
    pub(super) reads: u64,
    pub(super) writes: u64,
    pub(super) written_bytes: u64,
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) rejected: BTreeMap<String, u64>,
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) fleet: BTreeMap<String, u64>,
}

fn named_counts(names: &[&'static str], cells: &[AtomicU64]) -> BTreeMap<String, u64> {
    names
        .iter()
        .zip(cells)
        .map(|(name, cell)| ((*name).to_owned(), cell.load(Ordering::Relaxed)))
        .collect()
}
