//! The Redis tier: never the reason a request fails. Every command has one deadline over waiting
//! for a connection and its answer; whatever goes wrong is counted, logged now and then, and is a
//! miss. What is asked is `commands`', connections are `link`'s, the stored form is `envelope`'s.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use deadpool_redis::redis::aio::ConnectionLike;
use deadpool_redis::redis::{Pipeline, Value, pipe};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::answers::{reply_failure, reply_trouble};
use super::breaker::{Breaker, BreakerChange, RedisState};
use super::clock::Clock;
use super::info_cell::InfoCell;
use super::key::name_prefix;
use super::link::{ConnectionLane, RedisConnections, RedisSubscription, error_class};
#[cfg(test)]
use super::tests::fake::Line;
use crate::error::StartupError;
use crate::logging::{LOG_EVERY, LogThrottle};
use crate::settings;
use crate::stats::{PoolSnapshot, RedisError, Stats};

/// The tier that the fleet shares.
pub(super) struct RedisTier {
    wire: RedisTransport,
    breaker: Breaker,
    /// The deadline of connecting and of a command, together.
    deadline: Duration,
    pub(super) max_entry: usize,
    pub(super) namespace: String,
    /// Tells this process from the others in leases and messages.
    pub(super) origin: String,
    pub(super) stats: Arc<Stats>,
    pub(super) engine: Handle,
    pub(super) clock: Clock,
    /// The latest answer of the server about itself.
    pub(super) info: InfoCell,
    log: LogThrottle,
    /// The latest line in the log is that it fails.
    said_failed: AtomicBool,
    /// The bound on how frequently connections are dropped because they lead to a replica.
    demoted: LogThrottle,
}

/// The transport of commands.
#[cfg_attr(
    test,
    allow(clippy::large_enum_variant, reason = "there is one per process")
)]
pub(super) enum RedisTransport {
    /// Connections over the network.
    Links(RedisConnections),
    /// A server that a test plays.
    #[cfg(test)]
    Fake(Line),
}

/// The lane that a command takes, so that large writes hold nothing up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RedisChannel {
    /// The lane of commands that a request waits for.
    Quick,
    /// The lane of commands that may be large.
    Large,
}

/// A timer that is seen so much too late was not looked at in time.
const LATE: Duration = Duration::from_millis(20);
/// The time for which an answer that came meanwhile may need to be read.
const SECOND_LOOK: Duration = Duration::from_millis(20);
const DROP_EVERY: Duration = Duration::from_secs(1);

impl RedisTier {
    /// Prepares the tier; connects to nothing.
    pub(super) fn open(
        settings: &settings::RedisSettings,
        max_entry: usize,
        engine: &Handle,
        stats: Arc<Stats>,
        clock: Clock,
    ) -> Result<RedisTier, StartupError> {
        let wire = RedisTransport::Links(RedisConnections::open(settings, engine, &clock)?);
        Ok(RedisTier::with_transport(
            wire, settings, max_entry, engine, stats, clock,
        ))
    }

    /// Returns the tier over a wire of the caller's choice.
    pub(super) fn with_transport(
        wire: RedisTransport,
        settings: &settings::RedisSettings,
        max_entry: usize,
        engine: &Handle,
        stats: Arc<Stats>,
        clock: Clock,
    ) -> RedisTier {
        RedisTier {
            wire,
            breaker: Breaker::new(clock.now()),
            deadline: settings.timeout,
            max_entry,
            namespace: settings.namespace.clone(),
            origin: uuid::Uuid::new_v4().simple().to_string(),
            stats,
            engine: engine.clone(),
            info: InfoCell::default(),
            log: LogThrottle::new(LOG_EVERY),
            said_failed: AtomicBool::new(false),
            demoted: LogThrottle::new(DROP_EVERY),
            clock,
        }
    }

    /// Returns how it is, from remembered state.
    pub(super) fn redis_state(&self) -> RedisState {
        self.breaker.redis_state(self.clock.now())
    }

    /// Returns its connections. Each is shared by all who ask, so nobody waits for a free one:
    /// `used` are those in service, of the `max` that there are lanes.
    pub(super) fn pool_snapshot(&self) -> PoolSnapshot {
        match &self.wire {
            RedisTransport::Links(links) => links.pool_snapshot(),
            #[cfg(test)]
            RedisTransport::Fake(_) => PoolSnapshot::default(),
        }
    }

    /// Returns whether commands are sent at the moment.
    pub(super) fn lets_through(&self) -> bool {
        self.breaker.lets_through(self.clock.now())
    }

    /// Finds out whether it is back, where it is down: the first request after an outage would
    /// otherwise be the one that asks, when the breaker lets it, and all that come with it would do
    /// without.
    pub(super) async fn probe_if_down(&self) {
        if self.breaker.is_down() {
            self.breaker.allow_retry(self.clock.now());
            let mut ping = pipe();
            ping.cmd("PING");
            self.run(RedisChannel::Quick, &ping).await;
        }
    }

    /// Returns where the instances tell each other. The namespace is in it, because messages ignore
    /// database numbers.
    pub(super) fn channel_name(&self) -> String {
        format!("{}:events", name_prefix(&self.namespace))
    }

    /// Returns a message, or its beginning.
    pub(super) fn make_message(&self, kind: &str, rest: &[&str]) -> String {
        let mut message = format!("{} {kind}", self.origin);
        for part in rest {
            message.push(' ');
            message.push_str(part);
        }
        message
    }

    /// Listens on the channel.
    pub(super) async fn subscribe_channel(&self) -> Result<RedisSubscription, RedisError> {
        match &self.wire {
            RedisTransport::Links(links) => links.subscribe_channel(&self.channel_name()).await,
            #[cfg(test)]
            RedisTransport::Fake(line) => line
                .subscribe(&self.channel_name())
                .await
                .map(RedisSubscription::Fake),
        }
    }

