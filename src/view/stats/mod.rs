//! The statistics page: who says so, what the numbers mean, the few that matter, then the tables.
//! It renders from what it is given, so it works with Redis and the database away. It counts
//! nothing. One file per part of the page, in its order.
//!
//! All that changes is inside one element, [`render_live`]: the page's script asks for that alone and
//! works what is new into what is shown.

mod columns;
pub(super) mod fleet;
mod loads;
pub(super) mod page;
mod queries;
mod sparkline;
mod tiers;
mod tiles;
mod words;

use maud::{Markup, PreEscaped, html};

use super::format;
use super::frame::{NavPlace, PageFrame};
use super::race::{ComparisonPanel, SpeedComparison};
use super::verdict::{self, Verdict, VerdictLevel};
use crate::stats::{CounterTally, StatsSnapshot, SummaryNumbers, Window};

pub use columns::StatsSort;
pub use page::{EvictionCounts, NotReloaded, PART, StatsPage};

use page::{address_as, page_address};

/// The seconds between two reloads where a reader without script asks for them.
const REFRESH: u32 = 10;

/// Returns the page.
pub fn render_stats(frame: &PageFrame<'_>, page: &StatsPage<'_>) -> Markup {
    let head = html! {
        script src=(page.script) defer {}
        @if let Some(seconds) = page.refresh {
            noscript { meta http-equiv="refresh" content=(seconds); }
        }
    };
    let content = html! {
        div.intro.spread {
            h1 { "Statistics" }
            (render_controls(page))
        }
        (render_live(page))
        (words::render_glossary())
    };
    frame.page_with(&head, "Statistics", NavPlace::Stats, true, &content)
}

/// Returns all that changes with time, in one element.
pub fn render_live(page: &StatsPage<'_>) -> Markup {
    let snapshot = page.snapshot;
    let found = verdict::find_verdicts(page);
    let from = page_address(snapshot.window, page.sort, None);
    let and = if from.contains('?') { '&' } else { '?' };
    html! {
        div #live data-from={ (from) (and) "part=" (PART) } data-summary=(verdict_summary(&found)) data-at=(format::format_moment(snapshot.generated_at).1) {
            div.about { (render_instance(snapshot)) (render_windows(page)) }
            (render_verdicts(&found))
            div #notices { @if let Some(reload) = &page.not_reloaded { (not_reloaded(reload)) } }
            (tiles::render_tiles(snapshot))
            (PreEscaped(ComparisonPanel::new(overall_comparison(snapshot)).render_panel(None)))
            (queries::render_queries(page))
            div.pair { (loads::render_slowest(&snapshot.slowest)) (loads::render_hottest(&snapshot.hottest)) }
            (tiers::render_tiers(snapshot))
            (fleet::render_fleet(&snapshot.instances, &snapshot.fleet))
        }
    }
}

/// Loads and copies of all queries that have both: the loads of a query that is never served from a
/// copy are not what copies save.
fn overall_comparison(snapshot: &StatsSnapshot) -> SpeedComparison {
    let queries = snapshot.queries.iter();
    let compared = queries.filter(|query| query.numbers.hit.count > 0);
    let tally: CounterTally = compared.map(|query| &query.tally).sum();
    let numbers = SummaryNumbers::from_tally(&tally, 0.0);
    if numbers.hit.count == 0 {
        return SpeedComparison::new(&snapshot.total.hit, &snapshot.total.load);
    }
    SpeedComparison::new(&numbers.hit, &numbers.load)
}

/// Returns what a reader can do about the page. Pausing takes the script, which shows the button.
fn render_controls(page: &StatsPage<'_>) -> Markup {
    let (window, sort) = (page.snapshot.window, page.sort);
    let to = |refresh| page_address(window, sort, refresh);
    html! {
        div.actions.controls {
            p #state.state role="status" {}
            button #pause.button type="button" hidden { "Pause" }
            a.button.plain href=(to(page.refresh)) { "Refresh now" }
            noscript {
                @match page.refresh {
                    Some(seconds) => a href=(to(None)) { "Stop refreshing every " (seconds) " s" },
                    None => a href=(to(Some(REFRESH))) { "Refresh every " (REFRESH) " s" },
                }
            }
            span.formats {
                @for (suffix, words) in [("json", "JSON"), ("csv", "CSV"), ("txt", "Text")] {
                    a href=(address_as(&format!("/stats.{suffix}"), window, sort, None)) { (words) } " "
                }
                a href="/metrics" { "Metrics" }
            }
        }
    }
}

fn render_instance(snapshot: &StatsSnapshot) -> Markup {
    let instance = &snapshot.instance;
    let name = Some(&instance.name).filter(|name| !name.is_empty());
    html! {
        p.instance {
            @if let Some(name) = name { span { "Instance " b { (name) } } }
            @if !instance.version.is_empty() { span { "version " b { (instance.version) } } }
            @if instance.generation > 0 { span { "generation " b { (instance.generation) } } }
            span { "up " b { (format::format_age(format::seconds_duration(snapshot.uptime_seconds.floor()))) } }
            span { "as of " (render_date(snapshot.generated_at)) }
        }
    }
}

/// Writes `2026-11-23 07:00:00 UTC`
fn render_date(at: f64) -> Markup {
    let (day, time) = format::format_moment(at);
    html! { time datetime={ (day) "T" (time) "Z" } { (day) " " (time) " UTC" } }
}

fn render_windows(page: &StatsPage<'_>) -> Markup {
    html! {
        nav.windows aria-label="Time that is counted" {
            @for window in Window::ALL {
                a href=(page_address(window, page.sort, page.refresh)) aria-current=[(window == page.snapshot.window).then_some("true")] {
                    (match window {
                        Window::Minute => "1 min",
                        Window::FiveMinutes => "5 min",
                        Window::Hour => "1 h",
                        Window::Start => "since start",
                    })
                }
            }
        }
    }
}

fn not_reloaded(reload: &NotReloaded<'_>) -> Markup {
    html! {
        section.alert.refusal {
            h2.words { "The settings were not reloaded" }
            p { "Those of before stay in force. Tried at " time datetime=(reload.at) { (reload.at) } ":" }
            p.reason { (reload.message) }
        }
    }
}

fn render_verdicts(found: &[Verdict]) -> Markup {
    html! {
        ul.verdicts aria-label="Verdict" {
            @for (level, words) in found {
                li.verdict.(level.class()) { strong { (level.word()) } " " (words) }
            }
        }
    }
}

/// Writes `1 problem, 2 to look at`; for the status line.
fn verdict_summary(found: &[Verdict]) -> String {
    let count =
        |wanted: VerdictLevel| found.iter().filter(|(level, _)| *level == wanted).count() as u64;
    let (problems, attention) = (count(VerdictLevel::Problem), count(VerdictLevel::Attention));
    let mut words = Vec::new();
    if problems > 0 {
        words.push(format::format_counted(problems, "problem"));
    }
    if attention > 0 {
        words.push(format!("{} to look at", format::format_count(attention)));
    }
    if words.is_empty() {
        words.push("no problem".to_owned());
    }
    words.join(", ")
}
