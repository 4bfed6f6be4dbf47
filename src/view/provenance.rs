//! The origin of an answer, in words and as bars. It owns the sentences for the outcomes; it
//! praises only where the cache did make the difference. The times of loads and copies in general
//! are `race`'s to compare.

use std::time::Duration;

use maud::{Markup, html};

use super::format;
use crate::outcome::{BypassReason, Outcome, StaleReason, Tier};

/// The place where an answer came from, how old it is, and what it would have cost.
#[derive(Debug, Clone, Copy)]
pub struct Provenance {
    /// The way in which the request was answered.
    pub outcome: Outcome,
    /// The time since the result arrived from the database.
    pub age: Duration,
    /// The TTL of the query.
    pub ttl: Duration,
    /// The rest of its TTL; zero when stale.
    pub ttl_left: Duration,
    /// The time for which the database took when it was last asked.
    pub load_time: Duration,
    /// The time for which this response took.
    pub elapsed: Duration,
    /// True where the answer is kept for the next request.
    pub stored: bool,
}

impl Provenance {
    /// Returns the origin as a heading, and its meaning as a sentence.
    fn origin_words(&self) -> (&'static str, &'static str) {
        match self.outcome {
            Outcome::Hit(Tier::Memory) => (
                "From memory",
                "A fresh copy was in this process. The database was not asked.",
            ),
            Outcome::Hit(Tier::Redis) => (
                "From Redis",
                "A fresh copy was in the shared cache. The database was not asked.",
            ),
            Outcome::Stale(StaleReason::Revalidating) => (
                "Stale, being refreshed",
                "The copy is past its time. It was served at once, while a new one is loaded for whoever comes next.",
            ),
            Outcome::Stale(StaleReason::LoadError) => (
                "Stale, because loading fails",
                "A new copy cannot be loaded at the moment, so the last good one is served.",
            ),
            Outcome::Coalesced => (
                "Waited for another request’s load",
                "Somebody had just asked the same. The query ran once for everyone who waited.",
            ),
            Outcome::Miss if self.stored => (
                "From the database",
                "No usable copy was found, so this request ran the query. Reload to see the cache answer.",
            ),
            Outcome::Miss => (
                "From the database",
                "No usable copy was found, so this request ran the query. The answer could not be kept.",
            ),
            Outcome::Bypass(BypassReason::CacheOff) => (
                "From the database, not cached",
                "This query is always run: its file says cache: off.",
            ),
            Outcome::Bypass(BypassReason::TooLarge) => (
                "From the database, not cached",
                "The answer is larger than what one entry of the cache may hold.",
            ),
            Outcome::Bypass(BypassReason::Compare) => ("Compared", "One way was asked alone."),
            Outcome::Error => ("No answer", "There is no value to show."),
        }
    }

    /// Returns the class that colours the mark beside the words, which say the same.
    fn tone_class(&self) -> &'static str {
        match self.outcome {
            Outcome::Hit(_) => "fresh",
            Outcome::Stale(_) => "stale",
            Outcome::Coalesced | Outcome::Miss | Outcome::Bypass(_) => "loaded",
            Outcome::Error => "failed",
        }
    }

    fn is_cached(&self) -> bool {
        self.stored && !matches!(self.outcome, Outcome::Bypass(_) | Outcome::Error)
    }

    /// Writes `2.8 s old`
    fn age_in_words(&self) -> String {
        if self.age < Duration::from_millis(50) {
            return "just loaded".to_owned();
        }
        format!("{} old", format::format_age(self.age))
    }

    /// Writes `2.8 s old, fresh for 7.2 s more`
    fn freshness_words(&self) -> String {
        let age = self.age_in_words();
        if self.ttl_left.is_zero() {
            format!("{age}, past its {}", format::format_span(self.ttl))
        } else {
            format!(
                "{age}, fresh for {} more",
                format::format_age(self.ttl_left)
            )
        }
    }

    /// Returns how many times faster than the database a copy was, if it was.
    fn gain_words(&self) -> Option<String> {
        let copy = matches!(self.outcome, Outcome::Hit(_) | Outcome::Stale(_));
        format::format_factor(self.load_time, self.elapsed).filter(|_| copy)
    }
}

/// Returns the panel of the home page: source, age, what is left of the TTL.
pub(super) fn render_panel(answer: &Provenance) -> Markup {
    let (source, meaning) = answer.origin_words();
    html! {
        section.panel.answer aria-labelledby="answer" {
            p.kicker { "This answer" }
            h2 #answer.source.(answer.tone_class()) { (source) }
            p.quiet { (meaning) }
            @if answer.is_cached() {
                dl.facts {
                    div { dt { "Age" } dd { (answer.age_in_words()) } }
                    div {
                        dt { "Fresh for" }
                        dd {
                            @if answer.ttl_left.is_zero() { "no longer" }
                            @else { (format::format_age(answer.ttl_left)) " more" }
                        }
                    }
                    div { dt { "TTL" } dd { "up to " (format::format_span(answer.ttl)) } }
                }
                (render_bar("left", share_of(answer.ttl_left, answer.ttl)))
            }
        }
    }
}

