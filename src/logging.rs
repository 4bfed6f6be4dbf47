//! The logs: the error log, which is what `tracing` records; the access log, one line for each
//! request; and syslog, which gets both where it is asked for. It owns how lines look and how they
//! reach their place; what is worth a line is for others to say. Whatever comes from outside is
//! escaped, so that a record is always one line. No log ends a request, and of the two that grow
//! with the requests none delays one: a line that cannot be written is counted.
//!
//! The error log and syslog belong to the process, an access log to one generation of workers.

mod access;
mod error_log;
mod line;
#[cfg(not(unix))]
#[path = "logging/elsewhere.rs"]
mod log_file;
#[cfg(unix)]
mod log_file;
mod out;
mod shared;
mod syslog;
mod throttle;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::error::StartupError;
use crate::settings::LogSettings;

pub use access::{AccessLog, AccessRecord, LoggedHeaders};
pub use error_log::PreparedChange;
pub use shared::LostLines;
pub use throttle::{LOG_EVERY, LogThrottle, LogThrottles};

use error_log::ErrorLog;
use shared::SHARED;

/// The error log of this process, once it has been started.
static ERROR_LOG: OnceLock<Arc<ErrorLog>> = OnceLock::new();

/// Starts error log and syslog of this process, and has panics written to them. A second call in
/// one process changes nothing; [`apply`] does.
pub fn start_logging(log: &LogSettings) -> Result<(), StartupError> {
    let prepared = PreparedChange::open(log, &SHARED)?;
    let error_log = Arc::new(ErrorLog::new(prepared, &SHARED));
    let first = ERROR_LOG.set(Arc::clone(&error_log)).is_ok();
    if first && tracing::subscriber::set_global_default(error_log).is_ok() {
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    }
    Ok(())
}

/// Opens what these settings ask of error log and syslog, and changes nothing yet: a reload can
/// fail later and leave the logs as they are. Dropping the result does just that.
///
/// # Errors
/// A file that cannot be opened.
pub fn prepare_change(log: &LogSettings) -> Result<PreparedChange, StartupError> {
    PreparedChange::open(log, &SHARED)
}

/// Puts what was [prepared](prepare_change) into force: level, target and syslog, without the loss of a
/// line. Lines that are being written when this is called are in the old file when it returns.
pub fn apply(prepared: PreparedChange) {
    if let Some(error_log) = ERROR_LOG.get() {
        error_log.apply(prepared);
    }
}

/// Opens the files of the error log and of every access log in use again, by their names, and goes
/// on in those: after a tool has renamed them. No line is lost or written twice, and none goes to
/// a renamed file once this returns. It waits for the writes that are under way.
///
/// # Errors
/// The files that could not be opened. Their logs go on where they are; all others have moved.
pub fn reopen_files() -> Result<(), StartupError> {
    let error_log = ERROR_LOG.get().map(|log| log.log_output());
    shared::reopen_outputs(error_log.into_iter().chain(SHARED.access_logs()))
}

/// Returns the lines that did not reach their place since the process began.
pub fn lost_lines() -> LostLines {
    SHARED.lost_lines()
}

/// Returns this moment, as a line of the logs begins with it.
pub fn timestamp_now() -> String {
    line::write_timestamp(line::now_millis())
}

/// Gives syslog a moment to send what waits; to be called last. Nothing reaches syslog after it,
/// until [`apply`] asks for it anew.
pub fn finish() {
    SHARED.end_syslog(Duration::from_secs(2));
}
