//! The comparison that the program is for: how long a load takes, how long a copy takes, and how
//! many times as long the one is as the other. One form for every page that shows it; it boasts
//! only where a copy was quicker.

use std::time::Duration;

use maud::{Markup, PreEscaped, html};

use super::format;
use super::provenance::{SLIVER, render_bar, share_of};
use crate::stats::Percentiles;

/// The times of real traffic, by medians.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SpeedComparison {
    /// The median of the loads, with their number, or the time of one alone, with 0; `None` before
    /// the first.
    pub load: Option<(Duration, u64)>,
    /// The same of the answers that were copies.
    pub copy: Option<(Duration, u64)>,
}

impl SpeedComparison {
    /// Compares times of copies with times of loads.
    pub fn new(copy: &Percentiles, load: &Percentiles) -> SpeedComparison {
        let median = |times: &Percentiles| {
            let median = times.p50_seconds.map(format::seconds_duration);
            median.map(|median| (median, times.count))
        };
        SpeedComparison {
            load: median(load),
            copy: median(copy),
        }
    }

    /// Returns whether there is something to compare.
    pub fn is_whole(&self) -> bool {
        self.load.is_some() && self.copy.is_some()
    }

    /// Writes `2,510×`, where a copy was quicker.
    pub(super) fn speed_factor(&self) -> Option<String> {
        format::format_factor(self.load?.0, self.copy?.0)
    }

    /// Writes `A load takes 5.02 s, a copy 0.30 ms: 16,700× faster`, or what is not known yet.
    fn render_heading(&self) -> Markup {
        let time = |(time, _)| format::format_duration(time);
        html! {
            @match (self.load.map(time), self.copy.map(time)) {
                (Some(load), Some(copy)) => {
                    span { "A load takes " (load) ", a copy " (copy) ":" } " "
                    @match self.speed_factor() {
                        Some(factor) => { (factor) " faster" },
                        None => "no faster",
                    }
                },
                (Some(load), None) => { span { "A load takes " (load) ":" } " no copy has been served yet" },
                (None, _) => "Nothing has been loaded yet",
            }
        }
    }
}

/// A comparison with its panel, but for what differs from response to response: a page that is made
/// for each request has it written once for many.
#[derive(Debug)]
pub struct ComparisonPanel {
    comparison: SpeedComparison,
    longest: Duration,
    /// True where a bar is drawn wider than it is.
    widened: bool,
    /// The panel up to where a response has its place.
    begin: String,
}

impl ComparisonPanel {
    /// Makes the panel of this comparison.
    pub fn new(comparison: SpeedComparison) -> ComparisonPanel {
        let times = [comparison.load, comparison.copy].into_iter().flatten();
        let times: Vec<_> = times.map(|(time, _)| time).collect();
        let longest = times.iter().max().copied().unwrap_or_default();
        ComparisonPanel {
            comparison,
            longest,
            widened: times.iter().any(|time| share_of(*time, longest) < SLIVER),
            begin: write_begin(&comparison, longest),
        }
    }

    /// Returns what is compared.
    pub fn comparison(&self) -> SpeedComparison {
        self.comparison
    }

    /// Returns the panel. `response` is how long this very answer took, where there is one.
    pub(super) fn render_panel(&self, response: Option<Duration>) -> String {
        let longest = response.map_or(self.longest, |time| time.max(self.longest));
        let own = response.filter(|time| share_of(*time, longest) < SLIVER);
        let end = render_end(response, longest, self.widened || own.is_some()).0;
        if longest > self.longest {
            write_begin(&self.comparison, longest) + &end
        } else {
            [self.begin.as_str(), &end].concat()
        }
    }
}

/// Writes the opening tag of the panel's element by hand: it is closed in [`render_end`].
fn write_begin(comparison: &SpeedComparison, longest: Duration) -> String {
    let rows = [
        ("A load", "long", comparison.load),
        ("A copy", "short", comparison.copy),
    ];
    let shown = html! {
        h2 #race { (comparison.render_heading()) }
        (PreEscaped("<dl>"))
        @for (name, kind, row) in rows {
            @if let Some((time, count)) = row {
                (render_line(&html! { (name) span.quiet { (median_words(count)) } }, kind, time, longest))
            }
        }
    };
    format!(
        r#"<section class="panel race" aria-labelledby="race">{}"#,
        shown.0
    )
}

