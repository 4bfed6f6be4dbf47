//! What the numbers mean, in words. It owns the limits above which something deserves attention;
//! the numbers themselves are counted elsewhere.

use std::collections::BTreeMap;

use super::stats::instance_name;
use super::{StatsPage, format};
use crate::stats::{Instances, Numbers, PoolSnapshot, Window};

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

/// One sentence, and how it is meant.
pub(super) type Verdict = (Level, String);

/// Fewer requests than this say nothing about a ratio.
const ENOUGH_REQUESTS: u64 = 20;
const GOOD_HIT_RATIO: f64 = 0.8;
const BAD_ERRORS: f64 = 0.01;
/// Of the limit of Redis's memory.
const FULL: f64 = 0.9;

/// The worst first; never empty.
pub(super) fn verdicts(page: &StatsPage<'_>) -> Vec<Verdict> {
    let mut found = Vec::new();
    found.extend(database(page));
    found.extend(redis(page));
    found.extend(not_reloaded(page));
    found.extend(load_errors(page));
    found.extend(request_errors(page));
    found.extend(waiting(page));
    found.extend(redis_memory(page));
    found.extend(evictions(page));
    found.extend(instances(page));
    found.extend(logs(page));
    found.push(hit_ratio(page));
    found.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    found
}

fn database(page: &StatsPage<'_>) -> Vec<Verdict> {
    let database = &page.snapshot.database;
    let class = in_brackets(database.last_error.as_deref());
    let mut found = Vec::new();
    if database.up == Some(false) {
        let words = "Copies that are still good enough are served.";
        found.push((
            Level::Problem,
            format!("The database cannot be reached{class}. {words}"),
        ));
    } else if is_tripped(&database.breaker) {
        found.push((
            Level::Problem,
            format!("The database’s breaker is {}{class}.", database.breaker),
        ));
    } else if database.last_error.is_some() {
        found.push((
            Level::Attention,
            format!("The database answers, and complains{class}."),
        ));
    }
    if database.listening == Some(false) && database.up != Some(false) {
        found.push((
            Level::Attention,
            "The database’s messages are not heard: what it says has changed stays in the cache until its TTL ends."
                .to_owned(),
        ));
    }
    found
}

fn redis(page: &StatsPage<'_>) -> Option<Verdict> {
    let redis = page.snapshot.redis.as_ref()?;
    let class = in_brackets(redis.last_error.as_deref());
    let words = "Answers come from memory and the database.";
    if redis.up == Some(false) {
        let words = format!("Redis cannot be reached{class}. {words}");
        Some((Level::Problem, words))
    } else if is_tripped(&redis.breaker) {
        let words = format!("The breaker of Redis is {}{class}. {words}", redis.breaker);
        Some((Level::Attention, words))
    } else {
        None
    }
}

fn is_tripped(breaker: &str) -> bool {
    !["", "closed"].contains(&breaker)
}

fn in_brackets(class: Option<&str>) -> String {
    class.map_or_else(String::new, |class| {
        format!(" ({})", class.replace('_', " "))
    })
}

fn logs(page: &StatsPage<'_>) -> Option<Verdict> {
    (page.lines_lost > 0).then(|| {
        let lines = format::counted(page.lines_lost, "line");
        let words = format!(
            "{lines} of logs could not be written since the start. Is a disk full, or syslog away?"
        );
        (Level::Attention, words)
    })
}

fn not_reloaded(page: &StatsPage<'_>) -> Option<Verdict> {
    page.not_reloaded.map(|_| {
        let words = "The last reload failed: the settings of before are in force.";
        (Level::Problem, words.to_owned())
    })
}

fn load_errors(page: &StatsPage<'_>) -> Option<Verdict> {
    let total = &page.snapshot.total;
    is_bad(total.load_errors, total.loads).then(|| {
        let failed = format::count(total.load_errors);
        let loads = format::counted(total.loads, "load");
        let whose = whose(page, |numbers| numbers.load_errors);
        (
            Level::Problem,
            format!("{failed} of {loads} failed{whose}."),
        )
    })
}

