//! The addresses of a query's pages and data, with the parameters that were given. Every link to a
//! query is made here, so that none forgets a sign or an escape.

use url::form_urlencoded::Serializer;

/// Returns the address of a query: `/q/NAME`, or `/q/NAME.suffix`, with these parameters.
pub fn query_address(name: &str, suffix: Option<&str>, given: &[(String, String)]) -> String {
    let mut address = format!("/q/{name}");
    if let Some(suffix) = suffix {
        address.push('.');
        address.push_str(suffix);
    }
    with_parameters(address, given)
}

/// Returns a path with these parameters behind it.
pub(super) fn with_parameters(mut path: String, given: &[(String, String)]) -> String {
    if !given.is_empty() {
        path.push('?');
        let begun = path.len();
        path = Serializer::for_suffix(path, begun)
            .extend_pairs(given)
            .finish();
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_escaped_and_a_query_without_any_has_no_question_mark() {
        let given = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(pair).collect()
        };
        assert_eq!(query_address("a_b", None, &[]), "/q/a_b");
        assert_eq!(query_address("a", Some("csv"), &[]), "/q/a.csv");
        let odd = given(&[("x", "a b&c=d+%#é"), ("y", "")]);
        assert_eq!(
            query_address("a", Some("json"), &odd),
            "/q/a.json?x=a+b%26c%3Dd%2B%25%23%C3%A9&y="
        );
        assert_eq!(
            with_parameters("/".to_owned(), &given(&[("x", "1")])),
            "/?x=1"
        );
    }
}
