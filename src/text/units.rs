//! Durations and sizes: how they are written in settings, query files and messages. What is
//! printed here is read back here as the same value.

use std::fmt::Write;
use std::time::Duration;

/// The reason why a text is no time or no size: `why` continues a sentence that begins with the
/// text.
#[derive(Debug)]
pub(crate) struct UnitError {
    pub(crate) why: String,
    pub(crate) remedy: String,
}

impl UnitError {
    fn new(why: impl Into<String>, remedy: impl Into<String>) -> UnitError {
        UnitError {
            why: why.into(),
            remedy: remedy.into(),
        }
    }

    #[cfg(test)]
    fn sentence(&self) -> String {
        format!("{}; {}", self.why, self.remedy)
    }
}

/// Each unit of time in nanoseconds, largest first, which is also the order they are printed in.
const TIME: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

const SECOND: u128 = 1_000_000_000;

/// Longer than any sensible setting, and short enough to be added to a clock without overflow.
pub const LONGEST_DURATION: Duration = Duration::from_hours(3650 * 24);

/// Writes `10s`, `1m30s`, `500ms`: the way durations are written in settings and messages.
pub fn duration_text(duration: Duration) -> String {
    let mut rest = duration.as_nanos();
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, nanos) in TIME {
        if rest >= nanos {
            // Writing to a string cannot fail.
            let _ = write!(text, "{}{unit}", rest / nanos);
            rest %= nanos;
        }
    }
    text
}

/// Reads what [`duration_text`] writes, and `0`, which needs no unit. However long it is: who adds
/// it to a clock bounds it first. The error says what is wrong with it: "it is …".
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    read_duration(text).map_err(|error| format!("it {}", error.why))
}

pub(crate) fn read_duration(text: &str) -> Result<Duration, UnitError> {
    const REMEDY: &str = "write a time with its unit: 500ms, 10s, 5m, 2h, 1d or 1m30s";
    let error = |why: &str| UnitError::new(why, REMEDY);
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        return Err(UnitError::new(
            "is a number without a unit",
            format!("add one, as in {text}s"),
        ));
    }
    let mut rest = text;
    let mut total: u128 = 0;
    let mut last = u128::MAX;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let letters = after.len()
            - after
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .len();
        let (unit, after) = after.split_at(letters);
        let number: u128 = number.parse().map_err(|_| error("is not a time"))?;
        let (_, nanos) = TIME
            .into_iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(|| error("is not a time"))?;
        if nanos >= last {
            return Err(error("has its units out of order"));
        }
        last = nanos;
        total = number
            .checked_mul(nanos)
            .and_then(|nanos| total.checked_add(nanos))
            .filter(|total| u64::try_from(total / SECOND).is_ok())
            .ok_or_else(|| error("is too long"))?;
        rest = after;
    }
    if last == u128::MAX {
        return Err(error("is empty"));
    }
    let seconds = u64::try_from(total / SECOND).unwrap_or(u64::MAX);
    let nanos = u32::try_from(total % SECOND).unwrap_or(0);
    Ok(Duration::new(seconds, nanos))
}

const SIZES: [(&str, u64); 5] = [
    ("gib", 1 << 30),
    ("mib", 1 << 20),
    ("kib", 1 << 10),
    ("b", 1),
    ("", 1),
];

/// Writes `64MiB`, `4KiB`, `1000`: the way sizes are written in settings and messages.
pub(crate) fn size_text(bytes: u64) -> String {
    for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    bytes.to_string()
}

pub(crate) fn parse_size(text: &str) -> Result<u64, UnitError> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let known = SIZES.into_iter().find(|(name, _)| *name == unit);
    let remedy = match unit.as_str() {
        "k" | "kb" | "m" | "mb" | "g" | "gb" => {
            let letter = unit[..1].to_ascii_uppercase();
            format!("units are powers of 1024: write {number}{letter}iB")
        }
        _ => "write a number of bytes, or 4KiB, 64MiB, 1GiB".to_owned(),
    };
    let (Some((_, factor)), false) = (known, number.is_empty()) else {
        return Err(UnitError::new("is not a size", remedy));
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        // Sizes end up as lengths, which are signed on their way through drivers.
        .filter(|bytes| i64::try_from(*bytes).is_ok())
        .ok_or_else(|| UnitError::new("is too large", "write a smaller size"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, millis) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("1m30s", 90_000),
            ("0s", 0),
            ("0", 0),
            ("90s", 90_000),
        ] {
            assert_eq!(
                parse_duration(text).unwrap(),
                Duration::from_millis(millis),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for nanos in [0, 1, 999, 1_500, 250_000_000, 1_500_000_000, 90_000_000_000] {
            let before = Duration::from_nanos(nanos);
            assert_eq!(parse_duration(&duration_text(before)).unwrap(), before);
        }
        assert_eq!(duration_text(Duration::from_secs(90)), "1m30s");
        assert_eq!(duration_text(Duration::from_hours(24)), "1d");
        assert_eq!(duration_text(Duration::from_hours(36)), "1d12h");
        for bytes in [0, 1, 1000, 1024, 4 << 20, 1 << 30, (1 << 30) + 1] {
            assert_eq!(parse_size(&size_text(bytes)).unwrap(), bytes);
        }
    }

    #[test]
    fn bad_durations_say_what_to_write() {
        for (text, word) in [
            ("10", "10s"),
            ("", "500ms"),
            ("10 s", "500ms"),
            ("s", "500ms"),
            ("-5s", "500ms"),
            ("1.5s", "500ms"),
            ("30s1m", "out of order"),
            ("1s1s", "out of order"),
            ("10sec", "500ms"),
            ("5M", "500ms"),
            ("999999999999999999999d", "too long"),
            ("999999999999999999999999999999999999999999d", "not a time"),
            ("٣s", "500ms"),
        ] {
            let error = read_duration(text).unwrap_err().sentence();
            assert!(error.contains(word), "{text}: {error}");
        }
        assert_eq!(
            parse_duration("10").unwrap_err(),
            "it is a number without a unit"
        );
    }

    #[test]
    fn sizes_are_read_in_powers_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("4KiB", 4096),
            ("64MiB", 64 << 20),
            ("1gib", 1 << 30),
            ("7 B", 7),
        ] {
            assert_eq!(parse_size(text).unwrap(), bytes, "{text}");
        }
        for (text, word) in [
            ("64MB", "64MiB"),
            ("4k", "4KiB"),
            ("MiB", "4KiB"),
            ("", "4KiB"),
            ("1.5GiB", "4KiB"),
            ("-1", "4KiB"),
            ("99999999999999GiB", "smaller"),
        ] {
            let error = parse_size(text).unwrap_err().sentence();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
