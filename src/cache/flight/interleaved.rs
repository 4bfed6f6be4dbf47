//! Flights under shuttle: tasks whose turns are drawn, at each step of theirs and at each place
//! that [`switch_task`] marks inside a flight's own steps. What shuttle does not see is the inside of
//! tokio's channels: they are taken to be atomic, as is a section under the board's lock. It prints
//! the turns of a case that fails, which `shuttle::replay` takes.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::Cell;
use std::sync::atomic::AtomicUsize;

use futures_util::FutureExt;
use shuttle::future::{block_on, spawn};

use super::super::tests::{key, loaded, origin};
use super::*;

thread_local! {
    static DRAWN: Cell<bool> = const { Cell::new(false) };
}

/// Another task may come in between.
pub(in crate::cache) fn switch_task() {
    if DRAWN.get() {
        // Without a sleep: shuttle knows no time.
        shuttle::thread::sleep(Duration::ZERO);
    }
}

fn play(case: impl Fn() + Send + Sync + 'static) {
    DRAWN.set(true);
    shuttle::check_random(case, 3000);
    DRAWN.set(false);
}

fn entry() -> Arc<Entry> {
    let (load, now) = (Duration::ZERO, std::time::Instant::now());
    Arc::new(Entry::new_loaded(
        &key("p"),
        origin(),
        loaded("x"),
        load,
        now,
    ))
}

/// Several callers of one key.
#[derive(Clone)]
struct Bench {
    flights: Arc<SingleFlight>,
    leading: Arc<AtomicUsize>,
    loads: Arc<AtomicUsize>,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            flights: SingleFlight::new(Clock::by_hand()),
            leading: Arc::default(),
            loads: Arc::default(),
        }
    }

    fn leads(&self) -> Led {
        let others = self.leading.fetch_add(1, Ordering::SeqCst);
        assert_eq!(others, 0, "two lead one key at once");
        self.loads.fetch_add(1, Ordering::SeqCst);
        Led(self.clone())
    }

    /// Waits until there is an end that tells something.
    async fn call(self) -> FlightResult {
        loop {
            match self.flights.join(&key("p")) {
                FlightRole::Lead(flight) => {
                    let led = self.leads();
                    switch_task();
                    drop(led);
                    flight.finish(FlightResult::Done(entry(), None));
                    return FlightResult::Done(entry(), None);
                }
                FlightRole::Follow(waiter) => match waiter.wait_for_end().await {
                    FlightResult::Dangling => {}
                    end => return end,
                },
                FlightRole::Failed(error) => return FlightResult::Failed(error),
                FlightRole::TooLarge => return FlightResult::TooLarge(entry()),
            }
        }
    }
}

/// The flight, as long as somebody leads.
struct Led(Bench);

impl Drop for Led {
    fn drop(&mut self) {
        self.0.leading.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn when_a_leader_is_dropped_one_successor_leads_and_all_end() {
    play(|| {
        let bench = Bench::new();
        let FlightRole::Lead(flight) = bench.flights.join(&key("p")) else {
            panic!("nobody else is there");
        };
        let led = bench.leads();
        let callers: Vec<_> = (0..3).map(|_| spawn(bench.clone().call())).collect();
        let dropper = spawn(async move {
            switch_task();
            drop(led);
            drop(flight);
        });
        for caller in callers {
            let end = block_on(caller).unwrap();
            assert!(matches!(end, FlightResult::Done(..)));
        }
        block_on(dropper).unwrap();
        assert_eq!(bench.flights.failure_count(), 0);
        assert!(bench.loads.load(Ordering::SeqCst) >= 2);
    });
}

#[test]
fn a_waiter_that_leaves_or_runs_out_of_time_takes_nothing_from_the_others() {
    play(|| {
        let bench = Bench::new();
        let FlightRole::Lead(flight) = bench.flights.join(&key("p")) else {
            panic!("nobody else is there");
        };
        let led = bench.leads();
        let patient: Vec<_> = (0..2).map(|_| spawn(bench.clone().call())).collect();
        let hasty = bench.clone();
        let hasty = spawn(async move {
            for _ in 0..3 {
                // It looks once, and goes: just before the end, at it, or after.
                match hasty.flights.join(&key("p")) {
                    FlightRole::Follow(waiter) => drop(waiter.wait_for_end().now_or_never()),
                    FlightRole::Lead(flight) => {
                        let led = hasty.leads();
                        switch_task();
                        drop(led);
                        flight.finish(FlightResult::Done(entry(), None));
                    }
                    FlightRole::Failed(_) | FlightRole::TooLarge => panic!("nothing failed"),
                }
                switch_task();
            }
        });
        let leader = spawn(async move {
            switch_task();
            drop(led);
            flight.finish(FlightResult::Done(entry(), None));
            switch_task();
            drop(flight);
        });
        for caller in patient {
            assert!(matches!(block_on(caller).unwrap(), FlightResult::Done(..)));
        }
        block_on(hasty).unwrap();
        block_on(leader).unwrap();
        assert_eq!(bench.flights.failure_count(), 0);
    });
}

#[test]
fn a_failure_is_told_to_all_and_remembered_also_when_nobody_waits_any_more() {
    play(|| {
        let bench = Bench::new();
        let FlightRole::Lead(flight) = bench.flights.join(&key("p")) else {
            panic!("nobody else is there");
        };
        let led = bench.leads();
        let callers: Vec<_> = (0..2).map(|_| spawn(bench.clone().call())).collect();
        let quitter = bench.clone();
        let quitter = spawn(async move {
            if let FlightRole::Follow(waiter) = quitter.flights.join(&key("p")) {
                drop(waiter.wait_for_end().now_or_never());
            }
        });
        let leader = spawn(async move {
            switch_task();
            drop(led);
            let detail = "away".into();
            flight.finish(FlightResult::Failed(RequestError::Unavailable { detail }));
        });
        for caller in callers {
            assert!(matches!(block_on(caller).unwrap(), FlightResult::Failed(_)));
        }
        block_on(quitter).unwrap();
        block_on(leader).unwrap();
        assert_eq!(bench.loads.load(Ordering::SeqCst), 1);
        assert!(matches!(
            bench.flights.join(&key("p")),
            FlightRole::Failed(_)
        ));
    });
}

#[test]
fn who_comes_after_a_purge_never_gets_what_began_before() {
    play(|| {
        let bench = Bench::new();
        let FlightRole::Lead(flight) = bench.flights.join(&key("p")) else {
            panic!("nobody else is there");
        };
        let old = entry();
        let brought = Arc::clone(&old);
        let leader = spawn(async move {
            switch_task();
            // This is what `keep_loaded` does: it keeps what no purge concerns, before and after.
            let kept = !flight.is_doomed(5);
            switch_task();
            let kept = kept && !flight.is_doomed(5);
            flight.finish(FlightResult::Done(brought, None));
            kept
        });
        let purged = bench.clone();
        let after = spawn(async move {
            purged.flights.detach_query("unnamed:{version}", 7);
            switch_task();
            purged.call().await
        });
        let FlightResult::Done(got, _) = block_on(after).unwrap() else {
            panic!("nothing failed");
        };
        assert!(!Arc::ptr_eq(&got, &old));
        block_on(leader).unwrap();
        assert_eq!(bench.flights.failure_count(), 0);
    });
}
