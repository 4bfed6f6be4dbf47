//! Records to syslog: RFC 5424 in datagrams, from a thread with a bounded queue, so that nobody
//! waits for the network. While nothing takes them, records wait in the queue; what does not fit
//! is dropped and counted. What is worth a record is for the two logs to say.

mod link;

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Thread;
use std::time::{Duration, Instant};

use tracing::Level;

use super::line::{OneLine, now_millis, write_timestamp};
use crate::error::StartupError;
use crate::settings::{SyslogFacility, SyslogTarget};
use link::{SendFailure, SyslogLink};

/// The number of records that may wait.
const WAITING: usize = 8192;

/// The longest message; common daemons cut what is longer.
const LONGEST: usize = 8192;

/// The time for which to wait before a record that was not taken is tried again.
const PAUSE: Duration = Duration::from_millis(250);

/// The pause between two records that say that nothing takes the records: that is a record too.
const SAID_EVERY: Duration = Duration::from_mins(1);

/// RFC 5424's severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Severity(u8);

impl Severity {
    pub(super) const INFO: Severity = Severity(6);

    pub(super) fn from_level(level: Level) -> Severity {
        match level {
            Level::ERROR => Severity(3),
            Level::WARN => Severity(4),
            Level::INFO => Severity::INFO,
            Level::DEBUG | Level::TRACE => Severity(7),
        }
    }
}

/// One address of syslog. Dropping it has the thread send what waits, without waiting itself.
#[derive(Debug)]
pub(super) struct Syslog {
    target: SyslogTarget,
    facility: SyslogFacility,
    /// `HOST unslow PID`, as every message has it.
    origin: String,
    /// `None` once it is being dropped.
    queue: Option<SyncSender<String>>,
    lost: &'static AtomicU64,
    /// Says that nobody waits for retries any more.
    closing: Arc<AtomicBool>,
    thread: Thread,
    /// Ends with the thread.
    ended: std::sync::Mutex<Receiver<()>>,
}

impl Syslog {
    /// Starts the thread. Whether somebody listens at the address shows later.
    ///
    /// # Errors
    /// A system that gives no thread.
    pub(super) fn start(
        target: &SyslogTarget,
        facility: SyslogFacility,
        lost: &'static AtomicU64,
    ) -> Result<Syslog, StartupError> {
        Syslog::with_room(target, facility, lost, WAITING)
    }

    fn with_room(
        target: &SyslogTarget,
        facility: SyslogFacility,
        lost: &'static AtomicU64,
        waiting: usize,
    ) -> Result<Syslog, StartupError> {
        let (queue, messages) = sync_channel(waiting);
        let (alive, ended) = sync_channel(0);
        let closing = Arc::new(AtomicBool::new(false));
        let mut sender = RecordSender {
            link: SyslogLink::with_target(target.clone()),
            closing: Arc::clone(&closing),
            lost,
            said: None,
            failing: false,
        };
        let thread = std::thread::Builder::new()
            .name("syslog".to_owned())
            .spawn(move || {
                sender.run(&messages);
                drop(alive);
            })
            .map_err(|error| {
                StartupError::new(format!("no thread for syslog: {error}"))
                    .at_place("[log] syslog")
                    .with_remedy("raise the limit of threads, or leave syslog out")
            })?;
        Ok(Syslog {
            target: target.clone(),
            facility,
            origin: format!("{} unslow {}", host_name(), std::process::id()),
            queue: Some(queue),
            lost,
            closing,
            thread: thread.thread().clone(),
            ended: std::sync::Mutex::new(ended),
        })
    }

    pub(super) fn is_for(&self, target: &SyslogTarget, facility: SyslogFacility) -> bool {
        self.target == *target && self.facility == facility
    }

    /// Puts one record into the queue; never waits. When the queue is full the record is dropped
    /// and counted.
    pub(super) fn send(&self, severity: Severity, kind: &str, text: &str) {
        let message = self.make_message(severity, kind, text);
        let queue = self.queue.as_ref();
        let sent = queue.is_some_and(|queue| queue.try_send(message).is_ok());
        if !sent {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes `<PRI>1 TIME HOST APP PID MSGID - TEXT`
    fn make_message(&self, Severity(severity): Severity, kind: &str, text: &str) -> String {
        let priority = self.facility.0 * 8 + severity;
        let (time, origin) = (write_timestamp(now_millis()), &self.origin);
        let mut message = format!("<{priority}>1 {time} {origin} {kind} - ");
        // Writing to a string cannot fail.
        let _ = OneLine(&mut message).write_str(text);
        if message.len() > LONGEST {
            message.truncate(message.floor_char_boundary(LONGEST - '…'.len_utf8()));
            message.push('…');
        }
        message
    }

    /// Ends it, and waits until what is in the queue is sent or given up, at most so long.
    pub(super) fn end_sending(mut self, patience: Duration) {
        self.close();
        let ended = self.ended.get_mut();
        let ended = ended.unwrap_or_else(std::sync::PoisonError::into_inner);
        // It ends with an error in either case: the thread's end is gone, or it took too long.
        let _ = ended.recv_timeout(patience);
    }

    fn close(&mut self) {
        self.queue = None;
        self.closing.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Drop for Syslog {
    fn drop(&mut self) {
        self.close();
    }
}

/// The thread's side.
struct RecordSender {
    link: SyslogLink,
    closing: Arc<AtomicBool>,
    lost: &'static AtomicU64,
    /// The moment when it was said last that nothing takes the records.
    said: Option<Instant>,
    /// True where it was said of one that waits, and not yet that it is over.
    failing: bool,
}

impl RecordSender {
    fn run(&mut self, messages: &Receiver<String>) {
        for message in messages {
            self.deliver_message(message.as_bytes());
        }
    }

    /// Sends one message, or counts it; while nobody takes it, it waits.
    fn deliver_message(&mut self, message: &[u8]) {
        loop {
            match self.link.send(message) {
                Ok(lost_before) => {
                    if lost_before {
                        self.lost.fetch_add(1, Ordering::Relaxed);
                        self.complain_once("the one before was refused");
                    } else if std::mem::take(&mut self.failing) {
                        tracing::info!("syslog takes records again");
                    }
                    return;
                }
                Err(SendFailure::Now(error)) if !self.closing.load(Ordering::Acquire) => {
                    self.failing |= self.complain_once(&error.to_string());
                    std::thread::park_timeout(PAUSE);
                }
                Err(SendFailure::Now(error) | SendFailure::ForGood(error)) => {
                    self.lost.fetch_add(1, Ordering::Relaxed);
                    self.complain_once(&error.to_string());
                    return;
                }
            }
        }
    }

    /// Says that records are not taken, unless that was said a moment ago.
    fn complain_once(&mut self, why: &str) -> bool {
        let now = self.said.is_none_or(|said| said.elapsed() >= SAID_EVERY);
        if now {
            self.said = Some(Instant::now());
            tracing::warn!("syslog at {} does not take records: {why}", self.link);
        }
        now
    }
}

/// Returns this machine's name as RFC 5424 allows it, `-` where there is none.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name
        .chars()
        .filter(char::is_ascii_graphic)
        .take(255)
        .collect();
    if name.is_empty() {
        "-".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests;
