//! The columns of the table of queries, each once: its name in addresses, its heading, the value
//! it shows and sorts by. How a table is drawn is `queries`'.

use std::cmp::Ordering;

use super::super::format;
use crate::stats::{QuerySnapshot, SummaryNumbers};

/// The group of a column; neighbours of one group share a heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnGroup {
    /// The ways in which requests were answered: the outcomes add up to the requests.
    Requests,
    /// The work of the database.
    Loads,
    /// The gain from it.
    Gain,
}

impl ColumnGroup {
    pub(super) fn heading(self) -> &'static str {
        match self {
            ColumnGroup::Requests => "Requests, and how they were answered",
            ColumnGroup::Loads => "Loads from the database",
            ColumnGroup::Gain => "Gain",
        }
    }
}

/// The value that a cell shows, and by which rows are compared.
#[derive(Debug, Clone, Copy)]
pub(super) enum ColumnValue {
    Count(u64),
    Bytes(u64),
    Share(Option<f64>),
    /// Seconds that were measured.
    Time(Option<f64>),
    /// Seconds that were configured.
    Span(Option<f64>),
    /// Seconds of a load and of a copy.
    Factor(Option<f64>, Option<f64>),
}

impl ColumnValue {
    pub(super) fn shown_text(self) -> String {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        match self {
            ColumnValue::Count(count) => format::format_count(count),
            ColumnValue::Bytes(bytes) => format::format_bytes(bytes),
            ColumnValue::Share(share) => format::format_share(share),
            ColumnValue::Time(seconds) => format::format_time(seconds),
            ColumnValue::Span(seconds) => or_dash(
                seconds.map(|seconds| format::format_span(format::seconds_duration(seconds))),
            ),
            ColumnValue::Factor(long, short) => {
                or_dash(long.zip(short).and_then(|(long, short)| {
                    format::format_factor(
                        format::seconds_duration(long),
                        format::seconds_duration(short),
                    )
                }))
            }
        }
    }

    /// Nothing to look at: shown quietly.
    pub(super) fn is_nothing(self) -> bool {
        self.sort_key().is_none_or(|key| key == 0.0)
    }

    #[expect(clippy::cast_precision_loss, reason = "compared, not shown")]
    fn sort_key(self) -> Option<f64> {
        match self {
            ColumnValue::Count(n) | ColumnValue::Bytes(n) => Some(n as f64),
            ColumnValue::Share(value) | ColumnValue::Time(value) | ColumnValue::Span(value) => {
                value
            }
            ColumnValue::Factor(long, short) => {
                long.zip(short).map(|(long, short)| long / short.max(1e-9))
            }
        }
    }
}

/// One column after that of the names.
pub(super) struct QueryColumn {
    /// The name in addresses.
    pub(super) name: &'static str,
    pub(super) heading: &'static str,
    pub(super) group: ColumnGroup,
    pub(super) value: fn(&TableRow<'_>) -> ColumnValue,
}

/// The subject of a row of the table.
pub(super) enum TableRow<'a> {
    One(&'a QuerySnapshot),
    /// All of them together.
    Sum(&'a SummaryNumbers),
}

impl TableRow<'_> {
    fn row_numbers(&self) -> &SummaryNumbers {
        match self {
            TableRow::One(query) => &query.numbers,
            TableRow::Sum(numbers) => numbers,
        }
    }
}

/// A column whose value is in the numbers alone.
macro_rules! column {
    ($group:ident, $name:literal, $heading:literal, $kind:ident, $value:expr) => {
        QueryColumn {
            name: $name,
            heading: $heading,
            group: ColumnGroup::$group,
            value: |row| {
                let value: fn(&SummaryNumbers) -> _ = $value;
                ColumnValue::$kind(value(row.row_numbers()))
            },
        }
    };
}

pub(super) const COLUMNS: [QueryColumn; 19] = [
    column!(Requests, "requests", "Requests", Count, |n| n.requests),
    column!(Requests, "hit-ratio", "Hit ratio", Share, |n| n.hit_ratio),
    column!(Requests, "memory", "Memory", Count, |n| n.hit_memory),
    column!(Requests, "redis", "Redis", Count, |n| n.hit_redis),
    column!(Requests, "stale", "Stale", Count, |n| n.stale),
    column!(Requests, "coalesced", "Coalesced", Count, |n| n.coalesced),
    column!(Requests, "miss", "Miss", Count, |n| n.miss),
    column!(Requests, "bypass", "Bypass", Count, |n| n.bypass),
    column!(Requests, "error", "Error", Count, |n| n.error),
    column!(Loads, "loads", "Loads", Count, |n| n.loads),
    column!(Loads, "load-errors", "Failed", Count, |n| n.load_errors),
    column!(Loads, "load-time", "Total time", Time, |n| Some(
        n.load_seconds
    )),
    column!(Loads, "load-p50", "p50", Time, |n| n.load.p50_seconds),
    column!(Loads, "load-p95", "p95", Time, |n| n.load.p95_seconds),
    column!(Loads, "load-p99", "p99", Time, |n| n.load.p99_seconds),
    QueryColumn {
        name: "faster",
        heading: "Faster",
        group: ColumnGroup::Gain,
        // The loads of one query beside the copies of another would say nothing.
        value: |row| match row {
            TableRow::One(QuerySnapshot { numbers: n, .. }) => {
                ColumnValue::Factor(n.load.p50_seconds, n.hit.p50_seconds)
            }
            TableRow::Sum(_) => ColumnValue::Factor(None, None),
        },
    },
    column!(Gain, "saved", "Time saved", Time, |n| Some(
        n.time_saved_seconds
    )),
    column!(Gain, "bytes", "Served", Bytes, |n| n.served_bytes),
    QueryColumn {
        name: "ttl",
        heading: "TTL",
        group: ColumnGroup::Gain,
        value: |row| match row {
            TableRow::One(query) => ColumnValue::Span(query.ttl_seconds),
            TableRow::Sum(_) => ColumnValue::Span(None),
        },
    },
];

/// The column by which rows are sorted at first: it says what the database spent its time on.
const FIRST: &str = "load-time";
/// The column of the names.
const QUERY: &str = "query";

/// The order of the table of queries: a column, and a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatsSort {
    column: &'static str,
    turned: bool,
}

