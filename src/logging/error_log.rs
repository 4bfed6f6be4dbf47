//! The error log: what `tracing` records, from a level on, one line each, written before the
//! caller goes on, so that the last words of a process that falls are there. Spans are not used.

use std::fmt::{self, Debug, Write};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use super::line::{OneLine, now_millis, write_timestamp};
use super::out::LogOutput;
use super::shared::LogShared;
use super::syslog::{Severity, Syslog};
use crate::error::StartupError;
use crate::settings::LogSettings;

/// The error log of a process; its settings can change while it is in use.
#[derive(Debug)]
pub(super) struct ErrorLog {
    /// The number of the least important level that is written.
    level: AtomicU8,
    /// Held for reading by those who write, as the file in [`LogOutput`] is.
    out: RwLock<Arc<LogOutput>>,
    shared: &'static LogShared,
}

/// Settings of error log and syslog whose files are open, and which are not in force yet.
#[derive(Debug)]
pub struct PreparedChange {
    level: Level,
    out: LogOutput,
    syslog: SyslogChange,
}

/// The change to syslog.
#[derive(Debug)]
enum SyslogChange {
    /// It stays, with what waits in its queue.
    Nothing,
    /// This takes its place.
    To(Option<Syslog>),
}

impl PreparedChange {
    pub(super) fn open(
        log: &LogSettings,
        shared: &'static LogShared,
    ) -> Result<PreparedChange, StartupError> {
        let out = LogOutput::open(&log.error, "--error-log / [log] error")?;
        let unchanged = shared.has_syslog(log.syslog.as_ref(), log.syslog_facility);
        let start = |target| Syslog::start(target, log.syslog_facility, &shared.syslog_lost);
        let syslog = if unchanged {
            SyslogChange::Nothing
        } else {
            SyslogChange::To(log.syslog.as_ref().map(start).transpose()?)
        };
        Ok(PreparedChange {
            level: log.level,
            out,
            syslog,
        })
    }
}

impl ErrorLog {
    pub(super) fn new(prepared: PreparedChange, shared: &'static LogShared) -> ErrorLog {
        if let SyslogChange::To(syslog) = prepared.syslog {
            shared.set_syslog(syslog);
        }
        ErrorLog {
            level: AtomicU8::new(level_number(prepared.level)),
            out: RwLock::new(Arc::new(prepared.out)),
            shared,
        }
    }

    /// See [`apply`](super::apply).
    pub(super) fn apply(&self, prepared: PreparedChange) {
        let mut out = self.out.write().unwrap_or_else(PoisonError::into_inner);
        *out = Arc::new(prepared.out);
        drop(out);
        if let SyslogChange::To(syslog) = prepared.syslog {
            self.shared.set_syslog(syslog);
        }
        self.level
            .store(level_number(prepared.level), Ordering::Relaxed);
        // Every place that records remembers whether it is wanted, which makes the others free.
        tracing_core::callsite::rebuild_interest_cache();
    }

    pub(super) fn log_output(&self) -> Arc<LogOutput> {
        let out = self.out.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&out)
    }

    fn is_wanted(&self, metadata: &Metadata<'_>) -> bool {
        // A client that sends malformed requests could fill the disk; actix reports each as an
        // error.
        let least = match metadata.target() {
            target if target.starts_with("actix_http") => return false,
            target if target.starts_with("actix_server") => level_number(Level::WARN),
            _ => u8::MAX,
        };
        let level = self.level.load(Ordering::Relaxed).min(least);
        metadata.is_event() && level_number(*metadata.level()) <= level
    }

    fn write(&self, level: Level, text: &str) {
        let line = format!(
            "{} {:5} {text}\n",
            write_timestamp(now_millis()),
            level.as_str()
        );
        let out = self.out.read().unwrap_or_else(PoisonError::into_inner);
        let written = out.write(line.as_bytes());
        drop(out);
        if let Err(unwritten) = written {
            let lost = &self.shared.error_lost;
            lost.fetch_add(unwritten.lines, Ordering::Relaxed);
        }
        self.shared
            .tell_syslog(Severity::from_level(level), "-", text);
    }
}

impl Subscriber for ErrorLog {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.is_wanted(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.is_wanted(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let level = self.level.load(Ordering::Relaxed);
        let level = LEVELS.into_iter().find(|it| level_number(*it) == level);
        level.map(LevelFilter::from_level)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut text = format!("{}: ", metadata.target());
        event.record(&mut FieldWriter {
            text: &mut text,
            first: true,
        });
        let level = true_level(metadata, &text);
        if level_number(level) <= self.level.load(Ordering::Relaxed) {
            self.write(level, &text);
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

const LEVELS: [Level; 5] = [
    Level::ERROR,
    Level::WARN,
    Level::INFO,
    Level::DEBUG,
    Level::TRACE,
];

/// Returns the level that a record has here. The server library polls a listener until its loop has
/// ended, and a stop, a reload or an upgrade shuts the listener down before, in another process
/// perhaps: `accept` then fails with EINVAL, which it does for no other cause. That is no error.
fn true_level(metadata: &Metadata<'_>, text: &str) -> Level {
    let is_accept = metadata.target() == "actix_server::accept";
    if is_accept && text.contains(LISTENER_CLOSED) {
        Level::DEBUG
    } else {
        *metadata.level()
    }
}

/// The words in which the server library says that a listener was shut down.
const LISTENER_CLOSED: &str = "Error accepting connection: Invalid argument";

/// Returns the less important, the higher.
fn level_number(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

/// `message field=value …`, on one line whatever the fields hold.
struct FieldWriter<'a> {
    text: &'a mut String,
    first: bool,
}

impl FieldWriter<'_> {
    fn write_field(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        if !std::mem::take(&mut self.first) {
            self.text.push(' ');
        }
        if field.name() != "message" {
            self.text.push_str(field.name());
            self.text.push('=');
        }
        // Writing to a string fails only where the value does, which then is missing.
        let _ = OneLine(self.text).write_fmt(value);
    }
}

impl Visit for FieldWriter<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.write_field(field, format_args!("{value}"));
        } else {
            self.write_field(field, format_args!("{value:?}"));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.write_field(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write_field(field, format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests;
