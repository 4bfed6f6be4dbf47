//! Scheduled refresh: which keys of a query are in use, and when each is loaded again. It owns the
//! times; how a key is loaded is `reload`'s.
//!
//! A key's next turn is counted from the age of its copy, not from when this instance last had its
//! turn. So the instances of a fleet fall in step with each other: the first whose turn it is loads
//! through the lease, and the others find a copy that is recent and wait for its age. By the same
//! rule a load that a reader began postpones the next turn.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep;

use crate::cache::{Clock, RefreshResult};
use crate::error::RequestError;
use crate::query::{Arguments, Query};

/// Scheduled keys of one query: more than people look at within minutes, and few enough that a
/// client who tries out parameters cannot fill memory or make endless work. One beyond it is not
/// scheduled; its readers have it loaded as those of any other query do.
const MOST_KEYS: usize = 1000;
/// A key in use stays scheduled for at least so long after it was read.
const LEAST_IDLE: Duration = Duration::from_mins(10);
/// The pause before a refresh that failed is tried again: at first, doubling with each failure in a
/// row, and never longer than the interval.
const RETRY: Duration = Duration::from_secs(30);
/// The part of an interval that jitter may take, so that keys are not loaded in step.
const JITTER: u32 = 10;
/// The part of an interval that passes at least between two turns of a key.
const PAUSE: u32 = 100;
/// The longest time without a look at the clock: a timer does not count the sleep of the machine,
/// and what has come due in a sleep is due at once.
const LOOK: Duration = Duration::from_secs(5);

/// The schedule of one query, as its readers see it. Dropped, it ends the task that [`ScheduleRunner::run`]
/// is.
pub(super) struct QuerySchedule {
    keys: Arc<ScheduledKeys>,
    news: UnboundedSender<DueKey>,
}

/// The keys of one query that are in use.
struct ScheduledKeys {
    query: Arc<Query>,
    interval: Duration,
    read: RwLock<HashMap<Arc<Arguments>, Arc<LastRead>>>,
    /// Counts the sleep of the machine, as ages do.
    clock: Clock,
    began: Instant,
    random: RandomState,
}

/// The time of the last read, in whole seconds since the schedule began.
struct LastRead(AtomicU64);

/// The keys of a schedule and the moments at which each is loaded.
pub(super) struct ScheduleRunner {
    keys: Arc<ScheduledKeys>,
    news: UnboundedReceiver<DueKey>,
    /// The number tells turns of one moment apart.
    due: BTreeMap<(Instant, u64), DueKey>,
    number: u64,
    /// Keys whose latest refresh has failed.
    failing: usize,
}

struct DueKey {
    arguments: Arc<Arguments>,
    last_read: Arc<LastRead>,
    at: Instant,
    /// The failures in a row.
    failures: u32,
}

/// A key that is read and not scheduled.
#[must_use = "it is scheduled only when it begins"]
pub(super) struct UnscheduledKey<'a> {
    schedule: &'a QuerySchedule,
    arguments: Arguments,
}

impl QuerySchedule {
    /// Returns a schedule, and what has to be run for it. It has the keys of the one before it,
    /// which go on being read by way of both; each has a turn soon, in which the age of its copy
    /// tells when the next is.
    pub(super) fn replace_schedule(
        before: Option<&QuerySchedule>,
        query: &Arc<Query>,
        interval: Duration,
        clock: Clock,
    ) -> (QuerySchedule, ScheduleRunner) {
        let before = before.map(|before| &before.keys);
        let read = before.map(|keys| keys.read_keys().clone());
        let keys = Arc::new(ScheduledKeys {
            query: Arc::clone(query),
            interval,
            read: RwLock::new(read.unwrap_or_default()),
            began: before.map_or_else(|| clock.now(), |keys| keys.began),
            clock,
            random: RandomState::new(),
        });
        let (news, received) = unbounded_channel();
        let mut turns = ScheduleRunner {
            keys: Arc::clone(&keys),
            news: received,
            due: BTreeMap::new(),
            number: 0,
            failing: 0,
        };
        let soon = keys.clock.now() + interval / PAUSE;
        for (arguments, last_read) in keys.read_keys().iter() {
            turns.put_back(DueKey {
                arguments: Arc::clone(arguments),
                last_read: Arc::clone(last_read),
                at: soon,
                failures: 0,
            });
        }
        (QuerySchedule { keys, news }, turns)
    }

    /// Notes that a key is read. Gives one that could be scheduled and is not. Allocates nothing
    /// for one that is.
    pub(super) fn read(&self, arguments: &Arguments) -> Option<UnscheduledKey<'_>> {
        let keys = self.keys.read_keys();
        if let Some(last_read) = keys.get(arguments) {
            last_read.set(self.keys.now_nanos());
            return None;
        }
        (keys.len() < MOST_KEYS).then(|| UnscheduledKey {
            schedule: self,
            arguments: arguments.clone(),
        })
    }
}

impl UnscheduledKey<'_> {
    /// Schedules it. `age` is that of its copy.
    pub(super) fn begin_schedule(self, age: Duration) {
        let UnscheduledKey {
            schedule: QuerySchedule { keys, news },
            arguments,
        } = self;
        let arguments = Arc::new(arguments);
        let last_read = Arc::new(LastRead(AtomicU64::new(keys.now_nanos())));
        let mut read = keys.write_keys();
        // Another reader may have been quicker.
        if read.len() >= MOST_KEYS || read.contains_key(&arguments) {
            return;
        }
        read.insert(Arc::clone(&arguments), Arc::clone(&last_read));
        drop(read);
        let turn = DueKey {
            at: keys.clock.now() + keys.until_turn(&arguments, age),
            arguments,
            last_read,
            failures: 0,
        };
        // Nobody receives it when the program is ending.
        let _ = news.send(turn);
    }
}

