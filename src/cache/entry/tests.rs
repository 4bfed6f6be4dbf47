//! The windows of an entry, its jitter, its tag and its variants.

use super::super::tests::{key, loaded, origin};
use super::*;

const POLICY: Policy = Policy {
    ttl: Duration::from_secs(10),
    stale_while_revalidate: Duration::from_secs(30),
    stale_if_error: Duration::from_secs(100),
};

fn entry(stamp: u64, now: Instant, aged: Duration) -> Entry {
    let revived = StoredMetadata {
        etag: [7; 16],
        stamp,
        load_time: Duration::from_secs(5),
        aged,
        kept_for: Duration::ZERO,
    };
    Entry::new_revived(&key(""), origin(), loaded("x"), &revived, now)
}

#[test]
fn an_entry_goes_through_its_windows_one_after_the_other() {
    let now = Instant::now();
    let entry = entry(0, now, Duration::from_secs(1));
    let life = |seconds| entry.freshness(&POLICY, now + Duration::from_secs(seconds));
    assert_eq!(life(3), Freshness::Fresh);
    assert_eq!(life(4), Freshness::Due);
    assert_eq!(life(8), Freshness::Due);
    assert_eq!(life(9), Freshness::Stale);
    assert_eq!(life(38), Freshness::Stale);
    assert_eq!(life(39), Freshness::IfError);
    assert_eq!(life(108), Freshness::IfError);
    assert_eq!(life(109), Freshness::Over);
}

#[test]
fn a_changed_ttl_acts_on_an_old_entry_and_zero_turns_the_windows_off() {
    let now = Instant::now();
    let entry = entry(0, now, Duration::from_secs(5));
    let short = Policy {
        ttl: Duration::from_secs(5),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
    };
    assert_eq!(entry.freshness(&POLICY, now), Freshness::Due);
    assert_eq!(entry.freshness(&short, now), Freshness::Over);
}

#[test]
fn jitter_only_shortens_by_a_tenth_at_most_and_depends_on_the_stamp_alone() {
    let now = Instant::now();
    let mut ttls: Vec<_> = (0..1000)
        .map(|stamp| entry(stamp, now, Duration::ZERO).ttl(&POLICY))
        .collect();
    assert_eq!(
        entry(77, now, Duration::ZERO).ttl(&POLICY),
        entry(77, now, POLICY.ttl).ttl(&POLICY)
    );
    ttls.sort_unstable();
    assert_eq!(ttls.first(), Some(&Duration::from_secs(9)));
    assert_eq!(ttls.last(), Some(&POLICY.ttl));
    ttls.dedup();
    assert!(ttls.len() > 50);
}

#[test]
fn the_etag_depends_on_head_and_body() {
    let now = Instant::now();
    let tag = |loaded| Entry::new_loaded(&key(""), origin(), loaded, Duration::ZERO, now).etag;
    let other_head = LoadedValue {
        head: Bytes::from_static(b"other"),
        ..loaded("x")
    };
    assert_eq!(tag(loaded("x")), tag(loaded("x")));
    assert_ne!(tag(loaded("x")), tag(loaded("y")));
    assert_ne!(tag(loaded("x")), tag(other_head));
    assert_eq!(tag(loaded("x")).len(), 32);
}

#[test]
fn a_variant_is_made_once_even_when_many_ask_at_once() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let entry = entry(0, Instant::now(), Duration::ZERO);
    let made = AtomicUsize::new(0);
    let start = std::sync::Barrier::new(16);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                start.wait();
                let variant = entry.derived_body(3, |entry| {
                    made.fetch_add(1, Ordering::SeqCst);
                    let mut bytes = entry.body.to_vec();
                    bytes.push(b'!');
                    bytes.into()
                });
                assert_eq!(variant, &b"x!"[..]);
            });
        }
    });
    assert_eq!(made.load(Ordering::SeqCst), 1);
    assert_eq!(
        entry.derived_body(4, |_| Bytes::from_static(b"other")),
        "other"
    );
}

#[test]
fn the_next_load_is_begun_one_and_a_half_loads_before_the_end_within_bounds() {
    let now = Instant::now();
    let point = |load_time: Duration| {
        let revived = StoredMetadata {
            etag: [7; 16],
            stamp: 0,
            load_time,
            aged: Duration::ZERO,
            kept_for: Duration::ZERO,
        };
        let entry = Entry::new_revived(&key(""), origin(), loaded("x"), &revived, now);
        entry.refresh_point(POLICY.ttl)
    };
    assert_eq!(point(Duration::ZERO), Duration::from_secs(9));
    assert_eq!(point(Duration::from_secs(2)), Duration::from_secs(7));
    assert_eq!(point(Duration::from_secs(5)), Duration::from_secs(5));
    assert_eq!(point(Duration::MAX), Duration::from_secs(5));
}

#[test]
fn a_soft_purge_makes_an_entry_stale_and_a_hard_one_ends_it() {
    let now = Instant::now();
    let entry = entry(0, now, Duration::from_secs(1));
    entry.note_purge(PurgeKind::Soft);
    assert_eq!(entry.freshness(&POLICY, now), Freshness::Stale);
    let later = now + Duration::from_secs(39);
    assert_eq!(entry.freshness(&POLICY, later), Freshness::IfError);
    entry.note_purge(PurgeKind::Hard);
    entry.note_purge(PurgeKind::Soft);
    assert_eq!(entry.freshness(&POLICY, now), Freshness::Over);
}

#[test]
fn of_two_generations_the_younger_is_newer_unless_a_purge_made_it_stale_alone() {
    let now = Instant::now();
    let numbered = |hard, order, aged| {
        let mut entry = entry(0, now, Duration::from_secs(aged));
        (entry.rank.hard, entry.rank.order) = (hard, order);
        entry
    };
    // A slow load of before Redis was emptied, and a quick one of after.
    let (slow, quick) = (numbered(1, 5, 0), numbered(7, 8, 1));
    assert!(slow.is_newer_than(&quick, now) && !quick.is_newer_than(&slow, now));
    slow.note_purge(PurgeKind::Soft);
    assert!(quick.is_newer_than(&slow, now) && !slow.is_newer_than(&quick, now));
    quick.note_purge(PurgeKind::Soft);
    assert!(slow.is_newer_than(&quick, now) && !quick.is_newer_than(&slow, now));
    // What was loaded without Redis is compared by age alone.
    let unnumbered = numbered(0, 0, 0);
    unnumbered.note_purge(PurgeKind::Soft);
    assert!(unnumbered.is_newer_than(&numbered(7, 8, 1), now));
}
