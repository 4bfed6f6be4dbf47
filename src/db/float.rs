//! Floating point numbers as PostgreSQL's `float8out` writes them, so that SQLite's rows are the
//! same bytes.

use super::json::push_fmt;

/// The powers of ten between which no exponent is written.
const FIXED: std::ops::Range<i32> = -4..15;

/// Appends the JSON of a number. JSON has no word for infinities, so they are strings, as in
/// PostgreSQL.
pub(super) fn push_float(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        return out.extend_from_slice(b"\"NaN\"");
    }
    if value.is_infinite() {
        let name: &[u8] = if value > 0.0 {
            b"\"Infinity\""
        } else {
            b"\"-Infinity\""
        };
        return out.extend_from_slice(name);
    }
    let text = shortest_text(value);
    let (mantissa, exponent) = text
        .split_once('e')
        .expect("the form `{:e}` has an exponent");
    let exponent: i32 = exponent
        .parse()
        .expect("the exponent of `{:e}` is a small integer");
    if FIXED.contains(&exponent) {
        push_fmt(out, format_args!("{}", Fixed(mantissa, exponent)));
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        push_fmt(
            out,
            format_args!("{mantissa}e{sign}{:02}", exponent.unsigned_abs()),
        );
    }
}

/// The fewest digits that are read back to the value, and of those the nearest. Rust's own
/// shortest form differs from PostgreSQL's in two ties: it takes a decimal exactly between two
/// doubles (PostgreSQL's 1e23 is 9.999999999999999e+22), and of two equally near decimals it
/// takes the odd one.
fn shortest_text(value: f64) -> String {
    let text = format!("{value:e}");
    let digits = text.split('e').next().map_or(1, |mantissa| {
        mantissa.bytes().filter(u8::is_ascii_digit).count()
    });
    let rounded = |digits: usize| format!("{value:.places$e}", places = digits - 1);
    // Next to a power of two the nearest decimal of that length can belong to the neighbour.
    [rounded(digits), text]
        .into_iter()
        .chain((digits + 1..=17).map(rounded))
        .find(|text| text.parse() == Ok(value) && !is_halfway(text))
        .expect("17 digits name every double")
}

/// Returns whether the decimal lies exactly between two doubles: an integer whose significant bits
/// are one more than a double holds. (A fraction in its shortest form never does.)
fn is_halfway(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let after_point = mantissa
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.len());
    let (Ok(digits), Ok(exponent)) = (digits.parse::<u128>(), exponent.parse::<i64>()) else {
        return false;
    };
    let Ok(tens) = u32::try_from(exponent - i64::try_from(after_point).unwrap_or(i64::MAX)) else {
        return false;
    };
    // Factors of two do not change the count, so ten counts as five.
    let Some(number) = 5u128
        .checked_pow(tens)
        .and_then(|fives| fives.checked_mul(digits))
    else {
        return false;
    };
    number != 0 && (number >> number.trailing_zeros()).ilog2() + 1 == f64::MANTISSA_DIGITS + 1
}

/// A mantissa `d.ddd` and its power of ten, without an exponent.
struct Fixed<'a>(&'a str, i32);

impl std::fmt::Display for Fixed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Fixed(mantissa, exponent) = *self;
        let (sign, digits) = mantissa
            .strip_prefix('-')
            .map_or(("", mantissa), |rest| ("-", rest));
        let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
        f.write_str(sign)?;
        let Ok(whole) = usize::try_from(exponent + 1) else {
            let zeros = exponent.unsigned_abs() as usize - 1;
            return write!(f, "0.{:0<zeros$}{digits}", "");
        };
        if whole == 0 {
            write!(f, "0.{digits}")
        } else if digits.len() > whole {
            write!(f, "{}.{}", &digits[..whole], &digits[whole..])
        } else {
            write!(f, "{digits:0<whole$}")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        push_float(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_as_postgresql_writes_them() {
        // Each right side was read from a PostgreSQL server; `db_same_on_both` asks one about
        // many more.
        let cases: [(f64, &str); 20] = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (123.456, "123.456"),
            (0.0001, "0.0001"),
            (0.001_234, "0.001234"),
            (0.000_01, "1e-05"),
            (100_000_000_000_000.0, "100000000000000"),
            (123_456_789_012_345.6, "123456789012345.6"),
            (1e15, "1e+15"),
            (1.5e300, "1.5e+300"),
            (1e-300, "1e-300"),
            (2.980_232_238_769_531_3e-8, "2.9802322387695312e-08"),
            (5.966_672_584_960_166e-154, "5.966672584960166e-154"),
            (1e23, "9.999999999999999e+22"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (9_007_199_254_740_993.0, "9.007199254740992e+15"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(value), expected);
        }
    }

    #[test]
    fn what_json_cannot_say_is_a_string() {
        assert_eq!(text(f64::INFINITY), "\"Infinity\"");
        assert_eq!(text(f64::NEG_INFINITY), "\"-Infinity\"");
        assert_eq!(text(f64::NAN), "\"NaN\"");
    }
}
