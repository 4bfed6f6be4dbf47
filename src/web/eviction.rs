//! The entries that left for want of space of late: a count alone does not tell, so its earlier
//! values are remembered whenever somebody looks at the page.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::stats::StatsSnapshot;
use crate::view::EvictionCounts;

/// The time that is looked back.
const SPAN: Duration = Duration::from_mins(5);
/// The time between two readings that are remembered: a page that is open asks more often.
const STEP: Duration = Duration::from_secs(5);

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct EvictionWatch(Mutex<VecDeque<EvictionReading>>);

#[derive(Debug, Clone, Copy)]
struct EvictionReading {
    at: Instant,
    memory: u64,
    /// `None` where Redis did not say.
    redis: Option<u64>,
}

impl EvictionWatch {
    /// Returns what has left since the oldest reading that is not too old; `None` where there is
    /// none. Counts that start anew, as after a restart of Redis, are no less than zero.
    pub(super) fn count_evictions(
        &self,
        snapshot: &StatsSnapshot,
        now: Instant,
    ) -> Option<EvictionCounts> {
        let redis = snapshot.redis.as_ref();
        let info = redis.and_then(|redis| redis.info.as_ref());
        let reading = EvictionReading {
            at: now,
            memory: snapshot.memory.evictions.get("size").copied().unwrap_or(0),
            redis: info.and_then(|info| info.evicted_keys),
        };
        // Without a lock there would be two; with it, two lookers wait for nothing but this.
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while readings.front().is_some_and(|old| now - old.at > SPAN) {
            readings.pop_front();
        }
        if readings.back().is_none_or(|last| now - last.at >= STEP) {
            readings.push_back(reading);
        }
        let oldest = *readings.front()?;
        let known = readings.iter().find_map(|reading| reading.redis);
        let seconds = now.saturating_duration_since(oldest.at).as_secs_f64();
        (seconds > 0.0).then(|| EvictionCounts {
            seconds,
            memory: reading.memory.saturating_sub(oldest.memory),
            redis: known.map_or(0, |known| reading.redis.unwrap_or(0).saturating_sub(known)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{RedisInfo, RedisSnapshot};

    fn snapshot(memory: u64, redis: Option<u64>) -> StatsSnapshot {
        let mut snapshot = StatsSnapshot::default();
        snapshot.memory.evictions.insert("size".to_owned(), memory);
        snapshot.memory.evictions.insert("expired".to_owned(), 99);
        snapshot.redis = Some(RedisSnapshot {
            info: redis.map(|evicted| RedisInfo {
                evicted_keys: Some(evicted),
                ..RedisInfo::default()
            }),
            ..RedisSnapshot::default()
        });
        snapshot
    }

    #[test]
    fn it_tells_what_left_since_it_was_first_looked_at_and_forgets_what_is_long_ago() {
        let (watch, start) = (EvictionWatch::default(), Instant::now());
        let look = |seconds, memory, redis| {
            let now = start + Duration::from_secs(seconds);
            watch.count_evictions(&snapshot(memory, redis), now)
        };
        let evicted = |seconds: u32, memory, redis| {
            Some(EvictionCounts {
                seconds: f64::from(seconds),
                memory,
                redis,
            })
        };
        assert_eq!(look(0, 10, Some(100)), None);
        assert_eq!(look(60, 10, Some(100)), evicted(60, 0, 0));
        assert_eq!(look(120, 13, Some(150)), evicted(120, 3, 50));
        // The reading at 0 is too old now; that of a minute later counts.
        assert_eq!(look(330, 13, Some(150)), evicted(270, 3, 50));
        assert_eq!(look(1_000, 13, Some(150)), None);
        // A server that was started anew.
        assert_eq!(look(1_060, 14, Some(2)), evicted(60, 1, 0));
    }

    #[test]
    fn a_redis_that_did_not_answer_for_a_while_has_not_evicted_everything() {
        let (watch, start) = (EvictionWatch::default(), Instant::now());
        assert_eq!(watch.count_evictions(&snapshot(0, None), start), None);
        let later =
            watch.count_evictions(&snapshot(0, Some(5_000)), start + Duration::from_secs(10));
        assert_eq!(later.map(|evicted| evicted.redis), Some(0));
    }
}
