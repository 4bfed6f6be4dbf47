//! The instances that share a Redis: each of them, their sums, and why there may be only this one.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::format;
use crate::stats::{InstanceSnapshot, InstanceTotals, SummaryNumbers};

/// A heading, and the cell of one row or sum.
type FleetColumn = (&'static str, fn(&SummaryNumbers) -> String);

const COLUMNS: [FleetColumn; 8] = [
    ("Requests", |n| format::format_count(n.requests)),
    ("A second", |n| format::format_rate(n.requests_per_second)),
    ("Hit ratio", |n| format::format_share(n.hit_ratio)),
    ("Loads", |n| format::format_count(n.loads)),
    ("Failed", |n| format::format_count(n.load_errors)),
    ("Load p95", |n| format::format_time(n.load.p95_seconds)),
    ("Copy p95", |n| format::format_time(n.hit.p95_seconds)),
    ("Time saved", |n| {
        format::format_time(Some(n.time_saved_seconds))
    }),
];

pub(super) fn render_fleet(instances: &InstanceTotals, between: &BTreeMap<String, u64>) -> Markup {
    html! {
        section.fleet aria-label="Fleet" {
            @if let Some(reason) = &instances.alone_because { (render_alone(reason)) }
            @if !instances.each.is_empty() { (render_each(instances)) }
            @if instances.each.len() > 1 && !instances.queries.is_empty() { (render_sums(&instances.queries)) }
            (render_events(between))
        }
    }
}

fn render_alone(reason: &str) -> Markup {
    let why = match reason {
        InstanceTotals::NO_REDIS => "No Redis is configured, through which others would be seen.",
        InstanceTotals::REDIS_AWAY => "Redis cannot be reached, so the others are not seen.",
        InstanceTotals::REFUSED => {
            "Redis takes no reports of instances, because it is full, a replica, or does not let this user: the others are not seen."
        }
        InstanceTotals::NOT_ASKED => "Redis has not been asked about others yet.",
        other => other,
    };
    html! { p.banner { strong { "This instance only. " } (why) } }
}

fn render_each(instances: &InstanceTotals) -> Markup {
    html! {
        div.scroll role="region" aria-labelledby="fleet" tabindex="0" {
            table.stats {
                caption #fleet { h2 { "Instances" } p { "Counts and times of all are added up; ratios are taken from the sums." } }
                thead { tr {
                    th scope="col" { "Instance" }
                    th scope="col" { "Version" }
                    th.num scope="col" { "Generation" }
                    th.num scope="col" { "Up" }
                    th.num scope="col" { "Said" }
                    th scope="col" { "Database" }
                    @for (heading, _) in COLUMNS { th.num scope="col" { (heading) } }
                } }
                tbody { @for one in &instances.each { (render_instance(one)) } }
                @if instances.each.len() > 1 {
                    tfoot { tr {
                        th scope="row" { "All " (instances.each.len()) }
                        td colspan="5" {}
                        (render_cells(&instances.total))
                    } }
                }
            }
        }
    }
}

fn render_instance(one: &InstanceSnapshot) -> Markup {
    let id = &one.instance;
    html! {
        tr id={ "i-" (id.id) } {
            th scope="row" { (instance_name(one)) @if one.is_self { " (this one)" } }
            td { (id.version) }
            td.num { (format::format_count(id.generation)) }
            td.num { (format::format_span(std::time::Duration::from_secs(format::seconds_duration(one.uptime_seconds).as_secs()))) }
            td.num { @if one.is_self { "now" } @else { (format::format_age(format::seconds_duration(one.age_seconds))) " ago" } }
            td {
                @match one.database_up {
                    Some(true) => "reachable",
                    Some(false) => strong.bad { "not reachable" },
                    None => "not asked yet",
                }
            }
            (render_cells(&one.numbers))
        }
    }
}

/// Returns what people call it; its id where it has no such name.
pub(in super::super) fn instance_name(one: &InstanceSnapshot) -> &str {
    let Some(name) = Some(one.instance.name.as_str()).filter(|name| !name.is_empty()) else {
        return &one.instance.id;
    };
    name
}

fn render_cells(numbers: &SummaryNumbers) -> Markup {
    html! { @for (_, cell) in COLUMNS { td.num { (cell(numbers)) } } }
}

fn render_sums(queries: &BTreeMap<String, SummaryNumbers>) -> Markup {
    html! {
        details #fleet-queries {
            summary { "Each query on all instances together, since the start" }
            div.scroll role="region" aria-labelledby="fleet-queries-title" tabindex="0" {
                table.stats {
                    caption #fleet-queries-title { "Queries on all instances, since the start of each" }
                    thead { tr {
                        th scope="col" { "Query" }
                        @for (heading, _) in COLUMNS { th.num scope="col" { (heading) } }
                    } }
                    tbody {
                        @for (query, numbers) in queries {
                            tr id={ "f-" (query) } { th scope="row" { (query) } (render_cells(numbers)) }
                        }
                    }
                }
            }
        }
    }
}

/// Returns what went on between the instances, as this one counted it.
fn render_events(between: &BTreeMap<String, u64>) -> Markup {
    html! {
        @if between.values().any(|count| *count > 0) {
            details #dealings {
                summary { "What went on between the instances, since the start" }
                dl.facts.narrow {
                    @for (name, count) in between {
                        div { dt { (event_words(name)) } dd { (format::format_count(*count)) } }
                    }
                }
            }
        }
    }
}

fn event_words(name: &str) -> String {
    let known = match name {
        "leases_taken" => "Leases taken",
        "lease_waits" => "Asked again while another held the lease",
        "leases_lost" => "Leases that ended before their load",
        "rechecks" => "Copies in memory compared with Redis",
        "messages" => "Messages that came in",
        "expires" => "Soft purges asked of this instance",
        "purges" => "Hard purges asked of this instance",
        other => return other.replace('_', " "),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_alone_says_why_and_several_have_a_sum() {
        let one = || InstanceSnapshot::default();
        let mut instances = InstanceTotals {
            alone_because: Some("redis away".to_owned()),
            each: vec![one()],
            ..InstanceTotals::default()
        };
        let nothing = BTreeMap::new();
        let text = render_fleet(&instances, &nothing).0;
        assert!(text.contains("This instance only.") && text.contains("Redis cannot be reached"));
        assert!(!text.contains("<tfoot>"), "{text}");
        instances.each.push(one());
        assert!(render_fleet(&instances, &nothing).0.contains("All 2"));
    }
}
