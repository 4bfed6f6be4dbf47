//! The six numbers one looks at first, each with how it has been of late.

use maud::{Markup, html};

use super::super::format;
use super::sparkline::render_sparkline;
use crate::stats::{SeriesPoint, SnapshotSeries, StatsSnapshot, SummaryNumbers};

/// One tile, and one column of the table of points.
struct StatsTile {
    name: &'static str,
    value: fn(&SummaryNumbers) -> String,
    about: fn(&SummaryNumbers) -> String,
    point: fn(&SeriesPoint) -> Option<f64>,
    /// The words for one value of the drawing.
    words: fn(f64) -> String,
    /// The place where the drawing ends above, if that is not its largest point.
    top: Option<f64>,
}

const TILES: [StatsTile; 6] = [
    StatsTile {
        name: "Hit ratio",
        value: |n| format::format_share(n.hit_ratio),
        about: |n| {
            let asked = n.requests.saturating_sub(n.bypass);
            format!(
                "of {} that could be cached",
                format::format_counted(asked, "request")
            )
        },
        point: |p| p.hit_ratio,
        words: |value| format::format_share(Some(value)),
        top: Some(1.0),
    },
    StatsTile {
        name: "Requests a second",
        value: |n| format::format_rate(n.requests_per_second),
        about: |n| {
            let asked = format::format_counted(n.requests, "request");
            match n.error {
                0 => asked,
                error => format!("{asked}, {} without a value", format::format_count(error)),
            }
        },
        point: |p| Some(p.requests_per_second),
        words: |value| format::format_rate(Some(value)),
        top: None,
    },
    StatsTile {
        name: "Loads a second",
        value: |n| format::format_rate(n.loads_per_second),
        about: |n| {
            let mut about = format::format_counted(n.loads, "load");
            if n.load_errors > 0 {
                about = format!("{about}, {} failed", format::format_count(n.load_errors));
            }
            if n.loads_not_tried > 0 {
                about = format!(
                    "{about}, {} not tried",
                    format::format_count(n.loads_not_tried)
                );
            }
            if n.loads_in_flight > 0 {
                about = format!(
                    "{about}, {} running",
                    format::format_count(n.loads_in_flight)
                );
            }
            about
        },
        point: |p| Some(p.loads_per_second),
        words: |value| format::format_rate(Some(value)),
        top: None,
    },
    StatsTile {
        name: "Time saved",
        value: |n| format::format_duration(format::seconds_duration(n.time_saved_seconds)),
        about: |_| "that nobody waited for the database".to_owned(),
        point: |p| Some(p.time_saved_seconds),
        words: |value| format::format_time(Some(value)),
        top: None,
    },
    StatsTile {
        name: "A copy, 95th percentile",
        value: |n| format::format_time(n.hit.p95_seconds),
        about: |n| {
            format!(
                "of {} from a copy",
                format::format_counted(n.hit.count, "answer")
            )
        },
        point: |p| p.hit_p95_seconds,
        words: |value| format::format_time(Some(value)),
        top: None,
    },
    StatsTile {
        name: "A load, 95th percentile",
        value: |n| format::format_time(n.load.p95_seconds),
        about: |n| format!("of {}", format::format_counted(n.load.count, "load")),
        point: |p| p.load_p95_seconds,
        words: |value| format::format_time(Some(value)),
        top: None,
    },
];

pub(super) fn render_tiles(snapshot: &StatsSnapshot) -> Markup {
    let (total, series) = (&snapshot.total, &snapshot.series);
    html! {
        dl.tiles {
            @for tile in &TILES {
                div.panel.tile {
                    dt { (tile.name) }
                    dd {
                        span.big { ((tile.value)(total)) }
                        span.note { ((tile.about)(total)) }
                        @if !series.points.is_empty() { (render_drawing(tile, series)) }
                    }
                }
            }
        }
        @if !series.points.is_empty() { (render_points(series)) }
    }
}

fn render_drawing(tile: &StatsTile, series: &SnapshotSeries) -> Markup {
    let points: Vec<_> = series
        .points
        .iter()
        .map(|point| point.as_ref().and_then(tile.point))
        .collect();
    let label = format!("{}, the last {}", tile.name, series_length(series));
    render_sparkline(&label, &points, tile.top, tile.words)
}

/// Returns how long the series is, in words.
fn series_length(series: &SnapshotSeries) -> String {
    let points = u32::try_from(series.points.len()).unwrap_or(u32::MAX);
    let seconds = series.step_seconds.saturating_mul(points);
    format::format_span(format::seconds_duration(f64::from(seconds)))
}

/// Returns all points as a table, the latest first.
fn render_points(series: &SnapshotSeries) -> Markup {
    let step = format::format_span(format::seconds_duration(f64::from(series.step_seconds)));
    let ages = (0_u32..).map(|n| f64::from(n * series.step_seconds));
    html! {
        details.points #points {
            summary { "The last " (series_length(series)) " as numbers, every " (step) }
            div.scroll role="region" aria-labelledby="points-title" tabindex="0" {
                table.stats {
                    caption #points-title { "What the lines above show, the latest first (UTC)" }
                    thead { tr {
                        th scope="col" { "Until" }
                        @for tile in &TILES { th.num scope="col" { (tile.name) } }
                    } }
                    tbody {
                        @for (point, age) in series.points.iter().rev().zip(ages) {
                            tr {
                                th scope="row" { (super::page::render_clock(series.ends_at - age)) }
                                @for tile in &TILES {
                                    @let value = point.as_ref().and_then(tile.point);
                                    td.num { (value.map_or_else(|| "–".to_owned(), tile.words)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
