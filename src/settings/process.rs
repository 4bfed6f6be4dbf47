//! The settings of the process itself: who it runs as, where it notes that it runs, and what the
//! files that it makes look like. Here is how their texts are read; what is done with them belongs
//! to `daemon`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::raw_value::{RawValue, ReadResult, ValueError};

/// The part of `[server]` that concerns the process. A change takes effect at a restart.
#[derive(Debug, Clone)]
pub struct ProcessSettings {
    /// `[server] pidfile`, absolute. `None`: in the foreground there is none, detached the daemon
    /// has its default.
    pub pidfile: Option<PathBuf>,
    /// The user to become once everything is bound and read: a name or a number.
    pub user: Option<String>,
    /// The group to become; without it the user's own.
    pub group: Option<String>,
    /// The bits that new files do not get.
    pub umask: u32,
    /// The working directory to change to; an absolute path that existed at the start.
    pub chdir: Option<PathBuf>,
    /// The variables that are put into the environment, in this order. None is one of our own.
    pub env: Vec<(String, String)>,
    /// The permissions of unix sockets that are listened on.
    pub socket_mode: u32,
    /// The group that those sockets get: a name or a number.
    pub socket_group: Option<String>,
    /// The time for which a start or an upgrade may take until it serves; never zero.
    pub start_timeout: Duration,
}

impl ProcessSettings {
    pub(super) fn without_values() -> ProcessSettings {
        ProcessSettings {
            pidfile: None,
            user: None,
            group: None,
            umask: 0,
            chdir: None,
            env: Vec::new(),
            socket_mode: 0,
            socket_group: None,
            start_timeout: Duration::ZERO,
        }
    }
}

/// Permissions, always octal, with or without zeros before it.
pub(super) fn read_mode(given: RawValue<'_>) -> ReadResult<u32> {
    let digits = given.text.strip_prefix("0o").unwrap_or(given.text);
    let octal = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    u32::from_str_radix(digits, 8)
        .ok()
        .filter(|mode| octal && *mode <= 0o777)
        .ok_or_else(|| ValueError::new("is no octal mode", "write three octal digits, such as 027"))
}

/// Returns the name or number of a user or group; whether there is one is asked when it is needed.
pub(super) fn read_account(given: RawValue<'_>) -> ReadResult<String> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || ":,/".contains(c);
    if given.text.is_empty() || given.text.contains(bad) {
        return Err(ValueError::new(
            "is not the name of a user or group",
            "write one name or number; the group has a setting of its own",
        ));
    }
    Ok(given.text.to_owned())
}

/// The variables that other programs have for their settings; here each is a setting, so that it
/// has one place.
const SETTINGS_OF_OURS: [&str; 4] = ["DATABASE_URL", "REDIS_URL", "PORT", "DEBUG"];

/// `NAME=VALUE` pairs: one on each line where there are lines, else with commas between them. A
/// comma that no `NAME=` follows is part of the value.
pub(super) fn read_pairs(given: RawValue<'_>) -> ReadResult<Vec<(String, String)>> {
    if given.text.contains('\n') {
        return given
            .text
            .split('\n')
            .filter(|l| !l.is_empty())
            .map(read_pair)
            .collect();
    }
    let mut texts: Vec<String> = Vec::new();
    for part in given.text.split(',') {
        let starts = part
            .trim_start()
            .split_once('=')
            .is_some_and(|(name, _)| is_name(name));
        match texts.last_mut() {
            Some(last) if !starts => {
                last.push(',');
                last.push_str(part);
            }
            _ => texts.push(part.trim_start().to_owned()),
        }
    }
    texts
        .iter()
        .filter(|text| !text.is_empty())
        .map(|text| read_pair(text))
        .collect()
}

fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.chars().all(letter) && text.starts_with(|c: char| !c.is_ascii_digit())
}

/// Returns the variables of a text that was taken, without their values.
pub(super) fn without_values(text: &str) -> String {
    let pairs = read_pairs(RawValue {
        text,
        base: Path::new(""),
    });
    let names = pairs.unwrap_or_default().into_iter();
    let names: Vec<_> = names.map(|(name, _)| format!("{name}=***")).collect();
    names.join(",")
}

fn read_pair(text: &str) -> ReadResult<(String, String)> {
    let form = "write NAME=VALUE, with commas between several";
    let Some((name, value)) = text.split_once('=').filter(|(name, _)| is_name(name)) else {
        return Err(ValueError::new("is not a variable with its value", form));
    };
    if value.contains('\0') {
        return Err(ValueError::new(
            "has a value that no variable can hold",
            "leave the zero byte out",
        ));
    }
    if name.starts_with("UNSLOW_") || SETTINGS_OF_OURS.contains(&name) {
        let remedy = "set it in the environment of whoever starts unslow, or use the setting";
        return Err(ValueError::new(
            format!("sets {name}, which is read before this is"),
            remedy,
        ));
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::settings::raw_value::given;

    #[test]
    fn a_mode_is_octal_however_it_is_written() {
        for (text, read) in [
            ("027", 0o27),
            ("27", 0o27),
            ("0660", 0o660),
            ("0o22", 0o22),
            ("0", 0),
        ] {
            assert_eq!(read_mode(given(text)).unwrap(), read, "{text}");
        }
        for text in ["", "8", "1777", "00027", "+27", "-1", "rw", "0x1"] {
            assert!(read_mode(given(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn users_and_groups_are_one_word() {
        for text in ["www-data", "1000", "DOM\\user", "user@host"] {
            assert_eq!(read_account(given(text)).unwrap(), text);
        }
        for text in ["", "www-data:www-data", "a b", "a,b"] {
            assert!(read_account(given(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn variables_keep_their_values_with_commas() {
        let read = |text| {
            let pairs = read_pairs(given(text)).unwrap();
            let texts: Vec<String> = pairs.iter().map(|(n, v)| format!("{n}:{v}")).collect();
            texts.join(" ")
        };
        assert_eq!(read("A=1"), "A:1");
        assert_eq!(read("A=1, B=2=3,C="), "A:1 B:2=3 C:");
        assert_eq!(read("A=1,2,3,B=x"), "A:1,2,3 B:x");
        assert_eq!(read("A=1,B=2\n"), "A:1,B=2");
        assert_eq!(read("A=1\nB=,C=\n"), "A:1 B:,C=");
        for text in ["A", "=1", "1A=x", "A B=1", ",A", "A=\0"] {
            assert!(read_pairs(given(text)).is_err(), "{text}");
        }
        assert!(read_pairs(given("")).unwrap().is_empty());
    }

    #[test]
    fn what_is_a_setting_is_not_also_a_variable() {
        for text in [
            "DATABASE_URL=postgres://u:hunter2@h/d",
            "UNSLOW_CACHE_TTL=1s",
        ] {
            let fault = read_pairs(given(text)).unwrap_err();
            assert!(fault.why.contains(text.split('=').next().unwrap()));
            assert!(!fault.sentence().contains("hunter2"));
        }
    }
}
