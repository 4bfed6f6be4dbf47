//! The Redis tier: never the reason a request fails. Every command has one deadline over waiting
//! for a connection and its answer; whatever goes wrong is counted, logged now and then, and is a
//! miss. Connections are `link`'s, the stored form is `envelope`'s.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use deadpool_redis::redis::aio::ConnectionLike;
use deadpool_redis::redis::{Pipeline, Value, pipe};
use tokio::runtime::Handle;

use super::breaker::{Breaker, Change, RedisState};
use super::link::{Lane, Links, error_class, reply_class};
use super::{Clock, Entry, Key, envelope};
use crate::error::StartupError;
use crate::settings;
use crate::stats::{RedisError, Rejected, Stats};

/// The tier that the fleet shares.
pub(super) struct RedisTier {
    links: Links,
    breaker: Breaker,
    /// Over connection and command.
    deadline: Duration,
    max_entry: usize,
    stats: Arc<Stats>,
    clock: Clock,
    log: Pace,
    /// How often connections are dropped because they lead to a replica.
    demoted: Pace,
}

const LOG_EVERY: Duration = Duration::from_mins(1);
const DROP_EVERY: Duration = Duration::from_secs(1);

impl RedisTier {
    /// Prepares the tier; connects to nothing.
    pub(super) fn open(
        settings: &settings::Redis,
        max_entry: usize,
        engine: &Handle,
        stats: Arc<Stats>,
        clock: Clock,
    ) -> Result<RedisTier, StartupError> {
        Ok(RedisTier {
            links: Links::open(settings, engine, &clock)?,
            breaker: Breaker::new(clock.now()),
            deadline: settings.timeout,
            max_entry,
            stats,
            log: Pace::new(LOG_EVERY),
            demoted: Pace::new(DROP_EVERY),
            clock,
        })
    }

    /// How it is, from remembered state.
    pub(super) fn state(&self) -> RedisState {
        self.breaker.state(self.clock.now())
    }

    /// Makes both connections, so that the first request finds them.
    pub(super) async fn warm(&self) {
        let mut ping = pipe();
        ping.cmd("PING");
        self.run(&self.links.reads, &ping).await;
        self.run(&self.links.writes, &ping).await;
    }

    /// The copy stored for `key`, fresh or not. `None` when there is none that can be used, and
    /// when Redis does not answer within the deadline. Cancel-safe.
    pub(super) async fn read(&self, key: &Key) -> Option<Entry> {
        let name = key.redis_name();
        let mut ask = pipe();
        // What is longer than the bound is not fetched: one byte more tells that it is.
        let last = self.max_entry.saturating_add(envelope::OVERHEAD);
        ask.cmd("GETRANGE").arg(&name).arg(0).arg(last);
        ask.cmd("PTTL").arg(&name);
        let answer = self.run(&self.links.reads, &ask).await?;
        self.stats.tiers().redis_read();
        self.usable(key, answer)
            .map_err(|reason| self.stats.tiers().rejected(reason))
            .ok()
            .flatten()
    }

    fn usable(&self, key: &Key, answer: Vec<Value>) -> Result<Option<Entry>, Rejected> {
        let [value, left] = <[Value; 2]>::try_from(answer).map_err(|_| Rejected::Damaged)?;
        let bytes = match value {
            Value::BulkString(bytes) => Bytes::from(bytes),
            // What else is an error here has been a failure already.
            Value::ServerError(_) => return Err(Rejected::WrongType),
            _ => return Err(Rejected::Damaged),
        };
        let left = match left {
            // Not there, or gone between the two commands.
            Value::Int(-2) => return Ok(None),
            Value::Int(left) => u64::try_from(left).map_err(|_| Rejected::Expiry)?,
            _ => return Err(Rejected::Damaged),
        };
        let left = Duration::from_millis(left);
        envelope::decode(&bytes, key, self.max_entry, left, self.clock.now()).map(Some)
    }

