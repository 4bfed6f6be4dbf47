//! The printed form of a comparison: a table in Markdown that also reads well in a terminal, to be
//! pasted as it is, with its conditions below it; or JSON. No host and no parameter's value is in
//! it.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::figures::{NONE, WayFigures, group_digits, three_digits, write_time};

/// A comparison that has come to its end.
#[derive(Debug)]
pub(super) struct ComparisonReport {
    pub(super) query: String,
    /// The names of the parameters that were given.
    pub(super) parameters: Vec<String>,
    /// `postgres` or `sqlite`, and its version number.
    pub(super) database: (String, Option<String>),
    /// The version of unslow.
    pub(super) version: String,
    /// The size of an answer.
    pub(super) bytes: u64,
    /// The number of clients at once.
    pub(super) clients: usize,
    /// The number of runs as it was given; `None`: the default.
    pub(super) runs: Option<u32>,
    /// The server is on this machine.
    pub(super) is_near: bool,
    /// No server ran.
    pub(super) is_own: bool,
    /// The database first.
    pub(super) rows: Vec<ReportRow>,
}

/// The result of one way.
#[derive(Debug)]
pub(super) struct ReportRow {
    /// `database`, `redis` or `memory`.
    pub(super) from: &'static str,
    pub(super) figures: WayFigures,
    /// The number of clients at once.
    pub(super) clients: usize,
    /// The reason why there are no figures, or fewer.
    pub(super) note: Option<String>,
}

const HEADINGS: [&str; 8] = [
    "Answer from",
    "p50",
    "p95",
    "p99",
    "Requests/s",
    "Factor",
    "In unslow",
    "Runs",
];

impl ComparisonReport {
    fn base_figures(&self) -> WayFigures {
        self.rows.first().map(|row| row.figures).unwrap_or_default()
    }

    /// Writes it for people.
    pub(super) fn to_markdown(&self) -> String {
        let mut lines = vec![HEADINGS.map(str::to_owned).to_vec()];
        lines.extend(self.rows.iter().map(|row| self.row_cells(row)));
        let mut out = format!("{}\n\n", self.report_title());
        out.push_str(&markdown_table(&lines));
        for row in &self.rows {
            if let Some(note) = &row.note {
                let _ = write!(out, "\n{}: {note}.\n", self.row_label(row));
            }
        }
        let _ = write!(out, "\n{}\n", self.report_caption());
        out
    }

    fn report_title(&self) -> String {
        let with = if self.parameters.is_empty() {
            String::new()
        } else {
            format!(" (with {})", self.parameters.join(", "))
        };
        format!("**{}**{with}, before and after:", self.query)
    }

    fn row_cells(&self, row: &ReportRow) -> Vec<String> {
        let figures = &row.figures;
        let shown = |figure: Option<Duration>| figure.map_or_else(|| NONE.to_owned(), write_time);
        let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
        vec![
            self.row_label(row),
            shown(figures.p50),
            shown(figures.p95),
            shown(figures.p99),
            or_none(figures.rate.map(three_digits)),
            or_none(self.row_factor(row).map(factor_text)),
            shown(figures.inside),
            group_digits(&figures.runs.to_string()),
        ]
    }

    fn row_factor(&self, row: &ReportRow) -> Option<f64> {
        row.figures.speed_factor(&self.base_figures())
    }

    fn row_label(&self, row: &ReportRow) -> String {
        match row.from {
            "database" => self.database_label(),
            "redis" => "Redis".to_owned(),
            _ => "memory".to_owned(),
        }
    }

    fn database_label(&self) -> String {
        let (kind, version) = &self.database;
        let name = match kind.as_str() {
            "postgres" => "PostgreSQL",
            "sqlite" => "SQLite",
            other => other,
        };
        version
            .as_ref()
            .map_or_else(|| name.to_owned(), |version| format!("{name} {version}"))
    }

    /// Returns what the figures are figures of.
    fn report_caption(&self) -> String {
        let clients = match self.clients {
            1 => "one client".to_owned(),
            count => format!("each of {count} clients at once"),
        };
        let fewer = self
            .rows
            .iter()
            .find(|row| row.clients < self.clients && row.figures.runs > 0)
            .map_or_else(String::new, |row| {
                format!(" (the database: {})", row.clients)
            });
        let place = match (self.is_near, self.is_own) {
            (_, true) => "on the same machine, served by the command itself",
            (true, _) => "on the same machine",
            _ => "across the network",
        };
        format!(
            "Times of whole HTTP requests as {clients}{fewer} sees them {place}: connections \
             kept, answers of {} bytes, not compressed. \"In unslow\" is the server's own part at \
             the median. Measured by `{}`, unslow {}.",
            group_digits(&self.bytes.to_string()),
            self.shown_command(),
            self.version,
        )
    }

