//! Who leads, who follows, and what is remembered of an end.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::super::tests::{key, loaded, origin};
use super::board::REMEMBERED;
use std::time::Instant;

use futures_util::FutureExt;

use super::*;

fn lead(flights: &Arc<SingleFlight>, parameters: &str) -> Flight {
    match flights.join(&key(parameters)) {
        FlightRole::Lead(flight) => flight,
        _ => panic!("somebody else leads"),
    }
}

fn failed() -> FlightResult {
    FlightResult::Failed(RequestError::Unavailable {
        detail: "away".into(),
    })
}

fn entry() -> Arc<Entry> {
    let (load, now) = (Duration::ZERO, Instant::now());
    Arc::new(Entry::new_loaded(
        &key("p"),
        origin(),
        loaded("x"),
        load,
        now,
    ))
}

#[tokio::test]
async fn one_leads_and_the_others_get_its_end() {
    let flights = SingleFlight::new(Clock::by_hand());
    let flight = lead(&flights, "p");
    let FlightRole::Follow(waiter) = flights.join(&key("p")) else {
        panic!("no flight to follow");
    };
    lead(&flights, "other key");
    flight.finish(FlightResult::Done(entry(), None));
    assert!(matches!(
        waiter.wait_for_end().await,
        FlightResult::Done(..)
    ));
    // Still on the board: it also tells who comes late.
    let FlightRole::Follow(late) = flights.join(&key("p")) else {
        panic!("no flight to follow");
    };
    assert!(matches!(late.wait_for_end().await, FlightResult::Done(..)));
    drop(flight);
    assert_eq!(flights.failure_count(), 0);
}

#[tokio::test]
async fn a_dropped_flight_dangles_and_has_one_successor() {
    let flights = SingleFlight::new(Clock::by_hand());
    let flight = lead(&flights, "p");
    let waiter = flight.leader_waiter();
    drop(flight);
    assert!(matches!(
        waiter.wait_for_end().await,
        FlightResult::Dangling
    ));
    let _successor = lead(&flights, "p");
    assert!(matches!(flights.join(&key("p")), FlightRole::Follow(_)));
}

#[tokio::test]
async fn who_can_do_with_what_is_offered_gets_it_and_the_others_the_end() {
    let flights = SingleFlight::new(Clock::by_hand());
    let flight = lead(&flights, "p");
    let follow = || match flights.join(&key("p")) {
        FlightRole::Follow(waiter) => waiter,
        _ => panic!("no flight to follow"),
    };
    let (early, choosy, patient) = (follow(), follow(), follow());
    assert!(follow().next_event(|_| true).now_or_never().is_none());
    let copy = entry();
    flight.offer_stale(&copy);
    for waiter in [early, follow()] {
        let word = waiter.next_event(|_| true).now_or_never().unwrap();
        assert!(matches!(word, FlightEvent::Offer(offer) if Arc::ptr_eq(&offer, &copy)));
    }
    let (mut choosy, mut patient) = (
        Box::pin(choosy.next_event(|_| false)),
        Box::pin(patient.wait_for_end()),
    );
    assert!((&mut choosy).now_or_never().is_none());
    assert!((&mut patient).now_or_never().is_none());
    flight.finish(failed());
    assert!(matches!(
        choosy.await,
        FlightEvent::End(FlightResult::Failed(_))
    ));
    assert!(matches!(patient.await, FlightResult::Failed(_)));
}

#[test]
fn a_soft_purge_makes_what_is_offered_stale_before_and_after_it_is_offered() {
    let flights = SingleFlight::new(Clock::by_hand());
    let flight = lead(&flights, "p");
    let (before, after) = (entry(), entry());
    flight.offer_stale(&before);
    assert!(!before.is_expired());
    flights.expire_entry(key("p").digest(), 5);
    assert!(before.is_expired());
    flight.offer_stale(&after);
    assert!(after.is_expired());
}

