//! The page of `/stats` as text for a terminal: words first, then the numbers of all queries, a
//! table of them, and how the tiers and the other instances are.

mod grid;

use std::time::Duration;

use time::OffsetDateTime;

use super::super::stats::StatsPage;
use super::super::{format, verdict};
use crate::stats::{
    InstanceSnapshot, Percentiles, PoolSnapshot, QuerySnapshot, RedisInfo, RedisSnapshot,
    StatsSnapshot, SummaryNumbers, Window,
};
use crate::text::words::escape_controls;
use grid::{TextGrid, wrap_words};

/// The indentation of the words behind a heading.
const INDENT: usize = 12;

/// Returns the page in lines of at most `width` characters, as long as that is not absurdly narrow.
pub fn write_terminal(page: &StatsPage<'_>, width: usize) -> String {
    let snapshot = page.snapshot;
    let mut lines: Vec<_> = page_head(snapshot)
        .iter()
        .flat_map(|line| wrap_words(line, width, 2))
        .collect();
    lines.push(String::new());
    for (level, words) in verdict::find_verdicts(page) {
        lines.extend(named_words(level.word(), &words, width));
    }
    if let Some(reload) = &page.not_reloaded {
        let why: Vec<_> = reload.message.lines().map(escape_controls).collect();
        let words = format!("tried at {}: {}", escape_controls(reload.at), why.join(" "));
        lines.extend(named_words("Reload", &words, width));
    }
    lines.push(String::new());
    for (name, words) in total_lines(&snapshot.total) {
        lines.extend(named_words(name, &words, width));
    }
    lines.push(String::new());
    lines.extend(query_grid(snapshot).grid_lines(width));
    lines.push(String::new());
    for (name, words) in tier_lines(snapshot) {
        lines.extend(named_words(name, &words, width));
    }
    if snapshot.instances.each.len() > 1 {
        lines.push(String::new());
        lines.extend(fleet_grid(snapshot).grid_lines(width));
    } else if let Some(why) = &snapshot.instances.alone_because {
        let words = format!("only this instance: {}", escape_controls(why));
        lines.extend(named_words("Fleet", &words, width));
    }
    // Pages keep numbers and units together; a terminal's line ends where it ends.
    lines.join("\n").replace('\u{a0}', " ") + "\n"
}

/// Returns words behind their name.
fn named_words(name: &str, words: &str, width: usize) -> Vec<String> {
    let text = wrap_words(words, width.saturating_sub(INDENT), 0);
    let name = std::iter::once(name).chain(std::iter::repeat(""));
    name.zip(text)
        .map(|(name, text)| format!("{name:<INDENT$}{text}"))
        .collect()
}

fn page_head(snapshot: &StatsSnapshot) -> [String; 2] {
    let instance = &snapshot.instance;
    let mut first = format!("unslow {}", escape_controls(&instance.version));
    if !instance.name.is_empty() {
        first = format!("{first} on {}", escape_controls(&instance.name));
    }
    if instance.generation > 0 {
        first = format!("{first}, generation {}", instance.generation);
    }
    let up = span_words(snapshot.uptime_seconds);
    let window = match snapshot.window {
        Window::Start => "since the start".to_owned(),
        _ => format!("the latest {}", span_words(snapshot.window_seconds)),
    };
    [
        format!("{first}, up {up}"),
        format!("{window}, as of {}", clock_words(snapshot.generated_at)),
    ]
}

fn total_lines(total: &SummaryNumbers) -> Vec<(&'static str, String)> {
    let asked = total.requests.saturating_sub(total.bypass);
    let count = format::format_count;
    let mut lines = vec![
        (
            "Hit ratio",
            format!(
                "{} of {} that could be cached",
                format::format_share(total.hit_ratio),
                format::format_counted(asked, "request")
            ),
        ),
        (
            "Requests",
            format!(
                "{}{}: {} from memory, {} from Redis, {} stale, {} coalesced, {} missed, \
                 {} bypassed, {} without a value",
                count(total.requests),
                rate_words(total.requests_per_second),
                count(total.hit_memory),
                count(total.hit_redis),
                count(total.stale),
                count(total.coalesced),
                count(total.miss),
                count(total.bypass),
                count(total.error),
            ),
        ),
        (
            "Loads",
            format!(
                "{}{}, {} failed, {} run now",
                count(total.loads),
                rate_words(total.loads_per_second),
                count(total.load_errors),
                count(total.loads_in_flight)
            ),
        ),
        ("Time saved", duration_words(total.time_saved_seconds)),
    ];
    let times = [("Hits took", total.hit), ("Loads took", total.load)];
    let times = times.into_iter().filter(|(_, times)| times.count > 0);
    lines.extend(times.map(|(name, times)| (name, percentile_words(times))));
    lines
}

