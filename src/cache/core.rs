//! The data of a cache: both tiers, the flights, and what is known of purges. It has no behaviour.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::clock::Clock;
use super::confirmations::PurgeConfirmations;
use super::flight::SingleFlight;
use super::generations::EpochTable;
use super::memory::Memory;
use super::pending::PendingPurges;
use super::redis::RedisTier;
use super::tiers::ActiveTiers;
use super::trust::CopyTrust;
use crate::logging::LogThrottles;
use crate::stats::Stats;

/// Both tiers and the flights. Cheap to clone; the clones are one cache.
#[derive(Clone)]
pub struct Cache {
    pub(super) inner: Arc<CacheCore>,
}

/// One Redis with what is known of it, over what all caches of the process share: the memory tier,
/// the flights, and what is known of purges.
pub(super) struct CacheCore {
    pub(super) memory: Arc<Memory>,
    pub(super) redis: Option<Arc<RedisTier>>,
    /// Those of all caches of the process.
    pub(super) tiers: Arc<ActiveTiers>,
    pub(super) flights: Arc<SingleFlight>,
    pub(super) generations: Arc<EpochTable>,
    pub(super) trust: Arc<CopyTrust>,
    /// Purges that Redis has not heard of.
    pub(super) pending: PendingPurges,
    /// Purges that other instances are to confirm.
    pub(super) confirmations: Arc<PurgeConfirmations>,
    /// The id by which the other instances know this one, once it is set.
    pub(super) name: Arc<OnceLock<String>>,
    pub(super) stats: Arc<Stats>,
    /// The lines about answers that are too large to be kept, by query.
    pub(super) not_kept: Arc<LogThrottles<String>>,
    /// The largest entry that is stored, in bytes of body, head and canonical parameters.
    pub(super) max_entry: usize,
    pub(super) engine: Handle,
    pub(super) clock: Clock,
    /// The task that receives the messages of the other instances; it ends with this.
    pub(super) listening: JoinSet<()>,
}

/// Shows nothing of the contents: entries are result rows, and connections know the password.
impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}
