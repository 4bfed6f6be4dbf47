//! The state of the memory tier, Redis and the database: breaker, connections, what Redis says of
//! its whole server, and what clients cost. An unknown number is `n/a`, never a zero.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::{format, provenance};
use crate::stats::{
    DatabaseSnapshot, MemorySnapshot, PoolSnapshot, RedisInfo, RedisSnapshot, StatsSnapshot,
};

const UNKNOWN: &str = "n/a";

pub(super) fn render_tiers(snapshot: &StatsSnapshot) -> Markup {
    let redis = snapshot.redis.as_ref();
    html! {
        div.tiers {
            (memory_panel(&snapshot.memory))
            (clients_panel(snapshot))
            (database_panel(&snapshot.database))
            (redis_panel(redis))
            (server_panel(redis.and_then(|redis| redis.info.as_ref())))
        }
    }
}

/// Returns one line of a list of facts; an empty name is not drawn.
fn render_fact(name: &str, value: impl maud::Render) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn memory_panel(tier: &MemorySnapshot) -> Markup {
    html! {
        section.panel aria-labelledby="memory" {
            h2 #memory { "Memory tier" }
            @match tier.max_bytes {
                0 => p { "Turned off." },
                _ => {
                    p { b { (format::format_bytes(tier.bytes)) } " of " (format::format_bytes(tier.max_bytes)) }
                    (provenance::render_bar("left", part_share(tier.bytes, tier.max_bytes)))
                    dl.facts {
                        (render_fact("Entries", format::format_count(tier.entries)))
                        (render_classes("Entries that left", &tier.evictions))
                    }
                },
            }
        }
    }
}

/// Returns what answers wait to be sent, and how many requests got none.
fn clients_panel(snapshot: &StatsSnapshot) -> Markup {
    let unsent = &snapshot.unsent;
    html! {
        section.panel aria-labelledby="clients" {
            h2 #clients { "Clients" }
            dl.facts {
                (render_fact("Waiting to be sent", format!("{} of {}", format::format_bytes(unsent.bytes), format::format_bytes(unsent.max_bytes))))
                (render_fact("Answers refused for that", format::format_count(unsent.refused)))
                (render_fact("Requests that could not be read", format::format_count(snapshot.unread)))
            }
        }
    }
}

fn redis_panel(tier: Option<&RedisSnapshot>) -> Markup {
    html! {
        section.panel aria-labelledby="redis" {
            h2 #redis { "Redis tier" }
            @if let Some(tier) = tier {
                (render_state(tier.up, tier.since_seconds))
                dl.facts {
                    (render_breaker(&tier.breaker))
                    (last_error(tier.last_error.as_deref()))
                    @if let Some(class) = tier.complaint.as_deref() { (render_fact("Complains", class.replace('_', " "))) }
                    (render_fact("Look-ups answered", format::format_count(tier.reads)))
                    (render_fact("Written", format!("{}, {}", format::format_counted(tier.writes, "time"), format::format_bytes(tier.written_bytes))))
                    (render_classes("Failures", &tier.errors))
                    (render_classes("Unusable", &tier.rejected))
                    (render_classes("Not taken", &tier.refused))
                    (render_pool(&tier.pool))
                }
            } @else {
                p { "Not configured: copies live in this process only." }
            }
        }
    }
}

fn database_panel(database: &DatabaseSnapshot) -> Markup {
    let kind = match database.kind.as_str() {
        "postgres" => "PostgreSQL",
        "sqlite" => "SQLite",
        kind => kind,
    };
    html! {
        section.panel aria-labelledby="database" {
            h2 #database { "Database" }
            (render_state(database.up, database.since_seconds))
            dl.facts {
                @if !kind.is_empty() { (render_fact("Kind", kind)) }
                (render_breaker(&database.breaker))
                (last_error(database.last_error.as_deref()))
                @if let Some(listening) = database.listening {
                    (render_fact("Its messages", if listening { "heard" } else { "not heard" }))
                }
                (render_pool(&database.pool))
            }
        }
    }
}

fn render_state(up: Option<bool>, since: f64) -> Markup {
    let since = format::seconds_duration(since);
    html! {
        p {
            @match up {
                Some(true) => b { "Reachable" },
                Some(false) => b.bad { "Not reachable" },
                None => "Not asked yet",
            }
            @if up.is_some() && since.as_secs() > 0 { " for " (format::format_age(since)) }
        }
    }
}

fn render_breaker(state: &str) -> Markup {
    let meaning = match state {
        "" => return html! {},
        "closed" => "closed: commands are sent",
        "open" => "open: no command is sent",
        "half-open" => "half-open: one command tries it",
        other => other,
    };
    render_fact("Breaker", meaning)
}

fn last_error(class: Option<&str>) -> Markup {
    html! { @if let Some(class) = class { (render_fact("Last error", class.replace('_', " "))) } }
}

