//! Connecting to a PostgreSQL server, and beginning a transaction on a connection that works: from
//! the pool when there is one, else on a new one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Error};
use tokio::time::{Instant, sleep, timeout};

use super::checkout::CHECKOUT;
use super::contact::{AwayCause, ContactResult};
use super::gate::LoadPass;
use super::pool::{ConnectionPool, PoolSlot, PoolState, PooledConnection};
use super::postgres_advice;
use super::postgres_fault::{breaks_connection, error_class, is_full, may_pass, unavailable_words};
use super::postgres_options::connect_options;
use super::postgres_pace::RoundTrip;
use super::postgres_reaper::BackendReaper;
use super::postgres_session::NamedOptions;
use super::postgres_start::{BegunRun, RunStarter};
use super::postgres_transaction::RunTransaction;
use super::system::SystemCell;
use crate::error::{RequestError, StartupError};
use crate::settings;
use crate::text::units::duration_text;

/// The pause between two attempts to connect to a server that is full or starting.
const RETRY: Duration = Duration::from_millis(50);
/// A server that does not answer within this time is away, not only far.
const FAIR: Duration = Duration::from_millis(900);

/// The reason why there is no connection.
#[derive(Debug, Clone)]
pub(super) struct NoConnection {
    /// The error for the caller.
    pub(super) error: RequestError,
    /// The knowledge that it brings about the server.
    pub(super) contact: ContactResult,
    /// The remedy.
    pub(super) remedy: String,
}

impl NoConnection {
    /// Says the cause, without the frame that a request's error has.
    pub(super) fn cause_words(&self) -> String {
        match &self.error {
            RequestError::Unavailable { detail } => detail.to_string(),
            error => error.to_string(),
        }
    }
}

/// The way to one server, with its pool. Cheap to clone.
#[derive(Clone)]
pub(super) struct PostgresConnector {
    options: Arc<PgConnectOptions>,
    pool: Arc<ConnectionPool<PgConnection>>,
    reaper: Arc<BackendReaper>,
    trip: Arc<RoundTrip>,
    /// `host:port`, for the details of errors.
    place: Arc<str>,
    starter: Arc<RunStarter>,
    named: Arc<NamedOptions>,
    /// The most time to connect, where it is to be less than the caller waits.
    patience: Option<Duration>,
}

