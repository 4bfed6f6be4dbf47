//! The reasons for which a command ends without success, with their exit codes and messages.

use std::io;

use crate::daemon::Ended;
use crate::error::{RequestError, StartupError};

/// The reason why a command ended without success.
#[derive(Debug)]
#[cfg_attr(not(unix), allow(dead_code, reason = "some are said of daemons alone"))]
pub(super) enum Failure {
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
    Ended(Ended),
    /// The reader of the output has gone, as `head` does; no failure at all.
    NobodyReads,
}

impl Failure {
    pub(super) fn code(&self) -> u8 {
        match self {
            Failure::NobodyReads => 0,
            Failure::Running(_) => 1,
            Failure::Usage(_) => 2,
            Failure::NoPrivilege(_) | Failure::Unknown(_) => 4,
            Failure::Settings(_) => 6,
            Failure::NotRunning(_) => 7,
            Failure::Silent(code) => *code,
            Failure::Ended(ended) => ended.code,
        }
    }

    pub(super) fn message(&self) -> Option<String> {
        match self {
            Failure::NobodyReads | Failure::Silent(_) => None,
            Failure::Running(text)
            | Failure::Usage(text)
            | Failure::NotRunning(text)
            | Failure::NoPrivilege(text)
            | Failure::Unknown(text) => Some(text.clone()),
            Failure::Settings(error) => Some(error.to_string()),
            Failure::Ended(ended) => Some(ended.message.clone()),
        }
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::BadParameter(_)
            | RequestError::UnknownQuery(_)
            | RequestError::RefusedValue(_) => Failure::Usage(error.to_string()),
            _ => Failure::Running(error.to_string()),
        }
    }
}

impl From<Ended> for Failure {
    fn from(ended: Ended) -> Self {
        Failure::Ended(ended)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::NobodyReads,
            _ => Failure::Running(format!("the output cannot be written: {error}")),
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
            (Failure::Settings(error()), 6),
            (Failure::NotRunning("x".into()), 7),
            (Failure::NoPrivilege("x".into()), 4),
            (Failure::Unknown("x".into()), 4),
            (RequestError::BadParameter("x".into()).into(), 2),
            (RequestError::UnknownQuery("x".into()).into(), 2),
            (RequestError::Unavailable { detail: "x".into() }.into(), 1),
            (io::Error::from(io::ErrorKind::StorageFull).into(), 1),
            (io::Error::from(io::ErrorKind::BrokenPipe).into(), 0),
        ] {
            assert_eq!(failure.code(), code, "{failure:?}");
            assert_eq!(failure.message().is_none(), code == 0);
        }
    }
}