    /// Stores `entry` to be kept for `physical` from its load; what stands there is replaced.
    /// Gives up at the deadline.
    pub(super) async fn write(&self, entry: &Entry, physical: Duration) {
        // Packing is work; not for a Redis that is away.
        if !self.breaker.lets_through(self.clock.now()) {
            return;
        }
        let packed = envelope::encode(entry, physical);
        // Its life counts from its load, not from now.
        let left = physical.saturating_sub(entry.age(self.clock.now()));
        let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut store = pipe();
        store
            .cmd("SET")
            .arg(entry.key.redis_name())
            .arg(&packed)
            .arg("PX")
            .arg(millis);
        if self.run(&self.links.writes, &store).await.is_some() {
            self.stats.tiers().redis_wrote(packed.len() as u64);
        }
    }

    /// The answers to `commands`, where all of them are usable; `None` after any failure, which is
    /// then counted, logged and told to the breaker.
    async fn run(&self, lane: &Lane, commands: &Pipeline) -> Option<Vec<Value>> {
        let permit = self.breaker.admit(self.clock.now())?;
        let answer = match tokio::time::timeout(self.deadline, exchange(lane, commands)).await {
            Ok(answer) => answer,
            Err(_) => Err(RedisError::Timeout),
        };
        let now = self.clock.now();
        let failure = match &answer {
            Ok(values) => values.iter().find_map(failure),
            Err(error) => Some(*error),
        };
        let change = match failure {
            None => permit.success(now),
            Some(error @ (RedisError::ReadOnly | RedisError::OutOfMemory)) => {
                self.failed(error, now);
                permit.complaint(error, now)
            }
            Some(error) => {
                self.failed(error, now);
                permit.failure(error, now)
            }
        };
        match change {
            Change::None => {}
            // A connection that leads nowhere would be kept for minutes by TCP.
            Change::Opened => self.links.drop_all(),
            Change::Recovered => tracing::info!("Redis answers again"),
        }
        answer.ok().filter(|_| failure.is_none())
    }

    fn failed(&self, error: RedisError, now: Instant) {
        self.stats.tiers().redis_failed(error);
        // A primary that became a replica keeps its connections; the name leads to the new one.
        if error == RedisError::ReadOnly && self.demoted.allows(now).is_some() {
            self.links.drop_all();
        }
        if let Some(unlogged) = self.log.allows(now) {
            tracing::warn!(
                error = error.name(),
                unlogged,
                "Redis fails; answers come from memory and the database"
            );
        }
    }
}

/// Sends over the connection in service. One that turns out to be broken is replaced and the
/// commands are sent once more: they may be repeated without harm. Cancel-safe.
async fn exchange(lane: &Lane, commands: &Pipeline) -> Result<Vec<Value>, RedisError> {
    let count = commands.cmd_iter().count();
    let mut repeated = false;
    loop {
        let mut link = lane.link().await?;
        let answer = link
            .connection
            .req_packed_commands(commands, 0, count)
            .await;
        match answer {
            Ok(values) => return Ok(values),
            Err(error) => {
                let broken = error.is_unrecoverable_error();
                if broken {
                    lane.broken(&link);
                }
                if !broken || repeated {
                    return Err(error_class(&error, RedisError::Closed));
                }
                repeated = true;
            }
        }
    }
}

/// What an error reply means. A wrong type is somebody else's value under our name, no failure.
fn failure(value: &Value) -> Option<RedisError> {
    let Value::ServerError(error) = value else {
        return None;
    };
    (error.code() != "WRONGTYPE").then(|| reply_class(error.code()))
}

/// Lets something happen only so often.
struct Pace {
    every: Duration,
    last: Mutex<(Option<Instant>, u64)>,
}

impl Pace {
    fn new(every: Duration) -> Pace {
        Pace {
            every,
            last: Mutex::default(),
        }
    }

    /// Whether it may happen now, and how often it was held back since it last did.
    fn allows(&self, now: Instant) -> Option<u64> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last
            .0
            .is_some_and(|last| now.saturating_duration_since(last) < self.every)
        {
            last.1 += 1;
            return None;
        }
        let held_back = last.1;
        *last = (Some(now), 0);
        Some(held_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_lets_one_through_per_period_and_counts_the_others() {
        let pace = Pace::new(Duration::from_mins(1));
        let now = Instant::now();
        assert_eq!(pace.allows(now), Some(0));
        assert_eq!(pace.allows(now), None);
        assert_eq!(pace.allows(now + Duration::from_secs(59)), None);
        assert_eq!(pace.allows(now + Duration::from_mins(1)), Some(2));
    }
}
