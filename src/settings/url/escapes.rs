//! The percent escapes in a URL.

use super::super::raw_value::ValueError;

pub(super) const ESCAPES: &str = "in a URL, write special characters of a password as escapes (@ is %40, \
                       # is %23, / is %2F, % is %25), or use password_file";

pub(super) fn non_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// Undoes percent escapes. A `%` that begins none is refused: whoever wrote it meant a password
/// that the URL does not say.
pub(super) fn decode_percent(text: &str) -> Result<String, ValueError> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        let digits = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .ok_or_else(|| ValueError::new("has a % that begins no escape", ESCAPES))?;
        out.push(byte);
        rest = &after[2..];
    }
    String::from_utf8(out).map_err(|_| ValueError::new("has escapes that are not UTF-8", ESCAPES))
}
