//! The origin of a value. `config` carries this beside each value as text; here is the one writer
//! and the one reader of that text.

use std::fmt;
use std::path::Path;

use config::Value;

/// The place where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The place itself.
    pub source: Source,
    /// True where the value is a piece of the URL that stands there.
    pub in_url: bool,
}

/// The places values come from, lowest precedence first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
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

impl From<Source> for Origin {
    fn from(source: Source) -> Self {
        Origin {
            source,
            in_url: false,
        }
    }
}

impl Origin {
    /// Returns the same place, for a piece of the URL that stands there.
    pub(super) fn inside_url(&self) -> Self {
        Origin {
            in_url: true,
            ..self.clone()
        }
    }

    /// Returns the line in the ini file.
    pub fn line(&self) -> Option<usize> {
        match &self.source {
            Source::File { line, .. } => Some(*line),
            _ => None,
        }
    }

    /// Returns the folder that a relative path from here starts at.
    pub(super) fn base<'a>(&self, ini_folder: &'a Path, working: &'a Path) -> &'a Path {
        match self.source {
            Source::File { .. } => ini_folder,
            _ => working,
        }
    }

    /// Returns the text for `config`.
    pub(super) fn encode(&self) -> String {
        let url = if self.in_url { "url" } else { "" };
        match &self.source {
            Source::Default => format!("{url}|default|"),
            Source::File { path, line } => format!("{url}|{line}|{path}"),
            Source::Environment(name) => format!("{url}|environment|{name}"),
            Source::Flag(name) => format!("{url}|flag|{name}"),
        }
    }

    /// Returns the origin of a value that one of our layers made.
    pub(super) fn read(value: &Value) -> Origin {
        let mut parts = value.origin().unwrap_or_default().splitn(3, '|');
        let mut part = || parts.next().unwrap_or_default();
        let (url, kind, name) = (part(), part(), part().to_owned());
        let source = match (kind, kind.parse()) {
            (_, Ok(line)) => Source::File { path: name, line },
            ("environment", _) => Source::Environment(name),
            ("flag", _) => Source::Flag(name),
            _ => Source::Default,
        };
        Origin {
            source,
            in_url: url == "url",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Default => f.write_str("default")?,
            Source::File { path, line } => write!(f, "{path}:{line}")?,
            Source::Environment(name) => write!(f, "environment {name}")?,
            Source::Flag(name) => f.write_str(name)?,
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
            Source::Default,
            Source::File {
                path: "a|b/flag.ini".to_owned(),
                line: 12,
            },
            Source::Environment("UNSLOW_CACHE_TTL".to_owned()),
            Source::Flag("--ttl".to_owned()),
        ] {
            for origin in [
                Origin::from(source.clone()),
                Origin::from(source).inside_url(),
            ] {
                let value = Value::new(Some(&origin.encode()), "x");
                assert_eq!(Origin::read(&value), origin);
            }
        }
    }
}
