//! Regular expressions for days and moments: JSON Schema has `format` for what a day is, and only
//! `pattern` for between which two. What is written here is read by ECMA 262, Rust and Python
//! alike: character classes, groups and counts, nothing else. Whether a day exists is left to
//! `format`.

/// The largest digit at each place of a moment, and the signs between them: no pattern needs to
/// let month 97 in.
const LARGEST: &[u8] = b"9999-19-39T29:59:59";

/// Decimals of a second as far as they are kept; further ones must be zeros.
const DECIMALS: &str = r"(\.[0-9]{1,6}0*)?";

/// A zone that a timestamp may be in.
const ZONE: &str = "(Z|[+-](0[0-9]|1[0-5]):[0-5][0-9])";

/// The pattern of `format: date`, for the years from 0001.
pub(super) const ANY_DAY: &str = "^[0-9]{0,3}[1-9]";

/// Days from `min` to `max`, both canonical.
pub(super) fn day_pattern(min: &str, max: &str) -> String {
    let between = texts_between(min.as_bytes(), max.as_bytes(), true, true);
    format!("^({})$", between.join("|"))
}

/// Returns the pattern of `format: date-time` for moments with at most microseconds, without a leap
/// second, and in the years 0001 to 9999 in UTC too. In the first and the last of these only `Z` is
/// sure to be.
pub(super) fn any_moment() -> String {
    let inner = texts_between(b"0002", b"9998", true, true).join("|");
    let rest = format!("-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-5][0-9]{DECIMALS}");
    format!("^(({inner}){rest}{ZONE}|(0001|9999){rest}Z)$")
}

/// Moments from `min` to `max`, both canonical, as they are written in UTC. Of a bound's own second
/// only as much as can be said shortly.
pub(super) fn moment_pattern(min: &str, max: &str) -> String {
    let (min, min_decimals) = split_second(min);
    let (max, _) = split_second(max);
    let from_its_start = min_decimals.is_empty();
    let mut seconds = Vec::new();
    let between = texts_between(min, max, from_its_start, false);
    if !between.is_empty() {
        seconds.push(format!("({}){DECIMALS}", between.join("|")));
    }
    if min < max || from_its_start {
        seconds.push(format!(r"{}(\.0+)?", String::from_utf8_lossy(max)));
    }
    if seconds.is_empty() {
        // Both ends are decimals of one second.
        seconds.push(format!("{}{min_decimals}", String::from_utf8_lossy(min)));
    }
    format!("^({})Z$", seconds.join("|"))
}

/// Returns a canonical timestamp as its whole second and, escaped, its decimals with their point.
fn split_second(moment: &str) -> (&[u8], String) {
    let moment = moment.trim_end_matches('Z');
    match moment.split_once('.') {
        Some((second, decimals)) => (second.as_bytes(), format!(r"\.{decimals}")),
        None => (moment.as_bytes(), String::new()),
    }
}

/// Alternatives for the texts from `min` to `max`, which are of one length and have digits at the
/// same places; none where nothing is between them. Whether the ends belong to it is said apart.
fn texts_between(min: &[u8], max: &[u8], with_min: bool, with_max: bool) -> Vec<String> {
    let range = DigitRange {
        min,
        max,
        with_min,
        with_max,
    };
    range.from(0, true, true)
}

struct DigitRange<'a> {
    min: &'a [u8],
    max: &'a [u8],
    with_min: bool,
    with_max: bool,
}

impl DigitRange<'_> {
    /// Returns the alternatives from this place on, where what stands before it is that of `min`,
    /// that of `max`, that of both, or anything between.
    fn from(&self, at: usize, along_min: bool, along_max: bool) -> Vec<String> {
        if at == self.min.len() {
            let is_in = (self.with_min || !along_min) && (self.with_max || !along_max);
            return if is_in {
                vec![String::new()]
            } else {
                Vec::new()
            };
        }
        if !along_min && !along_max {
            return vec![self.any_from(at)];
        }
        let (min, max) = (self.min[at], self.max[at]);
        let is_digit = min.is_ascii_digit();
        let low = if along_min || !is_digit { min } else { b'0' };
        let high = if along_max || !is_digit {
            max
        } else {
            LARGEST[at]
        };
        let behind = |digit: u8, along_min: bool, along_max: bool| {
            let tails = self.from(at + 1, along_min, along_max).into_iter();
            tails.map(move |tail| format!("{}{tail}", char::from(digit)))
        };
        if low == high {
            return behind(low, along_min, along_max).collect();
        }
        let mut alternatives = Vec::new();
        if along_min {
            alternatives.extend(behind(low, true, false));
        }
        let (first, last) = (low + u8::from(along_min), high - u8::from(along_max));
        if first <= last {
            let class = digit_class(first, last);
            alternatives.push(format!("{class}{}", self.any_from(at + 1)));
        }
        if along_max {
            alternatives.extend(behind(high, false, true));
        }
        alternatives
    }

    /// Returns the texts that may stand from this place on.
    fn any_from(&self, at: usize) -> String {
        let places = self.min.iter().zip(LARGEST).skip(at);
        places
            .map(|(byte, largest)| {
                if byte.is_ascii_digit() {
                    digit_class(b'0', *largest)
                } else {
                    char::from(*byte).to_string()
                }
            })
            .collect()
    }
}

/// Returns the digits from one to the other.
fn digit_class(first: u8, last: u8) -> String {
    let (first, last) = (char::from(first), char::from(last));
    if first == last {
        return first.to_string();
    }
    format!("[{first}-{last}]")
}
