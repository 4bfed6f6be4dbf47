//! The access log: one line for each request, written by a thread of its own. How a line looks is
//! in the files beside.

mod format;
mod identifiers;
mod record;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use time::OffsetDateTime;

use super::line::now_millis;
use super::out::LogOutput;
use super::shared::{LogShared, SHARED};
use super::syslog::Severity;
use crate::error::StartupError;
use crate::settings::{AccessFormat, LogSettings};

pub use record::{AccessRecord, LoggedHeaders};

/// The number of lines that may wait for the disk. More are dropped and counted.
const WAITING: usize = 8192;

/// The bytes of lines that are written at once, a line more or less.
const BATCH: usize = 64 << 10;

/// The access log of one generation of workers. Lines go through a bounded queue to a thread that
/// writes them, so a slow disk delays no request. Several may write to one file. Dropping it
/// writes what waits.
#[derive(Debug)]
pub struct AccessLog {
    format: AccessFormat,
    /// `None` once it is being dropped.
    queue: Option<SyncSender<String>>,
    writer: Option<JoinHandle<()>>,
    shared: &'static LogShared,
}

impl AccessLog {
    /// Opens the log; `None` where the settings want none.
    pub fn open(log: &LogSettings) -> Result<Option<AccessLog>, StartupError> {
        AccessLog::open_in(log, &SHARED)
    }

    fn open_in(
        log: &LogSettings,
        shared: &'static LogShared,
    ) -> Result<Option<AccessLog>, StartupError> {
        let Some(target) = &log.access else {
            return Ok(None);
        };
        let out = LogOutput::open(target, "--access-log / [log] access")?;
        AccessLog::with_output(out, log.access_format.clone(), WAITING, shared).map(Some)
    }

    fn with_output(
        out: LogOutput,
        format: AccessFormat,
        waiting: usize,
        shared: &'static LogShared,
    ) -> Result<AccessLog, StartupError> {
        let (queue, lines) = sync_channel(waiting);
        let out = Arc::new(out);
        shared.remember_output(&out);
        let writer = std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_lines(&lines, &out, shared))
            .map_err(|error| {
                StartupError::new(format!("no thread for the access log: {error}"))
                    .at_place("[log] access")
                    .with_remedy("raise the limit of threads, or leave the access log off")
            })?;
        Ok(AccessLog {
            format,
            queue: Some(queue),
            writer: Some(writer),
            shared,
        })
    }

    /// Puts one line into the queue; never waits. When the queue is full the line is dropped and
    /// counted.
    pub fn write(&self, record: &AccessRecord<'_>) {
        let line = write_record(&self.format, record, now_millis());
        let queue = self.queue.as_ref();
        let sent = queue.is_some_and(|queue| queue.try_send(line).is_ok());
        if !sent {
            self.shared.access_lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A panic of the writer has been logged where it happened.
            drop(writer.join());
        }
    }
}

/// Returns the line of a record, with its end.
fn write_record(format: &AccessFormat, record: &AccessRecord<'_>, time: OffsetDateTime) -> String {
    let mut line = match format {
        AccessFormat::Combined => format::write_combined(record, time),
        AccessFormat::Json => format::write_json(record, time),
        AccessFormat::Parts(parts) => identifiers::write_parts(parts, record, time),
    };
    line.push('\n');
    line
}

/// Writes lines until the log is dropped: those that wait, in one go.
fn write_lines(lines: &Receiver<String>, out: &LogOutput, shared: &LogShared) {
    let mut trouble = WriteTrouble::default();
    let mut batch = Vec::new();
    while let Ok(first) = lines.recv() {
        batch.clear();
        let mut next = Some(first);
        while let Some(line) = next {
            batch.extend_from_slice(line.as_bytes());
            shared.tell_syslog(Severity::INFO, "access", line.trim_end_matches('\n'));
            next = (batch.len() < BATCH)
                .then(|| lines.try_recv().ok())
                .flatten();
        }
        let written = out.write(&batch);
        if let Err(unwritten) = &written {
            let lost = &shared.access_lost;
            lost.fetch_add(unwritten.lines, Ordering::Relaxed);
        }
        trouble.note_result(written.err().map(|unwritten| unwritten.error).as_ref());
    }
}

/// Says in the error log that the access log cannot be written, and that it can again, once each.
#[derive(Debug, Default)]
struct WriteTrouble {
    failing: bool,
}

impl WriteTrouble {
    fn note_result(&mut self, error: Option<&io::Error>) {
        match error {
            Some(error) if !self.failing => {
                self.failing = true;
                tracing::error!("the access log cannot be written: {error}");
            }
            None if self.failing => {
                self.failing = false;
                tracing::info!("the access log can be written again");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