    /// Makes both connections, so that the first request finds them.
    pub(super) async fn connect_eagerly(&self) {
        let mut ping = pipe();
        ping.cmd("PING");
        self.run(RedisChannel::Quick, &ping).await;
        self.run(RedisChannel::Large, &ping).await;
    }

    /// Returns the answers to `commands`, where all of them are usable; `None` after any failure,
    /// which is then counted, logged and told to the breaker.
    pub(super) async fn run(&self, way: RedisChannel, commands: &Pipeline) -> Option<Vec<Value>> {
        self.send_and_judge(way, commands, reply_failure).await
    }

    /// Returns the same of what nothing depends on: that it is refused says nothing against Redis,
    /// and is an answer like others.
    pub(super) async fn try_run(
        &self,
        way: RedisChannel,
        commands: &Pipeline,
    ) -> Option<Vec<Value>> {
        self.send_and_judge(way, commands, reply_trouble).await
    }

    async fn send_and_judge(
        &self,
        way: RedisChannel,
        commands: &Pipeline,
        failure: fn(&Value) -> Option<RedisError>,
    ) -> Option<Vec<Value>> {
        let permit = self.breaker.try_admit(self.clock.now())?;
        let exchange = self.wire.exchange_replies(way, commands);
        let answer = self.in_time(exchange).await;
        let now = self.clock.now();
        let failure = match &answer {
            Ok(values) => values.iter().find_map(failure),
            Err(error) => Some(*error),
        };
        let change = match failure {
            None => {
                let is_accepted = answer.as_ref().is_ok_and(|values| are_accepted(values));
                if way == RedisChannel::Large && is_accepted {
                    self.breaker.clear_complaint();
                }
                permit.record_success(now)
            }
            // Others of its answers may be of use. Were it taken for down because of this one, the
            // next would bring it back, and so on.
            Some(error) if answer.is_ok() && error.is_complaint() => {
                self.note_failure(error, now);
                permit.record_complaint(error, now)
            }
            Some(error) => {
                self.note_failure(error, now);
                permit.record_failure(error, now)
            }
        };
        match change {
            BreakerChange::None => {}
            // A connection that leads nowhere would be kept for minutes by TCP.
            BreakerChange::Opened => self.wire.drop_all(),
            BreakerChange::Recovered => self.note_recovery(),
        }
        answer.ok().filter(|_| failure.is_none())
    }

    /// Returns the answer, if it comes within the deadline. A timer that is seen late rang while
    /// this process was stopped or busy: the answer may have come in that time, and nobody has read
    /// it yet, so it is waited for a moment longer.
    async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, RedisError> {
        let mut answer = pin!(answer);
        let asked = tokio::time::Instant::now();
        if let Ok(answer) = timeout(self.deadline, &mut answer).await {
            return answer;
        }
        if asked.elapsed() < self.deadline + LATE {
            return Err(RedisError::Timeout);
        }
        let second = timeout(SECOND_LOOK, answer).await;
        second.unwrap_or(Err(RedisError::Timeout))
    }

    /// Said where the failure was: a single answer that is late now and then is not news each time.
    fn note_recovery(&self) {
        if self.said_failed.swap(false, Ordering::Relaxed) {
            tracing::info!("Redis answers again");
        }
    }

    fn note_failure(&self, error: RedisError, now: Instant) {
        self.stats.tier_stats().redis_failed(error);
        // A primary that became a replica keeps its connections; the name leads to the new one.
        if error == RedisError::ReadOnly && self.demoted.allow_line(now).is_some() {
            self.wire.drop_all();
        }
        if let Some(unlogged) = self.log.allow_line(now) {
            self.said_failed.store(true, Ordering::Relaxed);
            tracing::warn!(
                error = error.name(),
                unlogged,
                "Redis fails; answers come from memory and the database"
            );
        }
    }
}

impl RedisTransport {
    async fn exchange_replies(
        &self,
        way: RedisChannel,
        commands: &Pipeline,
    ) -> Result<Vec<Value>, RedisError> {
        match self {
            RedisTransport::Links(links) => {
                let lane = match way {
                    RedisChannel::Quick => &links.reads,
                    RedisChannel::Large => &links.writes,
                };
                exchange_on(lane, commands).await
            }
            #[cfg(test)]
            RedisTransport::Fake(line) => line.exchange(commands).await,
        }
    }

    fn drop_all(&self) {
        match self {
            RedisTransport::Links(links) => links.drop_all(),
            #[cfg(test)]
            RedisTransport::Fake(_) => {}
        }
    }
}

/// Returns whether none of the answers is an error.
fn are_accepted(values: &[Value]) -> bool {
    !values
        .iter()
        .any(|value| matches!(value, Value::ServerError(_)))
}

/// Sends over the connection in service. One that turns out to be broken is replaced and the
/// commands are sent once more: they may be repeated without harm. Cancel-safe.
async fn exchange_on(lane: &ConnectionLane, commands: &Pipeline) -> Result<Vec<Value>, RedisError> {
    let count = commands.cmd_iter().count();
    let mut repeated = false;
    loop {
        let mut link = lane.get_connection().await?;
        let answer = link
            .connection
            .req_packed_commands(commands, 0, count)
            .await;
        match answer {
            Ok(values) => return Ok(values),
            Err(error) => {
                let broken = error.is_unrecoverable_error();
                if broken {
                    lane.drop_broken(&link);
                }
                if !broken || repeated {
                    return Err(error_class(&error, RedisError::Closed));
                }
                repeated = true;
            }
        }
    }
}