impl PostgresConnector {
    pub(super) fn new(
        target: &settings::PostgresSettings,
        limits: &settings::DatabaseLimits,
    ) -> Result<Self, StartupError> {
        let place = if target.host.starts_with('/') {
            format!("{}/.s.PGSQL.{}", target.host, target.port)
        } else {
            format!("{}:{}", target.host, target.port)
        };
        let options = Arc::new(connect_options(target)?);
        let (pool, place) = (ConnectionPool::new(limits.pool_size), Arc::from(place));
        let trip = Arc::<RoundTrip>::default();
        let way = (Arc::clone(&options), Arc::clone(&trip), Arc::clone(&place));
        Ok(PostgresConnector {
            reaper: BackendReaper::new(way, Arc::clone(&pool)),
            trip,
            starter: RunStarter::new(&pool, &limits.timezone, target),
            named: Arc::new(NamedOptions::new(&target.options)),
            options,
            pool,
            place,
            patience: target.connect_timeout,
        })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Returns the settings that its sessions are to have.
    pub(super) fn named_options(&self) -> &NamedOptions {
        &self.named
    }

    /// Returns which database it leads to.
    pub(super) fn system(&self) -> &SystemCell {
        self.starter.system_cell()
    }

    /// Prepares for a statement that is going to be run.
    pub(super) fn expect_statement(&self, sql: &str) {
        self.starter.effective_settings().learn_from(sql);
    }

    /// Returns the settings of a session that decide what rows come out.
    pub(super) fn session(&self) -> &str {
        self.starter.session_digest()
    }

    pub(super) fn pool_state(&self) -> PoolState {
        PoolState {
            stuck: self.reaper.stuck_slots(),
            ..self.pool.pool_state()
        }
    }

    /// Returns a connection of its own, outside the pool.
    pub(super) async fn connect(&self) -> Result<PgConnection, NoConnection> {
        let start = Instant::now();
        match self
            .run_patiently(start + CHECKOUT, self.connect_in_time())
            .await
        {
            Some(Ok(connection)) => Ok(connection),
            Some(Err(error)) => Err(self.refused_connection(&error)),
            None => Err(self.no_answer(start.elapsed())),
        }
    }

    /// Returns the end of work that lasts until `deadline`, and longer with a server that is far;
    /// `None` where that was too short.
    async fn run_patiently<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.trip.out_of_patience(&self.options, deadline) => None,
        }
    }

    /// Returns the time that a run takes longer because the server is far.
    pub(super) fn extra_time(&self) -> Duration {
        self.trip.connect_patience().saturating_sub(CHECKOUT) + self.trip.on_the_way()
    }

    /// Returns the longest time that connecting takes while the server is well.
    pub(super) fn connect_patience(&self) -> Duration {
        self.trip.connect_patience()
    }

    /// Returns the time that the answers to a statement are on their way.
    pub(super) fn on_the_way(&self) -> Duration {
        self.trip.on_the_way()
    }

    /// Connects within the time that the settings give for it.
    async fn connect_in_time(&self) -> Result<PgConnection, Error> {
        let Some(patience) = self.patience else {
            return self.options.connect().await;
        };
        let late = |_| {
            let limit = duration_text(patience);
            let words = format!("no connection within connect_timeout, which is {limit}");
            Error::Io(io::Error::new(io::ErrorKind::TimedOut, words))
        };
        let connected = timeout(patience, self.options.connect()).await;
        connected.map_err(late)?
    }

    /// Returns how to connect, for who does it otherwise.
    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Waits for the right to use one connection, until `deadline`.
    pub(super) async fn take_slot(
        &self,
        pass: LoadPass,
        deadline: Instant,
    ) -> Result<PoolSlot<PgConnection>, RequestError> {
        self.pool.take_slot(pass, deadline).await
    }

    /// Begins a read-only transaction in which each statement may take `limit`. Connecting and the
    /// first round trip are over by `deadline`, or somewhat later where it is far, so a server that hangs is found out before the
    /// statement is sent. A connection that died while it was idle is replaced.
    pub(super) async fn begin_run(
        &self,
        slot: PoolSlot<PgConnection>,
        limit: Duration,
        deadline: Instant,
    ) -> Result<RunTransaction, NoConnection> {
        let mut cause = None;
        let start = Instant::now();
        let begun = self.begin_anyhow(&slot, limit, &mut cause);
        let begun = match self.run_patiently(deadline, begun).await {
            Some(begun) => begun?,
            None => return Err(cause.unwrap_or_else(|| self.no_answer(start.elapsed()))),
        };
        Ok(RunTransaction::new(slot, begun, Arc::clone(&self.reaper)))
    }

    /// Begins on an idle connection, else on a new one. A server that is full or starting is
    /// asked again until the caller's patience ends; why it refused last is left in `cause`.
    async fn begin_anyhow(
        &self,
        slot: &PoolSlot<PgConnection>,
        limit: Duration,
        cause: &mut Option<NoConnection>,
    ) -> Result<BegunRun, NoConnection> {
        if let Some(connection) = slot.take_idle().await {
            match self.begin_timed(connection, limit, false).await {
                Ok(Some(begun)) => return Ok(begun),
                // The others lead elsewhere too.
                Ok(None) => self.pool.clear(),
                // The others are as old: they are dead too, or soon will be.
                Err(error) if breaks_connection(&error) => self.pool.clear(),
                Err(error) => return Err(self.refused_connection(&error)),
            }
        }
        loop {
            let number = SystemCell::draw_number();
            let begun = match self.connect_in_time().await {
                Ok(raw) => {
                    let connection = PooledConnection::new(raw, number);
                    self.begin_timed(connection, limit, true).await
                }
                Err(error) => Err(error),
            };
            let error = match begun {
                Ok(Some(begun)) => return Ok(begun),
                // A newer one was made meanwhile, and leads elsewhere.
                Ok(None) => {
                    sleep(RETRY).await;
                    continue;
                }
                Err(error) => error,
            };
            let refusal = self.refused_connection(&error);
            if !may_pass(&error) {
                return Err(refusal);
            }
            *cause = Some(refusal);
            sleep(RETRY).await;
        }
    }

    /// Begins, and learns how far the server is.
    async fn begin_timed(
        &self,
        connection: PooledConnection<PgConnection>,
        limit: Duration,
        is_new: bool,
    ) -> Result<Option<BegunRun>, Error> {
        let start = Instant::now();
        let begun = self.starter.begin_run(connection, limit, is_new).await?;
        self.trip.record(start.elapsed());
        Ok(begun)
    }

    fn refused_connection(&self, error: &Error) -> NoConnection {
        let words = unavailable_words(&self.place, error);
        let cause = AwayCause::new(error_class(error), Arc::clone(&words));
        NoConnection {
            contact: if is_full(error) {
                ContactResult::Full(cause)
            } else {
                ContactResult::Away(cause)
            },
            error: RequestError::Unavailable { detail: words },
            remedy: postgres_advice::connect_remedy(error),
        }
    }

    /// Returns no answer in `waited`. Whoever waited long for a slot had little time left for the
    /// server, and knows nothing of it.
    fn no_answer(&self, waited: Duration) -> NoConnection {
        let tenths = u32::try_from(waited.as_millis() / 100).unwrap_or(u32::MAX);
        let limit = duration_text(Duration::from_millis(100) * tenths);
        let words: Arc<str> = format!("{}: no answer within {limit}", self.place).into();
        let cause = AwayCause::new("timeout", Arc::clone(&words));
        NoConnection {
            contact: if waited < FAIR.max(self.trip.on_the_way()) {
                ContactResult::Doubtful(cause)
            } else {
                ContactResult::Away(cause)
            },
            error: RequestError::Unavailable { detail: words },
            remedy: postgres_advice::SILENT.to_owned(),
        }
    }

    /// Returns whether a load could begin now: as loads begin, on a connection of the pool where
    /// one is free, else on one of its own.
    pub(super) async fn try_out(&self) -> ContactResult {
        let deadline = Instant::now() + CHECKOUT;
        let tried = match self.pool.free_slot() {
            Some(slot) => match self.begin_run(slot, CHECKOUT, deadline).await {
                Ok(transaction) => {
                    transaction.end_run();
                    Ok(())
                }
                Err(error) => Err(error),
            },
            None => self.try_apart(deadline).await,
        };
        tried.map_or_else(|failure| failure.contact, |()| ContactResult::Answered)
    }

    /// A pooler may let clients in while its server is away, so connecting is not enough.
    async fn try_apart(&self, deadline: Instant) -> Result<(), NoConnection> {
        let number = SystemCell::draw_number();
        let connection = PooledConnection::new(self.connect().await?, number);
        let begun = self.begin_timed(connection, CHECKOUT, true);
        match self.run_patiently(deadline, begun).await {
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(self.refused_connection(&error)),
            None => Err(self.no_answer(CHECKOUT)),
        }
    }
}