/// Returns the same in one line, above a table, with what the database took.
pub(super) fn render_line(answer: &Provenance) -> Markup {
    let (source, meaning) = answer.origin_words();
    html! {
        p.provenance {
            strong.source.(answer.tone_class()) title=(meaning) { (source) }
            @if answer.is_cached() { span { (answer.freshness_words()) } }
            span {
                "answered in " b { (format::format_duration(answer.elapsed)) }
                ", the database took " (format::format_duration(answer.load_time))
            }
            @if let Some(factor) = answer.gain_words() { span.gain { (factor) " faster" } }
        }
    }
}

/// The least share of a bar that can still be seen.
pub(super) const SLIVER: f64 = 0.015;

/// Returns how much of `whole` a part is, at most all.
pub(super) fn share_of(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() {
        0.0
    } else {
        (part.as_secs_f64() / whole.as_secs_f64()).min(1.0)
    }
}

/// Returns a horizontal bar. The figure beside it says the same, so it is hidden from screen
/// readers.
pub(super) fn render_bar(kind: &str, share: f64) -> Markup {
    let width = if kind == "left" {
        share
    } else {
        share.max(SLIVER)
    };
    html! {
        svg.bar width="100%" height="10" aria-hidden="true" focusable="false" {
            rect.track width="100%" height="100%" rx="5" {}
            rect class=(kind) width={ (format::format_length(width)) "%" } height="100%" rx="5" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(outcome: Outcome) -> Provenance {
        Provenance {
            outcome,
            age: Duration::from_millis(2_800),
            ttl: Duration::from_secs(10),
            ttl_left: Duration::from_millis(7_200),
            load_time: Duration::from_millis(5_020),
            elapsed: Duration::from_millis(2),
            stored: true,
        }
    }

    fn plain(markup: &Markup) -> String {
        markup.0.replace('\u{a0}', " ")
    }

    #[test]
    fn only_a_copy_is_called_faster() {
        let outcomes = [
            (Outcome::Hit(Tier::Memory), true),
            (Outcome::Hit(Tier::Redis), true),
            (Outcome::Stale(StaleReason::Revalidating), true),
            (Outcome::Stale(StaleReason::LoadError), true),
            (Outcome::Coalesced, false),
            (Outcome::Miss, false),
            (Outcome::Bypass(BypassReason::CacheOff), false),
            (Outcome::Bypass(BypassReason::TooLarge), false),
        ];
        for (outcome, boasts) in outcomes {
            let answer = answer(outcome);
            assert_eq!(
                plain(&render_line(&answer)).contains("2,510× faster"),
                boasts,
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn a_copy_that_took_longer_than_the_database_is_not_called_faster() {
        let slow = Provenance {
            load_time: Duration::from_micros(300),
            ..answer(Outcome::Hit(Tier::Redis))
        };
        let text = plain(&render_line(&slow));
        assert!(!text.contains("faster"), "{text}");
    }

    #[test]
    fn age_and_what_is_left_of_the_ttl_are_said_and_drawn() {
        let text = plain(&render_panel(&answer(Outcome::Hit(Tier::Memory))));
        assert!(text.contains("<dd>2.8 s old</dd>"), "{text}");
        assert!(text.contains("<dd>7.2 s more</dd>"), "{text}");
        assert!(text.contains("<dd>up to 10 s</dd>"), "{text}");
        assert!(
            text.contains(r#"<rect class="left" width="72.00%""#),
            "{text}"
        );
    }

    #[test]
    fn a_stale_copy_has_nothing_left() {
        let stale = Provenance {
            ttl_left: Duration::ZERO,
            age: Duration::from_secs(12),
            ..answer(Outcome::Stale(StaleReason::Revalidating))
        };
        let text = plain(&render_panel(&stale));
        assert!(text.contains("<dd>no longer</dd>"), "{text}");
        assert!(
            text.contains(r#"<rect class="left" width="0.00%""#),
            "{text}"
        );
        assert!(plain(&render_line(&stale)).contains("12 s old, past its 10 s"));
    }

    #[test]
    fn what_is_not_kept_has_no_age_and_promises_no_cache() {
        let bypass = answer(Outcome::Bypass(BypassReason::CacheOff));
        let unkept = Provenance {
            stored: false,
            ..answer(Outcome::Miss)
        };
        for answer in [bypass, unkept] {
            let text = plain(&render_panel(&answer));
            assert!(!text.contains("Fresh for"), "{text}");
            assert!(!text.contains("Reload to see"), "{text}");
        }
    }
}
