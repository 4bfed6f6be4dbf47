//! The latest answer of Redis about itself, and the time when it is asked again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::stats::RedisInfo;

/// The latest answer, and the time when it is asked again.
#[derive(Default)]
pub(super) struct InfoCell(Mutex<LatestInfo>);

#[derive(Default)]
pub(super) struct LatestInfo {
    pub(super) info: Option<(Instant, RedisInfo)>,
    /// Not before; `None`: it has not been asked yet.
    pub(super) next: Option<Instant>,
    pub(super) refused: bool,
}

impl InfoCell {
    pub(super) fn lock(&self) -> MutexGuard<'_, LatestInfo> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
