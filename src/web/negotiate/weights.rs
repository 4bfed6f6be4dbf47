//! Lists of tokens with weights, as `Accept` and `Accept-Encoding` have them. Reads them, and
//! decides nothing.

use actix_web::http::header::{HeaderMap, HeaderName};

/// One member of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ListMember<'h> {
    /// The token before any parameters; not empty.
    pub(super) token: &'h str,
    /// Its weight in thousandths. One that cannot be read counts in full.
    pub(super) weight: u16,
    rest: &'h str,
}

impl<'h> ListMember<'h> {
    fn read(text: &'h str) -> Option<ListMember<'h>> {
        let (token, rest) = text.split_once(';').unwrap_or((text, ""));
        let token = token.trim();
        let weight = list_parts(rest).find_map(parse_weight).unwrap_or(FULL);
        (!token.is_empty()).then_some(ListMember {
            token,
            weight,
            rest,
        })
    }

    /// Returns its parameters but for the weight, as they are written.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &'h str> + use<'h> {
        list_parts(self.rest).filter(|part| parse_weight(part).is_none())
    }
}

const FULL: u16 = 1000;

/// Returns the members of all header fields of this name, in order: several fields are one list
/// (RFC 9110, 5.3).
pub(super) fn list_members<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = ListMember<'h>> + use<'h> {
    let texts = headers
        .get_all(name)
        .filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',').filter_map(ListMember::read))
}

fn list_parts(rest: &str) -> impl Iterator<Item = &str> {
    rest.split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// Returns the weight in thousandths, where this part is one.
fn parse_weight(part: &str) -> Option<u16> {
    let (name, number) = part.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let number = number.trim();
    // No sign, no exponent, no infinity: only what the grammar has, and `.2`.
    let is_plain = number
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let q: f32 = number.parse().ok().filter(|_| is_plain).unwrap_or(1.0);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=1000"
    )]
    let thousandths = (q.clamp(0.0, 1.0) * f32::from(FULL)).round() as u16;
    Some(thousandths)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    #[test]
    fn a_weight_is_read_as_the_grammar_has_it_and_anything_else_counts_in_full() {
        for (text, token, weight, parameters) in [
            ("gzip", "gzip", 1000, 0),
            (" gzip ; q=0.5", "gzip", 500, 0),
            ("gzip;Q=0", "gzip", 0, 0),
            ("gzip; q = 0.000", "gzip", 0, 0),
            ("*; q=.2", "*", 200, 0),
            ("text/html;level=1;q=0.4", "text/html", 400, 1),
            ("text/html;q=1.0;ext=2", "text/html", 1000, 1),
            ("gzip;q=", "gzip", 1000, 0),
            ("gzip;q=NaN", "gzip", 1000, 0),
            ("gzip;q=-1", "gzip", 1000, 0),
            ("gzip;q=1e-9", "gzip", 1000, 0),
            ("gzip;q=7", "gzip", 1000, 0),
            ("gzip;;", "gzip", 1000, 0),
        ] {
            let member = ListMember::read(text).unwrap();
            assert_eq!((member.token, member.weight), (token, weight), "{text}");
            assert_eq!(member.parameters().count(), parameters, "{text}");
        }
        assert_eq!(ListMember::read(" ;q=1"), None);
        assert_eq!(ListMember::read(""), None);
    }
}
