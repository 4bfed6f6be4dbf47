//! What the page on a terminal says, and that it fits.

use super::super::samples;
use super::*;
use crate::view::{PagesHere, StatsSort};

fn page(snapshot: &StatsSnapshot, width: usize) -> String {
    let page = StatsPage {
        snapshot,
        sort: StatsSort::default(),
        refresh: None,
        evicted: None,
        script: "",
        here: PagesHere::All,
        of_late: None,
        lines_lost: 0,
        not_reloaded: None,
    };
    write_terminal(&page, width)
}

#[test]
fn the_page_for_a_terminal_says_what_matters_and_fits() {
    let snapshot = samples::snapshot();
    let wide = page(&snapshot, 300);
    for words in [
        "unslow 1.2.3 on web-1:77, generation 4, up 2 h",
        "as of 2023-11-15 00:16:24 UTC",
        "Problem     Redis cannot be reached (connect).",
        "Hit ratio",
        "a-b_c (removed)",
        "Load p50",
        "7 KiB of 71.3 KiB, entries: 71",
        "breaker half-open",
        "the server uses 3 MiB without a limit and has evicted 86 keys (3.5 s ago)",
        "web-2:78\\u{1b}[1m",
        "web-1:77 (asked)",
    ] {
        assert!(wide.contains(words), "{words}:\n{wide}");
    }
    assert!(!wide.contains(['\u{1b}', '\u{a0}']));
    for width in [40, 60, 80, 100, 160] {
        let text = page(&snapshot, width);
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        assert!(text.contains("Requests"), "{text}");
    }
    assert!(!page(&snapshot, 80).contains("Bytes"));
}

#[test]
fn one_that_has_just_begun_has_a_page_too() {
    let text = page(&StatsSnapshot::default(), 80);
    for words in ["Nothing has been asked yet", "not configured", "turned off"] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
}
