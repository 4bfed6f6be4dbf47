//! Dates and timestamps as clients write them, and their canonical form. Days and times that do
//! not exist are refused; a timestamp without a zone is in UTC.

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

const NOT_A_DATE: &str = "is not a date";
const NOT_A_TIMESTAMP: &str = "is not a timestamp";
const TOO_FINE: &str = "has more than six decimals of a second";

/// `2026-01-01`. Takes exactly that form, years 0001 to 9999.
///
/// The error is what the text is instead, to follow the quoted text in a message.
pub(super) fn canonical_date(text: &str) -> Result<String, &'static str> {
    let mut rest = text;
    let date = take_date(&mut rest)
        .filter(|_| rest.is_empty())
        .ok_or(NOT_A_DATE)?;
    Ok(date_text(date))
}

/// `2026-01-01T00:00:00Z`, with a fraction only where it is not zero.
///
/// Takes RFC 3339, and `YYYY-MM-DD` with or without `HH:MM[:SS[.ffffff]]` after a `T` or a space
/// and with or without a zone (`Z`, `+01:00`, `+0100`, `+01`). A space in the place of the zone's
/// `+` is taken as that `+`, because that is what a URL makes of it.
pub(super) fn canonical_timestamp(text: &str) -> Result<String, &'static str> {
    let mut rest = text;
    let date = take_date(&mut rest).ok_or(NOT_A_TIMESTAMP)?;
    let mut clock = Time::MIDNIGHT;
    let mut offset = UtcOffset::UTC;
    if !rest.is_empty() {
        rest = rest.strip_prefix(['T', 't', ' ']).ok_or(NOT_A_TIMESTAMP)?;
        clock = time_of_day(&mut rest)?;
        offset = read_zone(rest).ok_or(NOT_A_TIMESTAMP)?;
    }
    let utc = PrimitiveDateTime::new(date, clock)
        .assume_offset(offset)
        .checked_to_offset(UtcOffset::UTC)
        .filter(|moment| (1..=9999).contains(&moment.year()))
        .ok_or("is outside the years 0001 to 9999")?;
    Ok(timestamp_text(utc))
}

fn date_text(date: Date) -> String {
    format!(
        "{:04}-{:02}-{:02}",
        date.year(),
        u8::from(date.month()),
        date.day()
    )
}

fn timestamp_text(utc: OffsetDateTime) -> String {
    let (hour, minute, second, micro) = utc.time().as_hms_micro();
    let mut text = format!(
        "{}T{hour:02}:{minute:02}:{second:02}",
        date_text(utc.date())
    );
    if micro != 0 {
        let fraction = format!("{micro:06}");
        text.push('.');
        text.push_str(fraction.trim_end_matches('0'));
    }
    text.push('Z');
    text
}

/// Takes `YYYY-MM-DD` off the front.
fn take_date(rest: &mut &str) -> Option<Date> {
    let year = take_digits(rest, 4)?;
    take_mark(rest, "-")?;
    let month = take_digits(rest, 2)?;
    take_mark(rest, "-")?;
    let day = take_digits(rest, 2)?;
    let year = i32::try_from(year).ok().filter(|year| *year >= 1)?;
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(year, month, u8::try_from(day).ok()?).ok()
}

/// Takes `HH:MM[:SS[.ffffff]]` off the front.
fn time_of_day(rest: &mut &str) -> Result<Time, &'static str> {
    let read = |rest: &mut &str| {
        let hour = take_digits(rest, 2)?;
        take_mark(rest, ":")?;
        let minute = take_digits(rest, 2)?;
        let second = if take_mark(rest, ":").is_some() {
            Some(take_digits(rest, 2)?)
        } else {
            None
        };
        Some((hour, minute, second))
    };
    let (hour, minute, second) = read(rest).ok_or(NOT_A_TIMESTAMP)?;
    let mut micro = 0;
    if second.is_some() && take_mark(rest, ".").is_some() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (fraction, after) = rest.split_at(end);
        *rest = after;
        let kept = fraction.trim_end_matches('0');
        if fraction.is_empty() {
            return Err(NOT_A_TIMESTAMP);
        }
        if kept.len() > 6 {
            return Err(TOO_FINE);
        }
        micro = format!("{kept:0<6}").parse().map_err(|_| NOT_A_TIMESTAMP)?;
    }
    let part = |n: u32| u8::try_from(n).map_err(|_| NOT_A_TIMESTAMP);
    Time::from_hms_micro(
        part(hour)?,
        part(minute)?,
        part(second.unwrap_or(0))?,
        micro,
    )
    .map_err(|_| NOT_A_TIMESTAMP)
}

