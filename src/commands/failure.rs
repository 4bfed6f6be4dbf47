//! The reasons for which a command ends without success, with their exit codes and messages.

use std::io;

use crate::daemon::ExitError;
use crate::error::{RequestError, StartupError};

/// The reason why a command ended without success.
#[derive(Debug)]
#[cfg_attr(not(unix), allow(dead_code, reason = "some are said of daemons alone"))]
pub(super) enum CommandFailure {
    /// It was asked for something that is not there; exit code 2.
    Usage(String),
    /// The settings or query files are not in order; exit code 6.
    Settings(StartupError),
    /// It went wrong while running; exit code 1.
    Running(String),
    /// The daemon that it is about does not run; exit code 7.
    NotRunning(String),
    /// The caller may not do this; exit code 4.
    NoPrivilege(String),
    /// It cannot be told if the daemon runs; exit code 4.
    Unknown(String),
    /// The output says it already, and this is the exit code.
    Silent(u8),
    /// The server did not come to serve, or could not go on.
    Ended(ExitError),
    /// The reader of the output has gone, as `head` does; no failure at all.
    NobodyReads,
}

impl CommandFailure {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            CommandFailure::NobodyReads => 0,
            CommandFailure::Running(_) => 1,
            CommandFailure::Usage(_) => 2,
            CommandFailure::NoPrivilege(_) | CommandFailure::Unknown(_) => 4,
            CommandFailure::Settings(_) => 6,
            CommandFailure::NotRunning(_) => 7,
            CommandFailure::Silent(code) => *code,
            CommandFailure::Ended(ended) => ended.code,
        }
    }

    pub(super) fn message(&self) -> Option<String> {
        match self {
            CommandFailure::NobodyReads | CommandFailure::Silent(_) => None,
            CommandFailure::Running(text)
            | CommandFailure::Usage(text)
            | CommandFailure::NotRunning(text)
            | CommandFailure::NoPrivilege(text)
            | CommandFailure::Unknown(text) => Some(text.clone()),
            CommandFailure::Settings(error) => Some(error.to_string()),
            CommandFailure::Ended(ended) => Some(ended.message.clone()),
        }
    }
}

impl From<RequestError> for CommandFailure {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::BadParameter(_)
            | RequestError::UnknownQuery(_)
            | RequestError::RefusedValue(_) => CommandFailure::Usage(error.to_string()),
            _ => CommandFailure::Running(error.to_string()),
        }
    }
}

impl From<ExitError> for CommandFailure {
    fn from(ended: ExitError) -> Self {
        CommandFailure::Ended(ended)
    }
}

impl From<io::Error> for CommandFailure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => CommandFailure::NobodyReads,
            _ => CommandFailure::Running(format!("the output cannot be written: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_the_exit_code_that_scripts_rely_on() {
        let error = || StartupError::new("x");
        for (failure, code) in [
            (CommandFailure::Settings(error()), 6),
            (CommandFailure::NotRunning("x".into()), 7),
            (CommandFailure::NoPrivilege("x".into()), 4),
            (CommandFailure::Unknown("x".into()), 4),
            (RequestError::BadParameter("x".into()).into(), 2),
            (RequestError::UnknownQuery("x".into()).into(), 2),
            (RequestError::Unavailable { detail: "x".into() }.into(), 1),
            (io::Error::from(io::ErrorKind::StorageFull).into(), 1),
            (io::Error::from(io::ErrorKind::BrokenPipe).into(), 0),
        ] {
            assert_eq!(failure.exit_code(), code, "{failure:?}");
            assert_eq!(failure.message().is_none(), code == 0);
        }
    }
}
