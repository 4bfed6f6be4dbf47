//! The place of a load among the purges of its query, and the order of events in this process.

use std::sync::atomic::{AtomicU64, Ordering};

/// The place where a load stands among the purges of its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LoadVersion {
    /// The hard generation that was read before the load began.
    pub(super) hard: u64,
    /// The number that Redis gave the load as it began; 0: it began without Redis.
    pub(super) order: u64,
    /// The place of the beginning of its load, or of its reading, in the order of events in this
    /// process.
    pub(super) sequence: u64,
}

impl LoadVersion {
    /// Returns the rank of a load that begins now without Redis.
    pub(super) fn without_redis() -> LoadVersion {
        LoadVersion {
            hard: 0,
            order: 0,
            sequence: next_sequence(),
        }
    }
}

/// Returns the next place in the order of events in this process.
pub(super) fn next_sequence() -> u64 {
    static SEQUENCE: AtomicU64 = AtomicU64::new(1);
    SEQUENCE.fetch_add(1, Ordering::SeqCst)
}
