//! The ini file, read as Python's `configparser` reads it without interpolation: a value is what
//! stands after the first `=` or `:`, without the space around it, and nothing in it is special.
//! This file knows lines, sections and keys; what a value means is not known here.
//!
//! rust-ini takes each line apart. It gets one line at a time, because over a whole file it has
//! ways of its own: a backslash at the end of a line joins it with the next, an indented comment
//! is taken for a key, and its positions are lost. So which line is what is decided here.

use std::collections::HashMap;
use std::error::Error;

use config::{FileStoredFormat, Format, Map, Value, ValueKind};
use ini::{Ini, ParseOption};

use super::origin::{SettingOrigin, SettingSource};
use super::table;
use crate::error::StartupError;
use crate::text::words::{mask_passwords, nearest_word};

/// The format of the settings file; `path` is how the file is named in messages.
#[derive(Debug, Clone)]
pub(super) struct IniFormat {
    pub(super) path: String,
}

impl FileStoredFormat for IniFormat {
    fn file_extensions(&self) -> &'static [&'static str] {
        &["ini"]
    }
}

impl Format for IniFormat {
    fn parse(
        &self,
        _uri: Option<&String>,
        text: &str,
    ) -> Result<Map<String, Value>, Box<dyn Error + Send + Sync>> {
        IniReader {
            path: &self.path,
            sections: HashMap::new(),
            out: Map::new(),
        }
        .read(text)
        .map_err(Into::into)
    }
}

/// The section and the names that are known while the lines go by.
struct IniReader<'a> {
    path: &'a str,
    /// The line each section began at, by its name in the table, with its name in the file.
    sections: HashMap<&'static str, (String, usize)>,
    out: Map<String, Value>,
}

/// A setting that was read, for what may follow it.
struct PreviousKey {
    key: String,
    indent: usize,
}

impl IniReader<'_> {
    fn read(mut self, text: &str) -> Result<Map<String, Value>, StartupError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut section: Option<&'static str> = None;
        let mut previous: Option<PreviousKey> = None;
        for (index, line) in text.split('\n').enumerate() {
            let number = index + 1;
            let line = line.strip_suffix('\r').unwrap_or(line);
            let content = line.trim();
            if content.is_empty() || content.starts_with(['#', ';']) {
                continue;
            }
            if content.contains(|c: char| c.is_control() && c != '\t') {
                let what = "a control character stands in this line";
                return Err(self.ini_fault(number, what, "remove it"));
            }
            let indent = line.len() - line.trim_start().len();
            if let Some(before) = previous.as_ref().filter(|before| indent > before.indent) {
                let what = format!(
                    "an indented line would go on with the value of {:?}",
                    before.key
                );
                let remedy = "a value stands on one line here; start the line at the margin";
                return Err(self.ini_fault(number, what, remedy));
            }
            if content.starts_with('[') {
                section = Some(self.read_section(number, content)?);
                previous = None;
            } else {
                let key = self.read_setting(number, section, content)?;
                previous = Some(PreviousKey { key, indent });
            }
        }
        Ok(self.out)
    }

    /// Takes note of a `[section]` line and gives its name in the table.
    fn read_section(&mut self, number: usize, content: &str) -> Result<&'static str, StartupError> {
        // Python takes everything up to the last bracket and drops what follows it.
        let name = match content.rfind(']') {
            Some(end) => content[1..end].trim(),
            None => {
                return Err(self.ini_fault(
                    number,
                    "a section has no closing ]",
                    "write [section]",
                ));
            }
        };
        let Some(known) = table::section_name(name) else {
            let remedy = match nearest_word(name, table::all_sections()) {
                Some(near) => format!("did you mean [{near}]?"),
                None => format!("the sections are {}", table::sections_text()),
            };
            return Err(self.ini_fault(number, format!("there is no section [{name}]"), remedy));
        };
        if let Some((other, line)) = self.sections.get(known) {
            let (what, remedy) = if other == name {
                (
                    format!("section [{name}] is there already, at line {line}"),
                    "join the two",
                )
            } else {
                let what = format!("[{name}] is the same section as [{other}] at line {line}");
                (what, "keep one of the two")
            };
            return Err(self.ini_fault(number, what, remedy));
        }
        self.sections.insert(known, (name.to_owned(), number));
        self.out.insert(
            known.to_owned(),
            Value::new(None, Map::<String, Value>::new()),
        );
        Ok(known)
    }

    /// Takes note of a `key=value` line and gives the key.
    fn read_setting(
        &mut self,
        number: usize,
        section: Option<&'static str>,
        content: &str,
    ) -> Result<String, StartupError> {
        let Some((written, value)) = split_line(content) else {
            let what = "this line is neither a section nor a setting";
            return Err(self.ini_fault(number, what, "write key = value, or # before a comment"));
        };
        let key = section.map_or_else(|| written.clone(), |of| table::key_name(of, &written));
        let Some(section) = section else {
            let remedy = match table::sections_with(&key).as_slice() {
                [] => format!("the sections are {}", table::sections_text()),
                owners => format!("put it below [{}]", owners.join("] or [")),
            };
            return Err(self.ini_fault(
                number,
                format!("{:?} stands before any section", mask_passwords(&key)),
                remedy,
            ));
        };
        if table::find(section, &key).is_none() {
            return Err(self.unknown_key(number, section, &key));
        }
        let Some(ValueKind::Table(keys)) = self.out.get_mut(section).map(|value| &mut value.kind)
        else {
            unreachable!("a section is put there when its line is read");
        };
        let origin = SettingOrigin::from(SettingSource::File {
            path: self.path.to_owned(),
            line: number,
        });
        let value = Value::new(Some(&origin.encode()), value);
        if let Some(first) = keys.insert(key.clone(), value) {
            let line = SettingOrigin::read(&first).line().unwrap_or_default();
            let what = format!(
                "{:?} is there already, at line {line}",
                mask_passwords(&key)
            );
            return Err(self.ini_fault(number, what, "keep one of the two"));
        }
        Ok(key)
    }

    fn unknown_key(&self, number: usize, section: &str, key: &str) -> StartupError {
        let remedy = match (
            nearest_word(key, table::section_keys(section)),
            table::sections_with(key),
        ) {
            (_, owners) if !owners.is_empty() => {
                format!("it belongs in [{}]", owners.join("] or ["))
            }
            (Some(near), _) => format!("did you mean {near}?"),
            (None, _) => {
                let keys: Vec<_> = table::section_keys(section).collect();
                format!("its keys are {}", keys.join(", "))
            }
        };
        self.ini_fault(
            number,
            format!("[{section}] has no key {:?}", mask_passwords(key)),
            remedy,
        )
    }

    fn ini_fault(
        &self,
        number: usize,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> StartupError {
        StartupError::new(what)
            .at_place(format!("{}:{number}", self.path))
            .with_remedy(remedy)
    }
}

/// Key and value of one line; keys are the same in any case, as in Python.
fn split_line(content: &str) -> Option<(String, String)> {
    let options = ParseOption {
        enabled_quote: false,
        enabled_escape: false,
        ..ParseOption::default()
    };
    // The space keeps a backslash at the end from being taken for a joint with the next line; it
    // is trimmed with the rest.
    let ini = Ini::load_from_str_opt(&format!("{content} "), options).ok()?;
    let (key, value) = ini.general_section().iter().next()?;
    Some((key.to_lowercase(), value.to_owned()))
}

#[cfg(test)]
mod tests;
