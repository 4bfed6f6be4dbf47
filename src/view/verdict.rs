//! The meaning of the numbers, in words. It owns the limits above which something deserves
//! attention; the numbers themselves are counted elsewhere. The verdicts about database and Redis
//! are in `servers`, those about answers that are too large to be kept in `not_kept`.

mod level;
mod not_kept;
mod servers;

use std::collections::BTreeMap;

use super::format;
use super::stats::fleet::instance_name;
use super::stats::page::StatsPage;
use crate::stats::{InstanceTotals, PoolSnapshot, SummaryNumbers, Window};

pub(super) use level::{Verdict, VerdictLevel};

/// Fewer requests than this say nothing about a ratio.
const ENOUGH_REQUESTS: u64 = 20;
const GOOD_HIT_RATIO: f64 = 0.8;
const BAD_ERRORS: f64 = 0.01;
/// The part of the limit of Redis's memory.
const FULL: f64 = 0.9;

/// Returns the worst first; never empty.
pub(super) fn find_verdicts(page: &StatsPage<'_>) -> Vec<Verdict> {
    let mut found = Vec::new();
    found.extend(servers::database_verdicts(&page.snapshot.database));
    found.extend(servers::stuck_verdict(&page.snapshot.database));
    found.extend(
        page.snapshot
            .redis
            .as_ref()
            .and_then(servers::redis_verdict),
    );
    found.extend(not_reloaded(page));
    found.extend(load_errors(page));
    found.extend(request_errors(page));
    found.extend(old_copies(page));
    found.extend(waiting_verdicts(page));
    found.extend(redis_memory(page));
    found.extend(eviction_verdicts(page));
    found.extend(not_kept::not_kept(page));
    found.extend(instance_verdicts(page));
    found.extend(unsent_verdict(page));
    found.extend(servers::same_databases(page.snapshot));
    found.extend(logs_verdict(page));
    found.push(hit_ratio(page));
    found.sort_by_key(|(level, _)| std::cmp::Reverse(*level));
    found
}

/// Refusals longer ago than this are only a note.
const LATE: f64 = 300.0;

fn unsent_verdict(page: &StatsPage<'_>) -> Option<Verdict> {
    let unsent = &page.snapshot.unsent;
    let ago = unsent.refused_seconds_ago?;
    let refused = format::format_counted(unsent.refused, "answer");
    let (used, max) = (
        format::format_bytes(unsent.bytes),
        format::format_bytes(unsent.max_bytes),
    );
    let words = format!(
        "{refused} got a 503 since the start, because too much waited to be sent to clients that read slowly or not at all: now {used} of {max}. [server] max_unsent is the bound."
    );
    Some(if ago < LATE {
        (VerdictLevel::Problem, words)
    } else {
        (
            VerdictLevel::Note,
            format!("{words} None in the last 5 minutes."),
        )
    })
}

fn logs_verdict(page: &StatsPage<'_>) -> Option<Verdict> {
    (page.lines_lost > 0).then(|| {
        let lines = format::format_counted(page.lines_lost, "line");
        let words = format!(
            "{lines} of logs could not be written since the start. Is a disk full, or syslog away?"
        );
        (VerdictLevel::Attention, words)
    })
}

fn not_reloaded(page: &StatsPage<'_>) -> Option<Verdict> {
    page.not_reloaded.map(|_| {
        let words = "The last reload failed: the settings of before are in force.";
        (VerdictLevel::Problem, words.to_owned())
    })
}

fn load_errors(page: &StatsPage<'_>) -> Option<Verdict> {
    let failed = |numbers: &SummaryNumbers| numbers.load_errors;
    let of = ("load", page.snapshot.total.loads);
    too_many(page, VerdictLevel::Problem, failed, of, "failed")
}

/// Names the errors that visitors noticed, because stale copies did not help.
fn request_errors(page: &StatsPage<'_>) -> Option<Verdict> {
    let got_none = |numbers: &SummaryNumbers| numbers.error;
    let of = ("request", page.snapshot.total.requests);
    too_many(page, VerdictLevel::Problem, got_none, of, "got no value")
}

/// Names the errors that visitors did not notice, because stale copies helped: a query that fails
/// for good is seen here before its copies end.
fn old_copies(page: &StatsPage<'_>) -> Option<Verdict> {
    let got_old = |numbers: &SummaryNumbers| numbers.stale_load_error;
    let of = ("request", page.snapshot.total.requests);
    let what = "got an old copy because loading failed";
    too_many(page, VerdictLevel::Attention, got_old, of, what)
}

/// `12 of 700 loads since the start failed: orders.`, where that is too many; only a note where it
/// is over.
fn too_many(
    page: &StatsPage<'_>,
    level: VerdictLevel,
    count: fn(&SummaryNumbers) -> u64,
    (thing, of): (&str, u64),
    what: &str,
) -> Option<Verdict> {
    let bad = count(&page.snapshot.total);
    if !is_bad(bad, of) {
        return None;
    }
    let (bad, of, whose) = (
        format::format_count(bad),
        format::format_counted(of, thing),
        worst_queries(page, count),
    );
    let words = format!(
        "{bad} of {of} {} {what}{whose}.",
        window_words(page.snapshot.window)
    );
    Some(
        if page.of_late.as_ref().is_none_or(|late| count(late) > 0) {
            (level, words)
        } else {
            (
                VerdictLevel::Note,
                format!("{words} None in the last 5 minutes."),
            )
        },
    )
}

