//! Decimal numbers as text, of any size that PostgreSQL's `numeric` takes: their canonical form
//! and their order. No floating point in here, so no digit is ever lost.

use std::cmp::Ordering;

/// Most digits of a `numeric` before the decimal point.
const WHOLE_DIGITS: i64 = 131_072;
/// Most digits of a `numeric` after the decimal point.
const FRACTION_DIGITS: i64 = 16_383;

/// Returns the one way to write this number: no leading `+`, no needless zeros, no exponent, no
/// `-0`.
///
/// The error is what the text is instead, to follow the quoted text in a message.
pub(super) fn canonical_number(text: &str) -> Result<String, &'static str> {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return Err("is not a decimal number");
    }
    let exponent = exponent.map_or(Ok(0), read_exponent)?;

    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    // The number is 0.SIGNIFICANT times ten to the power of `point`.
    let leading = text_length(&digits) - text_length(significant);
    let point = (text_length(whole) - leading).saturating_add(exponent);
    let significant = significant.trim_end_matches('0');
    if significant.is_empty() {
        return Ok("0".to_owned());
    }
    if point > WHOLE_DIGITS || text_length(significant).saturating_sub(point) > FRACTION_DIGITS {
        return Err("has more digits than a number can have");
    }
    let sign = if negative { "-" } else { "" };
    Ok(format!("{sign}{}", place_point(significant, point)))
}

/// Orders two canonical numbers by value.
pub(super) fn compare_numbers(a: &str, b: &str) -> Ordering {
    match (a.strip_prefix('-'), b.strip_prefix('-')) {
        (None, None) => compare_magnitude(a, b),
        (Some(a), Some(b)) => compare_magnitude(b, a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
    }
}

fn compare_magnitude(a: &str, b: &str) -> Ordering {
    let (a_whole, a_fraction) = a.split_once('.').unwrap_or((a, ""));
    let (b_whole, b_fraction) = b.split_once('.').unwrap_or((b, ""));
    // Without needless zeros the longer whole part is the larger one, and fractions order as text.
    (a_whole.len(), a_whole, a_fraction).cmp(&(b_whole.len(), b_whole, b_fraction))
}

/// Returns an exponent; one that no `i64` holds is as good as the largest.
fn read_exponent(text: &str) -> Result<i64, &'static str> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("is not a decimal number");
    }
    let size = digits.parse::<i64>().unwrap_or(i64::MAX);
    Ok(if negative { -size } else { size })
}

fn place_point(digits: &str, point: i64) -> String {
    let Ok(whole) = usize::try_from(point) else {
        let zeros = usize::try_from(-point).unwrap_or_default();
        return format!("0.{}{digits}", "0".repeat(zeros));
    };
    if whole == 0 {
        format!("0.{digits}")
    } else if whole >= digits.len() {
        format!("{digits}{}", "0".repeat(whole - digits.len()))
    } else {
        format!("{}.{}", &digits[..whole], &digits[whole..])
    }
}

fn text_length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn each_number_has_one_form() {
        for (texts, canon) in [
            (
                &[
                    "1", "01", "+1", "1.0", "1.", "10e-1", "0.1E1", "1e0", "1e-0",
                ][..],
                "1",
            ),
            (
                &["0", "-0", "+0.00", ".0", "0e999999999999999999999", "-0e-5"],
                "0",
            ),
            (&["-1.50", "-01.5", "-15e-1", "-.15E+1"], "-1.5"),
            (&["1e3", "1000", "1000.000"], "1000"),
            (&["0.001", ".001", "1e-3", "0.1e-2"], "0.001"),
            (&["1.5e1", "15"], "15"),
            (&["100.010"], "100.01"),
            (
                &["123456789012345678901234567890.123456789012345678901234567890"],
                "123456789012345678901234567890.12345678901234567890123456789",
            ),
        ] {
            for text in texts {
                assert_eq!(canonical_number(text).as_deref(), Ok(canon), "{text}");
                assert_eq!(
                    canonical_number(canon).as_deref(),
                    Ok(canon),
                    "a canonical form stays"
                );
            }
        }
    }

    #[test]
    fn what_is_no_decimal_number_is_refused() {
        for text in [
            "", "+", "-", ".", "e5", "1e", "1e+", "--1", "+-1", "1.2.3", "1,5", "NaN", "nan",
            "Infinity", "-inf", "0x10", "1_000", "١", "1 2", "1e5.5", "$1", "1;",
        ] {
            assert!(canonical_number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_limits_are_those_of_postgresql() {
        assert_eq!(canonical_number("1e131071").unwrap().len(), 131_072);
        assert!(canonical_number("1e131072").is_err());
        assert_eq!(canonical_number("1e-16383").unwrap().len(), 16_385);
        assert!(canonical_number("1e-16384").is_err());
        for exponent in ["9223372036854775807", "99999999999999999999999999"] {
            assert!(canonical_number(&format!("1e{exponent}")).is_err());
            assert!(canonical_number(&format!("0.01e-{exponent}")).is_err());
        }
    }

    #[test]
    fn numbers_are_ordered_by_value() {
        let ascending = [
            "-100", "-10.5", "-10.25", "-2", "-0.5", "0", "0.05", "0.5", "2", "10", "10.01", "9999",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare_numbers(a, b), i.cmp(&j), "{a} {b}");
            }
        }
    }
}
