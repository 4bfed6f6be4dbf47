//! What is remembered, what is news, and who is refused meanwhile.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::VecDeque;

use super::*;

/// A database that answers its prober with these, and then that it is there.
fn cell(answers: &[ContactResult]) -> HealthCell {
    let answers = Mutex::new(VecDeque::from(answers.to_vec()));
    HealthCell::new(
        "x",
        Box::new(move || {
            let next = answers.lock().unwrap().pop_front();
            Box::pin(async move { next.unwrap_or(ContactResult::Answered) })
        }),
    )
}

fn away() -> ContactResult {
    ContactResult::Away(AwayCause::new("other", "refused"))
}

#[test]
fn health_is_unknown_before_the_first_contact_and_then_follows_the_latest() {
    let cell = cell(&[]);
    assert_eq!(cell.get().up, None);
    cell.report_contact(away());
    assert_eq!(cell.get().up, Some(false));
    assert_eq!(cell.get().last_error.as_deref(), Some("refused"));
    cell.report_contact(ContactResult::Answered);
    assert_eq!(cell.get().up, Some(true));
    assert_eq!(cell.get().last_error, None);
    cell.report_contact(ContactResult::Full(AwayCause::new("other", "too many")));
    assert_eq!(cell.get().up, Some(true));
    assert_eq!(cell.get().last_error.as_deref(), Some("too many"));
}

#[test]
fn a_failed_statement_is_an_answer_and_a_slow_one_is_no_news() {
    let cell = cell(&[]);
    let slow = RequestError::Timeout {
        limit: Duration::from_secs(1),
    };
    cell.report_contact(ContactResult::from_end(Some(&slow)));
    assert_eq!(cell.get().up, None);
    let failed = RequestError::Failed {
        sqlstate: "22012".into(),
        detail: "division by zero".into(),
        position: None,
    };
    cell.report_contact(ContactResult::from_end(Some(&failed)));
    assert_eq!(cell.get().up, Some(true));
}

#[test]
fn only_changes_are_news_and_a_full_database_is_once_in_a_while() {
    let mut now = HealthState::default();
    let full = || ContactResult::Full(AwayCause::new("other", "too many"));
    assert_eq!(now.take_in(ContactResult::Nothing), None);
    assert_eq!(now.take_in(ContactResult::Answered), Some(HealthChange::Up));
    assert_eq!(now.take_in(ContactResult::Answered), None);
    assert_eq!(
        now.take_in(full()),
        Some(HealthChange::Full(AwayCause::new("other", "too many")))
    );
    assert_eq!(now.take_in(ContactResult::Answered), None);
    assert_eq!(now.take_in(full()), None);
    assert_eq!(
        now.take_in(away()),
        Some(HealthChange::Down(AwayCause::new("other", "refused")))
    );
    assert_eq!(
        now.take_in(ContactResult::Away(AwayCause::new("other", "hangs"))),
        None
    );
    assert_eq!(now.cause.as_ref().map(|cause| &*cause.words), Some("hangs"));
    assert_eq!(now.take_in(full()), Some(HealthChange::Back));
}

#[test]
fn a_database_that_had_no_connection_is_remembered_beyond_the_next_answer_and_not_for_long() {
    let mut now = HealthState::default();
    let full = || ContactResult::Full(AwayCause::new("full", "too many"));
    let class = |now: &HealthState| now.cause().map(|cause| cause.class);
    now.take_in(full());
    now.take_in(ContactResult::Answered);
    assert_eq!(class(&now), Some("full"));
    now.full = Instant::now().checked_sub(FULL_STAYS + Duration::from_secs(1));
    assert_eq!(class(&now), None);
    now.take_in(ContactResult::Answered);
    assert_eq!(now.cause, None);
    // One that went away in between is judged anew.
    now.take_in(full());
    now.take_in(away());
    assert_eq!(class(&now), Some("other"));
    now.take_in(ContactResult::Answered);
    assert_eq!(class(&now), None);
}

#[test]
fn how_long_it_has_been_so_counts_from_the_change_and_not_from_the_latest_contact() {
    let mut now = HealthState::default();
    assert_eq!(now.since, None);
    now.take_in(ContactResult::Answered);
    let first = now.since;
    assert!(first.is_some());
    now.take_in(ContactResult::Full(AwayCause::new("full", "too many")));
    now.take_in(ContactResult::Answered);
    assert_eq!(now.since, first);
    now.take_in(away());
    assert!(now.since > first);
}

#[tokio::test]
async fn loads_are_refused_with_the_cause_while_a_prober_asks_and_no_longer() {
    let cell = cell(&[away()]);
    let mut recoveries = cell.watch_recoveries();
    assert!(cell.load_refusal().is_none());
    cell.report_contact(away());
    let refusal = cell.load_refusal().unwrap().to_string();
    assert!(refusal.ends_with("refused"), "{refusal}");
    assert!(cell.get().refuses);
    assert_eq!(cell.get().class, Some("other"));
    recoveries.changed().await.unwrap();
    assert!(cell.load_refusal().is_none());
    assert_eq!(cell.get().up, Some(true));
    assert!(!cell.get().refuses);
    assert_eq!(cell.get().class, None);
    // And the next time again.
    cell.report_contact(away());
    assert!(cell.load_refusal().is_some());
    recoveries.changed().await.unwrap();
}

#[test]
fn without_a_prober_nobody_is_refused() {
    let cell = cell(&[]);
    cell.report_contact(away());
    assert_eq!(cell.get().up, Some(false));
    assert!(
        cell.load_refusal().is_none(),
        "there is no runtime to ask on"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async { cell.report_contact(away()) });
    assert!(cell.load_refusal().is_some());
    drop(runtime);
    assert!(
        cell.load_refusal().is_none(),
        "the prober went with its runtime"
    );
}

#[tokio::test]
async fn a_doubt_refuses_nobody_and_is_cleared_up_by_the_prober() {
    let cell = cell(&[
        ContactResult::Doubtful(AwayCause::new("other", "broke")),
        ContactResult::Answered,
    ]);
    cell.report_contact(ContactResult::Answered);
    let mut recoveries = cell.watch_recoveries();
    cell.report_contact(ContactResult::Doubtful(AwayCause::new("other", "broke")));
    assert_eq!(cell.get().up, Some(true));
    assert!(cell.load_refusal().is_none());
    // The prober found it away, and then back.
    recoveries.changed().await.unwrap();
    assert_eq!(cell.get().up, Some(true));
}
