//! The instances that share a Redis: each of them, their sums, and why there may be only this one.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::format;
use crate::stats::{InstanceSnapshot, InstanceTotals, SummaryNumbers};

/// A heading, and the cell of one row or sum.
type FleetColumn = (&'static str, fn(&SummaryNumbers) -> String);

const COLUMNS: [FleetColumn; 8] = [
    ("Requests", |n| format::count(n.requests)),
    ("A second", |n| format::rate(n.requests_per_second)),
    ("Hit ratio", |n| format::share(n.hit_ratio)),
    ("Loads", |n| format::count(n.loads)),
    ("Failed", |n| format::count(n.load_errors)),
    ("Load p95", |n| format::time(n.load.p95_seconds)),
    ("Copy p95", |n| format::time(n.hit.p95_seconds)),
    ("Time saved", |n| format::time(Some(n.time_saved_seconds))),
];

pub(super) fn fleet(instances: &InstanceTotals, between: &BTreeMap<String, u64>) -> Markup {
    html! {
        section.fleet aria-label="Fleet" {
            @if let Some(reason) = &instances.alone_because { (alone(reason)) }
            @if !instances.each.is_empty() { (each(instances)) }
            @if instances.each.len() > 1 && !instances.queries.is_empty() { (sums(&instances.queries)) }
            (dealings(between))
        }
    }
}

fn alone(reason: &str) -> Markup {
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

fn each(instances: &InstanceTotals) -> Markup {
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
                tbody { @for one in &instances.each { (instance(one)) } }
                @if instances.each.len() > 1 {
                    tfoot { tr {
                        th scope="row" { "All " (instances.each.len()) }
                        td colspan="5" {}
                        (cells(&instances.total))
                    } }
                }
            }
        }
    }
}

fn instance(one: &InstanceSnapshot) -> Markup {
    let id = &one.instance;
    html! {
        tr id={ "i-" (id.id) } {
            th scope="row" { (name(one)) @if one.is_self { " (this one)" } }
            td { (id.version) }
            td.num { (format::count(id.generation)) }
            td.num { (format::span(std::time::Duration::from_secs(format::seconds(one.uptime_seconds).as_secs()))) }
            td.num { @if one.is_self { "now" } @else { (format::age(format::seconds(one.age_seconds))) " ago" } }
            td {
                @match one.database_up {
                    Some(true) => "reachable",
                    Some(false) => strong.bad { "not reachable" },
                    None => "not asked yet",
                }
            }
            (cells(&one.numbers))
        }
    }
}

/// Returns what people call it; its id where it has no such name.
pub(in super::super) fn name(one: &InstanceSnapshot) -> &str {
    let Some(name) = Some(one.instance.name.as_str()).filter(|name| !name.is_empty()) else {
        return &one.instance.id;
    };
    name
}

fn cells(numbers: &SummaryNumbers) -> Markup {
    html! { @for (_, cell) in COLUMNS { td.num { (cell(numbers)) } } }
}

fn sums(queries: &BTreeMap<String, SummaryNumbers>) -> Markup {
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
                            tr id={ "f-" (query) } { th scope="row" { (query) } (cells(numbers)) }
                        }
                    }
                }
            }
        }
    }
}

/// Returns what went on between the instances, as this one counted it.
fn dealings(between: &BTreeMap<String, u64>) -> Markup {
    html! {
        @if between.values().any(|count| *count > 0) {
            details #dealings {
                summary { "What went on between the instances, since the start" }
                dl.facts.narrow {
                    @for (name, count) in between {
                        div { dt { (words(name)) } dd { (format::count(*count)) } }
                    }
                }
            }
        }
    }
}

fn words(name: &str) -> String {
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
        let text = fleet(&instances, &nothing).0;
        assert!(text.contains("This instance only.") && text.contains("Redis cannot be reached"));
        assert!(!text.contains("<tfoot>"), "{text}");
        instances.each.push(one());
        assert!(fleet(&instances, &nothing).0.contains("All 2"));
    }
}
