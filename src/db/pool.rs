//! A bounded set of connections of one database: who may open one, which are idle, when an idle
//! one is too old. It opens nothing itself and knows no driver, so the caller sees every failure
//! to connect at once and with its cause (sqlx's own pool retries behind the caller's back and
//! then says only that it took too long), and a connection that is dropped in the middle of its
//! work is closed and not drained.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::gate::LoadPass;
use super::queue::WaitQueue;
#[cfg(doc)]
use super::system::SystemCell;
use crate::error::RequestError;

/// An unused connection is closed after this long.
const IDLE_LIMIT: Duration = Duration::from_mins(5);
/// Every connection is replaced after this long, so that a host name that moved is noticed.
const AGE_LIMIT: Duration = Duration::from_mins(30);
/// The interval at which idle connections are looked at.
const SWEEP: Duration = Duration::from_secs(30);
/// The longest wait for a connection whose run is ending, before another one is opened.
const ENDING_WAIT: Duration = Duration::from_secs(2);

/// The number of connections, for `/stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolState {
    /// Slots taken: connections at work or being opened.
    pub used: usize,
    /// Open connections without work.
    pub idle: usize,
    /// The most there may be.
    pub max: usize,
    /// Loads that wait, for a connection or for their turn to ask for one.
    pub waiting: usize,
    /// The number of waits in vain, since the database was opened.
    pub timeouts: u64,
    /// Slots taken by statements that go on in the database although they were cancelled and
    /// their sessions terminated.
    pub stuck: usize,
}

/// The pool. Shared by its slots.
pub(super) struct ConnectionPool<C> {
    slots: Arc<Semaphore>,
    idle: Mutex<Vec<IdleConnection<C>>>,
    max: usize,
    queue: WaitQueue,
    /// Closes what is idle for too long; there is one from the first connection on.
    sweeper: OnceLock<AbortHandle>,
    /// Connections whose runs are ending: each becomes idle, or is closed, within a round trip.
    ending: AtomicUsize,
    /// Wakes those who wait for one of them.
    ended: Notify,
}

impl<C> Drop for ConnectionPool<C> {
    fn drop(&mut self) {
        if let Some(sweeper) = self.sweeper.get() {
            sweeper.abort();
        }
    }
}

struct IdleConnection<C> {
    connection: PooledConnection<C>,
    since: Instant,
}

/// A connection with its age.
pub(super) struct PooledConnection<C> {
    /// The driver's connection.
    pub(super) raw: C,
    /// The number that it was given before it was made; see [`SystemCell::draw_number`].
    pub(super) number: u64,
    /// The settings of its session, and those that new sessions had when it was made; `None`: not
    /// known yet.
    pub(super) born_with: Option<String>,
    born: Instant,
}

impl<C> PooledConnection<C> {
    /// A connection that was opened just now.
    pub(super) fn new(raw: C, number: u64) -> Self {
        PooledConnection {
            raw,
            number,
            born_with: None,
            born: Instant::now(),
        }
    }
}

/// The right to have one connection at work. Dropping it gives the right back, and with it the
/// right to the load: a load that was abandoned counts until its statement is cancelled.
pub(super) struct PoolSlot<C> {
    pool: Arc<ConnectionPool<C>>,
    _permit: OwnedSemaphorePermit,
    _pass: LoadPass,
}

/// The announcement that a connection is about to become idle. Dropping it withdraws that.
pub(super) struct EndingRun<C>(Arc<ConnectionPool<C>>);

impl<C> Drop for EndingRun<C> {
    fn drop(&mut self) {
        self.0.ending.fetch_sub(1, Ordering::SeqCst);
        self.0.ended.notify_waiters();
    }
}

