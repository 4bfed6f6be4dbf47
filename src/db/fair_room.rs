//! The places for all loads on one database, shared fairly between its queries: the next one goes
//! to the query that has the fewest loads at work, and the last one only to a query that has none,
//! or whose file states its own bound. So two abused queries cannot keep a third from the database
//! for longer than one statement takes. The bound on one query is `gate`'s.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The places.
pub(super) struct FairRoom {
    max: usize,
    places: Mutex<RoomPlaces>,
}

#[derive(Default)]
struct RoomPlaces {
    free: usize,
    /// The queries that have loads at work, with the number of them.
    at_work: HashMap<String, usize>,
    /// Those who wait, in order of arrival.
    waiting: Vec<PlaceWaiter>,
}

struct PlaceWaiter {
    query: String,
    may_fill: bool,
    turn: oneshot::Sender<FairPlace>,
}

/// The right to one load on the database. Dropping it gives the place to the next.
pub(super) struct FairPlace {
    room: Arc<FairRoom>,
    query: String,
}

impl Drop for FairPlace {
    fn drop(&mut self) {
        let mut places = self.room.lock();
        places.free += 1;
        if let Some(loads) = places.at_work.get_mut(&self.query) {
            *loads -= 1;
            if *loads == 0 {
                places.at_work.remove(&self.query);
            }
        }
        self.room.hand_out(places);
    }
}

impl FairRoom {
    pub(super) fn new(max: usize) -> Arc<FairRoom> {
        let places = RoomPlaces {
            free: max,
            ..RoomPlaces::default()
        };
        Arc::new(FairRoom {
            max,
            places: Mutex::new(places),
        })
    }

    pub(super) fn max_loads(&self) -> usize {
        self.max
    }

    pub(super) fn in_use(&self) -> usize {
        self.max - self.lock().free
    }

    /// Returns a place for a load of this query where there is one, else the turn to wait for.
    /// Dropping that gives it up. One that `may_fill` the room takes the last place, too.
    pub(super) fn enter_room(
        self: &Arc<Self>,
        query: &str,
        may_fill: bool,
    ) -> Result<FairPlace, oneshot::Receiver<FairPlace>> {
        let mut places = self.lock();
        // A load that waits and may take a place has been given it.
        if places.may_take(query, may_fill) {
            return Ok(places.take(self, query.to_owned()));
        }
        let (turn, place) = oneshot::channel();
        places.waiting.retain(|waiter| !waiter.turn.is_closed());
        places.waiting.push(PlaceWaiter {
            query: query.to_owned(),
            may_fill,
            turn,
        });
        Err(place)
    }

    fn lock(&self) -> MutexGuard<'_, RoomPlaces> {
        // Nothing panics while it is held, and the numbers are right in any case.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives free places to those who wait and may take them.
    fn hand_out(self: &Arc<Self>, mut places: MutexGuard<'_, RoomPlaces>) {
        let mut given = Vec::new();
        while let Some(at) = places.next() {
            let waiter = places.waiting.remove(at);
            let place = places.take(self, waiter.query);
            given.push((waiter.turn, place));
        }
        // One that nobody waits for any more comes back, which takes the lock.
        drop(places);
        for (turn, place) in given {
            drop(turn.send(place));
        }
    }
}

impl RoomPlaces {
    fn loads_of(&self, query: &str) -> usize {
        self.at_work.get(query).copied().unwrap_or(0)
    }

    fn may_take(&self, query: &str, may_fill: bool) -> bool {
        match self.free {
            0 => false,
            1 => may_fill || self.loads_of(query) == 0,
            _ => true,
        }
    }

    /// Returns which of those who wait is next, where one may take a place.
    fn next(&self) -> Option<usize> {
        let allowed = self.waiting.iter().enumerate().filter(|(_, waiter)| {
            !waiter.turn.is_closed() && self.may_take(&waiter.query, waiter.may_fill)
        });
        let next = allowed.min_by_key(|(_, waiter)| self.loads_of(&waiter.query));
        next.map(|(at, _)| at)
    }