fn window_words(window: Window) -> &'static str {
    match window {
        Window::Start => "since the start",
        Window::Minute => "in the last minute",
        Window::FiveMinutes => "in the last 5 minutes",
        Window::Hour => "in the last hour",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn is_bad(errors: u64, of: u64) -> bool {
    errors as f64 > BAD_ERRORS * of as f64
}

/// `: orders, revenue`, those with the most errors first.
fn worst_queries(page: &StatsPage<'_>, errors: fn(&SummaryNumbers) -> u64) -> String {
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

fn waiting_verdicts(page: &StatsPage<'_>) -> Vec<Verdict> {
    let snapshot = page.snapshot;
    // Where nobody answers, those who wait do not wait for want of connections.
    let database = Some(&snapshot.database).filter(|it| it.up != Some(false));
    let database = database.map(|it| ("the database", "[database] pool_size", &it.pool));
    let redis = snapshot.redis.as_ref();
    // One that complains may be left for another, by new connections.
    let redis = redis.filter(|it| it.up != Some(false) && it.complaint.is_none());
    let redis = redis.map(|it| ("Redis", "how busy it is", &it.pool));
    let pools = [database, redis].into_iter().flatten();
    let is_waited_for = |(.., pool): &(_, _, &PoolSnapshot)| pool.waiting > 0;
    let say = |(whose, remedy, pool): (&str, &str, &PoolSnapshot)| {
        let (waiting, max) = (
            format::format_count(pool.waiting),
            format::format_count(pool.max),
        );
        let wait = if pool.waiting == 1 { "waits" } else { "wait" };
        let words = format!(
            "{waiting} {wait} for one of the {max} connections to {whose}. Look at {remedy}."
        );
        (VerdictLevel::Attention, words)
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
    let limit = format::format_bytes(max);
    let share = info.used_memory.map(|used| used as f64 / max as f64);
    if let Some(share) = share.filter(|share| max > 0 && *share > FULL) {
        let share = format::format_share(Some(share));
        found.push((
            VerdictLevel::Attention,
            format!("Redis uses {share} of its {limit} of memory."),
        ));
    }
    if max > 0 && info.maxmemory_policy.as_deref() == Some("noeviction") {
        let words = format!(
            "Redis takes nothing more when its {limit} are full (maxmemory-policy is noeviction); with allkeys-lru it makes room."
        );
        found.push((VerdictLevel::Attention, words));
    }
    found
}

fn eviction_verdicts(page: &StatsPage<'_>) -> Vec<Verdict> {
    let Some(evicted) = page.evicted else {
        return Vec::new();
    };
    let within = format::format_span(format::seconds_duration(evicted.seconds.round()));
    let mut found = Vec::new();
    if evicted.redis > 0 {
        let keys = format::format_counted(evicted.redis, "key");
        let words = format!(
            "Redis evicted {keys} in the last {within} for want of memory, whoever’s they were."
        );
        found.push((VerdictLevel::Attention, words));
    }
    if evicted.memory > 0 {
        let count = format::format_count(evicted.memory);
        let words = format!(
            "The memory tier gave up {count} of its entries in the last {within} for want of space. A larger [cache] memory would keep them."
        );
        found.push((VerdictLevel::Attention, words));
    }
    found
}

fn instance_verdicts(page: &StatsPage<'_>) -> Vec<Verdict> {
    let all = &page.snapshot.instances;
    let mut found = Vec::new();
    let redis = page.snapshot.redis.as_ref();
    let is_up = redis.is_some_and(|redis| redis.up == Some(true));
    let unseen = match all.alone_because.as_deref() {
        Some(InstanceTotals::REDIS_AWAY) if is_up => {
            Some("until Redis, which is back, is asked again")
        }
        Some(InstanceTotals::REDIS_AWAY) => Some("while Redis is away"),
        Some(InstanceTotals::REFUSED) => Some("because Redis takes no reports of instances"),
        _ => None,
    };
    if let Some(why) = unseen {
        let words = "these are this one’s numbers alone.";
        let words = format!("The other instances are not seen {why}: {words}");
        found.push((VerdictLevel::Attention, words));
    }
    let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
    for one in &all.each {
        *versions.entry(one.instance.version.as_str()).or_default() += 1;
        if !one.is_self && one.database_up == Some(false) {
            let words = format!("{} cannot reach the database.", instance_name(one));
            found.push((VerdictLevel::Problem, words));
        }
    }
    if versions.len() > 1 {
        let said = |(version, count): (&&str, &u64)| {
            format!(
                "{version} on {}",
                format::format_counted(*count, "instance")
            )
        };
        let versions: Vec<_> = versions.iter().map(said).collect();
        let words = format!(
            "The instances are of different versions: {}.",
            versions.join(", ")
        );
        found.push((VerdictLevel::Attention, words));
    }
    found
}

fn hit_ratio(page: &StatsPage<'_>) -> Verdict {
    let total = &page.snapshot.total;
    let Some(ratio) = total.hit_ratio else {
        let words = match (total.requests, page.snapshot.window) {
            (0, Window::Start) => "Nothing has been asked yet.".to_owned(),
            (0, window) => format!("Nothing was asked {}.", window_words(window)),
            _ => "All requests went past the cache.".to_owned(),
        };
        return (VerdictLevel::Note, words);
    };
    let share = format::format_share(Some(ratio));
    if total.requests < ENOUGH_REQUESTS {
        let words = format!(
            "The cache answered {share} of {} so far: too few to judge.",
            format::format_counted(total.requests, "request"),
        );
        return (VerdictLevel::Note, words);
    }
    let words = format!("The cache answers {share} of requests");
    if ratio < GOOD_HIT_RATIO {
        // A TTL changes nothing about what is not kept.
        let advice = if not_kept::not_kept(page).is_empty() {
            " A longer TTL would raise that."
        } else {
            ""
        };
        (VerdictLevel::Attention, format!("{words}.{advice}"))
    } else {
        (VerdictLevel::Good, format!("{words}."))
    }
}

#[cfg(test)]
mod tests;
