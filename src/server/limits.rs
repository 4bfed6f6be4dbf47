//! The number of connections that there may be: as the settings say, as far as the system's limit
//! on descriptors goes. Descriptors that run out would be missed where it hurts most: by the accept
//! loop, by pools and by logs.

use crate::error::StartupError;
use crate::settings::Settings;

/// Descriptors for all else: listeners, logs, pidfile, control socket, the runtimes.
const REST: u64 = 64;

/// Each worker is a runtime of its own with this many, and there are up to three generations.
const PER_WORKER: u64 = 3 * 4;

/// Redis' pool and the connection that hears of purges.
const REDIS: u64 = 8;

/// The number of connections below which there is no serving.
const LEAST: u64 = 16;

/// Raises the limit on descriptors as far as this process may, and gives the number of
/// connections that may be open at once: `max_connections`, or what the limit leaves beside the
/// pools, with a note for the log when that is less than was asked for.
///
/// # Errors
/// The limit leaves too few to serve at all.
pub(super) fn connection_limit(
    settings: &Settings,
) -> Result<(usize, Option<String>), StartupError> {
    let limit = raised();
    let wanted = settings.server.max_connections;
    let most = within_limit(limit, wanted, taken_descriptors(settings)).ok_or_else(|| {
        let needed = taken_descriptors(settings) + LEAST;
        StartupError::new(format!(
            "{limit} descriptors are too few: pools, workers and logs leave no connections"
        ))
        .at_place("ulimit -n")
        .with_remedy(format!(
            "raise it to {needed} or more (LimitNOFILE= in a systemd unit), or lower \
             [database] pool_size or [server] workers"
        ))
    })?;
    let note = (most < wanted / 10 * 9).then(|| {
        format!(
            "the limit on descriptors ({limit}) allows {most} connections at once, fewer than \
             [server] max_connections={wanted}"
        )
    });
    Ok((most, note))
}

/// Returns what one worker may have of so many connections. All workers together stay within them,
/// as long as there are no more workers than connections.
pub(super) fn per_worker(connections: usize, workers: usize) -> usize {
    (connections / workers.max(1)).max(1)
}

/// Returns the soft limit after it has been raised to the hard one.
#[cfg(unix)]
fn raised() -> u64 {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        // Where nobody says, there is no reason to hold back.
        return u64::MAX;
    };
    // Refused where the hard limit is above what the system has at all; the soft one holds then.
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        return hard;
    }
    soft
}

/// Elsewhere memory is the only limit.
#[cfg(not(unix))]
fn raised() -> u64 {
    u64::MAX
}

/// Returns the number of descriptors that connections of clients cannot have.
fn taken_descriptors(settings: &Settings) -> u64 {
    let workers = u64::try_from(settings.server.workers).unwrap_or(u64::MAX);
    let redis = if settings.redis.is_some() { REDIS } else { 0 };
    let pools = u64::from(settings.limits.pool_size) + redis;
    workers
        .saturating_mul(PER_WORKER)
        .saturating_add(pools + REST)
}

/// `wanted`, or what is left of the limit; `None` where that is too little.
fn within_limit(limit: u64, wanted: usize, taken: u64) -> Option<usize> {
    let left = limit.saturating_sub(taken);
    if left < LEAST {
        return None;
    }
    Some(wanted.min(usize::try_from(left).unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    #[test]
    fn connections_leave_room_for_all_else() {
        assert_eq!(within_limit(1024, 20_000, 100), Some(924));
        assert_eq!(within_limit(1024, 500, 100), Some(500));
        assert_eq!(within_limit(116, 500, 100), Some(16));
        assert_eq!(within_limit(115, 500, 100), None);
        assert_eq!(within_limit(10, 500, 100), None);
        assert_eq!(within_limit(u64::MAX, 20_000, 100), Some(20_000));
        // Settings that ask for few get them, however few.
        assert_eq!(within_limit(1024, 1, 100), Some(1));
    }

    #[test]
    fn pools_and_workers_are_taken_off() {
        let plain = Settings::from_flags(&["--workers=2", "--pool-size=8"]).unwrap();
        assert_eq!(taken_descriptors(&plain), 64 + 8 + 24);
        let redis = Settings::from_flags(&["--workers=2", "--redis-url=redis://r"]).unwrap();
        assert_eq!(taken_descriptors(&redis), 64 + 8 + 24 + 8);
    }

    #[test]
    fn all_workers_together_stay_within_the_bound() {
        for (connections, workers) in [(100, 3), (20_000, 7), (16, 16)] {
            assert!(per_worker(connections, workers) * workers <= connections);
        }
        assert_eq!(per_worker(16, 512), 1);
    }
}
