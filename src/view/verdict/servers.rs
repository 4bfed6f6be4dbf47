//! The verdicts about database and Redis: one that is away, one that answers and takes nothing, and
//! where to look first. A class is all that is known of a cause here; its words are in the log.

use std::collections::BTreeSet;

use super::super::format;
use super::level::{Verdict, VerdictLevel};
use crate::stats::{DatabaseSnapshot, RedisSnapshot, StatsSnapshot};

pub(super) fn database_verdicts(database: &DatabaseSnapshot) -> Vec<Verdict> {
    let class = database.last_error.as_deref();
    let (name, look) = (in_brackets(class), class.map_or("", of_database));
    let mut found = Vec::new();
    if database.up == Some(false) {
        let words = "Copies that are still good enough are served.";
        let words = format!("The database cannot be reached{name}. {words}{look}");
        found.push((VerdictLevel::Problem, words));
    } else if is_tripped(&database.breaker) {
        let words = format!("The database’s breaker is {}{name}.", database.breaker);
        found.push((VerdictLevel::Problem, words));
    } else if class == Some("full") {
        let words = "The database had no connection for some loads within the last seconds";
        found.push((VerdictLevel::Attention, format!("{words}{name}.{look}")));
    } else if class == Some("locked") {
        let words = "The database was locked by somebody else within the last seconds";
        found.push((VerdictLevel::Attention, format!("{words}{name}.")));
    } else if class.is_some() {
        let words = format!("The database answers, and complains{name}.{look}");
        found.push((VerdictLevel::Attention, words));
    }
    if database.listening == Some(false) && database.up == Some(true) {
        let words = "The database’s messages are not heard: what it says has changed stays in the cache until its TTL ends.";
        found.push((VerdictLevel::Attention, words.to_owned()));
    }
    found
}

/// Says that statements keep connections for good, with the way to find them.
pub(super) fn stuck_verdict(database: &DatabaseSnapshot) -> Option<Verdict> {
    let (stuck, max) = (database.pool.stuck, database.pool.max);
    (stuck > 0).then(|| {
        let stuck = format::format_counted(stuck, "connection");
        let why = if database.kind == "sqlite" {
            "a step of a statement goes on past its time, and SQLite cannot be interrupted within a step. Look for long texts in the queries that time out, as in instr, like or group_concat."
        } else {
            "a statement goes on although its session was terminated. Find it in pg_stat_activity; restart the database where nothing else ends it."
        };
        let words =
            format!("{stuck} to the database, of {max} at most, cannot be used: {why}");
        (VerdictLevel::Problem, words)
    })
}

pub(super) fn redis_verdict(redis: &RedisSnapshot) -> Option<Verdict> {
    let class = redis.last_error.as_deref();
    let (name, look) = (in_brackets(class), class.map_or("", of_redis));
    let words = "Answers come from memory and the database.";
    if redis.up == Some(false) {
        let words = format!("Redis cannot be reached{name}. {words}{look}");
        Some((VerdictLevel::Problem, words))
    } else if is_tripped(&redis.breaker) {
        let words = format!("The breaker of Redis is {}{name}. {words}", redis.breaker);
        Some((VerdictLevel::Attention, words))
    } else {
        let class = redis.complaint.as_deref()?;
        let (name, look) = (in_brackets(Some(class)), of_redis(class));
        let words = format!("Redis answers, and does not do all that it is asked{name}.{look}");
        Some((VerdictLevel::Attention, words))
    }
}

/// Says where instances may find what is stored of another database than theirs.
pub(super) fn same_databases(snapshot: &StatsSnapshot) -> Option<Verdict> {
    snapshot.redis.as_ref()?;
    if snapshot.database.says_which == Some(false) {
        let words = "The database does not say which one it is. Where instances on other databases share this Redis, set [redis] namespace.";
        return Some((VerdictLevel::Note, words.to_owned()));
    }
    let each = snapshot.instances.each.iter();
    let servers: BTreeSet<&str> = each
        .filter_map(|one| one.database_server.as_deref())
        .collect();
    (servers.len() > 1).then(|| {
        let servers = format::format_counted(u64::try_from(servers.len()).unwrap_or(u64::MAX), "server");
        let words = format!(
            "The instances speak to {servers} that say they are one database. Where one is a copy of the other, restored from a backup, give its instances a [redis] namespace of their own."
        );
        (VerdictLevel::Attention, words)
    })
}

fn is_tripped(breaker: &str) -> bool {
    !["", "closed"].contains(&breaker)
}

fn in_brackets(class: Option<&str>) -> String {
    class.map_or_else(String::new, |class| {
        format!(" ({})", class.replace('_', " "))
    })
}

/// Returns where to look first; nothing where the class says no more than that.
fn of_database(class: &str) -> &'static str {
    match class {
        "connect" => " Does it run, and do host and port of [postgres] lead to it?",
        "timeout" => " Does it hang, or is what is sent to it lost on the way?",
        "auth" => " Look at user and password of [postgres], and at its pg_hba.conf.",
        "full" => {
            " Raise its max_connections, or lower [database] pool_size: each instance has its own."
        }
        "starting" => " It is starting, and is used when it has.",
        "tls" => " Look at sslmode and sslrootcert of [postgres].",
        "open" => " Look at the file that [postgres] url names.",
        _ => "",
    }
}

fn of_redis(class: &str) -> &'static str {
    match class {
        "connect" => {
            " Does it run, does [redis] url lead to it, and has it room for clients (its maxclients)?"
        }
        "timeout" => " Does it hang, or have more to do than it can?",
        "auth" => " Look at user and password in [redis] url and password_file.",
        "loading" => " It reads its data after a start, and is used when it has.",
        "master_down" => " It is a replica that has lost its primary.",
        "read_only" => {
            " It is a replica and takes nothing new: [redis] url should lead to the primary."
        }
        "out_of_memory" => {
            " It is full and takes nothing new: give it more memory, or set its maxmemory-policy to allkeys-lru."
        }
        "no_writes" => {
            " It takes nothing new, because it cannot save to its disk or has lost its replicas: its own log says which."
        }
        "denied" => " Its user may not do all of it: unslow check --online says what.",
        "other" => " unslow check --online may say more.",
        _ => "",
    }
}
