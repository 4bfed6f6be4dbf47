//! Settings of a session in PostgreSQL, as libpq's `options` has them, and the time that
//! connecting may take. What they do is PostgreSQL's.

use std::time::Duration;

use super::raw_value::{RawValue, ReadResult, ValueError};
use crate::text::units;

const FORM: &str = "write -c NAME=VALUE, as often as you like; a space within a value is \\ and \
                    the space";

/// Returns the settings that `options` names, in their order.
pub(super) fn read_options(given: RawValue<'_>) -> ReadResult<Vec<(String, String)>> {
    let words = split_words(given.text);
    let mut words = words.iter().map(String::as_str);
    let mut pairs = Vec::new();
    while let Some(word) = words.next() {
        let text = match word.strip_prefix("-c") {
            Some("") => words.next(),
            Some(text) => Some(text),
            None => word.strip_prefix("--"),
        };
        let Some((name, value)) = text.and_then(|text| text.split_once('=')) else {
            return Err(ValueError::new("has a part that sets nothing", FORM));
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            return Err(ValueError::new("has a name that no setting can have", FORM));
        }
        pairs.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(pairs)
}

/// Returns the words of a text, where a backslash takes what follows as it is.
fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        let c = if c == '\\' {
            chars.next().unwrap_or(c)
        } else {
            c
        };
        word.get_or_insert_default().push(c);
    }
    words.extend(word);
    words
}

/// The time that connecting may take: seconds, as libpq has them, or a duration; 0 is no bound of
/// its own.
pub(super) fn connect_timeout(given: RawValue<'_>) -> ReadResult<Option<Duration>> {
    let time = match given.text.parse::<u32>() {
        Ok(seconds) => Duration::from_secs(seconds.into()),
        Err(_) => units::read_duration(given.text)?,
    };
    Ok(Some(time).filter(|time| !time.is_zero()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::settings::raw_value::given;

    #[test]
    fn options_are_read_as_the_server_reads_them() {
        let read = |text| {
            let pairs = read_options(given(text)).unwrap();
            let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
            pairs.collect::<Vec<_>>().join("|")
        };
        for (text, pairs) in [
            ("-c search_path=x", "search_path=x"),
            ("-csearch_path=a,b --geqo=off", "search_path=a,b|geqo=off"),
            (r"-c a.b=x\ y\\z", r"a.b=x y\z"),
            (
                "--default-transaction-isolation=serializable",
                "default_transaction_isolation=serializable",
            ),
            ("  ", ""),
        ] {
            assert_eq!(read(text), pairs, "{text}");
        }
        for text in ["search_path=x", "-c", "-c x", "-d 5", "-c =x", "-c a;b=x"] {
            assert!(read_options(given(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_to_connect_is_in_seconds_or_a_duration() {
        for (text, time) in [
            ("10", Some(Duration::from_secs(10))),
            ("1500ms", Some(Duration::from_millis(1500))),
            ("0", None),
        ] {
            assert_eq!(connect_timeout(given(text)).unwrap(), time, "{text}");
        }
        assert!(connect_timeout(given("soon")).is_err());
    }
}
