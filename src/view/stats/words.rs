//! The meaning of the words on the page, for those who read it for the first time.

use maud::{Markup, html};

/// Returns what the columns mean.
pub(super) fn render_glossary() -> Markup {
    let words = [
        ("Memory, Redis", "A fresh copy was found there."),
        (
            "Stale",
            "A copy past its TTL was served while a new one was loaded, or because loading failed.",
        ),
        (
            "Coalesced",
            "It waited for another request’s load and got the same answer.",
        ),
        ("Miss", "The request ran the query."),
        ("Bypass", "The cache was deliberately not used."),
        ("Error", "No value was returned."),
        (
            "Hit ratio",
            "Memory, Redis and stale together, out of all requests but bypasses.",
        ),
        (
            "TTL",
            "How long a copy is fresh, counted from the arrival of the answer. Each copy’s own is up to a tenth shorter, so that copies of one age do not end together.",
        ),
        (
            "Loads",
            "Times the query was started. Refreshes count here and are nobody’s miss.",
        ),
        (
            "p50, p95, p99",
            "Half of the times, 95 and 99 in a hundred were no longer; exact to some 5 %. p99 takes at least a hundred times.",
        ),
        (
            "Faster",
            "How many times as long a load took as a copy, by their medians. Both are measured inside unslow: the way to the visitor is in neither.",
        ),
        (
            "Time saved",
            "What the loads behind the served copies took, less what the requests took.",
        ),
        ("Served", "Bytes of answers that came from copies."),
        (
            "Breaker",
            "Closed: requests go through. Open: after failures it is left alone for a while. Half-open: one request tries whether it is back.",
        ),
    ];
    html! {
        details.words {
            summary { "What the words mean" }
            dl { @for (word, meaning) in words { div { dt { (word) } dd { (meaning) } } } }
        }
    }
}
