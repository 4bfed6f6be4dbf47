//! The metrics and labels that an expression names: as much of PromQL as dashboard and rules use.

use std::collections::BTreeSet;

/// The words that are written like a metric and are none.
const WORDS: [&str; 18] = [
    "and",
    "or",
    "unless",
    "bool",
    "offset",
    "inf",
    "nan",
    "sum",
    "min",
    "max",
    "avg",
    "count",
    "topk",
    "bottomk",
    "quantile",
    "stddev",
    "group_left",
    "group_right",
];
/// The words with labels in parentheses behind them.
const GROUPINGS: [&str; 4] = ["by", "without", "on", "ignoring"];

/// The names in an expression.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Each metric with the labels that choose its series.
    pub(super) metrics: Vec<(String, BTreeSet<String>)>,
    /// The labels that series are grouped by.
    pub(super) grouping: BTreeSet<String>,
}

/// Reads an expression; one that is none gives some names or other.
pub(super) fn names(expression: &str) -> Names {
    let mut names = Names::default();
    let mut rest = expression;
    while let Some(next) = rest.chars().next() {
        if next == '"' {
            rest = behind(&rest[1..], '"');
        } else if next == '[' {
            rest = behind(rest, ']');
        } else if next == '{' {
            let (inside, after) = matchers(rest);
            if let Some((_, labels)) = names.metrics.last_mut() {
                labels.extend(inside);
            }
            rest = after;
        } else if next.is_ascii_digit() || next == '$' {
            rest = rest[1..]
                .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "._".contains(c));
        } else if is_of_name(next) {
            let end = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let opens = after.trim_start().starts_with('(');
            rest = after;
            if GROUPINGS.contains(&word) && opens {
                let inside = after.split_once('(').map_or("", |(_, inside)| inside);
                let labels = inside.split(')').next().unwrap_or_default();
                let labels = labels.split(',').map(|label| label.trim().to_owned());
                names
                    .grouping
                    .extend(labels.filter(|label| !label.is_empty()));
                rest = behind(after, ')');
            } else if !opens && !WORDS.contains(&word) {
                names.metrics.push((word.to_owned(), BTreeSet::new()));
            }
        } else {
            rest = &rest[next.len_utf8()..];
        }
    }
    names
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_:".contains(c)
}

/// Returns the text behind the next such sign.
fn behind(text: &str, sign: char) -> &str {
    text.split_once(sign).map_or("", |(_, behind)| behind)
}

/// The labels in `{a="x", b=~"y}"}`, and what stands behind that.
fn matchers(text: &str) -> (Vec<String>, &str) {
    let mut labels = Vec::new();
    let mut rest = &text[1..];
    loop {
        let name: String = rest.chars().take_while(|c| is_of_name(*c)).collect();
        rest = &rest[name.len()..];
        match rest.chars().next() {
            None => return (labels, rest),
            Some('}') => return (labels, &rest[1..]),
            Some('"') => rest = behind(&rest[1..], '"'),
            Some(other) => rest = &rest[other.len_utf8()..],
        }
        if !name.is_empty() {
            labels.push(name);
        }
    }
}

#[test]
fn the_names_in_an_expression_are_found() {
    let found = names(
        "sum by (le, query) (rate(a_total{x=~\"$x}\", y!=\"b\"}[$__rate_interval])) / 0.5e3 > \
         max without (job) (b:c) and on (z) d unless e{} * 2 or f offset 5m",
    );
    let metrics: Vec<_> = found
        .metrics
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(metrics, ["a_total", "b:c", "d", "e", "f"]);
    let labels: Vec<_> = found.metrics[0].1.iter().map(String::as_str).collect();
    assert_eq!(labels, ["x", "y"]);
    let grouping: Vec<_> = found.grouping.iter().map(String::as_str).collect();
    assert_eq!(grouping, ["job", "le", "query", "z"]);
}
