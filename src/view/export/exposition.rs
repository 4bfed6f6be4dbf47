//! The text formats of Prometheus: its own 0.0.4, and OpenMetrics 1.0.0. The metrics themselves are
//! not known here.

use std::fmt::Write as _;

use crate::stats::Distribution;

/// The format, one of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsDialect {
    /// Prometheus' text format, 0.0.4.
    Text,
    /// OpenMetrics, 1.0.0.
    OpenMetrics,
}

impl MetricsDialect {
    /// Returns the value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            MetricsDialect::Text => "text/plain; version=0.0.4; charset=utf-8",
            MetricsDialect::OpenMetrics => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }
}

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetricKind {
    /// Only grows; its samples' name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts over buckets.
    Histogram,
    /// Says something in labels, with the value 1; its samples' name ends in `_info`.
    Info,
}

/// The units that a name may end in, as both formats want it.
const UNITS: [&str; 2] = ["seconds", "bytes"];

/// A document that is being written, metric by metric.
///
/// OpenMetrics also knows when a counter was created; that is left out: it would be one more
/// series for each, and `process_start_time_seconds` says it for all.
#[derive(Debug)]
pub(super) struct MetricsExposition {
    out: String,
    dialect: MetricsDialect,
}

/// A metric that is being written.
#[derive(Debug)]
pub(super) struct MetricFamily<'a> {
    exposition: &'a mut MetricsExposition,
    name: String,
    kind: MetricKind,
}

/// Labels, in order.
pub(super) type MetricLabels<'a> = &'a [(&'a str, &'a str)];

impl MetricsExposition {
    pub(super) fn new(dialect: MetricsDialect) -> MetricsExposition {
        MetricsExposition {
            out: String::with_capacity(16 << 10),
            dialect,
        }
    }

    /// Begins a metric. `name` is without `_total` and `_info`, which come by its kind.
    pub(super) fn begin_family(
        &mut self,
        name: &str,
        kind: MetricKind,
        help: &str,
    ) -> MetricFamily<'_> {
        let shown = match (self.dialect, kind) {
            // There the name is that of the samples.
            (MetricsDialect::Text, kind) => format!("{name}{}", name_suffix(kind)),
            (MetricsDialect::OpenMetrics, _) => name.to_owned(),
        };
        let word = match (self.dialect, kind) {
            (_, MetricKind::Counter) => "counter",
            (MetricsDialect::OpenMetrics, MetricKind::Info) => "info",
            (_, MetricKind::Gauge | MetricKind::Info) => "gauge",
            (_, MetricKind::Histogram) => "histogram",
        };
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        let _ = writeln!(self.out, "# HELP {shown} {help}\n# TYPE {shown} {word}");
        let unit = UNITS.iter().find(|unit| {
            name.rsplit_once('_')
                .is_some_and(|(_, last)| last == **unit)
        });
        if let (MetricsDialect::OpenMetrics, Some(unit)) = (self.dialect, unit) {
            let _ = writeln!(self.out, "# UNIT {shown} {unit}");
        }
        MetricFamily {
            exposition: self,
            name: name.to_owned(),
            kind,
        }
    }

    /// Returns the whole document.
    pub(super) fn finish(mut self) -> String {
        if self.dialect == MetricsDialect::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }
}

