//! Connections to Redis: made on the engine runtime, whose life is the process's, and shared by
//! the workers, whose life is not. A deadpool pool makes them; each lane keeps one multiplexed
//! connection in service, so that a request neither waits for a checkout nor needs the engine.
//! Messages come over a connection of their own. What is asked over them, and what an answer
//! means, is the Redis tier's.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use deadpool_redis::redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use deadpool_redis::redis::{self, AsyncConnectionConfig, Client, ErrorKind};
use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime, Timeouts};
use futures_util::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

use super::clock::Clock;
use super::connect::{bad_url, connection_info};
use crate::error::StartupError;
use crate::settings;
use crate::stats::{PoolSnapshot, RedisError};

/// The time for which making a connection may take. Nobody waits that long for it.
const CONNECT: Duration = Duration::from_secs(1);
/// The age at which a connection is replaced, so that a changed address is noticed.
const MAX_AGE: Duration = Duration::from_mins(1);
/// One in service and one in the making, for two lanes.
const POOL: usize = 4;

/// The lanes. Large writes do not hold up reads.
pub(super) struct RedisConnections {
    pub(super) reads: ConnectionLane,
    pub(super) writes: ConnectionLane,
    client: Client,
}

/// Messages as they come in.
pub(super) enum RedisSubscription {
    /// A connection over the network.
    Link(PubSubSink, PubSubStream),
    /// The messages of a server that a test plays.
    #[cfg(test)]
    Fake(tokio::sync::mpsc::UnboundedReceiver<Bytes>),
}

impl RedisSubscription {
    /// Returns the next message; `None` when the connection has ended. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        match self {
            RedisSubscription::Link(_, messages) => {
                let message = messages.next().await?;
                Some(Bytes::copy_from_slice(message.get_payload_bytes()))
            }
            #[cfg(test)]
            RedisSubscription::Fake(messages) => messages.recv().await,
        }
    }

    /// Returns whether the other end answers.
    pub(super) async fn answers_ping(&mut self) -> bool {
        match self {
            RedisSubscription::Link(sink, _) => {
                let pong = timeout(CONNECT, sink.ping::<redis::Value>()).await;
                matches!(pong, Ok(Ok(_)))
            }
            #[cfg(test)]
            RedisSubscription::Fake(messages) => !messages.is_closed(),
        }
    }
}

/// One connection in service, and its successor in the making.
#[derive(Clone)]
pub(super) struct ConnectionLane(Arc<LaneInner>);

struct LaneInner {
    pool: Pool,
    engine: Handle,
    clock: Clock,
    /// Connections made so far.
    count: AtomicU64,
    service: RwLock<Option<LiveConnection>>,
    making: Mutex<Option<ConnectAttempt>>,
}

type ConnectResult = Result<SharedConnection, RedisError>;
type ConnectAttempt = watch::Receiver<Option<ConnectResult>>;

/// A connection for one caller.
#[derive(Clone)]
pub(super) struct SharedConnection {
    pub(super) connection: MultiplexedConnection,
    number: u64,
    made: Instant,
}

/// The connection in service, with the place it holds in the pool.
struct LiveConnection {
    link: SharedConnection,
    place: Option<Connection>,
}

impl Drop for LiveConnection {
    /// Takes the connection out of the pool for good: handed back, it would be used beyond its age.
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            drop(Connection::take(place));
        }
    }
}

impl RedisConnections {
    /// Prepares the lanes; connects to nothing.
    pub(super) fn open(
        settings: &settings::RedisSettings,
        engine: &Handle,
        clock: &Clock,
    ) -> Result<RedisConnections, StartupError> {
        let info = connection_info(settings)?;
        // Deadlines are kept per command, over both lanes' waiting too.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(None);
        let client = Client::open(info.clone()).map_err(|_| bad_url())?;
        let manager = Manager::new_with_config(info, config).map_err(|_| bad_url())?;
        let pool = Pool::builder(manager)
            .max_size(POOL)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(CONNECT),
                create: Some(CONNECT),
                recycle: Some(CONNECT),
            })
            .build()
            .map_err(|error| StartupError::new(format!("no pool for Redis: {error}")))?;
        let lane = || {
            ConnectionLane(Arc::new(LaneInner {
                pool: pool.clone(),
                engine: engine.clone(),
                clock: clock.clone(),
                count: AtomicU64::new(0),
                service: RwLock::new(None),
                making: Mutex::new(None),
            }))
        };
        Ok(RedisConnections {
            reads: lane(),
            writes: lane(),
            client,
        })
    }

    /// Listens on `channel`, over a connection of its own.
    pub(super) async fn subscribe_channel(
        &self,
        channel: &str,
    ) -> Result<RedisSubscription, RedisError> {
        let subscribe = async {
            let (mut sink, messages) = self.client.get_async_pubsub().await?.split();
            sink.subscribe(channel).await?;
            Ok(RedisSubscription::Link(sink, messages))
        };
        match timeout(CONNECT, subscribe).await {
            Ok(made) => {
                made.map_err(|error: redis::RedisError| error_class(&error, RedisError::Connect))
            }
            Err(_) => Err(RedisError::Connect),
        }
    }

    /// Returns the connections in service, and who waits for the pool to make one.
    pub(super) fn pool_snapshot(&self) -> PoolSnapshot {
        let lanes = [&self.reads, &self.writes];
        let used = lanes.iter().filter(|lane| lane.is_in_service()).count();
        let count = |number| u64::try_from(number).unwrap_or(u64::MAX);
        PoolSnapshot {
            used: count(used),
            idle: 0,
            max: count(lanes.len()),
            waiting: count(self.reads.0.pool.status().waiting),
            timeouts: 0,
            stuck: 0,
        }
    }

    /// Takes every connection out of service; the next command makes a new one.
    pub(super) fn drop_all(&self) {
        for lane in [&self.reads, &self.writes] {
            lane.replace_service(None);
        }
    }
}

