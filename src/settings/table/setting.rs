//! One row of the table of settings, and the words in which rows are written.

use std::path::PathBuf;

use super::super::draft::SettingsBuilder;
use super::super::raw_value::{RawValue, ValueError};
use crate::flags::SettingFlag;

/// One setting.
#[derive(Debug)]
pub(in crate::settings) struct SettingRow {
    pub(in crate::settings) section: &'static str,
    pub(in crate::settings) key: &'static str,
    pub(in crate::settings) flag: Option<SettingFlag>,
    pub(in crate::settings) default: DefaultValue,
    pub(in crate::settings) secrecy: SettingSecrecy,
    /// One line, without a full stop, for `--help` and `docs/commands.md`.
    pub(in crate::settings) help: &'static str,
    /// True where several values of its flag are put on lines, because they may hold commas.
    pub(in crate::settings) one_a_line: bool,
    /// Turns the text into the value, and puts that where it belongs.
    pub(in crate::settings) read: fn(&mut SettingsBuilder, RawValue<'_>) -> Result<(), ValueError>,
}

/// The value of a setting when nobody sets it.
#[derive(Debug, Clone, Copy)]
pub(in crate::settings) enum DefaultValue {
    /// Nothing: what it is for is off. An empty text then means "nothing" too.
    Unset,
    /// This text.
    Text(&'static str),
    /// Found out on this machine.
    Found {
        /// The way in which it is found, for help.
        words: &'static str,
        /// The text; `None` as with [`DefaultValue::Unset`].
        find: fn(&DefaultContext) -> Option<String>,
    },
}

/// The facts that a default may be found from.
#[derive(Debug, Clone)]
pub(in crate::settings) struct DefaultContext {
    /// The folder of the ini file, where one is used.
    pub(in crate::settings) ini_folder: Option<PathBuf>,
    /// The working directory, where it counts.
    pub(in crate::settings) working_folder: Option<PathBuf>,
}

/// The readers that may see a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::settings) enum SettingSecrecy {
    /// Everybody.
    Open,
    /// It is a URL that may hold a password.
    Url,
    /// It is variables, whose names are for everybody and whose values for nobody.
    Values,
    /// Nobody.
    Secret,
}

/// Returns a row without flag and default, to be completed by the functions below.
pub(in crate::settings) const fn new_row(
    section: &'static str,
    key: &'static str,
    help: &'static str,
    read: fn(&mut SettingsBuilder, RawValue<'_>) -> Result<(), ValueError>,
) -> SettingRow {
    let (flag, default, secrecy) = (None, DefaultValue::Unset, SettingSecrecy::Open);
    SettingRow {
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

impl SettingRow {
    pub(in crate::settings) const fn or_default(mut self, text: &'static str) -> Self {
        self.default = DefaultValue::Text(text);
        self
    }

    pub(in crate::settings) const fn or_found(
        mut self,
        words: &'static str,
        find: fn(&DefaultContext) -> Option<String>,
    ) -> Self {
        self.default = DefaultValue::Found { words, find };
        self
    }

    pub(in crate::settings) const fn with_flag(
        mut self,
        long: &'static str,
        value: &'static str,
    ) -> Self {
        self.flag = Some(SettingFlag {
            long,
            short: None,
            value,
            aliases: &[],
            repeatable: false,
        });
        self
    }

    pub(in crate::settings) const fn full_flag(mut self, flag: SettingFlag) -> Self {
        self.flag = Some(flag);
        self
    }

    pub(in crate::settings) const fn with_secrecy(mut self, secrecy: SettingSecrecy) -> Self {
        self.secrecy = secrecy;
        self
    }

    pub(in crate::settings) const fn one_a_line(mut self) -> Self {
        self.one_a_line = true;
        self
    }

    /// Returns the text of several values of its flag.
    pub(in crate::settings) fn join_values(&self, values: &[String]) -> String {
        if !self.one_a_line {
            return values.join(",");
        }
        let mut lines = values.join("\n");
        if lines.contains(',') {
            lines.push('\n');
        }
        lines
    }

    /// Writes `UNSLOW_SECTION_KEY`
    pub(in crate::settings) fn variable_name(&self) -> String {
        format!("UNSLOW_{}_{}", self.section, self.key).to_ascii_uppercase()
    }

    /// Writes `[section] key`
    pub(in crate::settings) fn name(&self) -> String {
        format!("[{}] {}", self.section, self.key)
    }

    /// The default as it is written in help, `None` for nothing.
    pub(in crate::settings) fn default_words(&self) -> Option<&'static str> {
        match self.default {
            DefaultValue::Unset => None,
            DefaultValue::Text(text) => Some(text),
            DefaultValue::Found { words, .. } => Some(words),
        }
    }

    /// Returns the default's text on this machine.
    pub(in crate::settings) fn default_text(&self, ground: &DefaultContext) -> Option<String> {
        match self.default {
            DefaultValue::Unset => None,
            DefaultValue::Text(text) => Some(text.to_owned()),
            DefaultValue::Found { find, .. } => find(ground),
        }
    }
}

/// Assigns what was read, where it could be.
pub(in crate::settings) fn set<T>(
    place: &mut T,
    value: Result<T, ValueError>,
) -> Result<(), ValueError> {
    *place = value?;
    Ok(())
}

/// Assigns, as [`set`] does, a value that may be absent.
pub(in crate::settings) fn assign_option<T>(
    place: &mut Option<T>,
    value: Result<T, ValueError>,
) -> Result<(), ValueError> {
    set(place, value.map(Some))
}