#[tokio::test]
async fn a_late_old_leader_does_not_end_its_successors_flight() {
    let flights = SingleFlight::new(Clock::by_hand());
    let old = lead(&flights, "p");
    flights.lock().take_off(&key("p"), old.number);
    let new = lead(&flights, "p");
    drop(old);
    let FlightRole::Follow(waiter) = flights.join(&key("p")) else {
        panic!("the new flight is gone");
    };
    new.finish(FlightResult::Done(entry(), None));
    assert!(matches!(
        waiter.wait_for_end().await,
        FlightResult::Done(..)
    ));
}

#[test]
fn a_failure_is_remembered_for_a_second() {
    let clock = Clock::by_hand();
    let flights = SingleFlight::new(clock.clone());
    lead(&flights, "p").finish(failed());
    assert!(matches!(flights.join(&key("p")), FlightRole::Failed(_)));
    clock.advance(Duration::from_millis(999));
    assert!(matches!(flights.join(&key("p")), FlightRole::Failed(_)));
    clock.advance(Duration::from_millis(1));
    lead(&flights, "p");
}

#[test]
fn what_was_too_large_is_remembered_for_a_minute() {
    let clock = Clock::by_hand();
    let flights = SingleFlight::new(clock.clone());
    lead(&flights, "p").finish(FlightResult::TooLarge(entry()));
    clock.advance(Duration::from_secs(59));
    assert!(matches!(flights.join(&key("p")), FlightRole::TooLarge));
    clock.advance(Duration::from_secs(1));
    lead(&flights, "p");
}

#[test]
fn what_is_remembered_is_bounded() {
    let clock = Clock::by_hand();
    let flights = SingleFlight::new(clock.clone());
    for number in 0..REMEMBERED + 10 {
        lead(&flights, &number.to_string()).finish(failed());
    }
    assert_eq!(flights.lock().remembered.len(), REMEMBERED);
    clock.advance(BACKOFF);
    lead(&flights, "again").finish(failed());
    assert_eq!(flights.lock().remembered.len(), 1);
}

#[tokio::test]
async fn each_failure_of_a_query_in_a_row_is_waited_out_twice_as_long_up_to_a_bound() {
    let clock = Clock::by_hand();
    let flights = SingleFlight::new(clock.clone());
    let failed = || {
        FlightResult::Failed(RequestError::Failed {
            sqlstate: "22012".into(),
            detail: "division by zero".into(),
            position: None,
        })
    };
    for wait in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
        lead(&flights, "p").finish(failed());
        clock.advance(Duration::from_millis(wait - 1));
        assert!(matches!(flights.join(&key("p")), FlightRole::Failed(_)));
        clock.advance(Duration::from_millis(wait / 4 + 1));
    }
    // A success ends the row; another key never was in it.
    lead(&flights, "p").finish(FlightResult::Done(entry(), None));
    for parameters in ["p", "q"] {
        lead(&flights, parameters).finish(failed());
        assert!(matches!(
            flights.join(&key(parameters)),
            FlightRole::Failed(_)
        ));
    }
    clock.advance(Duration::from_millis(1250));
    lead(&flights, "p");
    lead(&flights, "q");
}

#[tokio::test]
async fn a_database_that_is_away_is_asked_again_every_second() {
    let clock = Clock::by_hand();
    let flights = SingleFlight::new(clock.clone());
    for _ in 0..10 {
        lead(&flights, "p").finish(failed());
        assert!(matches!(flights.join(&key("p")), FlightRole::Failed(_)));
        clock.advance(Duration::from_secs(1));
    }
}

#[test]
fn who_gets_a_remembered_failure_is_told_for_how_long() {
    let clock = Clock::by_hand();
    let flights = SingleFlight::new(clock.clone());
    lead(&flights, "p").finish(failed());
    clock.advance(Duration::from_millis(400));
    let FlightRole::Failed(error) = flights.join(&key("p")) else {
        panic!("it is not remembered");
    };
    assert_eq!(error.retry_after(), Some(Duration::from_millis(600)));
    assert_eq!((error.status(), error.class()), (503, "unavailable"));
}
