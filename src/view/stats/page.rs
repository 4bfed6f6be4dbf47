//! The data of the statistics page, and the small forms that its parts share: its addresses and
//! times.

use maud::{Markup, html};

use super::super::format;
use super::super::frame::PagesHere;
use super::columns::StatsSort;
use crate::stats::{StatsSnapshot, SummaryNumbers, Window};

/// `GET /stats`
#[derive(Debug)]
pub struct StatsPage<'a> {
    /// All numbers.
    pub snapshot: &'a StatsSnapshot,
    /// The order of the queries.
    pub sort: StatsSort,
    /// Every how many seconds a browser without script loads it again; `None`: never.
    pub refresh: Option<u32>,
    /// The last reload, where the settings of before are in force since.
    pub not_reloaded: Option<NotReloaded<'a>>,
    /// The entries that left for want of space of late; `None` where nobody looked before.
    pub evicted: Option<EvictionCounts>,
    /// The address of the script that keeps the page up to date.
    pub script: &'a str,
    /// True where there are pages of queries to link to.
    pub here: PagesHere,
    /// All queries together in the last five minutes, whatever the window; `None` where that is not
    /// known.
    pub of_late: Option<SummaryNumbers>,
    /// Lines of logs that did not reach their place, since the start.
    pub lines_lost: u64,
}

/// A reload that changed nothing.
#[derive(Debug, Clone, Copy)]
pub struct NotReloaded<'a> {
    /// The moment when it was tried, as RFC 3339.
    pub at: &'a str,
    /// The reason why it changed nothing, in lines.
    pub message: &'a str,
}

/// The entries that left for want of space within a stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct EvictionCounts {
    /// The time for which that was.
    pub seconds: f64,
    /// Entries of the memory tier.
    pub memory: u64,
    /// Keys of the whole Redis server.
    pub redis: u64,
}

/// The word in the address that asks for `live` alone.
pub const PART: &str = "numbers";

/// Returns the address of the page as it would be with these. What is usual is not written.
pub(super) fn page_address(window: Window, sort: StatsSort, refresh: Option<u32>) -> String {
    address_as("/stats", window, sort, refresh)
}

/// Returns the same of the page's numbers in another form, at `path`.
pub(super) fn address_as(
    path: &str,
    window: Window,
    sort: StatsSort,
    refresh: Option<u32>,
) -> String {
    let mut pairs = Vec::new();
    if window != Window::default() {
        pairs.push(format!("window={}", window.name()));
    }
    if sort != StatsSort::default() {
        pairs.push(format!("sort={}", sort.name()));
    }
    if let Some(seconds) = refresh {
        pairs.push(format!("refresh={seconds}"));
    }
    if pairs.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", pairs.join("&"))
    }
}

/// Writes `07:00:00`, with the day for who needs it.
pub(super) fn render_clock(at: f64) -> Markup {
    let (day, time) = format::format_moment(at);
    html! { time datetime={ (day) "T" (time) "Z" } title=(day) { (time) } }
}
