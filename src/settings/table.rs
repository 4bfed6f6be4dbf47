//! The table of settings: each stands in it once, with its names, default, help and reader.
//! Whatever needs to know the settings asks here: the layers, the command line, the ini reader,
//! `print-config`, the README's table and the test of the sample file.
//!
//! To add a setting, add its row (and its lines in `assets/app.ini`, which a test asks for).

mod access;
mod data;
mod logs;
mod process;
mod room;
mod serving;
mod tls;

use std::fmt::Write;
use std::path::PathBuf;

use super::draft::Draft;
use super::values::{Fault, Given};
use crate::flags::{Flag, Listed};

/// One setting.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    pub(super) flag: Option<Flag>,
    pub(super) default: Default,
    pub(super) secrecy: Secrecy,
    /// One line, without a full stop, for `--help` and the README.
    pub(super) help: &'static str,
    /// Whether several values of its flag are put on lines, because they may hold commas.
    pub(super) one_a_line: bool,
    /// Turns the text into the value, and puts that where it belongs.
    pub(super) read: fn(&mut Draft, Given<'_>) -> Result<(), Fault>,
}

/// What a setting is when nobody says.
#[derive(Debug, Clone, Copy)]
pub(super) enum Default {
    /// Nothing: what it is for is off. An empty text then means "nothing" too.
    Unset,
    /// This text.
    Text(&'static str),
    /// Found out on this machine.
    Found {
        /// How it is found, for help.
        words: &'static str,
        /// The text; `None` as with [`Default::Unset`].
        find: fn(&Ground) -> Option<String>,
    },
}

/// What a default may be found from.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    /// The folder of the ini file, where one is used.
    pub(super) ini_folder: Option<PathBuf>,
    /// The working directory, where it counts.
    pub(super) working_folder: Option<PathBuf>,
}

/// Who may see a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// Everybody.
    Open,
    /// It is a URL that may hold a password.
    Url,
    /// It is variables, whose names are for everybody and whose values for nobody.
    Values,
    /// Nobody.
    Secret,
}

/// A row without flag and default, to be completed by the functions below.
const fn setting(
    section: &'static str,
    key: &'static str,
    help: &'static str,
    read: fn(&mut Draft, Given<'_>) -> Result<(), Fault>,
) -> Setting {
    let (flag, default, secrecy) = (None, Default::Unset, Secrecy::Open);
    Setting {
        section,
        key,
        flag,
        default,
        secrecy,
        help,
        one_a_line: false,
        read,
    }
}

impl Setting {
    const fn or(mut self, text: &'static str) -> Self {
        self.default = Default::Text(text);
        self
    }

    const fn or_found(mut self, words: &'static str, find: fn(&Ground) -> Option<String>) -> Self {
        self.default = Default::Found { words, find };
        self
    }

    const fn flag(mut self, long: &'static str, value: &'static str) -> Self {
        self.flag = Some(Flag {
            long,
            short: None,
            value,
            aliases: &[],
            repeatable: false,
        });
        self
    }

    const fn full_flag(mut self, flag: Flag) -> Self {
        self.flag = Some(flag);
        self
    }

    const fn secrecy(mut self, secrecy: Secrecy) -> Self {
        self.secrecy = secrecy;
        self
    }

    const fn one_a_line(mut self) -> Self {
        self.one_a_line = true;
        self
    }

    /// The text of several values of its flag.
    pub(super) fn joined(&self, values: &[String]) -> String {
        if !self.one_a_line {
            return values.join(",");
        }
        let mut lines = values.join("\n");
        if lines.contains(',') {
            lines.push('\n');
        }
        lines
    }

    /// `UNSLOW_SECTION_KEY`
    pub(super) fn environment(&self) -> String {
        format!("UNSLOW_{}_{}", self.section, self.key).to_ascii_uppercase()
    }

    /// `[section] key`
    pub(super) fn name(&self) -> String {
        format!("[{}] {}", self.section, self.key)
    }

    /// The default as it is written in help, `None` for nothing.
    fn default_words(&self) -> Option<&'static str> {
        match self.default {
            Default::Unset => None,
            Default::Text(text) => Some(text),
            Default::Found { words, .. } => Some(words),
        }
    }

    /// The default's text on this machine.
    pub(super) fn default_text(&self, ground: &Ground) -> Option<String> {
        match self.default {
            Default::Unset => None,
            Default::Text(text) => Some(text.to_owned()),
            Default::Found { find, .. } => find(ground),
        }
    }
}

