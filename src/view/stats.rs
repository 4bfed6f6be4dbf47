//! The statistics page: words first, then the few numbers that matter, then the table. It renders
//! from what it is given, so it works with Redis and the database away. It counts nothing.

use std::time::Duration;

use maud::{Markup, html};
use time::OffsetDateTime;

use super::frame::Place;
use super::{Frame, format, provenance, verdict};
use crate::stats::{MemorySnapshot, Numbers, RedisSnapshot, Snapshot};

/// `GET /stats`
#[derive(Debug)]
pub struct StatsPage<'a> {
    /// All numbers.
    pub snapshot: &'a Snapshot,
    /// What the queries are sorted by.
    pub sort: StatsSort,
    /// Every how many seconds a browser without script loads it again; `None`: never.
    pub refresh: Option<u32>,
    /// The last reload, where the settings of before are in force since.
    pub not_reloaded: Option<NotReloaded<'a>>,
}

/// What the table of queries may be sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StatsSort {
    /// The time their loads took together.
    #[default]
    LoadTime,
    /// Their names.
    Query,
}

impl StatsSort {
    /// Every one.
    pub const ALL: [StatsSort; 2] = [StatsSort::LoadTime, StatsSort::Query];

    /// The name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            StatsSort::LoadTime => "load-time",
            StatsSort::Query => "query",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<StatsSort> {
        StatsSort::ALL.into_iter().find(|sort| sort.name() == name)
    }
}

/// A reload that changed nothing.
#[derive(Debug, Clone, Copy)]
pub struct NotReloaded<'a> {
    /// When it was tried, as RFC 3339.
    pub at: &'a str,
    /// Why it changed nothing, in lines.
    pub message: &'a str,
}

/// The page.
pub fn stats(frame: &Frame<'_>, page: &StatsPage<'_>) -> Markup {
    let content = html! {
        div.intro.spread {
            h1 { "Statistics" }
            p.actions {
                a.button href="/stats" { "Refresh now" }
                a href="/stats.json" { "JSON" }
            }
        }
        (instance(page))
        @if let Some(reload) = &page.not_reloaded { (not_reloaded(reload)) }
        (verdicts(page))
        (tiles(&page.snapshot.total))
        (queries(page))
        div.duo.tiers { (memory(&page.snapshot.memory)) (redis(page.snapshot.redis.as_ref())) (database(page.snapshot.database.up)) }
        (words())
    };
    frame.page("Statistics", Place::Stats, true, &content)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds, whole ones"
)]
fn instance(page: &StatsPage<'_>) -> Markup {
    let at = OffsetDateTime::from_unix_timestamp(page.snapshot.generated_at as i64)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, hour, minute, second) = (at.date(), at.hour(), at.minute(), at.second());
    let clock = format!("{hour:02}:{minute:02}:{second:02}");
    html! {
        p.instance {
            @if !page.snapshot.instance.name.is_empty() { span { "Instance " b { (page.snapshot.instance.name) } } }
            span { "up " b { (format::span(Duration::from_secs(page.snapshot.uptime_seconds as u64))) } }
            span {
                "as of "
                time datetime={ (date.to_string()) "T" (clock) "Z" } { (date.to_string()) " " (clock) " UTC" }
            }
        }
    }
}

fn not_reloaded(reload: &NotReloaded<'_>) -> Markup {
    html! {
        section.alert.refusal role="status" {
            h2.words { "The settings were not reloaded" }
            p { "Those of before stay in force. Tried at " time datetime=(reload.at) { (reload.at) } ":" }
            p.reason { (reload.message) }
        }
    }
}

fn verdicts(page: &StatsPage<'_>) -> Markup {
    html! {
        section.verdicts aria-label="Verdict" role="status" {
            @for (level, words) in verdict::verdicts(page) {
                p.verdict.(level.class()) { strong { (level.word()) } " " (words) }
            }
        }
    }
}

fn tiles(total: &Numbers) -> Markup {
    let asked = total.requests.saturating_sub(total.bypass);
    let tiles = [
        (
            "Hit ratio",
            format::share(total.hit_ratio),
            format!(
                "of {} that could be cached",
                format::counted(asked, "request")
            ),
        ),
        (
            "Requests",
            format::count(total.requests),
            format!("{} without a value", format::count(total.error)),
        ),
        (
            "Loads",
            format::count(total.loads),
            format!("{} failed", format::count(total.load_errors)),
        ),
        (
            "Time saved",
            format::duration(format::seconds(total.time_saved_seconds)),
            "that clients did not wait for the database".to_owned(),
        ),
    ];
    html! {
        dl.tiles {
            @for (name, value, about) in tiles {
                div.panel.tile { dt { (name) } dd { span.big { (value) } span.about { (about) } } }
            }
        }
    }
}

