//! The origin of a value. `config` carries this beside each value as text; here is the one writer
//! and the one reader of that text.

use std::fmt;
use std::path::Path;

use config::Value;

/// The place where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingOrigin {
    /// The place itself.
    pub source: SettingSource,
    /// True where the value is a piece of the URL that stands there.
    pub in_url: bool,
}

/// The places values come from, lowest precedence first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingSource {
    /// Nobody said otherwise.
    Default,
    /// A line of the ini file.
    File {
        /// The path as it was named.
        path: String,
        /// Counted from one.
        line: usize,
    },
    /// An environment variable of this name.
    Environment(String),
    /// A flag, with its dashes.
    Flag(String),
}

impl From<SettingSource> for SettingOrigin {
    fn from(source: SettingSource) -> Self {
        SettingOrigin {
            source,
            in_url: false,
        }
    }
}

impl SettingOrigin {
    /// Returns the same place, for a piece of the URL that stands there.
    pub(super) fn inside_url(&self) -> Self {
        SettingOrigin {
            in_url: true,
            ..self.clone()
        }
    }

    /// Returns the line in the ini file.
    pub fn line(&self) -> Option<usize> {
        match &self.source {
            SettingSource::File { line, .. } => Some(*line),
            _ => None,
        }
    }

    /// Returns the folder that a relative path from here starts at.
    pub(super) fn base_folder<'a>(&self, ini_folder: &'a Path, working: &'a Path) -> &'a Path {
        match self.source {
            SettingSource::File { .. } => ini_folder,
            _ => working,
        }
    }

    /// Returns the text for `config`.
    pub(super) fn encode(&self) -> String {
        let url = if self.in_url { "url" } else { "" };
        match &self.source {
            SettingSource::Default => format!("{url}|default|"),
            SettingSource::File { path, line } => format!("{url}|{line}|{path}"),
            SettingSource::Environment(name) => format!("{url}|environment|{name}"),
            SettingSource::Flag(name) => format!("{url}|flag|{name}"),
        }
    }

    /// Returns the origin of a value that one of our layers made.
    pub(super) fn read(value: &Value) -> SettingOrigin {
        let mut parts = value.origin().unwrap_or_default().splitn(3, '|');
        let mut part = || parts.next().unwrap_or_default();
        let (url, kind, name) = (part(), part(), part().to_owned());
        let source = match (kind, kind.parse()) {
            (_, Ok(line)) => SettingSource::File { path: name, line },
            ("environment", _) => SettingSource::Environment(name),
            ("flag", _) => SettingSource::Flag(name),
            _ => SettingSource::Default,
        };
        SettingOrigin {
            source,
            in_url: url == "url",
        }
    }
}

impl fmt::Display for SettingOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            SettingSource::Default => f.write_str("default")?,
            SettingSource::File { path, line } => write!(f, "{path}:{line}")?,
            SettingSource::Environment(name) => write!(f, "environment {name}")?,
            SettingSource::Flag(name) => f.write_str(name)?,
        }
        if self.in_url {
            f.write_str(" (url)")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_survives_its_way_through_config() {
        for source in [
            SettingSource::Default,
            SettingSource::File {
                path: "a|b/flag.ini".to_owned(),
                line: 12,
            },
            SettingSource::Environment("UNSLOW_CACHE_TTL".to_owned()),
            SettingSource::Flag("--ttl".to_owned()),
        ] {
            for origin in [
                SettingOrigin::from(source.clone()),
                SettingOrigin::from(source).inside_url(),
            ] {
                let value = Value::new(Some(&origin.encode()), "x");
                assert_eq!(SettingOrigin::read(&value), origin);
            }
        }
    }
}
