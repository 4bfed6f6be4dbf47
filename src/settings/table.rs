//! The table of settings: each stands in it once, with its names, default, help and reader.
//! Whatever needs to know the settings asks here: the layers, the command line, the ini reader,
//! `print-config`, the table of `docs/commands.md` and the test of the sample file.
//!
//! To add a setting, add its row (and its lines in `assets/app.ini`, which a test asks for).

mod access;
mod data;
mod logs;
mod process;
mod room;
mod serving;
pub(super) mod setting;
mod tls;

use std::fmt::Write;

use crate::flags::{FlagHelp, SettingFlag};

pub(super) use setting::{DefaultContext, SettingRow, SettingSecrecy};

use setting::DefaultValue;

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

/// Returns every setting, section by section.
pub(super) fn all_settings() -> impl Iterator<Item = &'static SettingRow> {
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

pub(super) fn find(section: &str, key: &str) -> Option<&'static SettingRow> {
    all_settings().find(|row| row.section == section && row.key == key)
}

/// Returns a key's name in the table, from its name or another one that it is known by.
pub(super) fn key_name(section: &str, name: &str) -> String {
    match (section, name) {
        // libpq's word.
        ("postgres", "dbname") => "database",
        (_, name) => name,
    }
    .to_owned()
}

/// Returns a section's name in the table, from its name or its older name.
pub(super) fn section_name(name: &str) -> Option<&'static str> {
    let found = SECTIONS
        .into_iter()
        .find(|(now, older, _)| *now == name || *older == Some(name));
    found.map(|(now, _, _)| now)
}

pub(super) fn all_sections() -> impl Iterator<Item = &'static str> {
    SECTIONS.into_iter().map(|(name, _, _)| name)
}

pub(super) fn sections_text() -> String {
    all_sections()
        .map(|name| format!("[{name}]"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The sections that have a key of this name.
pub(super) fn sections_with(key: &str) -> Vec<&'static str> {
    all_settings()
        .filter(|row| row.key == key)
        .map(|row| row.section)
        .collect()
}

pub(super) fn section_keys(section: &str) -> impl Iterator<Item = &'static str> {
    all_settings()
        .filter(move |row| row.section == section)
        .map(|row| row.key)
}

/// Returns the flags of all settings, for the command line.
pub fn all_flags() -> impl Iterator<Item = FlagHelp> {
    all_settings().filter_map(|row| {
        let heading = SECTIONS
            .into_iter()
            .find(|(name, _, _)| *name == row.section)?
            .2;
        let help = match row.default_words() {
            Some(words) => format!("{} [default: {words}]", row.help),
            None => row.help.to_owned(),
        };
        Some(FlagHelp {
            flag: row.flag.as_ref()?,
            heading,
            help,
        })
    })
}

/// Returns the table of settings in `docs/commands.md`, as Markdown.
pub fn readme_table() -> String {
    let mut out = "| Setting | Flag | Default | Meaning |\n|---|---|---|---|\n".to_owned();
    let escape = |text: &str| text.replace('|', "\\|");
    for row in all_settings() {
        let flag = match &row.flag {
            Some(SettingFlag {
                long,
                short: Some(short),
                ..
            }) => format!("`-{short}, --{long}`"),
            Some(SettingFlag { long, .. }) => format!("`--{long}`"),
            None => String::new(),
        };
        let default = match row.default {
            DefaultValue::Unset => String::new(),
            DefaultValue::Text(text) => format!("`{text}`"),
            DefaultValue::Found { words, .. } => words.to_owned(),
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
