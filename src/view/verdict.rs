//! What the numbers mean, in words. It owns the limits above which something deserves attention;
//! the numbers themselves are counted elsewhere.

use super::{StatsPage, format};

/// How a verdict is meant. Always written out, never only a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Good,
    Note,
    Attention,
    Problem,
}

impl Level {
    pub(super) fn word(self) -> &'static str {
        match self {
            Level::Good => "Good",
            Level::Note => "Note",
            Level::Attention => "Attention",
            Level::Problem => "Problem",
        }
    }

    /// The class that colours it.
    pub(super) fn class(self) -> &'static str {
        match self {
            Level::Good => "good",
            Level::Note => "plain",
            Level::Attention => "attention",
            Level::Problem => "problem",
        }
    }
}

/// Fewer requests than this say nothing about a ratio.
const ENOUGH_REQUESTS: u64 = 20;
const GOOD_HIT_RATIO: f64 = 0.8;
const BAD_LOAD_ERRORS: f64 = 0.01;

/// The worst first; never empty.
pub(super) fn verdicts(page: &StatsPage<'_>) -> Vec<(Level, String)> {
    let mut found = Vec::new();
    if page.snapshot.database.up == Some(false) {
        found.push((
            Level::Problem,
            "The database cannot be reached. Copies that are still good enough are served."
                .to_owned(),
        ));
    }
    if let Some(redis) = page
        .snapshot
        .redis
        .as_ref()
        .filter(|redis| redis.up == Some(false))
    {
        let class = redis
            .last_error
            .as_ref()
            .map_or_else(String::new, |class| format!(" ({class})"));
        found.push((
            Level::Problem,
            format!("Redis cannot be reached{class}. Answers come from memory and the database."),
        ));
    }
    found.extend(load_errors(page));
    found.extend(hit_ratio(page));
    if found.is_empty() {
        found.push((Level::Note, "Nothing has been asked yet.".to_owned()));
    }
    found.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    found
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn load_errors(page: &StatsPage<'_>) -> Option<(Level, String)> {
    let total = &page.snapshot.total;
    let share = total.load_errors as f64 / total.loads.max(1) as f64;
    (share > BAD_LOAD_ERRORS).then(|| {
        let words = format!(
            "{} of {} failed{}.",
            format::count(total.load_errors),
            format::counted(total.loads, "load"),
            whose(page),
        );
        (Level::Problem, words)
    })
}

/// `: orders, revenue`, those with the most failed loads first.
fn whose(page: &StatsPage<'_>) -> String {
    const NAMED: usize = 3;
    let mut failing: Vec<_> = page
        .snapshot
        .queries
        .iter()
        .filter(|row| row.numbers.load_errors > 0)
        .collect();
    failing.sort_by_key(|row| std::cmp::Reverse(row.numbers.load_errors));
    let more = failing.len().saturating_sub(NAMED);
    let names: Vec<_> = failing
        .iter()
        .take(NAMED)
        .map(|row| row.query.as_str())
        .collect();
    match (names.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(": {}", names.join(", ")),
        (false, more) => format!(": {} and {more} more", names.join(", ")),
    }
}

fn hit_ratio(page: &StatsPage<'_>) -> Option<(Level, String)> {
    let ratio = page.snapshot.total.hit_ratio?;
    let share = format::share(Some(ratio));
    if page.snapshot.total.requests < ENOUGH_REQUESTS {
        let words = format!(
            "The cache answered {share} of {} so far: too few to judge.",
            format::counted(page.snapshot.total.requests, "request"),
        );
        return Some((Level::Note, words));
    }
    let words = format!("The cache answers {share} of requests");
    Some(if ratio < GOOD_HIT_RATIO {
        (
            Level::Attention,
            format!("{words}. A longer TTL would raise that."),
        )
    } else {
        (Level::Good, format!("{words}."))
    })
}
