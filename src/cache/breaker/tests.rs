//! When the breaker opens, lets one through, and closes.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn open(breaker: &Breaker, now: Instant) {
    for expected in [
        BreakerChange::None,
        BreakerChange::None,
        BreakerChange::Opened,
    ] {
        let permit = breaker.try_admit(now).unwrap();
        assert_eq!(permit.record_failure(RedisError::Timeout, now), expected);
    }
}

#[test]
fn three_failures_in_a_row_open_it_and_one_probe_is_let_through_later() {
    let now = Instant::now();
    let breaker = Breaker::new(now);
    open(&breaker, now);
    assert!(breaker.try_admit(now + 4 * SECOND).is_none());
    let later = now + 6 * SECOND;
    let probe = breaker.try_admit(later).unwrap();
    assert!(breaker.try_admit(later).is_none());
    assert_eq!(breaker.redis_state(later).breaker, BreakerState::HalfOpen);
    assert_eq!(probe.record_success(later), BreakerChange::Recovered);
    let state = breaker.redis_state(later);
    assert_eq!(
        (state.up, state.breaker),
        (Some(true), BreakerState::Closed)
    );
}

#[test]
fn a_success_between_failures_starts_the_count_again() {
    let now = Instant::now();
    let breaker = Breaker::new(now);
    for _ in 0..5 {
        for _ in 0..2 {
            let permit = breaker.try_admit(now).unwrap();
            permit.record_failure(RedisError::Closed, now);
        }
        breaker.try_admit(now).unwrap().record_success(now);
    }
    assert_eq!(breaker.redis_state(now).breaker, BreakerState::Closed);
}

#[test]
fn a_failed_probe_opens_it_again() {
    let now = Instant::now();
    let breaker = Breaker::new(now);
    open(&breaker, now);
    let later = now + 6 * SECOND;
    let probe = breaker.try_admit(later).unwrap();
    assert_eq!(
        probe.record_failure(RedisError::Auth, later),
        BreakerChange::Opened
    );
    assert!(breaker.try_admit(later + 4 * SECOND).is_none());
    assert!(breaker.try_admit(later + 6 * SECOND).is_some());
    assert_eq!(
        breaker.redis_state(later).last_error,
        Some(RedisError::Auth)
    );
}

#[test]
fn a_probe_whose_request_went_away_leaves_the_next_one_to_ask() {
    let now = Instant::now();
    let breaker = Breaker::new(now);
    open(&breaker, now);
    let later = now + 6 * SECOND;
    drop(breaker.try_admit(later).unwrap());
    let probe = breaker.try_admit(later).unwrap();
    probe.record_success(later);
    assert_eq!(breaker.redis_state(later).breaker, BreakerState::Closed);
}

#[test]
fn late_answers_from_before_it_opened_do_not_close_or_prolong_it() {
    let now = Instant::now();
    let breaker = Breaker::new(now);
    let (late_success, late_failure) = (
        breaker.try_admit(now).unwrap(),
        breaker.try_admit(now).unwrap(),
    );
    open(&breaker, now);
    late_success.record_success(now + SECOND);
    assert_eq!(
        late_failure.record_failure(RedisError::Timeout, now + 4 * SECOND),
        BreakerChange::None
    );
    assert_eq!(breaker.redis_state(now).breaker, BreakerState::Open);
    assert!(breaker.try_admit(now + 6 * SECOND).is_some());
}

#[test]
fn a_complaint_is_remembered_and_leaves_it_closed_and_up() {
    let now = Instant::now();
    let breaker = Breaker::new(now);
    for _ in 0..10 {
        let permit = breaker.try_admit(now).unwrap();
        permit.record_complaint(RedisError::OutOfMemory, now);
    }
    let state = breaker.redis_state(now);
    assert_eq!(
        (state.up, state.breaker),
        (Some(true), BreakerState::Closed)
    );
    assert_eq!(state.last_error, Some(RedisError::OutOfMemory));
    assert_eq!(state.complaint, Some(RedisError::OutOfMemory));
    // What is read meanwhile does not tell whether something would be taken.
    breaker.try_admit(now).unwrap().record_success(now);
    assert_eq!(
        breaker.redis_state(now).complaint,
        Some(RedisError::OutOfMemory)
    );
    breaker.clear_complaint();
    let state = breaker.redis_state(now);
    assert_eq!(state.complaint, None);
    assert_eq!(state.last_error, Some(RedisError::OutOfMemory));
}
