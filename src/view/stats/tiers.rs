//! The state of the memory tier, Redis and the database: breaker, connections, what Redis says of
//! its whole server, and what clients cost. An unknown number is `n/a`, never a zero.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::{format, provenance};
use crate::stats::{
    DatabaseSnapshot, MemorySnapshot, PoolSnapshot, RedisInfo, RedisSnapshot, StatsSnapshot,
};

const UNKNOWN: &str = "n/a";

pub(super) fn tiers(snapshot: &StatsSnapshot) -> Markup {
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
fn fact(name: &str, value: impl maud::Render) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn memory_panel(tier: &MemorySnapshot) -> Markup {
    html! {
        section.panel aria-labelledby="memory" {
            h2 #memory { "Memory tier" }
            @match tier.max_bytes {
                0 => p { "Turned off." },
                _ => {
                    p { b { (format::bytes(tier.bytes)) } " of " (format::bytes(tier.max_bytes)) }
                    (provenance::bar("left", part(tier.bytes, tier.max_bytes)))
                    dl.facts {
                        (fact("Entries", format::count(tier.entries)))
                        (classes("Entries that left", &tier.evictions))
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
                (fact("Waiting to be sent", format!("{} of {}", format::bytes(unsent.bytes), format::bytes(unsent.max_bytes))))
                (fact("Answers refused for that", format::count(unsent.refused)))
                (fact("Requests that could not be read", format::count(snapshot.unread)))
            }
        }
    }
}

fn redis_panel(tier: Option<&RedisSnapshot>) -> Markup {
    html! {
        section.panel aria-labelledby="redis" {
            h2 #redis { "Redis tier" }
            @if let Some(tier) = tier {
                (state(tier.up, tier.since_seconds))
                dl.facts {
                    (breaker(&tier.breaker))
                    (last_error(tier.last_error.as_deref()))
                    @if let Some(class) = tier.complaint.as_deref() { (fact("Complains", class.replace('_', " "))) }
                    (fact("Look-ups answered", format::count(tier.reads)))
                    (fact("Written", format!("{}, {}", format::counted(tier.writes, "time"), format::bytes(tier.written_bytes))))
                    (classes("Failures", &tier.errors))
                    (classes("Unusable", &tier.rejected))
                    (classes("Not taken", &tier.refused))
                    (pool(&tier.pool))
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
            (state(database.up, database.since_seconds))
            dl.facts {
                @if !kind.is_empty() { (fact("Kind", kind)) }
                (breaker(&database.breaker))
                (last_error(database.last_error.as_deref()))
                @if let Some(listening) = database.listening {
                    (fact("Its messages", if listening { "heard" } else { "not heard" }))
                }
                (pool(&database.pool))
            }
        }
    }
}

fn state(up: Option<bool>, since: f64) -> Markup {
    let since = format::seconds(since);
    html! {
        p {
            @match up {
                Some(true) => b { "Reachable" },
                Some(false) => b.bad { "Not reachable" },
                None => "Not asked yet",
            }
            @if up.is_some() && since.as_secs() > 0 { " for " (format::age(since)) }
        }
    }
}

fn breaker(state: &str) -> Markup {
    let meaning = match state {
        "" => return html! {},
        "closed" => "closed: commands are sent",
        "open" => "open: no command is sent",
        "half-open" => "half-open: one command tries it",
        other => other,
    };
    fact("Breaker", meaning)
}

fn last_error(class: Option<&str>) -> Markup {
    html! { @if let Some(class) = class { (fact("Last error", class.replace('_', " "))) } }
}

/// Writes `Failures: timeout 3, closed 1`; nothing where all are zero.
fn classes(name: &str, counts: &BTreeMap<String, u64>) -> Markup {
    let counted: Vec<_> = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(class, count)| format!("{} {}", class.replace('_', " "), format::count(*count)))
        .collect();
    html! { @if !counted.is_empty() { (fact(name, counted.join(", "))) } }
}

fn pool(pool: &PoolSnapshot) -> Markup {
    let count = format::count;
    html! {
        @if pool.max > 0 {
            (fact("Connections", format!("{} at work, {} idle, {} at most", count(pool.used), count(pool.idle), count(pool.max))))
            (fact("Waiting for one", count(pool.waiting)))
            @if pool.stuck > 0 { (fact("Stuck in the database", count(pool.stuck))) }
            @if pool.timeouts > 0 { (fact("Waited in vain", format::counted(pool.timeouts, "time"))) }
        }
    }
}

/// Returns what Redis says of its server, which others use as well.
fn server_panel(info: Option<&RedisInfo>) -> Markup {
    let Some(info) = info else {
        return html! {};
    };
    let or_unknown = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.to_owned());
    let count = |value: Option<u64>| or_unknown(value.map(format::count));
    let uptime = info.uptime_in_seconds.map(std::time::Duration::from_secs);
    let reads = info.keyspace_hits.zip(info.keyspace_misses);
    let reads = reads.map(|(hits, misses)| {
        format!(
            "{} found, {} not",
            format::count(hits),
            format::count(misses)
        )
    });
    html! {
        section.panel aria-labelledby="redis-server" {
            h2 #redis-server { "Redis, the whole server" }
            p.quiet { "Everybody’s numbers, not only ours. Said " (format::age(format::seconds(info.age_seconds))) " ago." }
            @if let Some((used, max)) = info.used_memory.zip(info.maxmemory).filter(|(_, max)| *max > 0) {
                (provenance::bar("left", part(used, max)))
            }
            dl.facts {
                (fact("Memory", memory(info)))
                (fact("When full", or_unknown(info.maxmemory_policy.clone())))
                (fact("Evicted keys", count(info.evicted_keys)))
                (fact("Expired keys", count(info.expired_keys)))
                (fact("Reads", or_unknown(reads)))
                (fact("Clients", count(info.connected_clients)))
                (fact("Clients turned away", count(info.rejected_connections)))
                (fact("Role", or_unknown(info.role.clone())))
                (fact("Version", or_unknown(info.redis_version.clone())))
                (fact("Up", or_unknown(uptime.map(format::span))))
            }
        }
    }
}

/// Writes `1.2 GiB of 2 GiB`, `1.2 GiB, no limit`, `1.2 GiB of n/a`.
fn memory(info: &RedisInfo) -> String {
    let used = info
        .used_memory
        .map_or_else(|| UNKNOWN.to_owned(), format::bytes);
    match info.maxmemory {
        Some(0) => format!("{used}, no limit"),
        Some(max) => format!("{used} of {}", format::bytes(max)),
        None if info.used_memory.is_none() => used,
        None => format!("{used}, limit {UNKNOWN}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "the length of a bar")]
fn part(part: u64, whole: u64) -> f64 {
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
            plain(&memory(&RedisInfo {
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
            plain(&classes("Failures", &owned.collect()).0)
        };
        assert_eq!(counts(&[("timeout", 0)]), "");
        let text = counts(&[("closed", 1), ("read_only", 1_204), ("timeout", 0)]);
        assert!(
            text.contains("<dd>closed 1, read only 1,204</dd>"),
            "{text}"
        );
    }
}
