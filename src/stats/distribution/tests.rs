//! What is counted, what is read from it, and that no percentile lies beyond the times.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::cast_precision_loss,
    reason = "a test may stop at the first surprise"
)]

use proptest::prelude::*;

use super::super::counter::Counter;
use super::super::packed::{PackedTally, add_up};
use super::super::tally::{CounterTally, Timed};
use super::*;

fn of(times: &[Duration]) -> Distribution {
    let mut counts = [0_u64; BUCKETS];
    let mut sum = 0;
    for time in times {
        counts[time_bucket(*time)] += 1;
        sum += whole_nanos(*time);
    }
    Distribution::from_counts(counts.into_iter(), sum)
}

#[test]
fn every_time_lies_in_a_bucket_of_at_most_nine_percent() {
    let mut time = Duration::from_nanos(260);
    while time < Duration::from_mins(15) {
        let found = u16::try_from(time_bucket(time)).unwrap();
        let (low, high) = (upper_edge(found - 1), upper_edge(found));
        let seconds = time.as_secs_f64();
        assert!(
            low < seconds * 1.000_001 && seconds <= high * 1.000_001,
            "{time:?}"
        );
        assert!(high / low < 1.0906);
        time = time * 1013 / 1000;
    }
    assert_eq!(time_bucket(Duration::ZERO), 0);
    assert_eq!(time_bucket(Duration::MAX), BUCKETS - 1);
}

#[test]
fn the_bits_of_a_number_give_the_bucket_that_its_logarithm_gives() {
    let by_logarithm = |time: Duration| {
        let place = (time.as_secs_f64() * 1e9 / LOWEST).log2() * f64::from(PER_OCTAVE);
        (place, place.ceil().max(0.0))
    };
    let mut time = Duration::from_nanos(1);
    while time < Duration::from_mins(17) {
        let (place, expected) = by_logarithm(time);
        // On an edge a logarithm is off by its last digit.
        if (place - place.round()).abs() > 1e-9 {
            assert_eq!(time_bucket(time) as f64, expected, "{time:?}");
        }
        time += Duration::from_nanos(1) + time / 997;
    }
    for (doublings, at) in (0..OCTAVES).map(|doublings| (doublings, 250_u64 << doublings)) {
        let bucket_at = |nanos| time_bucket(Duration::from_nanos(nanos));
        let own = usize::from(doublings * PER_OCTAVE);
        assert_eq!((bucket_at(at), bucket_at(at + 1)), (own, own + 1), "{at}");
    }
}

#[test]
fn quantiles_are_by_nearest_rank() {
    let times: Vec<_> = (1..=100).map(Duration::from_millis).collect();
    let all = of(&times);
    for (q, expected) in [(0.5, 0.050), (0.95, 0.095), (0.99, 0.099), (1.0, 0.1)] {
        let found = all.quantile(q).unwrap();
        // At the end of all times it is exact to a whole bucket.
        let exact_to = if q < 0.9 { 0.046 } else { 0.091 };
        assert!((found / expected - 1.0).abs() < exact_to, "{q}: {found}");
    }
    assert_eq!(of(&[]).quantile(0.5), None);
    let alike = of(&[Duration::from_secs(5); 3]);
    assert_eq!(alike.quantile(0.01), Some(5.0));
    assert_eq!(alike.quantile(0.99), Some(5.0));
}

#[test]
fn what_is_shown_counts_exactly_up_to_each_edge() {
    let edges = of(&[
        Duration::from_micros(512),
        Duration::from_nanos(512_001),
        Duration::from_micros(1024),
        Duration::from_hours(1),
    ]);
    let shown: Vec<_> = edges.shown_edges().collect();
    assert_eq!(shown[..2], [(0.000_512, 1), (0.001_024, 3)]);
    assert_eq!(shown.last().unwrap().1, 3);
    assert_eq!(edges.count(), 4);
}

#[test]
fn parts_add_up_to_the_whole_and_are_taken_from_it() {
    let (a, b) = ([1, 5, 700], [5, 90]);
    let micros = |times: &[u64]| -> Distribution {
        of(&times
            .iter()
            .map(|t| Duration::from_micros(*t))
            .collect::<Vec<_>>())
    };
    let whole = micros(&[1, 5, 700, 5, 90]);
    let mut sum = micros(&a);
    sum.add(&micros(&b));
    assert_eq!(sum, whole);
    assert_eq!(whole.difference_since(&micros(&a)), micros(&b));
    let sent = serde_json::to_string(&whole).unwrap();
    assert_eq!(serde_json::from_str::<Distribution>(&sent).unwrap(), whole);
}

/// The shares that are shown, and more.
const SHARES: [f64; 6] = [0.01, 0.5, 0.9, 0.95, 0.99, 1.0];

/// No percentile lies beyond these times.
fn is_within(distribution: &Distribution, times: &[Duration]) -> Result<(), TestCaseError> {
    let seconds = |time: Option<&Duration>| time.map(Duration::as_secs_f64);
    let (min, max) = (seconds(times.iter().min()), seconds(times.iter().max()));
    for share in SHARES {
        let found = distribution.quantile(share);
        // What is summed up as floats is off by their last digits.
        let is_right = match (found, min, max) {
            (Some(found), Some(min), Some(max)) => {
                found >= min * (1.0 - 1e-9) && found <= max * (1.0 + 1e-9)
            }
            (found, ..) => found.is_none() && times.is_empty(),
        };
        prop_assert!(is_right, "{share} of {times:?}: {found:?}");
    }
    Ok(())
}

/// Times from nanoseconds to an hour, often close together.
fn times() -> impl Strategy<Value = Vec<Duration>> {
    let some = (0.0_f64..28.9, 0.0_f64..0.3, 0_usize..12)
        .prop_flat_map(|(log, width, count)| prop::collection::vec(log..=log + width, count));
    let all = prop::collection::vec(some, 0..4);
    all.prop_map(|all| {
        let nanos = all.into_iter().flatten().map(f64::exp);
        nanos.map(|it| Duration::from_secs_f64(it / 1e9)).collect()
    })
}

#[test]
fn ten_loads_the_longest_of_5_01_seconds_have_no_percentile_above_it() {
    let mut times = vec![Duration::from_millis(3); 2];
    times.extend((0..8).map(|it| Duration::from_millis(5010 - it)));
    let p95 = of(&times).quantile(0.95).unwrap();
    assert!((4.9..=5.01).contains(&p95), "{p95}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_percentile_lies_beyond_the_times_also_of_sums_windows_and_sent_forms(
        before in times(),
        within in times(),
    ) {
        is_within(&of(&within), &within)?;
        let both = [&before[..], &within].concat();
        let mut sum = of(&before);
        sum.add(&of(&within));
        is_within(&sum, &both)?;
        is_within(&sum.difference_since(&of(&before)), &within)?;
        let sent: Distribution = serde_json::from_str(&serde_json::to_string(&sum).unwrap()).unwrap();
        is_within(&sent, &both)?;
        let mut tally = CounterTally::default();
        tally.counts.0[Counter::LoadsRequest as usize] = 1;
        tally.times[Timed::Load as usize] = of(&within);
        let packed = [(7, PackedTally::pack_tally(&tally))];
        is_within(add_up(packed.iter())[&7].time_distribution(Timed::Load), &within)?;
    }
}