/// The zone that is all of `text`; none is UTC.
fn read_zone(text: &str) -> Option<UtcOffset> {
    if text.is_empty() || text.eq_ignore_ascii_case("z") {
        return Some(UtcOffset::UTC);
    }
    let sign: i8 = match text.as_bytes()[0] {
        b'+' | b' ' => 1,
        b'-' => -1,
        _ => return None,
    };
    let mut rest = &text[1..];
    let hours = take_digits(&mut rest, 2)?;
    let minutes = if rest.is_empty() {
        0
    } else {
        let _ = take_mark(&mut rest, ":");
        take_digits(&mut rest, 2)?
    };
    // No place on Earth is farther from UTC, and PostgreSQL takes no more.
    if !rest.is_empty() || hours > 15 || minutes > 59 {
        return None;
    }
    let (hours, minutes) = (i8::try_from(hours).ok()?, i8::try_from(minutes).ok()?);
    UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()
}

/// Takes exactly `count` ASCII digits off the front.
fn take_digits(rest: &mut &str, count: usize) -> Option<u32> {
    let found = rest
        .get(..count)
        .filter(|s| s.bytes().all(|b| b.is_ascii_digit()))?;
    *rest = &rest[count..];
    found.parse().ok()
}

/// Takes `mark` off the front.
fn take_mark(rest: &mut &str, mark: &str) -> Option<()> {
    *rest = rest.strip_prefix(mark)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_has_one_form_however_it_is_written() {
        for (texts, canon) in [
            (
                &[
                    "2026-01-01",
                    "2026-01-01T00:00",
                    "2026-01-01 00:00:00",
                    "2026-01-01T00:00:00Z",
                    "2026-01-01t00:00:00z",
                    "2026-01-01T00:00:00.000000000Z",
                    "2026-01-01T01:00:00+01:00",
                    "2026-01-01T01:00:00 01:00",
                    "2025-12-31T19:00-05",
                    "2026-01-01 05:30+0530",
                ][..],
                "2026-01-01T00:00:00Z",
            ),
            (
                &["2026-07-01T12:34:56.500", "2026-07-01 12:34:56.5Z"],
                "2026-07-01T12:34:56.5Z",
            ),
            (
                &["2026-07-01T12:34:56.000001Z"],
                "2026-07-01T12:34:56.000001Z",
            ),
            (
                &["2024-02-29T23:59:59.999999-00:00"],
                "2024-02-29T23:59:59.999999Z",
            ),
        ] {
            for text in texts {
                assert_eq!(canonical_timestamp(text).as_deref(), Ok(canon), "{text}");
            }
        }
    }

    #[test]
    fn a_moment_that_does_not_exist_is_refused() {
        for text in [
            "",
            "now",
            "infinity",
            "2026",
            "2026-01",
            "2026-1-1",
            "2026-02-30",
            "2026-13-01",
            "2026-01-01T",
            "2026-01-01T24:00",
            "2026-01-01T12:60",
            "2026-01-01T12:00:60",
            "2026-01-01T12",
            "2026-01-01T12:00:00.",
            "2026-01-01T12:00:00.1234567",
            "2026-01-01T12:00:00+",
            "2026-01-01T12:00:00+16:00",
            "2026-01-01T12:00:00 Berlin",
            "2026-01-01T12:00:00Zx",
            "2026-01-01T12:00.5",
            "0000-01-01",
            "10000-01-01",
            "-2026-01-01",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:00:00-02:00",
            "2026-01-01é",
            "２026-01-01",
            "2026-01-01T1é:00",
        ] {
            assert!(canonical_timestamp(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_date_is_written_one_way_only() {
        assert_eq!(canonical_date("2026-01-01").as_deref(), Ok("2026-01-01"));
        assert_eq!(canonical_date("0001-01-01").as_deref(), Ok("0001-01-01"));
        for text in [
            "2026-1-1",
            "01.01.2026",
            "2026-02-29",
            "2026-01-01T00:00",
            "today",
            "20260101",
        ] {
            assert!(canonical_date(text).is_err(), "{text}");
        }
    }
}
