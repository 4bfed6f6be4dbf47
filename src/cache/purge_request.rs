//! The words for a purge and for a refresh: what is asked for, and what came of it.

use std::time::Duration;

use super::key::Key;

/// The entries that a purge concerns.
#[derive(Debug, Clone, Copy)]
pub enum PurgeScope<'a> {
    /// Every entry of the query with this [`KeyBase::family`](super::KeyBase::family).
    Query(&'a str),
    /// One entry.
    Entry {
        /// The key of the entry.
        key: &'a Key,
        /// The time for which a copy of it may be about: its policy's time, and that of a load.
        life: Duration,
    },
}

/// The strength of a purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgeKind {
    /// Stale now: served while a refresh runs, and because loading fails.
    Soft,
    /// Never served again, not even on error.
    Hard,
}

/// The place where a purge has taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgeReach {
    /// Everywhere: in Redis and here at once, in the memory of the other instances by message.
    Fleet,
    /// Here alone, because Redis does not answer. It is remembered and applied when Redis is
    /// back.
    Instance,
}

/// The result of a refresh that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshResult {
    /// It was loaded, here or by another instance.
    Loaded,
    /// There is a copy that is recent enough.
    Recent {
        /// The time since its result arrived from the database.
        age: Duration,
    },
}