impl ScheduleRunner {
    /// Gives each key its turns, one at a time, until the schedule is dropped. `refresh` loads a
    /// key unless there is a copy of less than the given age. Must be called on the engine
    /// runtime.
    pub(super) async fn run<F, Fut>(mut self, refresh: F)
    where
        F: Fn(Arc<Arguments>, Duration) -> Fut,
        Fut: Future<Output = Result<RefreshResult, RequestError>>,
    {
        // Whatever part of an interval jitter has taken, a copy is old enough when its turn comes.
        let jitter = self.keys.interval / JITTER;
        let old_enough = self.keys.interval.saturating_sub(jitter);
        loop {
            let next = self.due.first_key_value().map(|((at, _), _)| *at);
            let wait = next.map(|at| at.saturating_duration_since(self.keys.clock.now()));
            tokio::select! {
                biased;
                new = self.news.recv() => {
                    let Some(turn) = new else { return };
                    self.put_back(turn);
                }
                () = sleep(wait.unwrap_or_default().min(LOOK)), if wait.is_some() => {
                    let Some(turn) = self.pop_due() else { continue };
                    if self.keys.forget_idle(&turn) {
                        self.log_result(turn.failures, None);
                        continue;
                    }
                    let refreshed = refresh(Arc::clone(&turn.arguments), old_enough).await;
                    self.reschedule(turn, &refreshed);
                }
            }
        }
    }

    /// Takes the first turn out, if its time has come.
    fn pop_due(&mut self) -> Option<DueKey> {
        let first = self.due.first_entry()?;
        (first.key().0 <= self.keys.clock.now()).then(|| first.remove())
    }

    fn put_back(&mut self, turn: DueKey) {
        self.number += 1;
        self.due.insert((turn.at, self.number), turn);
    }

    fn reschedule(&mut self, mut turn: DueKey, refreshed: &Result<RefreshResult, RequestError>) {
        let wait = match refreshed {
            Ok(RefreshResult::Loaded) => self.keys.until_turn(&turn.arguments, Duration::ZERO),
            Ok(RefreshResult::Recent { age }) => self.keys.until_turn(&turn.arguments, *age),
            Err(_) => self.keys.until_retry(turn.failures),
        };
        self.log_result(turn.failures, refreshed.as_ref().err());
        turn.failures = match refreshed {
            Ok(_) => 0,
            Err(_) => turn.failures.saturating_add(1),
        };
        turn.at = self.keys.clock.now() + wait;
        self.put_back(turn);
    }

    /// Says it once when a query's refreshes begin to fail, and once when none does any more.
    fn log_result(&mut self, failures_before: u32, error: Option<&RequestError>) {
        let query = &self.keys.query;
        let name = query.name.as_str();
        match (failures_before, error) {
            (0, Some(error)) => {
                self.failing += 1;
                if self.failing == 1 {
                    tracing::warn!(
                        query = name,
                        at = query.locate_error(error),
                        class = error.class(),
                        "a scheduled refresh failed: {}",
                        error.log_message()
                    );
                }
            }
            (1.., None) => {
                self.failing -= 1;
                if self.failing == 0 {
                    tracing::info!(query = name, "no scheduled refresh fails any more");
                }
            }
            _ => {}
        }
    }
}

impl ScheduledKeys {
    /// Returns how long a key is left alone whose copy is so old.
    fn until_turn(&self, arguments: &Arguments, age: Duration) -> Duration {
        let drawn = self.random.hash_one((arguments, self.clock.now())) % 1000;
        let drawn = u32::try_from(drawn).expect("below a thousand");
        let jitter = self.interval / JITTER / 1000 * drawn;
        self.interval
            .saturating_sub(jitter)
            .saturating_sub(age)
            .max(self.interval / PAUSE)
    }

    fn until_retry(&self, failures_before: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures_before);
        RETRY.saturating_mul(doubled).min(self.interval)
    }

    /// Ends the schedule of a key that has not been read for long; whether it has.
    fn forget_idle(&self, turn: &DueKey) -> bool {
        let limit = self.interval.saturating_mul(2).max(LEAST_IDLE).as_secs();
        let is_idle = || self.now_nanos().saturating_sub(turn.last_read.get()) >= limit;
        if !is_idle() {
            return false;
        }
        let mut read = self.write_keys();
        // A reader that comes now waits for the lock.
        if !is_idle() {
            return false;
        }
        read.remove(&turn.arguments);
        true
    }

    fn now_nanos(&self) -> u64 {
        let now = self.clock.now();
        now.saturating_duration_since(self.began).as_secs()
    }

    fn read_keys(&self) -> RwLockReadGuard<'_, HashMap<Arc<Arguments>, Arc<LastRead>>> {
        self.read.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_keys(&self) -> RwLockWriteGuard<'_, HashMap<Arc<Arguments>, Arc<LastRead>>> {
        self.read.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LastRead {
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Many readers write the same second: most of them need not write at all.
    fn set(&self, now: u64) {
        if self.get() != now {
            self.0.store(now, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
