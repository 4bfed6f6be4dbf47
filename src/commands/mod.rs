//! The subcommands, one file for each that is not the server itself, and what they share: how a
//! failure becomes a message and an exit code, and a small runtime. What a query or a database is
//! belongs to `query` and `db`.

mod check;
mod client;
mod compare;
mod deploy;
mod init;
mod install;
mod man;
#[cfg(not(unix))]
#[path = "elsewhere.rs"]
mod manage;
#[cfg(unix)]
mod manage;
#[cfg(unix)]
mod place;
mod print_config;
mod purge;
mod queries;
mod query;
mod stats;
#[cfg(unix)]
mod status;
mod status_url;
#[cfg(unix)]
mod unit;

use std::io::{self, Write};
use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};

use crate::app;
use crate::daemon::{self, Ended, Launch};
use crate::db::Database;
use crate::error::{RequestError, StartupError};
use crate::flags::{Command, Flags};
use crate::query::Catalog;
use crate::settings::{self, Loaded, Settings};

/// What `main` takes out of the environment before its first thread, because the database driver
/// would read it behind the settings' back.
pub use crate::db::DRIVER_ENVIRONMENT;

/// Why a command ended without success.
#[derive(Debug)]
#[cfg_attr(not(unix), allow(dead_code, reason = "some are said of daemons alone"))]
enum Failure {
    /// It was asked for something that is not there; exit code 2.
    Usage(String),
    /// The settings or query files are not in order; exit code 6.
    Settings(StartupError),
    /// It went wrong while running; exit code 1.
    Running(String),
    /// The daemon that it is about does not run; exit code 7.
    NotRunning(String),
    /// Whoever asks may not; exit code 4.
    NoPrivilege(String),
    /// Whether the daemon runs cannot be told; exit code 4.
    Unknown(String),
    /// The output says it already, and this is the exit code.
    Silent(u8),
    /// The server did not come to serve, or could not go on.
    Ended(Ended),
    /// Whoever read the output has gone, as `head` does; no failure at all.
    NobodyReads,
}

impl Failure {
    fn code(&self) -> u8 {
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

    fn message(&self) -> Option<String> {
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

/// Runs the command that the flags name, says on standard error what went wrong, and gives the
/// exit code.
pub fn run(flags: &Flags, launch: Result<Launch, StartupError>) -> ExitCode {
    let launched = launch.map_err(Failure::Settings);
    let Err(failure) = launched.and_then(|launch| dispatch(flags, launch)) else {
        return ExitCode::SUCCESS;
    };
    if let Some(message) = failure.message() {
        say(&format!("unslow: {message}"));
    }
    ExitCode::from(failure.code())
}

/// Prints clap's help or error, and gives its exit code.
pub fn usage(help_or_error: &clap::Error) -> ExitCode {
    // Nobody is left to tell that it could not be printed.
    drop(help_or_error.print());
    ExitCode::from(u8::try_from(help_or_error.exit_code()).unwrap_or(2))
}

fn dispatch(flags: &Flags, launch: Launch) -> Result<(), Failure> {
    // Whatever its arguments say: somebody waits for it to serve, and says why it does not.
    if launch.is_awaited() {
        return daemon::serve(flags, launch).map_err(|ended| Failure::Silent(ended.code));
    }
    if matches!(
        flags.command,
        Command::Run | Command::Start | Command::Check { .. }
    ) {
        for sentence in &flags.without_effect {
            say(&format!("unslow: {sentence}"));
        }
    }
    match &flags.command {
        Command::Init(files) => init::run(files),
        Command::Deploy(what) => deploy::run(&what.kind, &what.dir, what.force),
        Command::Man => man::page(),
        Command::Completions { shell } => man::completions(*shell),
        Command::Status { url: Some(url), .. } => status_url::run(url),
        Command::Status { .. }
        | Command::Stop { .. }
        | Command::Restart
        | Command::Reload
        | Command::Upgrade { .. }
        | Command::Reopen
        | Command::Scale { .. }
        | Command::SystemdUnit => manage::run(flags, launch),
        Command::Run | Command::Start => Ok(daemon::serve(flags, launch)?),
        command => with_settings(command, &settings::load(flags).map_err(Failure::Settings)?),
    }
}

fn with_settings(command: &Command, loaded: &Loaded) -> Result<(), Failure> {
    let settings = &loaded.settings;
    match command {
        Command::PrintConfig => print_config::run(loaded),
        Command::Queries => queries::run(settings),
        Command::Check { online } => check::run(loaded, *online),
        Command::Install { role } => install::run(settings, role.as_deref()),
        Command::Query {
            name,
            params,
            format,
        } => query::run(settings, name, params, *format),
        Command::Purge {
            name,
            params,
            how,
            url,
        } => purge::run(settings, name, params, *how, url.as_deref()),
        Command::Compare(wanted) => compare::run(settings, wanted),
        Command::Stats(asked) => stats::run(settings, asked),
        _ => unreachable!("the rest is done without settings"),
    }
}

/// The queries that these settings offer.
fn catalog(settings: &Settings) -> Result<Catalog, Failure> {
    app::catalog(settings).map_err(Failure::Settings)
}

/// A runtime for one command, which has nothing to do at the same time.
fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Running(format!("the runtime does not start: {error}")))
}

/// The database; to be called on the runtime.
fn database(settings: &Settings) -> Result<Database, Failure> {
    Database::open(settings).map_err(Failure::Settings)
}

/// Writes to standard output. Unlike `print!` it does not panic when nobody reads.
fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Writes a line to standard error, as long as there is one.
fn say(line: &str) {
    drop(writeln!(io::stderr().lock(), "{line}"));
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
