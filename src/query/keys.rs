//! The keys of a query file's header and the values that each takes. Which comments are header
//! lines is decided in `header` and `comments`.

use std::time::Duration;

use super::declaration;
use super::fault::QueryFileError;
use super::kind::DatabaseKind;
use super::params::Param;
use super::policy::{QueryAccess, QueryPolicy};
use crate::text::units::{LONGEST_DURATION, parse_duration};
use crate::text::words::{did_you_mean, nearest_word, quote_value};

/// All keys of a header.
pub(super) const KEYS: [&str; 16] = [
    "title",
    "description",
    "ttl",
    "stale-while-revalidate",
    "stale-if-error",
    "timeout",
    "max-rows",
    "concurrency",
    "param",
    "notify",
    "warm",
    "refresh",
    "cache",
    "database",
    "access",
    "show-params",
];

/// PostgreSQL holds a timeout in 32 bits of milliseconds.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(24 * 24);
/// More often, a query had better not be cached.
const SHORTEST_REFRESH: Duration = Duration::from_secs(1);
const MOST_ROWS: u64 = 1_000_000_000;
const MOST_LOADS: u64 = 10_000;
const TAG_LENGTH: usize = 63;

/// The content of a header, and the place where the SQL begins.
#[derive(Debug, Default)]
pub(super) struct QueryHeader {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) policy: QueryPolicy,
    /// Each with its line.
    pub(super) params: Vec<(usize, Param)>,
    pub(super) database: Option<DatabaseKind>,
    pub(super) access: QueryAccess,
    /// The line of `access`.
    pub(super) access_line: usize,
    /// The line of `notify`.
    pub(super) notify_line: Option<usize>,
    /// Keys that have it loaded without being asked for, each with its line.
    pub(super) unasked: Vec<(usize, &'static str)>,
    /// Lines of block comments, `key: value`, that have no effect there.
    pub(super) ignored: Vec<(usize, String)>,
    /// The byte where the SQL begins.
    pub(super) body: usize,
    /// The line of that byte.
    pub(super) body_line: usize,
}

/// Returns whether this is a value of that key beyond doubt: a text of its own is anything.
pub(super) fn is_fitting(key: &str, value: &str) -> bool {
    match key {
        "title" | "description" => false,
        "notify" => !value.is_empty() && !value.contains(char::is_whitespace),
        // Any word may be a type of the database.
        "param" => declaration::parse(1, value)
            .is_ok_and(|param| param.kind.element_type().known_name().is_some()),
        key => QueryHeader::default()
            .set(1, key, &value.to_lowercase())
            .is_ok(),
    }
}

impl QueryHeader {
    pub(super) fn set(
        &mut self,
        line: usize,
        key: &str,
        value: &str,
    ) -> Result<(), QueryFileError> {
        let entry = HeaderEntry { line, key, value };
        let policy = &mut self.policy;
        match key {
            "title" => self.title = Some(value.to_owned()),
            "description" => self.description = Some(value.to_owned()),
            "ttl" => policy.ttl = Some(entry.positive_duration(LONGEST_DURATION)?),
            "stale-while-revalidate" => {
                policy.stale_while_revalidate = Some(entry.read_duration(LONGEST_DURATION)?);
            }
            "stale-if-error" => {
                policy.stale_if_error = Some(entry.read_duration(LONGEST_DURATION)?);
            }
            "timeout" => policy.timeout = Some(entry.positive_duration(LONGEST_TIMEOUT)?),
            "max-rows" => policy.max_rows = Some(entry.read_number(MOST_ROWS)?),
            "concurrency" => policy.concurrency = Some(entry.read_number(MOST_LOADS)?),
            "param" => self.declare_param(line, value)?,
            "notify" => {
                policy.notify = entry.read_tags()?;
                self.notify_line = Some(line);
            }
            "warm" => {
                policy.warm = entry.read_switch()?;
                self.unasked.extend(policy.warm.then_some((line, "warm")));
            }
            "refresh" => {
                policy.refresh = Some(entry.read_refresh()?);
                self.unasked.push((line, "refresh"));
            }
            "cache" => policy.cached = entry.read_choice(&[("on", true), ("off", false)])?,
            "database" => {
                let kinds = [DatabaseKind::Postgres, DatabaseKind::Sqlite];
                self.database = Some(entry.read_choice(&kinds.map(|kind| (kind.name(), kind)))?);
            }
            "access" => {
                self.access = entry
                    .read_choice(&[("open", QueryAccess::Open), ("token", QueryAccess::Token)])?;
                self.access_line = line;
            }
            "show-params" => policy.show_params = entry.read_switch()?,
            _ => {
                return Err(entry.entry_fault("is not handled", "report this as a fault of unslow"));
            }
        }
        Ok(())
    }