impl Default for StatsSort {
    /// Returns the time their loads took together, the longest first.
    fn default() -> StatsSort {
        StatsSort {
            column: FIRST,
            turned: false,
        }
    }
}

impl StatsSort {
    /// Returns the names of all columns. Numbers begin with the largest, names with `a`; a `-`
    /// before the name turns that round.
    pub fn all_names() -> impl Iterator<Item = &'static str> {
        std::iter::once(QUERY).chain(COLUMNS.iter().map(|column| column.name))
    }

    /// Returns the one of that name, with or without a `-` before it.
    pub fn from_name(name: &str) -> Option<StatsSort> {
        let (turned, name) = match name.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, name),
        };
        let column = StatsSort::all_names().find(|known| *known == name)?;
        Some(StatsSort { column, turned })
    }

    /// Returns the name in addresses.
    pub fn name(self) -> String {
        format!("{}{}", if self.turned { "-" } else { "" }, self.column)
    }

    /// Returns what a click on the heading of this column asks for: it, or the other way round.
    pub(super) fn of_click(self, column: &'static str) -> StatsSort {
        StatsSort {
            column,
            turned: self.column == column && !self.turned,
        }
    }

    /// Returns the value of `aria-sort`, where it is this column.
    pub(super) fn sort_direction(self, column: &str) -> Option<&'static str> {
        let ascending = (column == QUERY) != self.turned;
        let words = if ascending { "ascending" } else { "descending" };
        (self.column == column).then_some(words)
    }

    /// Those without a value come last either way; what is equal goes by name.
    pub(super) fn sort_rows(self, rows: &mut [&QuerySnapshot]) {
        let by_name = |a: &QuerySnapshot, b: &QuerySnapshot| a.query.cmp(&b.query);
        let turn = |order: Ordering| if self.turned { order.reverse() } else { order };
        match COLUMNS.iter().find(|column| column.name == self.column) {
            None => rows.sort_by(|a, b| turn(by_name(a, b))),
            Some(column) => rows.sort_by(|a, b| {
                let key = |row| (column.value)(&TableRow::One(row)).sort_key();
                match (key(a), key(b)) {
                    (Some(x), Some(y)) => turn(y.total_cmp(&x)),
                    (x, y) => y.is_some().cmp(&x.is_some()),
                }
                .then_with(|| by_name(a, b))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn row(query: &str, requests: u64, hit_ratio: Option<f64>) -> QuerySnapshot {
        QuerySnapshot {
            query: query.to_owned(),
            numbers: SummaryNumbers {
                requests,
                hit_ratio,
                ..SummaryNumbers::default()
            },
            ..QuerySnapshot::default()
        }
    }

    fn sorted(by: &str) -> String {
        let rows = [
            row("b", 3, Some(0.5)),
            row("a", 3, None),
            row("c", 7, Some(0.9)),
        ];
        let mut rows: Vec<_> = rows.iter().collect();
        StatsSort::from_name(by).unwrap().sort_rows(&mut rows);
        rows.iter().map(|row| row.query.as_str()).collect()
    }

    #[test]
    fn every_column_sorts_both_ways_and_what_has_no_value_is_last() {
        assert_eq!(sorted("query"), "abc");
        assert_eq!(sorted("-query"), "cba");
        assert_eq!(sorted("requests"), "cab");
        assert_eq!(sorted("-requests"), "abc");
        assert_eq!(sorted("hit-ratio"), "cba");
        assert_eq!(sorted("-hit-ratio"), "bca");
    }

    #[test]
    fn a_column_is_found_by_its_name_alone() {
        for name in StatsSort::all_names() {
            let sort = StatsSort::from_name(name).unwrap();
            assert_eq!(sort.name(), name);
            let turned = sort.of_click(sort.column);
            assert_eq!(StatsSort::from_name(&turned.name()), Some(turned));
            assert_eq!(turned.of_click(turned.column), sort);
            assert_ne!(sort.sort_direction(name), turned.sort_direction(name));
        }
        for unknown in ["", "-", "--query", "Requests", "load"] {
            assert_eq!(StatsSort::from_name(unknown), None, "{unknown}");
        }
        assert_eq!(StatsSort::default().name(), "load-time");
    }
}
