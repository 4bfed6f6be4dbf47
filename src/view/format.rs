//! Numbers and names as people read them: durations, bytes, counts, shares, labels. It owns their
//! form on pages only; machine formats and settings have their own.

use std::time::Duration;

use time::OffsetDateTime;

/// Stands between a number and its unit, so that a line never breaks there.
const SPACE: char = '\u{a0}';

/// Returns a measured time to about three figures: `40 µs`, `0.92 ms`, `120 ms`, `4.98 s`, `2 min 5
/// s`. What is shorter than a microsecond is `<1 µs`.
pub fn format_duration(time: Duration) -> String {
    let micros = time.as_micros();
    let seconds = time.as_secs_f64();
    // The limits are those where rounding would reach the next unit (`1000 ms`, `60.0 s`).
    match micros {
        0 if time.is_zero() => format!("0{SPACE}s"),
        0 => format!("<1{SPACE}µs"),
        1..100 => format!("{micros}{SPACE}µs"),
        // Most hits take this way: whole numbers are written several times as fast as fractions.
        100..9_995 => {
            let hundredths = (micros + 5) / 10;
            format!("{}.{:02}{SPACE}ms", hundredths / 100, hundredths % 100)
        }
        9_995..99_950 => format!("{:.1}{SPACE}ms", seconds * 1e3),
        99_950..999_500 => format!("{:.0}{SPACE}ms", seconds * 1e3),
        999_500..9_995_000 => format!("{seconds:.2}{SPACE}s"),
        9_995_000..59_950_000 => format!("{seconds:.1}{SPACE}s"),
        _ => format_long(time.as_secs_f64().round()),
    }
}

/// Returns how old something is, or how long it still lasts; tenths of a second are enough for
/// that.
pub fn format_age(time: Duration) -> String {
    match time.as_millis() {
        millis @ 0..9_950 => {
            let tenths = (millis + 50) / 100;
            format!("{}.{}{SPACE}s", tenths / 10, tenths % 10)
        }
        _ => format_long(time.as_secs_f64().round()),
    }
}

/// Returns a configured time, as exact as it was written: `500 ms`, `10 s`, `1 min 30 s`, `1 d`.
pub fn format_span(time: Duration) -> String {
    if time.subsec_nanos() == 0 && !time.is_zero() {
        format_long(time.as_secs_f64())
    } else if time.is_zero() {
        format!("0{SPACE}s")
    } else {
        format_duration(time)
    }
}

/// Returns the two largest units of a number of whole seconds.
fn format_long(seconds: f64) -> String {
    // Casting saturates; a time past u64 seconds does not matter on a page.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, positive"
    )]
    let seconds = seconds as u64;
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let first = parts
        .iter()
        .position(|(n, _)| *n > 0)
        .unwrap_or(parts.len() - 1);
    let named: Vec<String> = parts[first..]
        .iter()
        .take(2)
        .enumerate()
        .filter(|(place, (n, _))| *place == 0 || *n > 0)
        .map(|(_, (n, unit))| format!("{n}{SPACE}{unit}"))
        .collect();
    named.join(" ")
}

/// Seconds from a counter as a duration; what is not a time (negative, NaN, endless) is zero.
pub fn seconds_duration(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}

/// Seconds from a counter as a measured time; `–` where there is none.
pub fn format_time(value: Option<f64>) -> String {
    value.map_or_else(
        || "–".to_owned(),
        |value| format_duration(seconds_duration(value)),
    )
}

/// Returns how many come in a second, to about three figures: `0`, `0.25`, `12.4`, `1,204`.
pub fn format_rate(per_second: Option<f64>) -> String {
    let Some(rate) = per_second.filter(|rate| rate.is_finite() && *rate >= 0.0) else {
        return "–".to_owned();
    };
    match rate {
        0.0 => "0".to_owned(),
        r if r < 0.01 => "<0.01".to_owned(),
        r if r < 9.995 => format!("{r:.2}"),
        r if r < 99.95 => format!("{r:.1}"),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "rounded, positive"
        )]
        r => format_count(r.round() as u64),
    }
}

/// Returns a moment given in seconds since 1970, in UTC: the day as `2026-11-23`, the time as
/// `07:00:00`.
pub fn format_moment(at: f64) -> (String, String) {
    #[expect(clippy::cast_possible_truncation, reason = "casting saturates")]
    let at = OffsetDateTime::from_unix_timestamp(at as i64).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    (
        at.date().to_string(),
        format!("{hour:02}:{minute:02}:{second:02}"),
    )
}

/// Returns the form of the original page: `5.02462s`.
pub fn format_elapsed(time: Duration) -> String {
    let parts = (time.as_nanos() + 5_000) / 10_000;
    format!("{}.{:05}s", parts / 100_000, parts % 100_000)
}

/// Returns a share of one in hundredths of a percent, for the length of a bar: `72.00`.
pub fn format_length(share: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is between 0 and 1"
    )]
    let hundredths = (share * 10_000.0).round() as u64;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Returns bytes in binary units: `754 B`, `1.2 KiB`, `64 MiB`.
pub fn format_bytes(n: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if n < 1024 {
        return format!("{n}{SPACE}B");
    }
    #[expect(clippy::cast_precision_loss, reason = "two figures are shown")]
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would be shown as 1024.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    format!("{text}{SPACE}{}", UNITS[unit])
}

/// Returns a count with thousands separated: `1,234,567`.
pub fn format_count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a count with its noun, which gets an `s` unless it is one: `1 row`, `1,000 rows`.
pub fn format_counted(n: u64, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{}{SPACE}{noun}{plural}", format_count(n))
}

/// Returns a share of one as `98.2 %`. `100 %` and `0 %` only where that is exactly so: one failure
/// in a million stays visible. `–` where there is nothing to take a share of.
pub fn format_share(part: Option<f64>) -> String {
    let Some(part) = part.filter(|part| part.is_finite()) else {
        return "–".to_owned();
    };
    let percent = part * 100.0;
    let shown = match percent {
        p if p >= 100.0 => "100".to_owned(),
        p if p <= 0.0 => "0".to_owned(),
        p => format!("{:.1}", p.clamp(0.1, 99.9)),
    };
    format!("{shown}{SPACE}%")
}

/// Returns how many times as long `long` is as `short`, to three figures at most: `2.4×`, `17×`,
/// `2,510×`. `None` where it is not clearly longer.
pub fn format_factor(long: Duration, short: Duration) -> Option<String> {
    // Clocks can give zero for a very short time; a microsecond is the least we claim.
    let ratio = long.as_secs_f64() / short.as_secs_f64().max(1e-6);
    if ratio < 1.05 {
        return None;
    }
    if ratio < 9.95 {
        return Some(format!("{ratio:.1}×"));
    }
    let scale = 10_f64.powf((ratio.log10().floor() - 2.0).max(0.0));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded, positive"
    )]
    let rounded = ((ratio / scale).round() * scale) as u64;
    Some(format!("{}×", format_count(rounded)))
}

/// Returns a column's name as a heading: `database_version` becomes `Database Version`.
pub fn column_label(column: &str) -> String {
    // `select slow_version()` names its column after the function; the page always called what it
    // returns by this name.
    if column == "slow_version" {
        return "Database Version".to_owned();
    }
    let words: Vec<String> = column
        .split(['_', ' '])
        .filter(|word| !word.is_empty())
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map_or_else(String::new, |first| {
                first.to_uppercase().chain(letters).collect()
            })
        })
        .collect();
    if words.is_empty() {
        column.to_owned()
    } else {
        words.join(" ")
    }
}

#[cfg(test)]
mod tests;
