//! The numbers for machines and terminals: pure functions from plain data to text. JSON is what
//! the data's own types write; here are CSV, lines of keys and values, what Prometheus scrapes,
//! and the table of `unslow stats`. All of them show the same numbers under the same names; who
//! may see them, and over HTTP which of them was asked for, is `web`'s.

mod csv;
mod exposition;
mod lines;
mod metrics;
#[cfg(test)]
mod samples;
mod terminal;
#[cfg(test)]
mod tests;

pub use csv::{COLUMNS, write_csv};
pub use exposition::MetricsDialect;
pub use lines::write_lines;
pub use metrics::{MetricsInput, ReloadCounts, write_metrics};
pub use terminal::write_terminal;
