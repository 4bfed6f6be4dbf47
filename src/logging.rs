//! The two logs: the error log, which is what `tracing` records, and the access log, one line for
//! each request. It owns how lines look and how they reach their file; what is worth a line is for
//! others to say. Whatever comes from outside is escaped, so that a record is always one line.

mod access;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use time::OffsetDateTime;
use time::macros::format_description;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

use crate::error::StartupError;
use crate::settings::{Log, LogTarget};

pub use access::{AccessLog, AccessRecord};

/// Starts the error log of this process, and has panics written to it. A second call in one
/// process changes nothing.
pub fn init(log: &Log) -> Result<(), StartupError> {
    let lines = match &log.error {
        LogTarget::Stdout => Lines::Stdout,
        LogTarget::Stderr => Lines::Stderr,
        LogTarget::File(path) => Lines::File(Arc::new(open(path, "[log] error")?)),
    };
    let subscriber = subscriber(log.level, lines);
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    }
    Ok(())
}

fn subscriber<W>(level: tracing::Level, lines: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // Whoever sends malformed requests could fill the disk; actix reports each as an error.
    let targets = Targets::new()
        .with_default(level)
        .with_target("actix_http", LevelFilter::OFF)
        .with_target("actix_server", LevelFilter::WARN);
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from_level(level))
        .with_writer(lines)
        // It would report a full disk on a stream that may be closed, and panic there.
        .log_internal_errors(false)
        .with_ansi(false)
        .event_format(OneLine)
        .finish()
        .with(targets)
}

fn open(path: &Path, setting: &str) -> Result<File, StartupError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| {
            StartupError::new(format!(
                "the log {} cannot be opened: {error}",
                path.display()
            ))
            .at(setting)
            .remedy("name a file in a folder that unslow may write to")
        })
}

/// Where lines of the error log go, each with one write.
#[derive(Debug, Clone)]
enum Lines {
    Stdout,
    Stderr,
    File(Arc<File>),
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = match self {
            Lines::Stdout => io::stdout().lock().write_all(line),
            Lines::Stderr => io::stderr().lock().write_all(line),
            Lines::File(file) => file.as_ref().write_all(line),
        };
        // A full disk or a closed stream must not stop what was to be logged.
        drop(written);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Lines;

    fn make_writer(&self) -> Lines {
        self.clone()
    }
}

/// `TIME LEVEL target: message field=value`, on one line whatever the fields hold.
struct OneLine;

impl<S, N> FormatEvent<S, N> for OneLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = String::new();
        context
            .field_format()
            .format_fields(Writer::new(&mut fields), event)?;
        let meta = event.metadata();
        let time = timestamp(now());
        write!(
            out,
            "{time} {:5} {}: ",
            meta.level().as_str(),
            meta.target()
        )?;
        for c in fields.chars() {
            match c {
                // The last two are line ends too, for some readers.
                _ if c.is_control() || c == '\u{2028}' || c == '\u{2029}' => {
                    write!(out, "{}", c.escape_default())?;
                }
                _ => out.write_char(c)?,
            }
        }
        out.write_char('\n')
    }
}

/// RFC 3339 with a fixed width, so that lines sort as text.
fn timestamp(time: OffsetDateTime) -> String {
    let form =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    time.format(form).unwrap_or_default()
}

/// To the millisecond, which is as exact as a log needs to be.
fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_millisecond(now.millisecond()).unwrap_or(now)
}

// SHIM-BEGIN
/// x
#[derive(Debug)]
pub struct Prepared;
/// x
pub fn prepare(_: &Log) -> Result<Prepared, StartupError> {
    Ok(Prepared)
}
/// x
pub fn apply(_: Prepared) {}
/// x
pub fn reopen() -> Result<(), StartupError> {
    Ok(())
}
// SHIM-END
/// This moment, as a log line begins with it.
pub fn timestamp_now() -> String {
    timestamp(now())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Mutex;

    use super::*;
    use crate::settings::AccessFormat;

    /// Memory that several writers append to.
    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Memory {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Memory {
        type Writer = Memory;

        fn make_writer(&self) -> Memory {
            self.clone()
        }
    }

    #[test]
    fn a_record_of_the_error_log_is_one_line_whatever_it_holds() {
        let memory = Memory::default();
        let subscriber = subscriber(tracing::Level::INFO, memory.clone());
        tracing::subscriber::with_default(subscriber, || {
            let evil = "x\r\n2026-01-01T00:00:00Z ERROR forged\u{1b}[2J\u{2028}";
            tracing::warn!(field = evil, shown = %evil, "message {evil}");
            tracing::debug!("below the level");
        });
        let text = memory.text();
        assert_eq!(text.lines().count(), 1, "{text:?}");
        assert!(!text.contains(['\r', '\u{1b}', '\u{2028}']), "{text:?}");
        assert!(
            text.contains(" WARN  unslow::logging::tests: message x"),
            "{text}"
        );
        assert!(text.contains("shown=x"), "{text}");
    }

    #[test]
    fn a_log_that_cannot_be_opened_says_which() {
        let log = Log {
            access: None,
            access_format: AccessFormat::Combined,
            error: LogTarget::File("/nowhere/error.log".into()),
            level: tracing::Level::INFO,
        };
        let error = init(&log).unwrap_err().to_string();
        assert!(
            error.contains("[log] error") && error.contains("/nowhere/error.log"),
            "{error}"
        );
    }
}