/// The columns after the query's name: heading, and the cell for one row.
type Column = (&'static str, fn(&Numbers) -> u64);

const COUNTS: [Column; 10] = [
    ("Requests", |n| n.requests),
    ("Memory", |n| n.hit_memory),
    ("Redis", |n| n.hit_redis),
    ("Stale", |n| n.stale),
    ("Coalesced", |n| n.coalesced),
    ("Miss", |n| n.miss),
    ("Bypass", |n| n.bypass),
    ("Error", |n| n.error),
    ("Loads", |n| n.loads),
    ("Load errors", |n| n.load_errors),
];

/// Those on which the database spent most time come first.
fn queries(page: &StatsPage<'_>) -> Markup {
    let mut rows: Vec<_> = page.snapshot.queries.iter().collect();
    rows.sort_by(|a, b| b.numbers.load_seconds.total_cmp(&a.numbers.load_seconds));
    html! {
        div.scroll role="region" aria-labelledby="per-query" tabindex="0" {
            table.stats {
                caption id="per-query" { "Queries, by the time their loads took together" }
                thead {
                    tr {
                        th scope="col" { "Query" }
                        th.num scope="col" { "Hit ratio" }
                        @for (heading, _) in COUNTS { th.num scope="col" { (heading) } }
                        th.num scope="col" { "Last load" }
                        th.num scope="col" { "Time saved" }
                    }
                }
                tbody {
                    @for row in &rows {
                        tr {
                            th scope="row" {
                                @if row.removed { (row.query) " (removed)" }
                                @else { a href={ "/q/" (row.query) } { (row.query) } }
                            }
                            (numbers(&row.numbers))
                        }
                    }
                    @if rows.is_empty() { tr.none { td colspan="14" { "No queries" } } }
                }
                @if rows.len() > 1 {
                    tfoot { tr { th scope="row" { "All" } (numbers(&page.snapshot.total)) } }
                }
            }
        }
    }
}

fn numbers(numbers: &Numbers) -> Markup {
    let last_load = numbers.last_load_seconds.map(Duration::from_secs_f64);
    html! {
        td.num { (format::share(numbers.hit_ratio)) }
        @for (_, count) in COUNTS {
            @let n = count(numbers);
            td.num.zero[n == 0] { (format::count(n)) }
        }
        td.num { (last_load.map_or_else(|| "–".to_owned(), format::duration)) }
        td.num { (format::duration(format::seconds(numbers.time_saved_seconds))) }
    }
}

fn memory(tier: &MemorySnapshot) -> Markup {
    html! {
        section.panel {
            h2 { "Memory tier" }
            @match tier.max_bytes {
                0 => p { "Turned off." },
                _ => {
                    p {
                        b { (format::bytes(tier.bytes)) } " of " (format::bytes(tier.max_bytes)) " in "
                        (if tier.entries == 1 { "1 entry".to_owned() } else { format!("{} entries", format::count(tier.entries)) })
                    }
                    (provenance::bar("left", part(tier.bytes, tier.max_bytes)))
                },
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "the length of a bar")]
fn part(part: u64, whole: u64) -> f64 {
    (part as f64 / whole.max(1) as f64).min(1.0)
}

fn redis(tier: Option<&RedisSnapshot>) -> Markup {
    html! {
        section.panel {
            h2 { "Redis tier" }
            @match tier {
                Some(tier) => {
                    p {
                        (reachable(tier.up))
                        @if tier.breaker != "closed" { ", breaker " (tier.breaker) }
                    }
                    @if let Some(class) = &tier.last_error { p.quiet { "Last error: " (class) } }
                },
                None => p { "Not configured: copies live in this process only." },
            }
        }
    }
}

fn database(up: Option<bool>) -> Markup {
    html! {
        section.panel {
            h2 { "Database" }
            p { (reachable(up)) }
        }
    }
}

fn reachable(up: Option<bool>) -> Markup {
    html! {
        @match up {
            Some(true) => b { "Reachable" },
            Some(false) => b { "Not reachable" },
            None => "Not asked yet",
        }
    }
}

/// What the columns mean.
fn words() -> Markup {
    let words = [
        ("Memory, Redis", "A fresh copy was found there."),
        (
            "Stale",
            "A copy past its TTL was served while a new one was loaded, or because loading failed.",
        ),
        (
            "Coalesced",
            "It waited for another request’s load and got the same answer.",
        ),
        ("Miss", "The request ran the query."),
        ("Bypass", "The cache was deliberately not used."),
        ("Error", "No value was returned."),
        (
            "Hit ratio",
            "Memory, Redis and stale together, out of all requests but bypasses.",
        ),
        (
            "TTL",
            "How long a copy is fresh, counted from the arrival of the answer. Each copy’s own is up to a tenth shorter, so that copies of one age do not end together.",
        ),
        (
            "Loads",
            "Times the query was started. Refreshes count here and are nobody’s miss.",
        ),
        (
            "Time saved",
            "What the loads behind the served copies took, less what the requests took.",
        ),
    ];
    html! {
        details.words {
            summary { "What the words mean" }
            dl { @for (word, meaning) in words { div { dt { (word) } dd { (meaning) } } } }
        }
    }
}