impl<C: Send + 'static> ConnectionPool<C> {
    pub(super) fn new(max: u32) -> Arc<Self> {
        let max = usize::try_from(max)
            .unwrap_or(usize::MAX)
            .clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(ConnectionPool {
            slots: Arc::new(Semaphore::new(max)),
            idle: Mutex::new(Vec::new()),
            max,
            queue: WaitQueue::default(),
            sweeper: OnceLock::new(),
            ending: AtomicUsize::new(0),
            ended: Notify::new(),
        })
    }

    /// Waits until `deadline`, in order of arrival, for one of the slots. Giving up loses nothing.
    ///
    /// # Errors
    /// None became free: that says nothing about the database.
    pub(super) async fn take_slot(
        self: &Arc<Self>,
        pass: LoadPass,
        deadline: Instant,
    ) -> Result<PoolSlot<C>, RequestError> {
        let slots = Arc::clone(&self.slots);
        let permit = match Arc::clone(&slots).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self
                .queue
                .wait(deadline, slots.acquire_owned())
                .await
                .ok_or_else(super::checkout::busy_error)?
                .expect("the semaphore lives as long as the pool and is never closed"),
        };
        Ok(self.slot_of(permit, pass))
    }

    /// Returns a slot for work that is no load, where one is free.
    pub(super) fn free_slot(self: &Arc<Self>) -> Option<PoolSlot<C>> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        Some(self.slot_of(permit, LoadPass::default()))
    }

    /// Returns a slot for work that is no load, which waits for so long. It is in nobody's count.
    pub(super) async fn spare_slot(self: &Arc<Self>, patience: Duration) -> Option<PoolSlot<C>> {
        let acquired = timeout(patience, Arc::clone(&self.slots).acquire_owned()).await;
        Some(self.slot_of(acquired.ok()?.ok()?, LoadPass::default()))
    }

    fn slot_of(self: &Arc<Self>, permit: OwnedSemaphorePermit, pass: LoadPass) -> PoolSlot<C> {
        PoolSlot {
            pool: Arc::clone(self),
            _permit: permit,
            _pass: pass,
        }
    }

    /// Closes all idle connections: one of them was found dead, and the rest are as old.
    pub(super) fn clear(&self) {
        let dead = std::mem::take(&mut *self.lock());
        drop(dead);
    }

    pub(super) fn pool_state(&self) -> PoolState {
        PoolState {
            used: self.max - self.slots.available_permits().min(self.max),
            idle: self.lock().len(),
            max: self.max,
            waiting: self.queue.waiting_loads(),
            timeouts: self.queue.in_vain(),
            stuck: 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<IdleConnection<C>>> {
        // Nothing panics while it is held; the list is whole in any case.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_expired(entry: &IdleConnection<C>) -> bool {
        entry.since.elapsed() > IDLE_LIMIT || entry.connection.born.elapsed() > AGE_LIMIT
    }

    /// Starts the task that closes what is idle for too long, once, with the first connection.
    fn begin_sweep(self: &Arc<Self>) {
        self.sweeper.get_or_init(|| {
            let pool = Arc::downgrade(self);
            let sweeping = tokio::spawn(async move {
                loop {
                    tokio::time::sleep(SWEEP).await;
                    let Some(pool) = pool.upgrade() else { return };
                    let old: Vec<_> = pool
                        .lock()
                        .extract_if(.., |entry| Self::is_expired(entry))
                        .collect();
                    drop(old);
                }
            });
            sweeping.abort_handle()
        });
    }
}

impl<C: Send + 'static> PoolSlot<C> {
    /// The idle connection that was used last, if there is one that is not too old. A connection
    /// whose run is ending is waited for: that is quicker than opening another.
    pub(super) async fn take_idle(&self) -> Option<PooledConnection<C>> {
        let deadline = Instant::now() + ENDING_WAIT;
        loop {
            let ended = self.pool.ended.notified();
            // Before the look: one that becomes idle in between is then found by it.
            let is_awaited = self.pool.ending.load(Ordering::SeqCst) > 0;
            if let Some(entry) = self.pool.lock().pop() {
                return (!ConnectionPool::is_expired(&entry)).then_some(entry.connection);
            }
            if !is_awaited || timeout_at(deadline, ended).await.is_err() {
                return None;
            }
        }
    }

    /// Announces that the connection of this slot is about to become idle.
    pub(super) fn announce_end(&self) -> EndingRun<C> {
        self.pool.ending.fetch_add(1, Ordering::SeqCst);
        EndingRun(Arc::clone(&self.pool))
    }

    /// Keeps the connection for the next, and the slot for this work.
    pub(super) fn put_back(&self, connection: PooledConnection<C>) {
        self.pool.lock().push(IdleConnection {
            connection,
            since: Instant::now(),
        });
        self.pool.begin_sweep();
    }

    /// Ends the work and keeps the connection for the next.
    pub(super) fn keep_connection(self, connection: PooledConnection<C>) {
        self.put_back(connection);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use futures_util::FutureExt;

    use super::*;

    async fn take_slot<C: Send + 'static>(
        pool: &Arc<ConnectionPool<C>>,
    ) -> Result<PoolSlot<C>, RequestError> {
        pool.take_slot(LoadPass::default(), Instant::now()).await
    }

    #[tokio::test]
    async fn a_kept_connection_is_used_again_and_a_cleared_one_is_not() {
        let pool = ConnectionPool::new(2);
        let taken = take_slot(&pool).await.unwrap();
        assert!(taken.take_idle().await.is_none());
        taken.keep_connection(PooledConnection::new(7, 1));
        let expected = PoolState {
            idle: 1,
            max: 2,
            ..PoolState::default()
        };
        assert_eq!(pool.pool_state(), expected);
        let taken = take_slot(&pool).await.unwrap();
        assert_eq!(taken.take_idle().await.map(|c| c.raw), Some(7));
        taken.keep_connection(PooledConnection::new(8, 2));
        pool.clear();
        assert!(take_slot(&pool).await.unwrap().take_idle().await.is_none());
    }

    #[tokio::test]
    async fn a_connection_whose_run_is_ending_is_waited_for_as_long_as_it_is() {
        let pool = ConnectionPool::new(2);
        let (first, second) = (
            take_slot(&pool).await.unwrap(),
            take_slot(&pool).await.unwrap(),
        );
        let ending = first.announce_end();
        let mut patient = Box::pin(second.take_idle());
        assert!((&mut patient).now_or_never().is_none());
        first.keep_connection(PooledConnection::new(7, 1));
        drop(ending);
        assert_eq!(patient.await.map(|c| c.raw), Some(7));
        assert!(second.take_idle().now_or_never().unwrap().is_none());
    }

    #[tokio::test]
    async fn no_more_slots_than_the_maximum_and_a_dropped_one_comes_back() {
        let pool = ConnectionPool::<()>::new(1);
        let first = take_slot(&pool).await.unwrap();
        assert_eq!(pool.pool_state().used, 1);
        assert!(pool.free_slot().is_none());
        assert!(take_slot(&pool).await.is_err());
        assert_eq!(
            (pool.pool_state().waiting, pool.pool_state().timeouts),
            (0, 1)
        );
        let far = Instant::now() + Duration::from_hours(1);
        let mut patient = Box::pin(pool.take_slot(LoadPass::default(), far));
        assert!((&mut patient).now_or_never().is_none());
        assert_eq!(pool.pool_state().waiting, 1);
        drop(first);
        drop(patient.await.unwrap());
        assert!(pool.free_slot().is_some());
        let state = pool.pool_state();
        assert_eq!((state.used, state.waiting, state.timeouts), (0, 0, 1));
    }
}
