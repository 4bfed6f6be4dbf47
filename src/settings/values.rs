//! The readers of settings' texts. Each takes the text as it stands in the ini file, the
//! environment or the flag, and either gives the value or says what is wrong with the text and what
//! to write instead. The origin of a text is not known here.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::network::Network;
use super::raw_value::{RawValue, ReadResult, ValueError};
use super::secret::Secret;
use super::ssl_mode::SslMode;
use super::url::LONGEST_SOCKET;
use crate::text::units;
use crate::text::words::mask_passwords;

pub(super) fn read_boolean(given: RawValue<'_>) -> ReadResult<bool> {
    match given.text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "t" | "y" => Ok(true),
        "false" | "no" | "off" | "0" | "f" | "n" => Ok(false),
        _ => Err(ValueError::new(
            "is neither true nor false",
            "write true or false",
        )),
    }
}

pub(super) fn read_integer<T>(given: RawValue<'_>, range: RangeInclusive<T>) -> ReadResult<T>
where
    T: FromStr + PartialOrd + Display,
{
    let range_text = || {
        format!(
            "write a whole number from {} to {}",
            range.start(),
            range.end()
        )
    };
    let number: T = match given.text.parse() {
        Ok(number) => number,
        // `+5` parses, `5.0` and `5 000` do not: what does not is one of the two.
        Err(_) if !given.text.is_empty() && given.text.bytes().all(|b| b.is_ascii_digit()) => {
            return Err(ValueError::new("is too large", range_text()));
        }
        Err(_) => return Err(ValueError::new("is not a whole number", range_text())),
    };
    if !range.contains(&number) {
        return Err(ValueError::new("is out of range", range_text()));
    }
    Ok(number)
}

pub(super) fn read_duration(given: RawValue<'_>) -> ReadResult<Duration> {
    let duration = units::read_duration(given.text)?;
    if duration > units::LONGEST_DURATION {
        return Err(ValueError::new("is too long", "write at most 3650d"));
    }
    Ok(duration)
}

/// A duration that may not be zero, because of `reason`.
pub(super) fn positive_duration(given: RawValue<'_>, reason: &'static str) -> ReadResult<Duration> {
    match read_duration(given)? {
        Duration::ZERO => Err(ValueError::new("is zero", reason)),
        duration => Ok(duration),
    }
}

/// Returns a size within bounds, given in bytes.
pub(super) fn read_size(given: RawValue<'_>, range: RangeInclusive<u64>) -> ReadResult<u64> {
    let bytes = units::parse_size(given.text)?;
    if !range.contains(&bytes) {
        let (low, high) = (
            units::size_text(*range.start()),
            units::size_text(*range.end()),
        );
        return Err(ValueError::new(
            "is out of range",
            format!("write a size from {low} to {high}"),
        ));
    }
    Ok(bytes)
}

/// A size that ends up as a length in memory.
pub(super) fn read_length(given: RawValue<'_>, range: RangeInclusive<u64>) -> ReadResult<usize> {
    let bytes = read_size(given, range)?;
    usize::try_from(bytes).map_err(|_| ValueError::new("is too large", "write a smaller size"))
}

/// Text that is passed on as it is.
pub(super) fn read_text(given: RawValue<'_>) -> String {
    given.text.to_owned()
}

/// Text that nobody may see.
pub(super) fn read_secret(given: RawValue<'_>) -> Secret {
    Secret::new(given.text.to_owned())
}

/// Returns a name made of letters that need no quoting in keys, channels and URLs.
pub(super) fn read_name(given: RawValue<'_>, also: &str) -> ReadResult<String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || also.contains(c);
    if (1..=64).contains(&given.text.len()) && given.text.chars().all(fits) {
        return Ok(given.text.to_owned());
    }
    let allowed: String = also.chars().flat_map(|c| [' ', c]).collect();
    Err(ValueError::new(
        "is not a name that can be used here",
        format!("write 1 to 64 of a-z 0-9{allowed}"),
    ))
}

/// Returns the name of a time zone. Only the server knows which there are.
pub(super) fn time_zone(given: RawValue<'_>) -> ReadResult<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-+/:<>,.".contains(c);
    if (1..=64).contains(&given.text.len()) && given.text.chars().all(fits) {
        return Ok(given.text.to_owned());
    }
    Err(ValueError::new(
        "is not the name of a time zone",
        "write one like UTC or Europe/Berlin; the server lists them: \
         select name from pg_timezone_names",
    ))
}

/// Returns a host name, an address, or the folder of a Unix socket. What a host cannot hold is
/// refused here, because at connect time it would look like a name that does not resolve.
pub(super) fn read_host(given: RawValue<'_>) -> ReadResult<String> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || "\"'@?#,;".contains(c);
    if given.text.contains(bad) {
        let remedy = if given.text.contains(',') && !given.text.starts_with('/') {
            "name one host; of several none is chosen here yet"
        } else {
            "write a host name or an IP address"
        };
        return Err(ValueError::new("is not a host", remedy));
    }
    if !given.text.starts_with('/') && given.text.contains('/') {
        let remedy = "write the host name alone; a URL goes into url";
        return Err(ValueError::new("is not a host", remedy));
    }
    // Its name is `.s.PGSQL.` and the port.
    if given.text.starts_with('/') && given.text.len() + "/.s.PGSQL.65535".len() > LONGEST_SOCKET {
        let why = "is a folder whose path leaves no room for the name of a socket";
        let remedy = format!(
            "the path of a socket may have {LONGEST_SOCKET} bytes: link to it from a shorter one"
        );
        return Err(ValueError::new(why, remedy));
    }
    Ok(given
        .text
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned())
}

/// Returns the parts of a list with commas, without empty ones.
pub(super) fn read_list<T>(
    given: RawValue<'_>,
    read: impl Fn(RawValue<'_>) -> ReadResult<T>,
) -> ReadResult<Vec<T>> {
    given
        .text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|text| read(RawValue { text, ..given }).map_err(|fault| part_fault(text, fault)))
        .collect()
}

fn part_fault(part: &str, fault: ValueError) -> ValueError {
    ValueError {
        why: format!(
            "has a part that cannot be used: {:?} {}",
            mask_passwords(part),
            fault.why
        ),
        ..fault
    }
}

/// Networks; `*` stands for all of them, as in gunicorn.
pub(super) fn read_networks(given: RawValue<'_>) -> ReadResult<Vec<Network>> {
    if given.text == "*" {
        return Ok(vec![Network::ALL_V4, Network::ALL_V6]);
    }
    read_list(given, |part| {
        Network::parse(part.text)
            .map_err(|why| ValueError::new(why, "write addresses and networks: 10.0.0.0/8, ::1"))
    })
}

/// Returns one of a few words.
pub(super) fn read_word<T: Copy>(given: RawValue<'_>, words: &[(&str, T)]) -> ReadResult<T> {
    let found = words
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(given.text));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        ValueError::new(
            "is not one of the words known here",
            format!("write {}", all.join(", ")),
        )
    })
}

