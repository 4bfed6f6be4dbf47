//! The number of loads that may be at work at once: on the database, and of one query, so that one
//! abused parameter cannot keep all connections from the others. It knows bounds and the loads that
//! wait; what a load does, and with which connection, is not its business.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::checkout::CHECKOUT;
use super::fair_room::{FairPlace, FairRoom};
use super::queue::WaitQueue;
use crate::defence::Defence;
use crate::error::RequestError;
use crate::query::Query;
use crate::text::units::duration_text;

/// The number of loads that there are, and may be, behind one bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GateState {
    /// Loads at work now.
    pub in_use: usize,
    /// The most there may be.
    pub max: usize,
    /// Loads that had to wait, since the start.
    pub waited: u64,
    /// Those of them that waited in vain.
    pub refused: u64,
}

/// The bounds of one database.
pub(super) struct LoadLimiter {
    all: AllLoads,
    /// The share of a query whose file says nothing.
    share: usize,
    rooms: Mutex<HashMap<String, Arc<LimitRoom>>>,
    queue: WaitQueue,
}

/// The right to one load. Dropping it gives the right back; the default is held by work that is
/// no load of a query and is not bounded here.
#[derive(Default)]
pub(super) struct LoadPass {
    _own: Option<OwnedSemaphorePermit>,
    _all: Option<FairPlace>,
}

/// The bound on all loads of a database.
struct AllLoads {
    room: Arc<FairRoom>,
    waited: AtomicU64,
    refused: AtomicU64,
}

/// The bound on one query.
struct LimitRoom {
    places: Arc<Semaphore>,
    max: usize,
    waited: AtomicU64,
    refused: AtomicU64,
}

impl LoadLimiter {
    /// Makes the bounds for a pool of so many connections. One of them stays free of loads: for a
    /// look at whether the database is there.
    pub(super) fn new(pool_size: u32) -> LoadLimiter {
        let pool = usize::try_from(pool_size).unwrap_or(usize::MAX);
        LoadLimiter {
            all: AllLoads::new(pool.saturating_sub(1)),
            share: pool / 2,
            rooms: Mutex::default(),
            queue: WaitQueue::default(),
        }
    }

    /// Waits until `deadline` for the right to one load of this query. Giving up loses nothing.
    pub(super) async fn enter_query(
        &self,
        query: &Query,
        deadline: Instant,
    ) -> Result<LoadPass, RequestError> {
        if Defence::Gate.is_off() {
            return Ok(LoadPass::default());
        }
        // Its own bound first: who is over it waits there, out of the others' way.
        let (room, queue) = (self.query_room(query), &self.queue);
        let own = room.enter_room(deadline, queue).await?;
        let all = self.all.enter_all(query, deadline, queue).await?;
        Ok(LoadPass {
            _own: Some(own),
            _all: Some(all),
        })
    }

    /// Returns all loads on the database.
    pub(super) fn gate_state(&self) -> GateState {
        self.all.gate_state()
    }

    /// Returns the loads of one query.
    pub(super) fn state_of(&self, query: &Query) -> GateState {
        self.query_room(query).gate_state()
    }

    /// Returns who waits, on whichever bound.
    pub(super) fn wait_queue(&self) -> &WaitQueue {
        &self.queue
    }

    fn query_room(&self, query: &Query) -> Arc<LimitRoom> {
        let max = query
            .policy
            .concurrency
            .map_or(self.share, |own| usize::try_from(own).unwrap_or(usize::MAX));
        let max = LimitRoom::clamp_max(max);
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        match rooms.get(&query.name) {
            // Another catalog may bring the same name with another bound.
            Some(room) if room.max == max => Arc::clone(room),
            _ => {
                let room = LimitRoom::new(max);
                rooms.insert(query.name.clone(), Arc::clone(&room));
                room
            }
        }
    }
}

impl fmt::Debug for LoadLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gate").field(&self.gate_state()).finish()
    }
}

