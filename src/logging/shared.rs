//! The state that the logs of a process share: the number of lines lost, the owner of syslog's end,
//! the files that are open. One of it lives as long as the process; tests make their own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use serde::Serialize;

use super::out::LogOutput;
use super::syslog::{Severity, Syslog};
use crate::error::StartupError;
use crate::settings::{SyslogFacility, SyslogTarget};

/// The state of this process.
pub(super) static SHARED: LogShared = LogShared::new();

/// Lines that did not reach their place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LostLines {
    /// Lines of the error log that could not be written.
    pub error: u64,
    /// Lines of access logs that could not be written, or for which the disk was too slow.
    pub access: u64,
    /// Records that syslog did not take, as far as that is known.
    pub syslog: u64,
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct LogShared {
    pub(super) error_lost: AtomicU64,
    pub(super) access_lost: AtomicU64,
    pub(super) syslog_lost: AtomicU64,
    syslog: RwLock<Option<Syslog>>,
    access: Mutex<Vec<Weak<LogOutput>>>,
}

impl LogShared {
    pub(super) const fn new() -> LogShared {
        LogShared {
            error_lost: AtomicU64::new(0),
            access_lost: AtomicU64::new(0),
            syslog_lost: AtomicU64::new(0),
            syslog: RwLock::new(None),
            access: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn lost_lines(&self) -> LostLines {
        LostLines {
            error: self.error_lost.load(Ordering::Relaxed),
            access: self.access_lost.load(Ordering::Relaxed),
            syslog: self.syslog_lost.load(Ordering::Relaxed),
        }
    }

    /// Passes a record on to syslog, where there is one; never waits.
    pub(super) fn tell_syslog(&self, severity: Severity, kind: &str, text: &str) {
        let syslog = self.syslog.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(syslog) = syslog.as_ref() {
            syslog.send(severity, kind, text);
        }
    }

    /// Returns whether syslog is sent to this address already, as this facility.
    pub(super) fn has_syslog(
        &self,
        target: Option<&SyslogTarget>,
        facility: SyslogFacility,
    ) -> bool {
        let syslog = self.syslog.read().unwrap_or_else(PoisonError::into_inner);
        match (syslog.as_ref(), target) {
            (None, None) => true,
            (Some(syslog), Some(target)) => syslog.is_for(target, facility),
            _ => false,
        }
    }

    /// Has records go to this syslog from now on.
    pub(super) fn set_syslog(&self, syslog: Option<Syslog>) {
        let mut place = self.syslog.write().unwrap_or_else(PoisonError::into_inner);
        *place = syslog;
    }

    /// Ends syslog, and waits for what is still to be sent, at most so long.
    pub(super) fn end_syslog(&self, patience: Duration) {
        let mut place = self.syslog.write().unwrap_or_else(PoisonError::into_inner);
        let syslog = place.take();
        drop(place);
        if let Some(syslog) = syslog {
            syslog.end_sending(patience);
        }
    }

    /// Remembers the output of an access log as long as it is in use, to open it again.
    pub(super) fn remember_output(&self, out: &Arc<LogOutput>) {
        let mut access = self.access.lock().unwrap_or_else(PoisonError::into_inner);
        access.retain(|out| out.strong_count() > 0);
        access.push(Arc::downgrade(out));
    }

    /// Returns the outputs of all access logs in use.
    pub(super) fn access_logs(&self) -> Vec<Arc<LogOutput>> {
        let access = self.access.lock().unwrap_or_else(PoisonError::into_inner);
        access.iter().filter_map(Weak::upgrade).collect()
    }
}

/// Opens these outputs again: first all files, then they take their places. See
/// [`reopen`](super::reopen_files).
pub(super) fn reopen_outputs(
    outs: impl Iterator<Item = Arc<LogOutput>>,
) -> Result<(), StartupError> {
    let mut opened = Vec::new();
    let mut errors = Vec::new();
    for out in outs {
        match out.opened_again() {
            Ok(Some(file)) => opened.push((out, file)),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
    }
    for (out, file) in opened {
        out.replace_file(file);
    }
    let all: Vec<_> = errors.iter().map(ToString::to_string).collect();
    match errors.pop() {
        None => Ok(()),
        Some(error) if errors.is_empty() => Err(error),
        Some(_) => Err(StartupError::new(all.join("; "))),
    }
}