    fn take(&mut self, room: &Arc<FairRoom>, query: String) -> FairPlace {
        self.free -= 1;
        *self.at_work.entry(query.clone()).or_default() += 1;
        FairPlace {
            room: Arc::clone(room),
            query,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Returns the queries at work, in order.
    fn at_work(room: &FairRoom) -> Vec<(String, usize)> {
        let mut all: Vec<_> = room.lock().at_work.clone().into_iter().collect();
        all.sort();
        all
    }

    fn counts(expected: &[(&str, usize)]) -> Vec<(String, usize)> {
        let owned = |(name, count): &(&str, usize)| ((*name).to_owned(), *count);
        expected.iter().map(owned).collect()
    }

    #[test]
    fn the_last_place_is_for_a_query_that_has_none() {
        let room = FairRoom::new(3);
        let (a, second) = (
            room.enter_room("a", false).ok().unwrap(),
            room.enter_room("a", false).ok().unwrap(),
        );
        let mut third = room.enter_room("a", false).err().unwrap();
        let other = room.enter_room("b", false).ok().unwrap();
        assert_eq!(room.in_use(), 3);
        drop(other);
        assert!(third.try_recv().is_err(), "it is the last place");
        drop(a);
        let third = third.try_recv().unwrap();
        assert_eq!((room.in_use(), room.max_loads()), (2, 3));
        // A query whose file says so takes it.
        let stated = [room.enter_room("c", true), room.enter_room("c", true)];
        assert!(stated[0].is_ok() && stated[1].is_err());
        drop((second, third));
        drop(stated);
        let stated = [(); 3].map(|()| room.enter_room("c", true).ok().unwrap());
        assert_eq!(at_work(&room), counts(&[("c", 3)]));
        drop(stated);
        assert_eq!((room.in_use(), at_work(&room)), (0, Vec::new()));
        // Where there is only one, everybody may have it.
        let room = FairRoom::new(1);
        let held = room.enter_room("a", false).ok().unwrap();
        let mut next = room.enter_room("a", false).err().unwrap();
        drop(held);
        next.try_recv().unwrap();
    }

    #[test]
    fn a_query_that_comes_late_is_before_those_that_have_loads_at_work() {
        let room = FairRoom::new(3);
        let mut held = vec![
            room.enter_room("a", false).ok().unwrap(),
            room.enter_room("a", false).ok().unwrap(),
            room.enter_room("b", false).ok().unwrap(),
        ];
        let mut flood: Vec<_> = ["b", "a", "b", "a"]
            .map(|query| room.enter_room(query, false).err().unwrap())
            .into();
        let mut late = room.enter_room("c", false).err().unwrap();
        let mut later = room.enter_room("c", false).err().unwrap();
        held.remove(0);
        let place = late.try_recv().unwrap();
        assert_eq!(at_work(&room), counts(&[("a", 1), ("b", 1), ("c", 1)]));
        // One that is given up is for nobody.
        later.close();
        drop(place);
        assert_eq!(at_work(&room), counts(&[("a", 1), ("b", 1)]));
        assert!(flood.iter_mut().all(|turn| turn.try_recv().is_err()));
        // With room for all, those who wait are let in by turns.
        held.remove(0);
        assert_eq!(at_work(&room), counts(&[("a", 1), ("b", 1)]));
        assert!(flood[0].try_recv().is_err() && flood[1].try_recv().is_ok());
    }

    #[test]
    fn a_place_that_is_given_to_nobody_comes_back() {
        let room = FairRoom::new(2);
        let held = [
            room.enter_room("a", false).ok().unwrap(),
            room.enter_room("b", false).ok().unwrap(),
        ];
        let turn = room.enter_room("c", false).err().unwrap();
        drop(held);
        // It has its place, and goes away before it takes it.
        assert_eq!(room.in_use(), 1);
        drop(turn);
        assert_eq!((room.in_use(), at_work(&room)), (0, Vec::new()));
    }
}
