//! Who is meant by a message, when a connection is tried again, and what is remembered.

use super::*;
use crate::query::DatabaseKind;

#[test]
fn attempts_become_rarer_up_to_a_bound_and_a_connection_that_lived_begins_anew() {
    let mut backoff = ListenBackoff::default();
    let mut due = BACKOFF;
    for _ in 0..40 {
        let wait = backoff.next();
        assert!(wait <= due && wait >= due * 3 / 4, "{wait:?} for {due:?}");
        due = (due * 2).min(MAX_BACKOFF);
    }
    backoff.note_lifetime(Duration::from_secs(1));
    assert!(backoff.next() > MAX_BACKOFF / 2);
    backoff.note_lifetime(MAX_BACKOFF);
    assert!(backoff.next() <= BACKOFF);
}

#[test]
fn a_message_concerns_the_queries_with_its_tag_and_no_others() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("a", "-- notify: orders, items\nselect 1"),
        ("b", "-- notify: orders\nselect 1"),
        ("c", "select 1"),
    ] {
        let file = folder.path().join(format!("{name}.sql"));
        std::fs::write(file, text).expect("written");
    }
    let catalog = Catalog::load(DatabaseKind::Postgres, Some(folder.path())).expect("a catalog");
    let tags = TagIndex::collect(&catalog);
    let tagged = |tag| tags.tagged_queries(tag).collect::<Vec<_>>().join(" ");
    assert_eq!(tagged("orders"), "a b");
    assert_eq!(tagged("items"), "a");
    assert_eq!(
        (tagged(""), tagged("Orders")),
        (String::new(), String::new())
    );
    assert_eq!(tags.all_queries().len(), 2);
}

#[test]
fn the_state_tells_since_when_and_why() {
    let listening = ListenMonitor::default();
    let error = |text: &str| RequestError::Unavailable {
        detail: text.into(),
    };
    listening.note_end(error("first"));
    let since = listening.state().since;
    listening.note_end(error("second"));
    let state = listening.state();
    assert_eq!((state.listening, state.since), (false, since));
    assert!(
        state
            .last_error
            .is_some_and(|error| error.to_string().contains("second"))
    );
    listening.note_begin();
    assert!(listening.state().listening);
}