/// Assigns what was read, where it could be.
fn set<T>(place: &mut T, value: Result<T, Fault>) -> Result<(), Fault> {
    *place = value?;
    Ok(())
}

/// As [`set`], for what may be absent.
fn put<T>(place: &mut Option<T>, value: Result<T, Fault>) -> Result<(), Fault> {
    set(place, value.map(Some))
}

/// Each section: its name, an older name of it, and its heading in the help.
const SECTIONS: [(&str, Option<&str>, &str); 12] = [
    ("server", None, "Server"),
    ("tls", None, "Server"),
    ("postgres", Some("postgresql"), "Database"),
    ("database", None, "Database"),
    ("redis", None, "Cache"),
    ("cache", None, "Cache"),
    ("queries", None, "Queries"),
    ("log", None, "Logs"),
    ("admin", None, "Who may"),
    ("stats", None, "Who may"),
    ("access", None, "Who may"),
    ("demo", None, "Demo"),
];

/// Every setting, section by section.
pub(super) fn all() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.into_iter().flat_map(|(name, _, _)| {
        data::ROWS
            .iter()
            .chain(&serving::ROWS)
            .chain(&access::ROWS)
            .chain(&process::ROWS)
            .chain(&tls::ROWS)
            .chain(&logs::ROWS)
            .filter(move |row| row.section == name)
    })
}

pub(super) fn find(section: &str, key: &str) -> Option<&'static Setting> {
    all().find(|row| row.section == section && row.key == key)
}

/// A key's name in the table, from its name or another one that it is known by.
pub(super) fn key(section: &str, name: &str) -> String {
    match (section, name) {
        // libpq's word.
        ("postgres", "dbname") => "database",
        (_, name) => name,
    }
    .to_owned()
}

/// A section's name in the table, from its name or its older name.
pub(super) fn section(name: &str) -> Option<&'static str> {
    let found = SECTIONS
        .into_iter()
        .find(|(now, older, _)| *now == name || *older == Some(name));
    found.map(|(now, _, _)| now)
}

pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    SECTIONS.into_iter().map(|(name, _, _)| name)
}

pub(super) fn sections_text() -> String {
    sections()
        .map(|name| format!("[{name}]"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The sections that have a key of this name.
pub(super) fn sections_with(key: &str) -> Vec<&'static str> {
    all()
        .filter(|row| row.key == key)
        .map(|row| row.section)
        .collect()
}

pub(super) fn keys(section: &str) -> impl Iterator<Item = &'static str> {
    all()
        .filter(move |row| row.section == section)
        .map(|row| row.key)
}

/// The flags of all settings, for the command line.
pub fn flags() -> impl Iterator<Item = Listed> {
    all().filter_map(|row| {
        let heading = SECTIONS
            .into_iter()
            .find(|(name, _, _)| *name == row.section)?
            .2;
        let help = match row.default_words() {
            Some(words) => format!("{} [default: {words}]", row.help),
            None => row.help.to_owned(),
        };
        Some(Listed {
            flag: row.flag.as_ref()?,
            heading,
            help,
        })
    })
}

/// The README's table of settings, as Markdown.
pub fn readme_table() -> String {
    let mut out = "| Setting | Flag | Default | Meaning |\n|---|---|---|---|\n".to_owned();
    let escape = |text: &str| text.replace('|', "\\|");
    for row in all() {
        let flag = match &row.flag {
            Some(Flag {
                long,
                short: Some(short),
                ..
            }) => format!("`-{short}, --{long}`"),
            Some(Flag { long, .. }) => format!("`--{long}`"),
            None => String::new(),
        };
        let default = match row.default {
            Default::Unset => String::new(),
            Default::Text(text) => format!("`{text}`"),
            Default::Found { words, .. } => words.to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| `{}` | {flag} | {} | {} |",
            row.name(),
            escape(&default),
            escape(row.help)
        );
    }
    out
}

#[cfg(test)]
mod tests;
