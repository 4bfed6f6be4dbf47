//! The metrics of the program: which it is, how its reloads went, and what the system says of its
//! process, under the names that all programs use for that.

use super::super::exposition::{MetricKind, MetricsExposition, metric_value};
use super::input::MetricsInput;
use crate::stats::ProcessNumbers;

pub(super) fn write_program(all: &mut MetricsExposition, of: &MetricsInput<'_>) {
    let reloads = of.reloads;
    let metrics = [
        (
            "unslow_config_reloads",
            MetricKind::Counter,
            "Reloads of settings and queries.",
            reloads.all,
        ),
        (
            "unslow_config_reload_failures",
            MetricKind::Counter,
            "Reloads that changed nothing, because something was wrong.",
            reloads.failed,
        ),
        (
            "unslow_config_last_reload_successful",
            MetricKind::Gauge,
            "0 where the latest reload failed.",
            u64::from(!reloads.last_failed),
        ),
        (
            "unslow_config_last_reload_success_timestamp_seconds",
            MetricKind::Gauge,
            "Since when the settings are in force: the latest reload that succeeded, or the start.",
            reloads.settings_since,
        ),
    ];
    for (name, kind, help, number) in metrics {
        all.begin_family(name, kind, help).write_sample(&[], number);
    }
    let labels = [
        ("version", of.snapshot.instance.version.as_str()),
        ("commit", of.commit.unwrap_or("unknown")),
    ];
    all.begin_family("unslow_build", MetricKind::Info, "Which program this is.")
        .write_sample(&labels, 1);
}

pub(super) fn write_process(all: &mut MetricsExposition, process: &ProcessNumbers) {
    let float = |count: Option<u64>| count.map(metric_value);
    let metrics = [
        (
            "process_cpu_seconds",
            MetricKind::Counter,
            "Processor time of the process.",
            process.cpu_seconds,
        ),
        (
            "process_resident_memory_bytes",
            MetricKind::Gauge,
            "Memory that the process holds.",
            float(process.resident_bytes),
        ),
        (
            "process_virtual_memory_bytes",
            MetricKind::Gauge,
            "Addresses that the process has taken.",
            float(process.virtual_bytes),
        ),
        (
            "process_open_fds",
            MetricKind::Gauge,
            "Descriptors that are open.",
            float(process.open_fds),
        ),
        (
            "process_max_fds",
            MetricKind::Gauge,
            "The most descriptors there may be.",
            float(process.max_fds),
        ),
        (
            "process_start_time_seconds",
            MetricKind::Gauge,
            "When the process began, in seconds since 1970.",
            process.started_at,
        ),
    ];
    for (name, kind, help, known) in metrics {
        if let Some(number) = known {
            all.begin_family(name, kind, help).write_sample(&[], number);
        }
    }
}
