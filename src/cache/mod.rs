//! The read path: memory, Redis, a flight, the load. No SQL, no HTTP: it moves opaque bytes and
//! takes a closure that loads them.
//!
//! [`Cache::get_or_load`] in `read` is the one way to a value; `core` is the cache's data, `open` its
//! start, `renew` the same copies over another Redis.
//!
//! - Words: `lookup` (a question), `reply` (an answer), `load_request`, `purge_request`, `key` (what
//!   an entry is found by), `rank` (the place of a load among purges), `trip` (one lookup's times and
//!   its count).
//! - Copies: `entry` (how old one is and what was made of it), `memory`, `compare` (one tier alone).
//! - Loads: `flight` (one load per key in this process), `boarding` (how one comes to it),
//!   `clearance` (what comes before a load), `lease` (one load per key in the fleet), `note` (what
//!   the fleet knows of a failure), `fill` (the load), `keeping` and `redis_life` (how long Redis
//!   keeps what it brings).
//! - Redis: `redis` (the tier), `link` and `connect` (its connections), `breaker` (who may use them),
//!   `commands`, `script_call` and `scripts` (what it is asked), `answers` (what it says), `envelope`
//!   (the stored form), `tiers` (all that are in use), `systems` (the databases that were seen there).
//! - Purges: `purge`, `generations` and `recent` (what makes copies old before their time), `pending`
//!   (what Redis has not heard of), `backplane` (messages to the other instances), `confirm` and
//!   `confirmations` (their answers), `recheck` (what was missed), `trust` (when that is looked for).
//! - For people: `state`, `info` and `info_cell` (how both tiers are), `reports` (what the instances
//!   say of themselves).

mod answers;
mod backplane;
mod boarding;
mod breaker;
mod chance;
mod clearance;
mod clock;
mod commands;
mod compare;
mod confirm;
mod confirmations;
mod connect;
mod core;
mod entry;
mod envelope;
mod fill;
mod flight;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod generations;
mod info;
mod info_cell;
mod keeping;
mod key;
mod lease;
mod link;
mod load_request;
mod lookup;
mod memory;
mod note;
mod open;
mod pending;
mod probe;
mod purge;
mod purge_request;
mod rank;
mod read;
mod recent;
mod recheck;
mod redis;
mod redis_life;
mod renew;
mod reply;
mod reports;
mod script_call;
mod scripts;
mod state;
mod systems;
#[cfg(test)]
mod tests;
mod tiers;
mod trip;
mod trust;

pub use breaker::{BreakerState, RedisState};
pub use clock::Clock;
pub use compare::NoCopy;
pub use confirm::PurgeConfirmation;
pub use core::Cache;
pub use entry::Entry;
pub use key::{Key, KeyBase, SystemTag};
pub use lookup::{LoadedValue, Lookup, Policy};
pub use probe::probe_redis;
pub use purge_request::{PurgeKind, PurgeReach, PurgeScope, RefreshResult};
pub use renew::ping_redis;
pub use reply::{LookupTimings, Reply};
pub use reports::{InstanceList, REPORT_LIFE, ReportResult};
