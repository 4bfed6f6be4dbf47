//! The form in which a script is called: its text, the names of its keys, its numbers.

use std::time::Duration;

use deadpool_redis::redis::Cmd;

use super::key::RedisNames;

pub(super) fn script_command(text: &str, keys: &[&str]) -> Cmd {
    let mut eval = Cmd::new();
    eval.arg("EVAL").arg(text).arg(keys.len()).arg(keys);
    eval
}

pub(super) fn all_names(names: &RedisNames) -> [&str; 5] {
    let RedisNames {
        generations,
        entry,
        tombstone,
        lease,
        note,
    } = names;
    [generations, entry, tombstone, lease, note]
}

pub(super) fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
