//! How numbers and names look on pages.

use super::*;

fn plain(text: &str) -> String {
    text.replace(SPACE, " ")
}

#[test]
fn a_measured_time_has_about_three_figures_and_never_reaches_the_next_unit() {
    let cases = [
        (0, "0 s"),
        (40, "40 µs"),
        (99, "99 µs"),
        (100, "0.10 ms"),
        (920, "0.92 ms"),
        (2_340, "2.34 ms"),
        (9_994, "9.99 ms"),
        (9_995, "10.0 ms"),
        (99_949, "99.9 ms"),
        (99_950, "100 ms"),
        (120_400, "120 ms"),
        (999_499, "999 ms"),
        (999_500, "1.00 s"),
        (4_984_000, "4.98 s"),
        (9_994_999, "9.99 s"),
        (9_995_000, "10.0 s"),
        (59_949_000, "59.9 s"),
        (59_950_000, "1 min"),
        (125_000_000, "2 min 5 s"),
        (3_600_000_000, "1 h"),
        (3_605_000_000, "1 h"),
        (11_520_000_000, "3 h 12 min"),
        (187_200_000_000, "2 d 4 h"),
    ];
    for (micros, expected) in cases {
        assert_eq!(
            plain(&format_duration(Duration::from_micros(micros))),
            expected,
            "{micros} µs"
        );
    }
}

#[test]
fn an_age_has_tenths_of_a_second_at_most() {
    let cases = [
        (0, "0.0 s"),
        (2_760, "2.8 s"),
        (9_949, "9.9 s"),
        (9_950, "10 s"),
        (90_400, "1 min 30 s"),
    ];
    for (millis, expected) in cases {
        assert_eq!(
            plain(&format_age(Duration::from_millis(millis))),
            expected,
            "{millis} ms"
        );
    }
}

#[test]
fn a_configured_time_is_exact() {
    let cases = [
        (Duration::ZERO, "0 s"),
        (Duration::from_millis(500), "500 ms"),
        (Duration::from_secs(10), "10 s"),
        (Duration::from_secs(90), "1 min 30 s"),
        (Duration::from_mins(5), "5 min"),
        (Duration::from_hours(24), "1 d"),
    ];
    for (time, expected) in cases {
        assert_eq!(plain(&format_span(time)), expected);
    }
}

#[test]
fn the_elapsed_time_has_the_form_of_the_original_page() {
    assert_eq!(format_elapsed(Duration::from_micros(5_024_620)), "5.02462s");
    assert_eq!(format_elapsed(Duration::from_nanos(2_104_999)), "0.00210s");
}

#[test]
fn the_length_of_a_bar_has_two_decimals() {
    for (share, expected) in [
        (0.0, "0.00"),
        (0.015, "1.50"),
        (0.123_456, "12.35"),
        (1.0, "100.00"),
    ] {
        assert_eq!(format_length(share), expected);
    }
}

#[test]
fn bytes_are_in_binary_units() {
    let cases = [
        (0, "0 B"),
        (754, "754 B"),
        (1024, "1 KiB"),
        (1_250, "1.2 KiB"),
        (1_048_575, "1 MiB"),
        (67_108_864, "64 MiB"),
        (u64::MAX, "16777216 TiB"),
    ];
    for (n, expected) in cases {
        assert_eq!(plain(&format_bytes(n)), expected, "{n}");
    }
}

#[test]
fn thousands_are_separated_and_nouns_counted() {
    assert_eq!(format_count(0), "0");
    assert_eq!(format_count(999), "999");
    assert_eq!(format_count(1_000), "1,000");
    assert_eq!(format_count(1_234_567), "1,234,567");
    assert_eq!(plain(&format_counted(1, "row")), "1 row");
    assert_eq!(plain(&format_counted(0, "row")), "0 rows");
}

#[test]
fn a_share_is_whole_only_where_it_is_exactly_so() {
    assert_eq!(format_share(None), "–");
    assert_eq!(format_share(Some(f64::NAN)), "–");
    assert_eq!(plain(&format_share(Some(0.0))), "0 %");
    assert_eq!(plain(&format_share(Some(0.000_001))), "0.1 %");
    assert_eq!(plain(&format_share(Some(0.982))), "98.2 %");
    assert_eq!(plain(&format_share(Some(0.999_999))), "99.9 %");
    assert_eq!(plain(&format_share(Some(1.0))), "100 %");
}

#[test]
fn a_factor_claims_three_figures_and_nothing_where_there_is_no_gain() {
    let five = Duration::from_millis(5_020);
    assert_eq!(
        format_factor(five, Duration::from_millis(2)).as_deref(),
        Some("2,510×")
    );
    assert_eq!(
        format_factor(five, Duration::from_micros(37)).as_deref(),
        Some("136,000×")
    );
    assert_eq!(
        format_factor(five, Duration::from_millis(300)).as_deref(),
        Some("17×")
    );
    assert_eq!(
        format_factor(five, Duration::from_millis(2_100)).as_deref(),
        Some("2.4×")
    );
    assert_eq!(format_factor(five, five), None);
    assert_eq!(format_factor(Duration::ZERO, five), None);
    assert_eq!(
        format_factor(five, Duration::ZERO).as_deref(),
        Some("5,020,000×")
    );
}

#[test]
fn a_column_name_becomes_a_heading() {
    let cases = [
        ("database_version", "Database Version"),
        ("slow_version", "Database Version"),
        ("id", "Id"),
        ("größe__in cm", "Größe In Cm"),
        ("?column?", "?column?"),
        ("_", "_"),
        ("élan", "Élan"),
    ];
    for (column, expected) in cases {
        assert_eq!(column_label(column), expected);
    }
}

#[test]
fn what_is_no_time_counts_as_none() {
    assert_eq!(seconds_duration(f64::NAN), Duration::ZERO);
    assert_eq!(seconds_duration(-1.0), Duration::ZERO);
    assert_eq!(seconds_duration(1.5), Duration::from_millis(1_500));
}

#[test]
fn a_time_below_a_microsecond_is_not_called_zero() {
    assert_eq!(plain(&format_duration(Duration::from_nanos(250))), "<1 µs");
    assert_eq!(plain(&format_time(Some(0.000_000_25))), "<1 µs");
    assert_eq!(plain(&format_time(Some(0.0))), "0 s");
    assert_eq!(format_time(None), "–");
}

#[test]
fn a_rate_has_about_three_figures() {
    let cases = [
        (0.0, "0"),
        (0.001, "<0.01"),
        (0.25, "0.25"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (99.94, "99.9"),
        (99.96, "100"),
        (1_203.7, "1,204"),
    ];
    for (per_second, expected) in cases {
        assert_eq!(format_rate(Some(per_second)), expected, "{per_second}");
    }
    assert_eq!(format_rate(Some(f64::NAN)), "–");
    assert_eq!(format_rate(None), "–");
}

#[test]
fn a_moment_is_a_day_and_a_time() {
    let split = |day: &str, time: &str| (day.to_owned(), time.to_owned());
    assert_eq!(
        format_moment(1_795_417_200.9),
        split("2026-11-23", "07:00:00")
    );
    assert_eq!(format_moment(0.0), split("1970-01-01", "00:00:00"));
    assert_eq!(format_moment(f64::MAX), split("1970-01-01", "00:00:00"));
}
