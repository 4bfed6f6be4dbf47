//! The form in which a query's rows are wanted as data: the format, and for NDJSON the line behind
//! the rows that says whether they are all (`?meta=1`).

use super::negotiate::Format;
use crate::error::RequestError;
use crate::query::Query;

/// The parameter's name.
pub(super) const META: &str = "meta";

/// A data format, and what goes with the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WantedForm {
    pub(super) format: Format,
    /// A last line says whether rows were cut off. Only NDJSON has it: JSON says so anyway, and
    /// the line would be a row in CSV.
    pub(super) meta: bool,
}

impl WantedForm {
    /// Reads `meta` from the parameters and takes it out of them. Where a query declares a
    /// parameter of that name, its values are the query's.
    ///
    /// # Errors
    /// 400 where `meta` is neither `1` nor `0`, or is given twice.
    pub(super) fn read(
        query: &Query,
        format: Format,
        given: &mut Vec<(String, String)>,
    ) -> Result<WantedForm, RequestError> {
        let mut wanted = WantedForm {
            format,
            meta: false,
        };
        if !is_read(query, format) {
            return Ok(wanted);
        }
        let mut values = given.extract_if(.., |(name, _)| name == META);
        wanted.meta = match values.next().as_ref().map(|(_, value)| value.as_str()) {
            Some("1") => true,
            None | Some("0") => false,
            Some(_) => {
                return Err(refuse_form(
                    "is 1, for a last line that says whether rows were cut off, or 0",
                ));
            }
        };
        if values.next().is_some() {
            return Err(refuse_form("is given twice"));
        }
        drop(values);
        Ok(wanted)
    }
}

/// Tells whether `meta` is read for this query in this format.
pub(super) fn is_read(query: &Query, format: Format) -> bool {
    format == Format::Ndjson && !query.params.iter().any(|param| param.name == META)
}

fn refuse_form(what: &str) -> RequestError {
    RequestError::BadParameter(format!("parameter `{META}`: {what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;
    use crate::query::DatabaseKind;

    fn read(text: &str, format: Format, given: &[(&str, &str)]) -> (Result<bool, String>, usize) {
        let query = Query::parse(DatabaseKind::Sqlite, "q", text).unwrap();
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut given: Vec<_> = given.iter().map(pair).collect();
        let wanted = WantedForm::read(&query, format, &mut given);
        let meta = wanted.map(|wanted| wanted.meta);
        (
            meta.map_err(|error| error.public_message(false)),
            given.len(),
        )
    }

    #[test]
    fn meta_is_read_for_ndjson_alone_and_never_taken_from_a_query() {
        let (plain, own) = ("select 1", "-- param: meta text = null\nselect :meta");
        assert_eq!(read(plain, Format::Ndjson, &[("meta", "1")]), (Ok(true), 0));
        assert_eq!(
            read(plain, Format::Ndjson, &[("meta", "0")]),
            (Ok(false), 0)
        );
        assert_eq!(read(plain, Format::Ndjson, &[("x", "1")]), (Ok(false), 1));
        // Elsewhere it is as unknown as any other.
        assert_eq!(read(plain, Format::Json, &[("meta", "1")]), (Ok(false), 1));
        assert_eq!(read(own, Format::Ndjson, &[("meta", "1")]), (Ok(false), 1));
        for given in [&[("meta", "yes")][..], &[("meta", "1"), ("meta", "1")]] {
            let (refused, _) = read(plain, Format::Ndjson, given);
            assert!(refused.unwrap_err().starts_with("parameter `meta`: "));
        }
    }
}
