//! The words for a purge and for a refresh: what is asked for, and what came of it.

use std::time::Duration;

use super::key::Key;

/// What a purge concerns.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// Every entry of the query with this [`KeyBase::family`](super::KeyBase::family).
    Query(&'a str),
    /// One entry.
    Entry {
        /// What it is found by.
        key: &'a Key,
        /// How long a copy of it may be about: its policy's time, and that of a load.
        life: Duration,
    },
}

/// How far a purge goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgeKind {
    /// Stale now: served while a refresh runs, and because loading fails.
    Soft,
    /// Never served again, not even on error.
    Hard,
}

/// Where a purge has taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Everywhere: in Redis and here at once, in the memory of the other instances by message.
    Fleet,
    /// Here alone, because Redis does not answer. It is remembered and applied when Redis is
    /// back.
    Instance,
}

/// What became of a refresh that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// It was loaded, here or by another instance.
    Loaded,
    /// There is a copy that is recent enough.
    Recent {
        /// Since its result arrived from the database.
        age: Duration,
    },
}
