//! The figures of a comparison: percentiles, rates and factors, and their form for people. A figure
//! that the samples do not carry is not given.

use std::time::Duration;

/// The number of samples from which on there is a p95, …
const FOR_P95: usize = 20;
/// … and a p99.
const FOR_P99: usize = 100;

/// The mark where there is no figure.
pub(super) const NONE: &str = "–";

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeSample {
    /// The time that the client measured.
    pub(super) whole: Duration,
    /// The part of it that unslow says it took.
    pub(super) inside: Duration,
}

/// All requests of one way.
#[derive(Debug, Default)]
pub(super) struct TimeSamples {
    pub(super) all: Vec<TimeSample>,
    /// The time from the first one's beginning to the last one's end.
    pub(super) took: Duration,
}

/// The figures of one way; `None` where the samples do not carry one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct WayFigures {
    pub(super) runs: usize,
    pub(super) p50: Option<Duration>,
    pub(super) p95: Option<Duration>,
    pub(super) p99: Option<Duration>,
    /// The median of what unslow itself took.
    pub(super) inside: Option<Duration>,
    /// Requests a second.
    pub(super) rate: Option<f64>,
}

impl TimeSamples {
    pub(super) fn compute_figures(&self) -> WayFigures {
        let sorted = |of: fn(&TimeSample) -> Duration| {
            let mut times: Vec<_> = self.all.iter().map(of).collect();
            times.sort_unstable();
            times
        };
        let (whole, inside) = (sorted(|one| one.whole), sorted(|one| one.inside));
        let runs = whole.len();
        let from = |least: usize, percent| nearest_rank(&whole, percent).filter(|_| runs >= least);
        #[allow(clippy::cast_precision_loss, reason = "shown with three digits")]
        let rate = runs as f64 / self.took.as_secs_f64();
        WayFigures {
            runs,
            p50: from(1, 50),
            p95: from(FOR_P95, 95),
            p99: from(FOR_P99, 99),
            inside: nearest_rank(&inside, 50),
            rate: (runs > 0 && rate.is_finite()).then_some(rate),
        }
    }
}

impl WayFigures {
    /// Returns how many times as quick as `slower`, at the median.
    pub(super) fn speed_factor(&self, slower: &WayFigures) -> Option<f64> {
        let (own, slower) = (self.p50?.as_secs_f64(), slower.p50?.as_secs_f64());
        (own > 0.0).then(|| slower / own)
    }
}

/// Returns the nearest rank: the least of these sorted times that so many percent are not above.
fn nearest_rank(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// Writes `5.02 s`, `212 ms`, `85.3 µs`
pub(super) fn write_time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    // A time that rounds up to a whole unit is written in that one.
    for (unit, name) in [(1.0, "s"), (1e-3, "ms")] {
        if seconds >= unit * 0.9995 {
            return format!("{} {name}", three_digits(seconds / unit));
        }
    }
    format!("{} µs", three_digits(seconds / 1e-6))
}

/// Returns three digits that count, with commas between the thousands: `12,300`, `45.6`, `0.20`.
pub(super) fn three_digits(number: f64) -> String {
    if number < 0.9995 {
        return format!("{number:.2}");
    }
    if number < 9.995 {
        return format!("{number:.2}");
    }
    if number < 99.95 {
        return format!("{number:.1}");
    }
    let mut unit = 1.0;
    while number / unit >= 999.5 {
        unit *= 10.0;
    }
    group_digits(&format!("{:.0}", (number / unit).round() * unit))
}

/// Returns a whole number with commas between its thousands.
pub(super) fn group_digits(digits: &str) -> String {
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    /// Requests of 1 ms to so many, of which unslow takes 1 µs for each.
    fn samples(count: u64) -> TimeSamples {
        let sample = |n| TimeSample {
            whole: ms(n),
            inside: Duration::from_micros(n),
        };
        TimeSamples {
            // Not in order.
            all: (1..=count).rev().map(sample).collect(),
            took: ms(count * 1000 / 4),
        }
    }

    #[test]
    fn percentiles_are_those_that_the_samples_carry() {
        let of = |count| {
            let figures = samples(count).compute_figures();
            (figures.p50, figures.p95, figures.p99)
        };
        assert_eq!(of(0), (None, None, None));
        assert_eq!(of(1), (Some(ms(1)), None, None));
        assert_eq!(of(3), (Some(ms(2)), None, None));
        assert_eq!(of(19), (Some(ms(10)), None, None));
        assert_eq!(of(20), (Some(ms(10)), Some(ms(19)), None));
        assert_eq!(of(99), (Some(ms(50)), Some(ms(95)), None));
        assert_eq!(of(100), (Some(ms(50)), Some(ms(95)), Some(ms(99))));
        assert_eq!(of(1000), (Some(ms(500)), Some(ms(950)), Some(ms(990))));
    }

    #[test]
    fn rates_and_factors_are_of_whole_requests() {
        let (one, other) = (
            samples(10).compute_figures(),
            samples(1000).compute_figures(),
        );
        assert_eq!((one.runs, one.rate), (10, Some(4.0)));
        assert_eq!(one.inside, Some(Duration::from_micros(5)));
        assert_eq!(one.speed_factor(&one), Some(1.0));
        assert!((one.speed_factor(&other).unwrap() - 100.0).abs() < 1e-9);
        let none = samples(0).compute_figures();
        assert_eq!(none, WayFigures::default());
        assert_eq!(
            (none.speed_factor(&one), one.speed_factor(&none)),
            (None, None)
        );
    }

    #[test]
    fn figures_have_three_digits_that_count() {
        for (number, text) in [
            (0.2, "0.20"),
            (0.9996, "1.00"),
            (4.0, "4.00"),
            (45.67, "45.7"),
            (99.96, "100"),
            (999.4, "999"),
            (999.6, "1,000"),
            (12_345.6, "12,300"),
            (1_234_567.0, "1,230,000"),
        ] {
            assert_eq!(three_digits(number), text);
        }
        for (nanos, text) in [
            (5_020_000_000, "5.02 s"),
            (999_900_000, "1.00 s"),
            (212_000_000, "212 ms"),
            (1_000_000, "1.00 ms"),
            (999_000, "999 µs"),
            (512, "0.51 µs"),
        ] {
            assert_eq!(write_time(Duration::from_nanos(nanos)), text);
        }
        assert_eq!(group_digits("999"), "999");
        assert_eq!(group_digits("1000"), "1,000");
    }
}