    fn declare_param(&mut self, line: usize, value: &str) -> Result<(), QueryFileError> {
        let param = declaration::parse(line, value)?;
        if let Some((first, _)) = self
            .params
            .iter()
            .find(|(_, known)| known.name == param.name)
        {
            return Err(QueryFileError::new(
                line,
                format!(
                    "parameter `{}` is declared twice, first on line {first}",
                    param.name
                ),
                "remove or rename one of the two",
            ));
        }
        self.params.push((line, param));
        Ok(())
    }
}

/// One line of the header, while its value is read.
struct HeaderEntry<'a> {
    line: usize,
    key: &'a str,
    value: &'a str,
}

impl HeaderEntry<'_> {
    fn entry_fault(&self, problem: &str, remedy: &str) -> QueryFileError {
        QueryFileError::new(self.line, format!("`{}` {problem}", self.key), remedy)
    }

    fn read_duration(&self, longest: Duration) -> Result<Duration, QueryFileError> {
        let duration = parse_duration(self.value).map_err(|reason| {
            let problem = format!("is no duration, {}: {reason}", quote_value(self.value));
            self.entry_fault(&problem, "write it like 500ms, 10s, 5m, 2h, 1d or 1m30s")
        })?;
        if duration > longest {
            let days = longest.as_secs() / (24 * 60 * 60);
            return Err(self.entry_fault("is too long", &format!("the longest is {days}d")));
        }
        Ok(duration)
    }

    fn positive_duration(&self, longest: Duration) -> Result<Duration, QueryFileError> {
        let duration = self.read_duration(longest)?;
        if !duration.is_zero() {
            return Ok(duration);
        }
        Err(match self.key {
            "ttl" => self.entry_fault(
                "is 0: every answer would be stale at once, and loaded again",
                "write a small one, like 1s, or `cache: off` to load each time",
            ),
            _ => self.entry_fault("is 0", "write a longer one, or remove the line"),
        })
    }

    fn read_refresh(&self) -> Result<Duration, QueryFileError> {
        let interval = self.positive_duration(LONGEST_DURATION)?;
        if interval < SHORTEST_REFRESH {
            return Err(self.entry_fault("is shorter than 1s", "write 1s or longer"));
        }
        Ok(interval)
    }

    fn read_number(&self, most: u64) -> Result<u64, QueryFileError> {
        let digits = self.value.bytes().all(|b| b.is_ascii_digit());
        let number = self
            .value
            .parse()
            .ok()
            .filter(|n| digits && (1..=most).contains(n));
        number.ok_or_else(|| {
            let problem = format!(
                "is {}, not a number from 1 to {most}",
                quote_value(self.value)
            );
            self.entry_fault(&problem, "write a whole number without unit or separators")
        })
    }

    fn read_switch(&self) -> Result<bool, QueryFileError> {
        self.read_choice(&[("true", true), ("false", false)])
    }

    fn read_choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, QueryFileError> {
        let found = choices.iter().find(|(name, _)| *name == self.value);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let guess = did_you_mean(nearest_word(self.value, names.iter().copied()));
            let problem = format!("cannot be {}{guess}", quote_value(self.value));
            self.entry_fault(&problem, &format!("it is {}", names.join(" or ")))
        })
    }

    fn read_tags(&self) -> Result<Vec<String>, QueryFileError> {
        let mut tags: Vec<String> = Vec::new();
        for tag in self.value.split(',').map(str::trim) {
            let fits = (1..=TAG_LENGTH).contains(&tag.len())
                && tag
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
            if !fits {
                return Err(self.entry_fault(
                    &format!("holds {}, which is no tag", quote_value(tag)),
                    "separate tags by commas; a tag is up to 63 letters, digits, _, - and .",
                ));
            }
            if tags.iter().any(|known| known == tag) {
                let problem = format!("holds the tag {} twice", quote_value(tag));
                return Err(self.entry_fault(&problem, "remove one of the two"));
            }
            tags.push(tag.to_owned());
        }
        Ok(tags)
    }
}