/// Writes `Failures: timeout 3, closed 1`; nothing where all are zero.
fn render_classes(name: &str, counts: &BTreeMap<String, u64>) -> Markup {
    let counted: Vec<_> = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(class, count)| {
            format!(
                "{} {}",
                class.replace('_', " "),
                format::format_count(*count)
            )
        })
        .collect();
    html! { @if !counted.is_empty() { (render_fact(name, counted.join(", "))) } }
}

fn render_pool(pool: &PoolSnapshot) -> Markup {
    let count = format::format_count;
    html! {
        @if pool.max > 0 {
            (render_fact("Connections", format!("{} at work, {} idle, {} at most", count(pool.used), count(pool.idle), count(pool.max))))
            (render_fact("Waiting for one", count(pool.waiting)))
            @if pool.stuck > 0 { (render_fact("Stuck in the database", count(pool.stuck))) }
            @if pool.timeouts > 0 { (render_fact("Waited in vain", format::format_counted(pool.timeouts, "time"))) }
        }
    }
}

/// Returns what Redis says of its server, which others use as well.
fn server_panel(info: Option<&RedisInfo>) -> Markup {
    let Some(info) = info else {
        return html! {};
    };
    let or_unknown = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.to_owned());
    let count = |value: Option<u64>| or_unknown(value.map(format::format_count));
    let uptime = info.uptime_in_seconds.map(std::time::Duration::from_secs);
    let reads = info.keyspace_hits.zip(info.keyspace_misses);
    let reads = reads.map(|(hits, misses)| {
        format!(
            "{} found, {} not",
            format::format_count(hits),
            format::format_count(misses)
        )
    });
    html! {
        section.panel aria-labelledby="redis-server" {
            h2 #redis-server { "Redis, the whole server" }
            p.quiet { "Everybody’s numbers, not only ours. Said " (format::format_age(format::seconds_duration(info.age_seconds))) " ago." }
            @if let Some((used, max)) = info.used_memory.zip(info.maxmemory).filter(|(_, max)| *max > 0) {
                (provenance::render_bar("left", part_share(used, max)))
            }
            dl.facts {
                (render_fact("Memory", memory_words(info)))
                (render_fact("When full", or_unknown(info.maxmemory_policy.clone())))
                (render_fact("Evicted keys", count(info.evicted_keys)))
                (render_fact("Expired keys", count(info.expired_keys)))
                (render_fact("Reads", or_unknown(reads)))
                (render_fact("Clients", count(info.connected_clients)))
                (render_fact("Clients turned away", count(info.rejected_connections)))
                (render_fact("Role", or_unknown(info.role.clone())))
                (render_fact("Version", or_unknown(info.redis_version.clone())))
                (render_fact("Up", or_unknown(uptime.map(format::format_span))))
            }
        }
    }
}

/// Writes `1.2 GiB of 2 GiB`, `1.2 GiB, no limit`, `1.2 GiB of n/a`.
fn memory_words(info: &RedisInfo) -> String {
    let used = info
        .used_memory
        .map_or_else(|| UNKNOWN.to_owned(), format::format_bytes);
    match info.maxmemory {
        Some(0) => format!("{used}, no limit"),
        Some(max) => format!("{used} of {}", format::format_bytes(max)),
        None if info.used_memory.is_none() => used,
        None => format!("{used}, limit {UNKNOWN}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "the length of a bar")]
fn part_share(part: u64, whole: u64) -> f64 {
    (part as f64 / whole.max(1) as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        text.replace('\u{a0}', " ")
    }

    #[test]
    fn memory_has_a_limit_no_limit_or_one_that_is_not_known() {
        let of = |used_memory, maxmemory| {
            plain(&memory_words(&RedisInfo {
                used_memory,
                maxmemory,
                ..RedisInfo::default()
            }))
        };
        assert_eq!(of(Some(1 << 20), Some(1 << 21)), "1 MiB of 2 MiB");
        assert_eq!(of(Some(1 << 20), Some(0)), "1 MiB, no limit");
        assert_eq!(of(Some(1 << 20), None), "1 MiB, limit n/a");
        assert_eq!(of(None, None), "n/a");
    }

    #[test]
    fn what_redis_does_not_say_is_not_zero() {
        let text = plain(&server_panel(Some(&RedisInfo::default())).0);
        assert_eq!(text.matches("<dd>n/a</dd>").count(), 10, "{text}");
        assert!(server_panel(None).0.is_empty());
    }

    #[test]
    fn only_what_has_happened_is_listed() {
        let counts = |pairs: &[(&str, u64)]| {
            let owned = pairs
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count));
            plain(&render_classes("Failures", &owned.collect()).0)
        };
        assert_eq!(counts(&[("timeout", 0)]), "");
        let text = counts(&[("closed", 1), ("read_only", 1_204), ("timeout", 0)]);
        assert!(
            text.contains("<dd>closed 1, read only 1,204</dd>"),
            "{text}"
        );
    }
}