/// What visitors noticed, where stale copies did not help.
fn request_errors(page: &StatsPage<'_>) -> Option<Verdict> {
    let total = &page.snapshot.total;
    is_bad(total.error, total.requests).then(|| {
        let failed = format::count(total.error);
        let requests = format::counted(total.requests, "request");
        let whose = whose(page, |numbers| numbers.error);
        (
            Level::Problem,
            format!("{failed} of {requests} got no value{whose}."),
        )
    })
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn is_bad(errors: u64, of: u64) -> bool {
    errors as f64 > BAD_ERRORS * of as f64
}

/// `: orders, revenue`, those with the most errors first.
fn whose(page: &StatsPage<'_>, errors: fn(&Numbers) -> u64) -> String {
    const NAMED: usize = 3;
    let rows = page.snapshot.queries.iter();
    let mut failing: Vec<_> = rows.filter(|row| errors(&row.numbers) > 0).collect();
    failing.sort_by_key(|row| std::cmp::Reverse(errors(&row.numbers)));
    let more = failing.len().saturating_sub(NAMED);
    let names = failing.iter().take(NAMED).map(|row| row.query.as_str());
    let names = names.collect::<Vec<_>>().join(", ");
    match (failing.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(": {names}"),
        (false, more) => format!(": {names} and {more} more"),
    }
}

fn waiting(page: &StatsPage<'_>) -> Vec<Verdict> {
    let snapshot = page.snapshot;
    let database = (
        "the database",
        "[database] pool_size",
        &snapshot.database.pool,
    );
    let redis = snapshot.redis.as_ref();
    let redis = redis.map(|redis| ("Redis", "how busy it is", &redis.pool));
    let pools = [Some(database), redis].into_iter().flatten();
    let is_waited_for = |(.., pool): &(_, _, &PoolSnapshot)| pool.waiting > 0;
    let say = |(whose, remedy, pool): (&str, &str, &PoolSnapshot)| {
        let (waiting, max) = (format::count(pool.waiting), format::count(pool.max));
        let wait = if pool.waiting == 1 { "waits" } else { "wait" };
        let words = format!(
            "{waiting} {wait} for one of the {max} connections to {whose}. Look at {remedy}."
        );
        (Level::Attention, words)
    };
    pools.filter(is_waited_for).map(say).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn redis_memory(page: &StatsPage<'_>) -> Vec<Verdict> {
    let redis = page.snapshot.redis.as_ref();
    let info = redis.and_then(|redis| redis.info.as_ref());
    let Some((info, max)) = info.and_then(|info| Some((info, info.maxmemory?))) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let limit = format::bytes(max);
    let share = info.used_memory.map(|used| used as f64 / max as f64);
    if let Some(share) = share.filter(|share| max > 0 && *share > FULL) {
        let share = format::share(Some(share));
        found.push((
            Level::Attention,
            format!("Redis uses {share} of its {limit} of memory."),
        ));
    }
    if max > 0 && info.maxmemory_policy.as_deref() == Some("noeviction") {
        let words = format!(
            "Redis takes nothing more when its {limit} are full (maxmemory-policy is noeviction); with allkeys-lru it makes room."
        );
        found.push((Level::Attention, words));
    }
    found
}

fn evictions(page: &StatsPage<'_>) -> Vec<Verdict> {
    let Some(evicted) = page.evicted else {
        return Vec::new();
    };
    let within = format::span(format::seconds(evicted.seconds.round()));
    let mut found = Vec::new();
    if evicted.redis > 0 {
        let keys = format::counted(evicted.redis, "key");
        let words = format!(
            "Redis evicted {keys} in the last {within} for want of memory, whoever’s they were."
        );
        found.push((Level::Attention, words));
    }
    if evicted.memory > 0 {
        let count = format::count(evicted.memory);
        let words = format!(
            "The memory tier gave up {count} of its entries in the last {within} for want of space. A larger [cache] memory would keep them."
        );
        found.push((Level::Attention, words));
    }
    found
}

fn instances(page: &StatsPage<'_>) -> Vec<Verdict> {
    let all = &page.snapshot.instances;
    let mut found = Vec::new();
    let unseen = match all.alone_because.as_deref() {
        Some(Instances::REDIS_AWAY) => Some("while Redis is away"),
        Some(Instances::REFUSED) => Some("because Redis takes no reports of instances"),
        _ => None,
    };
    if let Some(why) = unseen {
        let words = "these are this one’s numbers alone.";
        let words = format!("The other instances are not seen {why}: {words}");
        found.push((Level::Attention, words));
    }
    let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
    for one in &all.each {
        *versions.entry(one.instance.version.as_str()).or_default() += 1;
        if !one.is_self && one.database_up == Some(false) {
            let words = format!("{} cannot reach the database.", instance_name(one));
            found.push((Level::Problem, words));
        }
    }
    if versions.len() > 1 {
        let said = |(version, count): (&&str, &u64)| {
            format!("{version} on {}", format::counted(*count, "instance"))
        };
        let versions: Vec<_> = versions.iter().map(said).collect();
        let words = format!(
            "The instances are of different versions: {}.",
            versions.join(", ")
        );
        found.push((Level::Attention, words));
    }
    found
}

fn hit_ratio(page: &StatsPage<'_>) -> Verdict {
    let total = &page.snapshot.total;
    let Some(ratio) = total.hit_ratio else {
        let words = match (total.requests, page.snapshot.window) {
            (0, Window::Start) => "Nothing has been asked yet.",
            (0, Window::Minute) => "Nothing was asked in the last minute.",
            (0, Window::FiveMinutes) => "Nothing was asked in the last 5 minutes.",
            (0, Window::Hour) => "Nothing was asked in the last hour.",
            _ => "All requests went past the cache.",
        };
        return (Level::Note, words.to_owned());
    };
    let share = format::share(Some(ratio));
    if total.requests < ENOUGH_REQUESTS {
        let words = format!(
            "The cache answered {share} of {} so far: too few to judge.",
            format::counted(total.requests, "request"),
        );
        return (Level::Note, words);
    }
    let words = format!("The cache answers {share} of requests");
    if ratio < GOOD_HIT_RATIO {
        (
            Level::Attention,
            format!("{words}. A longer TTL would raise that."),
        )
    } else {
        (Level::Good, format!("{words}."))
    }
}

#[cfg(test)]
mod tests;
