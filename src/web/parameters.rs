//! The parameters in an address, as they are read; their meaning is the query's.
//!
//! Other sites add parameters to links to follow their visitors: `utm_source`, `fbclid` and the
//! like. Pages pass them over and links do not repeat them. Data refuses them like every unknown
//! parameter, so a program that misspells one learns of it. A query that declares such a name gets
//! its value.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use url::form_urlencoded;

use crate::error::RequestError;
use crate::query::Query;

/// Refuses a query string that is not UTF-8: it would be decoded to replacement characters, which
/// are other bytes than were sent, and the same for different ones.
pub(super) fn require_utf8(query_string: &str) -> Result<(), RequestError> {
    let broken = query_string
        .split('&')
        .find(|pair| percent_decode_str(pair).decode_utf8().is_err());
    let Some(pair) = broken else { return Ok(()) };
    let name = parse_pairs(pair).pop().unwrap_or_default().0;
    Err(RequestError::BadParameter(format!(
        "parameter `{}`: is not UTF-8",
        name.escape_debug()
    )))
}

/// Returns the names and values of a query string, in order, repeated ones too.
pub(super) fn parse_pairs(query_string: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query_string.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// The names of tracking parameters, besides all that begin with `utm_`.
const NAMES: [&str; 4] = ["fbclid", "gclid", "msclkid", "_"];

/// Tells whether a page passes this parameter over.
pub(super) fn is_tracking(name: &str) -> bool {
    name.starts_with("utm_") || NAMES.contains(&name)
}

/// Returns the query string of a page without these parameters, as far as `query` declares none of
/// them.
pub(super) fn without_tracking<'q>(query: &Query, query_string: &'q str) -> Cow<'q, str> {
    let stays = |pair: &&str| {
        let name = form_urlencoded::parse(pair.as_bytes()).next();
        name.is_none_or(|(name, _)| {
            !is_tracking(&name) || query.params.iter().any(|param| *param.name == *name)
        })
    };
    if query_string.is_empty() || query_string.split('&').all(|pair| stays(&pair)) {
        return Cow::Borrowed(query_string);
    }
    let kept: Vec<&str> = query_string.split('&').filter(stays).collect();
    Cow::Owned(kept.join("&"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;
    use crate::query::DatabaseKind;

    #[test]
    fn only_what_other_sites_add_is_passed_over_and_never_a_declared_parameter() {
        let text = "-- param: x text = null\n-- param: gclid text = null\nselect :x, :gclid";
        let query = Query::parse(DatabaseKind::Sqlite, "q", text).unwrap();
        for (given, kept) in [
            ("", ""),
            ("x=1", "x=1"),
            ("fbclid=a", ""),
            ("x=a%26b&utm_source=s&utm_medium=%ff", "x=a%26b"),
            ("utm%5Fsource=s&_=1&msclkid&x=+", "x=+"),
            ("gclid=mine&fbclid=theirs", "gclid=mine"),
            ("utm=1&__=2&Fbclid=3", "utm=1&__=2&Fbclid=3"),
            ("nonsense=1&_=2", "nonsense=1"),
            ("&&", "&&"),
        ] {
            assert_eq!(without_tracking(&query, given), kept, "{given}");
        }
    }
}