impl ConnectionLane {
    /// Returns the connection in service. Where there is none, the one in the making is waited for;
    /// where it has become old, it still serves while its successor is made.
    ///
    /// Cancel-safe: the making goes on without the caller.
    pub(super) async fn get_connection(&self) -> ConnectResult {
        let current = self
            .0
            .service
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .map(|service| service.link.clone());
        match current {
            None => {
                let mut making = self.connect_attempt();
                match making.wait_for(Option::is_some).await {
                    Ok(made) => made.clone().unwrap_or(Err(RedisError::Connect)),
                    Err(_) => Err(RedisError::Connect),
                }
            }
            Some(link) => {
                let age = self.0.clock.now().saturating_duration_since(link.made);
                if age >= MAX_AGE {
                    self.connect_attempt();
                }
                Ok(link)
            }
        }
    }

    /// Takes a broken connection out of service, unless it has been replaced already.
    pub(super) fn drop_broken(&self, link: &SharedConnection) {
        let mut service = self
            .0
            .service
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if service
            .as_ref()
            .is_some_and(|service| service.link.number == link.number)
        {
            *service = None;
        }
    }

    fn is_in_service(&self) -> bool {
        let service = self.0.service.read();
        service.unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn replace_service(&self, service: Option<LiveConnection>) {
        *self
            .0
            .service
            .write()
            .unwrap_or_else(PoisonError::into_inner) = service;
    }

    /// Returns the making of a connection, begun unless it is under way.
    fn connect_attempt(&self) -> ConnectAttempt {
        let mut making = self.0.making.lock().unwrap_or_else(PoisonError::into_inner);
        // An ended one counts as none: it is only left there by a task that was dropped.
        if let Some(running) = making.as_ref().filter(|made| made.has_changed().is_ok()) {
            return running.clone();
        }
        let (tell, told) = watch::channel(None);
        *making = Some(told.clone());
        let lane = self.clone();
        self.0.engine.spawn(async move {
            let made = match lane.0.pool.get().await {
                Ok(place) => {
                    let link = SharedConnection {
                        connection: (*place).clone(),
                        number: lane.0.count.fetch_add(1, Ordering::Relaxed),
                        made: lane.0.clock.now(),
                    };
                    lane.replace_service(Some(LiveConnection {
                        link: link.clone(),
                        place: Some(place),
                    }));
                    Ok(link)
                }
                Err(error) => Err(pool_error(&error)),
            };
            *lane.0.making.lock().unwrap_or_else(PoisonError::into_inner) = None;
            tell.send_replace(Some(made));
        });
        told
    }
}

fn pool_error(error: &PoolError) -> RedisError {
    match error {
        PoolError::Backend(error) => error_class(error, RedisError::Connect),
        _ => RedisError::Connect,
    }
}

/// Returns the class of an error that the driver reports; `otherwise` for what concerns the
/// connection.
pub(super) fn error_class(error: &redis::RedisError, otherwise: RedisError) -> RedisError {
    match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) => RedisError::Auth,
        (_, Some(code)) => reply_class(code),
        _ => otherwise,
    }
}

/// Returns the class of an error reply, by its first word.
pub(super) fn reply_class(code: &str) -> RedisError {
    match code {
        "NOAUTH" | "WRONGPASS" => RedisError::Auth,
        "NOPERM" => RedisError::Denied,
        "LOADING" => RedisError::Loading,
        "MASTERDOWN" => RedisError::MasterDown,
        "READONLY" => RedisError::ReadOnly,
        "OOM" => RedisError::OutOfMemory,
        "MISCONF" | "NOREPLICAS" => RedisError::NoWrites,
        _ => RedisError::Other,
    }
}

/// Shows neither addresses nor settings: the driver's own output holds the password.
impl fmt::Debug for RedisConnections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").finish_non_exhaustive()
    }
}