fn percentile_words(times: Percentiles) -> String {
    let each = [
        ("median", times.p50_seconds),
        ("p95", times.p95_seconds),
        ("p99", times.p99_seconds),
    ];
    let each = each.map(|(name, time)| Some(format!("{name}\u{a0}{}", duration_words(time?))));
    each.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The columns after the query's name: heading, how soon it is left out, and the cell for one row.
type NumberColumn = (&'static str, usize, fn(&SummaryNumbers) -> String);

const COLUMNS: [NumberColumn; 15] = [
    ("Requests", 1, |n| format::format_count(n.requests)),
    ("Hits", 2, |n| format::format_share(n.hit_ratio)),
    ("Memory", 9, |n| format::format_count(n.hit_memory)),
    ("Redis", 10, |n| format::format_count(n.hit_redis)),
    ("Stale", 8, |n| format::format_count(n.stale)),
    ("Coalesced", 11, |n| format::format_count(n.coalesced)),
    ("Missed", 13, |n| format::format_count(n.miss)),
    ("Loads", 3, |n| format::format_count(n.loads)),
    ("Failed", 5, |n| format::format_count(n.load_errors)),
    ("Load p50", 7, |n| known_duration(n.load.p50_seconds)),
    ("p95", 6, |n| known_duration(n.load.p95_seconds)),
    ("p99", 12, |n| known_duration(n.load.p99_seconds)),
    ("Saved", 4, |n| duration_words(n.time_saved_seconds)),
    ("Bytes", 14, |n| format::format_bytes(n.served_bytes)),
    ("Errors", 15, |n| format::format_count(n.error)),
];

/// Writes the queries: those on which the database spent most time come first, all of them together
/// last.
fn query_grid(snapshot: &StatsSnapshot) -> TextGrid {
    let headings = COLUMNS.map(|(heading, rank, _)| (heading, rank));
    let mut grid = TextGrid::new([("Query", 0)].into_iter().chain(headings));
    let mut row = |name: String, numbers: &SummaryNumbers| {
        let cells = COLUMNS.map(|(.., cell)| cell(numbers));
        grid.push(std::iter::once(name).chain(cells));
    };
    let mut queries: Vec<_> = snapshot.queries.iter().collect();
    queries.sort_by(|a, b| b.numbers.load_seconds.total_cmp(&a.numbers.load_seconds));
    for QuerySnapshot {
        query,
        removed,
        numbers,
        ..
    } in queries
    {
        let note = if *removed { " (removed)" } else { "" };
        row(escape_controls(query) + note, numbers);
    }
    row("all".to_owned(), &snapshot.total);
    grid
}

fn tier_lines(snapshot: &StatsSnapshot) -> Vec<(&'static str, String)> {
    let memory = &snapshot.memory;
    let held = match memory.max_bytes {
        0 => "turned off".to_owned(),
        max => format!(
            "{} of {}, entries: {}",
            format::format_bytes(memory.bytes),
            format::format_bytes(max),
            format::format_count(memory.entries)
        ),
    };
    let database = &snapshot.database;
    let contact = contact_words(
        database.up,
        &database.breaker,
        database.last_error.as_deref(),
    );
    let database = format!(
        "{}, {contact}; {}",
        escape_controls(&database.kind),
        pool_words(database.pool)
    );
    let redis = snapshot.redis.as_ref().map_or_else(
        || "not configured: copies live in this process only".to_owned(),
        redis_words,
    );
    vec![("Memory", held), ("Redis", redis), ("Database", database)]
}

fn redis_words(redis: &RedisSnapshot) -> String {
    let mut contact = contact_words(redis.up, &redis.breaker, redis.last_error.as_deref());
    if let Some(class) = redis.complaint.as_deref() {
        contact = format!("{contact}, complains: {}", escape_controls(class));
    }
    let info = redis.info.as_ref().map_or_else(String::new, server_words);
    format!("{contact}; {}{info}", pool_words(redis.pool))
}

/// Returns what Redis says of itself.
fn server_words(info: &RedisInfo) -> String {
    let used = info.used_memory.map(format::format_bytes);
    let used = used.unwrap_or_else(|| "n/a".to_owned());
    let of = match info.maxmemory {
        Some(0) => " without a limit".to_owned(),
        Some(max) => format!(" of {}", format::format_bytes(max)),
        None => String::new(),
    };
    let evicted = info.evicted_keys.map(format::format_count);
    let evicted = evicted.unwrap_or_else(|| "n/a".to_owned());
    let age = format::format_age(format::seconds_duration(info.age_seconds));
    format!("; the server uses {used}{of} and has evicted {evicted} keys ({age} ago)")
}

fn contact_words(up: Option<bool>, breaker: &str, last_error: Option<&str>) -> String {
    let mut words = match up {
        Some(true) => "reachable",
        Some(false) => "not reachable",
        None => "not asked yet",
    }
    .to_owned();
    if !["", "closed"].contains(&breaker) {
        words = format!("{words}, breaker {}", escape_controls(breaker));
    }
    match last_error {
        Some(class) => format!("{words}, last error: {}", escape_controls(class)),
        None => words,
    }
}

fn pool_words(pool: PoolSnapshot) -> String {
    let mut words = format!(
        "connections: {} used, {} idle, at most {}",
        pool.used, pool.idle, pool.max
    );
    if pool.waiting > 0 {
        words = format!("{words}; {} waiting", pool.waiting);
    }
    if pool.stuck > 0 {
        words = format!("{words}; {} stuck in the database", pool.stuck);
    }
    words
}

fn fleet_grid(snapshot: &StatsSnapshot) -> TextGrid {
    let headings = [
        ("Instance", 0),
        ("Version", 5),
        ("Up", 4),
        ("Requests", 1),
        ("Hits", 2),
        ("Loads", 3),
        ("Saved", 6),
        ("Reported", 7),
    ];
    let mut grid = TextGrid::new(headings.into_iter());
    let mut row =
        |name: String, version: &str, up: String, numbers: &SummaryNumbers, age: String| {
            let cells = [
                name,
                escape_controls(version),
                up,
                format::format_count(numbers.requests),
                format::format_share(numbers.hit_ratio),
                format::format_count(numbers.loads),
                duration_words(numbers.time_saved_seconds),
                age,
            ];
            grid.push(cells.into_iter());
        };
    for each in &snapshot.instances.each {
        let InstanceSnapshot {
            instance,
            is_self,
            age_seconds,
            uptime_seconds,
            numbers,
            ..
        } = each;
        let note = if *is_self { " (asked)" } else { "" };
        let age = format::format_age(format::seconds_duration(*age_seconds)) + " ago";
        let name = escape_controls(&instance.name) + note;
        let uptime = span_words(*uptime_seconds);
        row(name, &instance.version, uptime, numbers, age);
    }
    let total = &snapshot.instances.total;
    row("all".to_owned(), "", String::new(), total, String::new());
    grid
}

fn rate_words(per_second: Option<f64>) -> String {
    per_second.map_or_else(String::new, |rate| format!(" ({rate:.1}\u{a0}a second)"))
}

fn duration_words(seconds: f64) -> String {
    format::format_duration(format::seconds_duration(seconds))
}

fn known_duration(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "–".to_owned(), duration_words)
}

/// Writes it in whole seconds.
fn span_words(seconds: f64) -> String {
    let time = format::seconds_duration(seconds).as_secs();
    format::format_span(Duration::from_secs(time))
}

#[expect(clippy::cast_possible_truncation, reason = "whole seconds")]
fn clock_words(seconds: f64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds as i64);
    let at = at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (hour, minute, second) = at.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02} UTC", at.date())
}

#[cfg(test)]
mod tests;