/// Returns the file of authorities; libpq's word `system` is no file.
pub(super) fn read_authorities(given: RawValue<'_>) -> ReadResult<Option<PathBuf>> {
    if given.text == "system" {
        return Ok(None);
    }
    super::files::readable_file(given).map(Some)
}

pub(super) fn read_sslmode(given: RawValue<'_>) -> ReadResult<SslMode> {
    read_word(
        given,
        &[
            ("disable", SslMode::Disable),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ],
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::raw_value::given;
    use super::*;

    #[test]
    fn whole_numbers_keep_to_their_range() {
        assert_eq!(read_integer::<usize>(given("512"), 1..=512).unwrap(), 512);
        for text in [
            "0",
            "513",
            "99999999999999999999999",
            "2.0",
            "two",
            "",
            "-1",
            "1 0",
        ] {
            let fault = read_integer::<usize>(given(text), 1..=512).unwrap_err();
            assert!(fault.remedy.contains("1 to 512"), "{text}: {fault:?}");
        }
    }

    #[test]
    fn hosts_that_cannot_be_one_are_refused() {
        for text in [
            "\"db\"",
            "db host",
            "db.example.com/postgres",
            "user@db",
            "a,b",
        ] {
            assert!(read_host(given(text)).is_err(), "{text}");
        }
        for (text, read) in [
            ("db.example.com", "db.example.com"),
            ("[::1]", "::1"),
            ("/run/pg", "/run/pg"),
        ] {
            assert_eq!(read_host(given(text)).unwrap(), read);
        }
    }

    #[test]
    fn a_star_is_every_address_and_an_empty_list_is_none() {
        let all = read_networks(given("*")).unwrap();
        assert!(
            all.iter()
                .any(|net| net.contains("8.8.8.8".parse().unwrap()))
        );
        assert!(all.iter().any(|net| net.contains("::1".parse().unwrap())));
        assert!(read_networks(given("")).unwrap().is_empty());
        assert!(read_networks(given("10.0.0.0/8, nonsense")).is_err());
    }
}
