//! The slowest loads and the hottest keys. A key is shown by what tells it from others; parameters
//! only where the query's file allows it.

use maud::{Markup, html};

use super::super::format;
use crate::stats::{HotKey, SlowLoad};

pub(super) fn render_slowest(loads: &[SlowLoad]) -> Markup {
    let shows_params = loads.iter().any(|load| load.params.is_some());
    html! {
        div.scroll role="region" aria-labelledby="slowest" tabindex="0" {
            table.stats {
                caption #slowest { h2 { "Slowest loads" } p { "Times are UTC." } }
                thead { tr {
                    th.num scope="col" { "Took" }
                    th scope="col" { "Query" }
                    th scope="col" { "Key" }
                    th scope="col" { "Result" }
                    th scope="col" { "Begun by" }
                    th scope="col" { "Ended" }
                    @if shows_params { th scope="col" { "Parameters" } }
                } }
                tbody {
                    @for load in loads {
                        tr {
                            th.num scope="row" { (format::format_time(Some(load.seconds))) }
                            td { (load.query) }
                            td { code { (load.key) } }
                            td {
                                @match &load.error {
                                    Some(class) => strong.bad { "failed: " (class.replace('_', " ")) },
                                    None => "ok",
                                }
                            }
                            td { (load.trigger.replace('_', " ")) }
                            td { (super::page::render_clock(load.at)) }
                            @if shows_params { td.wrap { (load.params.as_deref().unwrap_or("–")) } }
                        }
                    }
                    @if loads.is_empty() {
                        tr.none { td colspan="6" { "No load has ended in this time." } }
                    }
                }
            }
        }
    }
}

pub(super) fn render_hottest(keys: &[HotKey]) -> Markup {
    let shows_params = keys.iter().any(|key| key.params.is_some());
    html! {
        div.scroll role="region" aria-labelledby="hottest" tabindex="0" {
            table.stats {
                caption #hottest { h2 { "Hottest keys" } p { "Since the start, estimated." } }
                thead { tr {
                    th.num scope="col" { "Requests" }
                    th scope="col" { "Query" }
                    th scope="col" { "Key" }
                    @if shows_params { th scope="col" { "Parameters" } }
                } }
                tbody {
                    @for key in keys {
                        tr {
                            th.num scope="row" { (estimate_text(key)) }
                            td { (key.query) }
                            td { code { (key.key) } }
                            @if shows_params { td.wrap { (key.params.as_deref().unwrap_or("–")) } }
                        }
                    }
                    @if keys.is_empty() {
                        tr.none { td colspan="3" { "Nothing has been asked for yet." } }
                    }
                }
            }
        }
    }
}

/// Writes `1,204`, or between what it surely is and what it is at most.
fn estimate_text(key: &HotKey) -> String {
    let most = format::format_count(key.requests);
    match key.over {
        0 => most,
        over => format!(
            "{} to {most}",
            format::format_count(key.requests.saturating_sub(over))
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_says_between_what_the_truth_lies() {
        let key = |requests, over| HotKey {
            requests,
            over,
            ..HotKey::default()
        };
        assert_eq!(estimate_text(&key(1_204, 0)), "1,204");
        assert_eq!(estimate_text(&key(1_204, 4)), "1,200 to 1,204");
    }

    #[test]
    fn parameters_have_a_column_only_where_they_may_be_shown() {
        let hidden = SlowLoad::default();
        let shown = SlowLoad {
            params: Some("region=eu".to_owned()),
            ..SlowLoad::default()
        };
        let with = render_slowest(&[hidden.clone(), shown]).0;
        assert!(
            with.contains("Parameters") && with.contains(">region=eu<"),
            "{with}"
        );
        assert!(!render_slowest(&[hidden]).0.contains("Parameters"));
    }
}