fn render_end(response: Option<Duration>, longest: Duration, widened: bool) -> Markup {
    html! {
        @if let Some(time) = response {
            (render_line(&html! { "This response" }, "short", time, longest))
        }
        (PreEscaped("</dl>"))
        p.note {
            "Medians of what is measured inside unslow; the way to the visitor comes on top."
            @if widened { " To scale, but a bar too short to be seen is drawn wider than it is." }
        }
        (PreEscaped("</section>"))
    }
}

fn render_line(name: &Markup, kind: &str, time: Duration, longest: Duration) -> Markup {
    html! {
        div {
            dt { (name) }
            dd { (render_bar(kind, share_of(time, longest))) span.figure { (format::format_duration(time)) } }
        }
    }
}

/// Writes `, median of 1,204`
fn median_words(count: u64) -> String {
    match count {
        0 => ", when this copy was made".to_owned(),
        count => format!(", median of {}", format::format_count(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(load: Option<u64>, copy: Option<u64>) -> SpeedComparison {
        let row = |micros: Option<u64>| micros.map(|micros| (Duration::from_micros(micros), 1_204));
        SpeedComparison {
            load: row(load),
            copy: row(copy),
        }
    }

    fn drawn(comparison: &SpeedComparison) -> String {
        with(comparison, None)
    }

    fn with(comparison: &SpeedComparison, response: Option<Duration>) -> String {
        let panel = ComparisonPanel::new(*comparison).render_panel(response);
        panel.replace('\u{a0}', " ")
    }

    #[test]
    fn it_says_what_a_load_takes_what_a_copy_takes_and_the_factor() {
        let text = drawn(&comparison(Some(5_020_000), Some(2_000)));
        for words in [
            "<span>A load takes 5.02 s, a copy 2.00 ms:</span> 2,510× faster</h2>",
            "A load<span class=\"quiet\">, median of 1,204</span>",
        ] {
            assert!(text.contains(words), "no {words}: {text}");
        }
    }

    #[test]
    fn a_copy_that_is_no_quicker_is_not_called_faster() {
        let text = drawn(&comparison(Some(300), Some(2_000)));
        let words = "A load takes 0.30 ms, a copy 2.00 ms:</span> no faster</h2>";
        assert!(text.contains(words), "{text}");
        let (load, copy) = (
            "class=\"long\" width=\"15.00%\"",
            "class=\"short\" width=\"100.00%\"",
        );
        assert!(text.contains(load) && text.contains(copy), "{text}");
    }

    #[test]
    fn what_is_not_known_yet_is_said_and_not_drawn() {
        let text = drawn(&comparison(Some(300), None));
        assert!(text.contains("no copy has been served yet"), "{text}");
        assert!(!text.contains("A copy"), "{text}");
        let text = drawn(&SpeedComparison::default());
        assert!(text.contains("Nothing has been loaded yet"), "{text}");
        assert!(!text.contains("<dd>"), "{text}");
    }

    #[test]
    fn the_bars_are_linear_and_a_sliver_that_was_widened_is_owned_up_to() {
        let text = drawn(&comparison(Some(5_020_000), Some(2_510_000)));
        assert!(text.contains("class=\"short\" width=\"50.00%\""), "{text}");
        assert!(!text.contains("To scale"), "{text}");
        let text = drawn(&comparison(Some(5_020_000), Some(2_000)));
        assert!(text.contains("class=\"short\" width=\"1.50%\""), "{text}");
        assert!(text.contains("wider than it is"), "{text}");
    }

    #[test]
    fn this_response_stands_beside_them() {
        let compared = comparison(Some(2_000_000), Some(2_000));
        let text = with(&compared, Some(Duration::from_secs(4)));
        assert!(text.contains("<dt>This response</dt>"), "{text}");
        assert!(text.contains("class=\"long\" width=\"50.00%\""), "{text}");
        let text = with(&compared, Some(Duration::from_secs(1)));
        assert!(text.contains("class=\"long\" width=\"100.00%\""), "{text}");
        assert!(text.contains("class=\"short\" width=\"50.00%\""), "{text}");
    }
}