    /// Returns what was called, without values.
    fn shown_command(&self) -> String {
        let mut words = vec!["unslow compare".to_owned(), self.query.clone()];
        words.extend(self.parameters.iter().map(|name| format!("{name}=…")));
        words.extend(self.runs.map(|runs| format!("-n {runs}")));
        if self.clients > 1 {
            words.push(format!("-c {}", self.clients));
        }
        words.join(" ")
    }

    /// Writes it for scripts; times in seconds, `null` where there is no figure.
    pub(super) fn to_json(&self) -> Value {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        let row = |row: &ReportRow| {
            json!({
                "from": row.from,
                "runs": row.figures.runs,
                "clients": row.clients,
                "p50_seconds": seconds(row.figures.p50),
                "p95_seconds": seconds(row.figures.p95),
                "p99_seconds": seconds(row.figures.p99),
                "requests_per_second": row.figures.rate,
                "factor": self.row_factor(row),
                "in_unslow_p50_seconds": seconds(row.figures.inside),
                "note": row.note,
            })
        };
        json!({
            "schema": 1,
            "query": self.query,
            "parameters": self.parameters,
            "database": self.database.0,
            "database_version": self.database.1,
            "unslow": self.version,
            "bytes": self.bytes,
            "clients": self.clients,
            "same_machine": self.is_near,
            "served_by_the_command": self.is_own,
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
        })
    }
}

fn factor_text(factor: f64) -> String {
    if (factor - 1.0).abs() < f64::EPSILON {
        return "1 ×".to_owned();
    }
    format!("{} ×", three_digits(factor))
}

/// Returns a table in Markdown whose bars stand below each other; the first column to the left, the
/// others to the right.
fn markdown_table(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            if column == 0 {
                let _ = write!(out, "| {cell:<width$} ");
            } else {
                let _ = write!(out, "| {cell:>width$} ");
            }
        }
        out.push_str("|\n");
        if index == 0 {
            for (column, width) in widths.iter().enumerate() {
                let rule = "-".repeat(*width);
                let end = if column == 0 { '-' } else { ':' };
                let _ = write!(out, "|-{rule}{end}");
            }
            out.push_str("|\n");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(from: &'static str, p50: Option<Duration>, note: Option<&str>) -> ReportRow {
        ReportRow {
            from,
            figures: WayFigures {
                runs: usize::from(p50.is_some()) * 1000,
                p50,
                inside: p50.map(|time| time / 2),
                rate: p50.map(|time| 1.0 / time.as_secs_f64()),
                ..WayFigures::default()
            },
            clients: 1,
            note: note.map(str::to_owned),
        }
    }

    fn report() -> ComparisonReport {
        ComparisonReport {
            query: "top".to_owned(),
            parameters: vec!["region".to_owned()],
            database: ("postgres".to_owned(), Some("15.5".to_owned())),
            version: "0.1.0".to_owned(),
            bytes: 12_345,
            clients: 8,
            runs: Some(5),
            is_near: true,
            is_own: false,
            rows: vec![
                row("database", Some(Duration::from_secs(5)), None),
                row("redis", None, Some("it does not answer")),
                row("memory", Some(Duration::from_micros(200)), None),
            ],
        }
    }

    #[test]
    fn a_comparison_is_a_table_in_markdown_that_stands_straight() {
        let text = report().to_markdown();
        let expected = "\
**top** (with region), before and after:

| Answer from     |    p50 | p95 | p99 | Requests/s |   Factor | In unslow |  Runs |
|-----------------|-------:|----:|----:|-----------:|---------:|----------:|------:|
| PostgreSQL 15.5 | 5.00 s |   – |   – |       0.20 |      1 × |    2.50 s | 1,000 |
| Redis           |      – |   – |   – |          – |        – |         – |     0 |
| memory          | 200 µs |   – |   – |      5,000 | 25,000 × |    100 µs | 1,000 |

Redis: it does not answer.

";
        assert!(text.starts_with(expected), "{text}");
        for words in [
            "each of 8 clients at once (the database: 1)",
            "on the same machine:",
            "answers of 12,345 bytes",
            "`unslow compare top region=… -n 5 -c 8`, unslow 0.1.0.",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }

    #[test]
    fn where_it_was_measured_is_said() {
        let mut report = report();
        report.is_near = false;
        assert!(report.to_markdown().contains("across the network"));
        report.is_own = true;
        assert!(
            report
                .to_markdown()
                .contains("served by the command itself")
        );
    }

    #[test]
    fn json_has_every_figure_or_null() {
        let json = report().to_json();
        assert_eq!(json["rows"][0]["factor"], 1.0);
        assert_eq!(json["rows"][1]["note"], "it does not answer");
        assert!(json["rows"][1]["p50_seconds"].is_null());
        assert_eq!(json["rows"][2]["in_unslow_p50_seconds"], 1e-4);
        assert_eq!(json["bytes"], 12_345);
    }
}
