//! The settings that a reload cannot change, and keeps as they were: a line each in [`KEPT`].

use super::types::Settings;

/// One setting that only a restart changes.
struct RestartOnly {
    /// The name in the ini file.
    name: &'static str,
    differs: fn(&Settings, &Settings) -> bool,
    /// The function that copies it from the first settings to the second.
    keep: fn(&Settings, &mut Settings),
}

/// `kept!("[section] key", path.of.the.field)`
macro_rules! kept {
    ($name:literal, $($field:ident).+) => {
        RestartOnly {
            name: $name,
            differs: |old, new| old.$($field).+ != new.$($field).+,
            keep: |old, new| new.$($field).+.clone_from(&old.$($field).+),
        }
    };
}

const KEPT: &[RestartOnly] = &[
    kept!("[server] pidfile", process.pidfile),
    kept!("[server] user", process.user),
    kept!("[server] group", process.group),
    kept!("[server] umask", process.umask),
    kept!("[server] chdir", process.chdir),
    kept!("[server] env", process.env),
    kept!("[server] socket_mode", process.socket_mode),
    kept!("[server] socket_group", process.socket_group),
    kept!("[server] backlog", server.backlog),
    kept!("[cache] memory", cache.memory),
];

/// Returns the settings, as `[section] key`, that differ in a way that only a restart could bring
/// about.
pub fn restart_only(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let differing = KEPT.iter().filter(|kept| (kept.differs)(old, new));
    differing.map(|kept| kept.name).collect()
}

/// Puts the old values of those settings into the new ones.
pub fn keep_restart_only(old: &Settings, new: &mut Settings) {
    for kept in KEPT {
        (kept.keep)(old, new);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::table;
    use super::*;

    #[test]
    fn what_only_a_restart_changes_is_named_and_kept_and_the_rest_is_not() {
        let old = Settings::from_flags(&["--memory", "1MiB", "--ttl", "1s"]).unwrap();
        let mut new = Settings::from_flags(&["--memory", "2MiB", "--ttl", "2s"]).unwrap();
        assert_eq!(restart_only(&old, &new), ["[cache] memory"]);
        let ttl = new.cache.ttl;
        keep_restart_only(&old, &mut new);
        assert_eq!(new.cache.memory, old.cache.memory);
        assert_eq!(new.cache.ttl, ttl);
        assert!(restart_only(&old, &new).is_empty());
    }

    #[test]
    fn each_name_is_one_of_the_table() {
        for kept in KEPT {
            let names = table::all_settings().map(|row| format!("[{}] {}", row.section, row.key));
            assert!(
                names.into_iter().any(|name| name == kept.name),
                "{}",
                kept.name
            );
        }
    }
}