impl AllLoads {
    fn new(max: usize) -> AllLoads {
        AllLoads {
            room: FairRoom::new(LimitRoom::clamp_max(max)),
            waited: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Returns a place for a load of this query.
    async fn enter_all(
        &self,
        query: &Query,
        deadline: Instant,
        queue: &WaitQueue,
    ) -> Result<FairPlace, RequestError> {
        let is_stated = query.policy.concurrency.is_some();
        let turn = match self.room.enter_room(&query.name, is_stated) {
            Ok(place) => return Ok(place),
            Err(turn) => turn,
        };
        self.waited.fetch_add(1, Ordering::Relaxed);
        let place = queue.wait(deadline, turn).await;
        place
            .map(|place| place.expect("the room keeps the turn as long as it is waited for"))
            .ok_or_else(|| refuse_load(&self.refused, "on this database", self.room.max_loads()))
    }

    fn gate_state(&self) -> GateState {
        GateState {
            in_use: self.room.in_use(),
            max: self.room.max_loads(),
            waited: self.waited.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

fn refuse_load(refused: &AtomicU64, whose: &str, max: usize) -> RequestError {
    refused.fetch_add(1, Ordering::Relaxed);
    let limit = duration_text(CHECKOUT);
    let detail = format!(
        "as many loads {whose} as may be at once ({max}) are at work, and none ended within {limit}"
    );
    RequestError::Busy {
        detail: detail.into(),
    }
}

impl LimitRoom {
    fn new(max: usize) -> Arc<LimitRoom> {
        let max = LimitRoom::clamp_max(max);
        Arc::new(LimitRoom {
            places: Arc::new(Semaphore::new(max)),
            max,
            waited: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    fn clamp_max(max: usize) -> usize {
        max.clamp(1, Semaphore::MAX_PERMITS)
    }

    /// Returns a place, in order of arrival.
    async fn enter_room(
        &self,
        deadline: Instant,
        queue: &WaitQueue,
    ) -> Result<OwnedSemaphorePermit, RequestError> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        self.waited.fetch_add(1, Ordering::Relaxed);
        let place = Arc::clone(&self.places).acquire_owned();
        queue
            .wait(deadline, place)
            .await
            .map(|place| place.expect("the semaphore is never closed"))
            .ok_or_else(|| refuse_load(&self.refused, "of this query", self.max))
    }

    fn gate_state(&self) -> GateState {
        GateState {
            in_use: self.max - self.places.available_permits().min(self.max),
            max: self.max,
            waited: self.waited.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::query::DatabaseKind;

    fn query(name: &str, header: &str) -> Query {
        Query::parse(DatabaseKind::Sqlite, name, &format!("{header}select 1")).unwrap()
    }

    #[test]
    fn a_query_may_have_half_of_the_pool_or_what_its_file_says_and_all_leave_one_connection() {
        for (pool, all, half) in [(8, 7, 4), (3, 2, 1), (2, 1, 1), (1, 1, 1), (0, 1, 1)] {
            let gate = LoadLimiter::new(pool);
            assert_eq!(gate.gate_state().max, all, "of {pool}");
            assert_eq!(gate.state_of(&query("a", "")).max, half, "of {pool}");
        }
        let gate = LoadLimiter::new(8);
        assert_eq!(gate.state_of(&query("a", "-- concurrency: 2\n")).max, 2);
        assert_eq!(gate.state_of(&query("a", "-- concurrency: 3\n")).max, 3);
    }

    #[tokio::test]
    async fn a_query_over_its_bound_is_refused_at_its_deadline_and_others_go_on() {
        let gate = LoadLimiter::new(8);
        let (greedy, other) = (query("greedy", "-- concurrency: 2\n"), query("other", ""));
        // A load that need not wait does not look at the time.
        let now = Instant::now();
        let first = gate.enter_query(&greedy, now).await.unwrap();
        let second = gate.enter_query(&greedy, now).await.unwrap();
        let error = gate.enter_query(&greedy, now).await.err().unwrap();
        assert!(error.to_string().contains("of this query"), "{error}");
        assert_eq!((error.status(), error.retry_after().is_some()), (503, true));
        let other = gate.enter_query(&other, now).await.unwrap();
        assert_eq!(gate.gate_state().in_use, 3);
        let state = gate.state_of(&greedy);
        assert_eq!((state.in_use, state.waited, state.refused), (2, 1, 1));
        drop((first, second, other));
        assert_eq!(gate.gate_state().in_use, 0);
        gate.enter_query(&greedy, now).await.unwrap();
    }

    #[tokio::test]
    async fn who_is_refused_by_the_database_s_bound_holds_nothing_and_who_waits_is_let_in() {
        let gate = LoadLimiter::new(2);
        let (a, b) = (query("a", ""), query("b", ""));
        let now = Instant::now();
        let held = gate.enter_query(&a, now).await.unwrap();
        let error = gate.enter_query(&b, now).await.err().unwrap();
        assert!(error.to_string().contains("on this database"), "{error}");
        assert_eq!(gate.state_of(&b).in_use, 0);
        let freed = async {
            while gate.gate_state().waited < 2 {
                tokio::task::yield_now().await;
            }
            assert_eq!(
                (
                    gate.wait_queue().waiting_loads(),
                    gate.wait_queue().in_vain()
                ),
                (1, 1)
            );
            drop(held);
        };
        let patient = gate.enter_query(&b, now + CHECKOUT * 1000);
        let (entered, ()) = tokio::join!(patient, freed);
        assert!(entered.is_ok());
        assert_eq!(gate.gate_state().refused, 1);
    }
}