impl MetricFamily<'_> {
    /// One value.
    pub(super) fn write_sample(&mut self, labels: MetricLabels<'_>, value: impl std::fmt::Display) {
        self.write_line(name_suffix(self.kind), labels, &value);
    }

    /// The samples of a histogram.
    pub(super) fn write_distribution(&mut self, labels: MetricLabels<'_>, times: &Distribution) {
        let edges = times
            .shown_edges()
            .map(|(edge, count)| (edge.to_string(), count));
        for (edge, count) in edges.chain([("+Inf".to_owned(), times.count())]) {
            let labels = [labels, &[("le", edge.as_str())]].concat();
            self.write_line("_bucket", &labels, &count);
        }
        self.write_line("_sum", labels, &times.sum_seconds());
        self.write_line("_count", labels, &times.count());
    }

    fn write_line(
        &mut self,
        suffix: &str,
        labels: MetricLabels<'_>,
        value: &dyn std::fmt::Display,
    ) {
        let out = &mut self.exposition.out;
        out.push_str(&self.name);
        out.push_str(suffix);
        for (place, (name, value)) in labels.iter().enumerate() {
            out.push(if place == 0 { '{' } else { ',' });
            out.push_str(name);
            out.push_str("=\"");
            for c in value.chars() {
                match c {
                    '\\' => out.push_str(r"\\"),
                    '"' => out.push_str("\\\""),
                    '\n' => out.push_str(r"\n"),
                    c => out.push(c),
                }
            }
            out.push('"');
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(out, "{end} {value}");
    }
}

fn name_suffix(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Counter => "_total",
        MetricKind::Info => "_info",
        MetricKind::Gauge | MetricKind::Histogram => "",
    }
}

/// Returns a count as a metric's value.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
pub(super) fn metric_value(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(dialect: MetricsDialect) -> String {
        let mut exposition = MetricsExposition::new(dialect);
        let mut family =
            exposition.begin_family("a_seconds", MetricKind::Counter, "One \\ two\nthree.");
        family.write_sample(&[("x", "q\"\\\n"), ("y", "é")], 1.5);
        family.write_sample(&[("x", ""), ("y", "")], 0);
        exposition
            .begin_family("b", MetricKind::Info, "Said.")
            .write_sample(&[("v", "1")], 1);
        exposition
            .begin_family("c", MetricKind::Gauge, "Now.")
            .write_sample(&[], 7);
        exposition.finish()
    }

    #[test]
    fn in_text_the_head_names_the_samples() {
        assert_eq!(
            sample(MetricsDialect::Text),
            "# HELP a_seconds_total One \\\\ two\\nthree.\n\
             # TYPE a_seconds_total counter\n\
             a_seconds_total{x=\"q\\\"\\\\\\n\",y=\"é\"} 1.5\n\
             a_seconds_total{x=\"\",y=\"\"} 0\n\
             # HELP b_info Said.\n# TYPE b_info gauge\nb_info{v=\"1\"} 1\n\
             # HELP c Now.\n# TYPE c gauge\nc 7\n"
        );
    }

    #[test]
    fn in_openmetrics_it_names_the_family_and_its_unit() {
        assert_eq!(
            sample(MetricsDialect::OpenMetrics),
            "# HELP a_seconds One \\\\ two\\nthree.\n\
             # TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
             a_seconds_total{x=\"q\\\"\\\\\\n\",y=\"é\"} 1.5\n\
             a_seconds_total{x=\"\",y=\"\"} 0\n\
             # HELP b Said.\n# TYPE b info\nb_info{v=\"1\"} 1\n\
             # HELP c Now.\n# TYPE c gauge\nc 7\n# EOF\n"
        );
    }

    #[test]
    fn a_histogram_has_its_edges_its_sum_and_its_count() {
        let times: Distribution =
            serde_json::from_str(r#"{"counts":[[88,2],[257,1]],"sum":900000001000}"#)
                .expect("a distribution");
        let mut exposition = MetricsExposition::new(MetricsDialect::Text);
        let mut family = exposition.begin_family("t_seconds", MetricKind::Histogram, "Times.");
        family.write_distribution(&[("q", "a")], &times);
        let text = exposition.finish();
        for line in [
            "t_seconds_bucket{q=\"a\",le=\"0.000512\"} 2\n",
            "t_seconds_bucket{q=\"a\",le=\"0.131072\"} 2\n",
            "t_seconds_bucket{q=\"a\",le=\"33.554432\"} 2\n",
            "t_seconds_bucket{q=\"a\",le=\"+Inf\"} 3\n",
            "t_seconds_sum{q=\"a\"} 900.000001\n",
            "t_seconds_count{q=\"a\"} 3\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        assert_eq!(text.lines().count(), 2 + 17 + 3);
    }
}
