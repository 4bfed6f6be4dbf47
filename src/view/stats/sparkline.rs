//! A line of points, drawn small: gaps where nothing was counted, and the same in words for who
//! does not see it. It knows nothing of what the points mean.

use std::fmt::Write as _;

use maud::{Markup, html};

/// The size of the drawing, in units of its own: the style stretches it.
const WIDTH: f64 = 118.0;
const HEIGHT: f64 = 32.0;
/// So much of the height is left free above and below, for the width of the line.
const EDGE: f64 = 2.0;

/// Draws the points between zero and `top`, or their largest where there is none. `words` says a
/// value; `label` what the values are.
pub(super) fn render_sparkline(
    label: &str,
    points: &[Option<f64>],
    top: Option<f64>,
    words: impl Fn(f64) -> String,
) -> Markup {
    let seen = points.iter().flatten().copied();
    let (low, high) = seen.fold((f64::INFINITY, 0.0_f64), |(low, high), point| {
        (low.min(point), high.max(point))
    });
    let summary = if low.is_finite() {
        let now = points.last().copied().flatten();
        let now = now.map_or_else(|| "nothing".to_owned(), &words);
        format!(
            "{label}: lowest {}, highest {}, now {now}",
            words(low),
            words(high)
        )
    } else {
        format!("{label}: nothing yet")
    };
    let path = spark_path(points, top.unwrap_or(high));
    html! {
        svg.spark role="img" aria-label=(summary) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" {
            path.area d=(path.area) {}
            path.line d=(path.line) vector-effect="non-scaling-stroke" {}
        }
    }
}

struct SparkPath {
    line: String,
    area: String,
}

fn spark_path(points: &[Option<f64>], top: f64) -> SparkPath {
    let (mut line, mut area) = (String::new(), String::new());
    #[expect(clippy::cast_precision_loss, reason = "a few points")]
    let step = WIDTH / (points.len().max(2) - 1) as f64;
    let height = |value: f64| {
        let share = if top > 0.0 {
            (value / top).clamp(0.0, 1.0)
        } else {
            0.0
        };
        HEIGHT - EDGE - share * (HEIGHT - 2.0 * EDGE)
    };
    let mut at = 0;
    for run in points.split(Option::is_none) {
        #[expect(clippy::cast_precision_loss, reason = "a few points")]
        let x = |n: usize| (at + n) as f64 * step;
        // Writing to a string does not fail.
        match run {
            [] => {}
            // A point alone is a dash: a line of one point would not be seen.
            [one] => {
                let (left, width) = (x(0) - step / 2.0, step);
                let y = height(one.unwrap_or_default());
                let _ = write!(line, "M{left:.1} {y:.1}h{width:.1}");
                let _ = write!(area, "M{left:.1} {HEIGHT}V{y:.1}h{width:.1}V{HEIGHT}Z");
            }
            run => {
                let _ = write!(area, "M{:.1} {HEIGHT}", x(0));
                for (n, point) in run.iter().enumerate() {
                    let y = height(point.unwrap_or_default());
                    let _ = write!(line, "{}{:.1} {y:.1}", if n == 0 { 'M' } else { 'L' }, x(n));
                    let _ = write!(area, "L{:.1} {y:.1}", x(n));
                }
                let _ = write!(area, "V{HEIGHT}Z");
            }
        }
        at += run.len() + 1;
    }
    SparkPath { line, area }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(points: &[Option<f64>], top: Option<f64>) -> String {
        render_sparkline("Hit ratio", points, top, |value| format!("{value:.1}")).0
    }

    #[test]
    fn gaps_stay_gaps_and_a_single_point_is_a_dash() {
        let points = [Some(0.0), Some(1.0), None, Some(0.5), None];
        let text = drawn(&points, Some(1.0));
        let line = "M0.0 30.0L29.5 2.0M73.8 16.0h29.5";
        assert!(text.contains(line), "{text}");
        let area = "M0.0 32L0.0 30.0L29.5 2.0V32ZM73.8 32V16.0h29.5V32Z";
        assert!(text.contains(area), "{text}");
    }

    #[test]
    fn the_largest_point_touches_the_top_where_no_top_is_given() {
        assert!(drawn(&[Some(1.0), Some(4.0)], None).contains("M0.0 23.0L118.0 2.0"));
        let flat = drawn(&[Some(0.0), Some(0.0)], None);
        assert!(flat.contains("M0.0 30.0L118.0 30.0"), "{flat}");
    }

    #[test]
    fn it_says_its_lowest_its_highest_and_the_latest() {
        let text = drawn(&[Some(3.0), None, Some(1.0), Some(2.0)], None);
        assert!(
            text.contains("Hit ratio: lowest 1.0, highest 3.0, now 2.0"),
            "{text}"
        );
        let text = drawn(&[Some(3.0), None], None);
        assert!(text.contains("now nothing"), "{text}");
        for none in [&[][..], &[None, None]] {
            assert!(drawn(none, None).contains("Hit ratio: nothing yet"));
        }
    }
}
