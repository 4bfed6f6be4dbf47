//! The access log: one line for each request, written by a thread of its own.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use super::{now, open, timestamp};
use crate::error::StartupError;
use crate::outcome::Outcome;
use crate::settings::{AccessFormat, Log, LogTarget};

/// One request, as the access log tells it.
#[derive(Debug, Clone, Copy)]
pub struct AccessRecord<'a> {
    /// Who asked; `None` on a Unix socket.
    pub client: Option<IpAddr>,
    /// The method.
    pub method: &'a str,
    /// The path, without the query string.
    pub path: &'a str,
    /// Whether there was a query string; it is written as `?…`, for it may hold anything.
    pub has_query: bool,
    /// The protocol, `HTTP/1.1`.
    pub version: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// From the request's head to the end of the answer.
    pub duration: Duration,
    /// The header of this name; what stands in it after a `?` is left out.
    pub referer: Option<&'a str>,
    /// The header of this name.
    pub user_agent: Option<&'a str>,
    /// The id that the answer carries too.
    pub request_id: &'a str,
    /// How a query was answered; `None` for what is not a query.
    pub outcome: Option<Outcome>,
}

/// How many lines may wait for the disk. More are dropped and counted.
const WAITING: usize = 8192;

/// The access log. Lines go through a bounded queue to a thread that writes them, so a slow disk
/// delays no request. Dropping it writes what waits.
#[derive(Debug)]
pub struct AccessLog {
    format: AccessFormat,
    /// `None` once it is being dropped.
    queue: Option<SyncSender<String>>,
    writer: Option<JoinHandle<()>>,
    dropped: Arc<AtomicU64>,
}

impl AccessLog {
    /// Opens the log; `None` where the settings want none.
    pub fn open(log: &Log) -> Result<Option<AccessLog>, StartupError> {
        let out: Box<dyn Write + Send> = match &log.access {
            None => return Ok(None),
            Some(LogTarget::Stdout) => Box::new(io::stdout()),
            Some(LogTarget::Stderr) => Box::new(io::stderr()),
            Some(LogTarget::File(path)) => Box::new(open(path, "[log] access")?),
        };
        AccessLog::to(out, log.access_format, WAITING).map(Some)
    }

    fn to(
        out: Box<dyn Write + Send>,
        format: AccessFormat,
        waiting: usize,
    ) -> Result<AccessLog, StartupError> {
        let (queue, lines) = sync_channel(waiting);
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        let writer = std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_lines(&lines, out, &counter))
            .map_err(|error| {
                StartupError::new(format!("no thread for the access log: {error}"))
                    .at("[log] access")
                    .remedy("raise the limit of threads, or leave the access log off")
            })?;
        Ok(AccessLog {
            format,
            queue: Some(queue),
            writer: Some(writer),
            dropped,
        })
    }

    /// Puts one line into the queue; never waits. When the queue is full the line is dropped and
    /// counted.
    pub fn write(&self, record: &AccessRecord<'_>) {
        let line = match self.format {
            AccessFormat::Combined => combined(record, now()),
            AccessFormat::Json => json(record, now()),
        };
        let sent = self
            .queue
            .as_ref()
            .is_some_and(|queue| queue.try_send(line).is_ok());
        if !sent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lines that were not written, because the queue was full or writing failed.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
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

/// Writes lines until the log is dropped, and flushes whenever none waits.
fn write_lines(lines: &Receiver<String>, out: Box<dyn Write + Send>, dropped: &AtomicU64) {
    let mut out = BufWriter::new(out);
    let mut failing = false;
    loop {
        let line = match lines.try_recv() {
            Ok(line) => line,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => {
                report(out.flush(), &mut failing);
                let Ok(line) = lines.recv() else { break };
                line
            }
        };
        let written = out.write_all(line.as_bytes());
        if written.is_err() {
            dropped.fetch_add(1, Ordering::Relaxed);
        }
        report(written, &mut failing);
    }
    report(out.flush(), &mut failing);
}

/// Says once that writing fails, and once that it works again.
fn report(written: io::Result<()>, failing: &mut bool) {
    match written {
        Err(error) if !*failing => {
            *failing = true;
            tracing::error!("the access log cannot be written: {error}");
        }
        Ok(()) if *failing => {
            *failing = false;
            tracing::info!("the access log can be written again");
        }
        _ => {}
    }
}

/// Apache's combined format, with duration in seconds, request id and outcome at the end.
fn combined(record: &AccessRecord<'_>, time: OffsetDateTime) -> String {
    let date = time::macros::format_description!(
        "[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000"
    );
    let mut line = String::with_capacity(256);
    match record.client {
        Some(client) => drop(write!(line, "{}", client.to_canonical())),
        None => line.push('-'),
    }
    line.push_str(" - - [");
    line.push_str(&time.format(date).unwrap_or_default());
    line.push_str("] \"");
    escape(&mut line, record.method);
    line.push(' ');
    escape(&mut line, record.path);
    line.push_str(if record.has_query { "?… " } else { " " });
    escape(&mut line, record.version);
    // Writing to a string cannot fail.
    let _ = write!(line, "\" {} {} \"", record.status, record.bytes);
    let (referer, has_query) = without_query(record.referer.unwrap_or("-"));
    escape(&mut line, referer);
    line.push_str(if has_query { "?…\" \"" } else { "\" \"" });
    escape(&mut line, record.user_agent.unwrap_or("-"));
    let _ = write!(line, "\" {:.6} ", record.duration.as_secs_f64());
    escape(&mut line, record.request_id);
    line.push(' ');
    line.push_str(record.outcome.map_or("-", Outcome::name));
    line.push('\n');
    line
}

/// Apache's way: quotes and backslashes get a backslash, what is not printable ASCII is `\xHH`.
fn escape(line: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => line.extend(['\\', char::from(byte)]),
            b' '..=b'~' => line.push(char::from(byte)),
            _ => drop(write!(line, "\\x{byte:02x}")),
        }
    }
}

fn without_query(url: &str) -> (&str, bool) {
    url.split_once('?')
        .map_or((url, false), |(before, _)| (before, true))
}

#[derive(Serialize)]
struct JsonRecord<'a> {
    time: String,
    client: Option<IpAddr>,
    method: &'a str,
    path: String,
    version: &'a str,
    status: u16,
    bytes: u64,
    duration_seconds: f64,
    referer: Option<String>,
    user_agent: Option<&'a str>,
    request_id: &'a str,
    outcome: Option<&'static str>,
}

fn json(record: &AccessRecord<'_>, time: OffsetDateTime) -> String {
    let mark = |(text, has_query): (&str, bool)| {
        if has_query {
            format!("{text}?…")
        } else {
            text.to_owned()
        }
    };
    let line = serde_json::to_string(&JsonRecord {
        time: timestamp(time),
        client: record.client.map(|client| client.to_canonical()),
        method: record.method,
        path: mark((record.path, record.has_query)),
        version: record.version,
        status: record.status,
        bytes: record.bytes,
        duration_seconds: record.duration.as_secs_f64(),
        referer: record.referer.map(|referer| mark(without_query(referer))),
        user_agent: record.user_agent,
        request_id: record.request_id,
        outcome: record.outcome.map(Outcome::name),
    });
    line.unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests;
