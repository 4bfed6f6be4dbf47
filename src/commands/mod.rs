//! The subcommands, one file for each that is not the server itself, and what they share: how a
//! failure becomes a message and an exit code, and a small runtime. What a query or a database is
//! belongs to `query` and `db`.

mod check;
mod client;
mod compare;
mod deploy;
mod failure;
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
mod resources;
mod stats;
#[cfg(unix)]
mod status;
mod status_url;
mod terminal;
#[cfg(unix)]
mod unit;

use std::process::ExitCode;

use crate::daemon::{self, Launch};
use crate::error::StartupError;
use crate::flags::{Command, Flags};
use crate::settings::{self, Loaded};

use failure::CommandFailure;
use terminal::print_line;

/// The variables that `main` takes out of the environment before its first thread, because the
/// database driver would read them behind the settings' back.
pub use crate::db::DRIVER_ENVIRONMENT;

/// Runs the command that the flags name, says on standard error what went wrong, and gives the
/// exit code.
pub fn run(flags: &Flags, launch: Result<Launch, StartupError>) -> ExitCode {
    let launched = launch.map_err(CommandFailure::Settings);
    let Err(failure) = launched.and_then(|launch| dispatch_command(flags, launch)) else {
        return ExitCode::SUCCESS;
    };
    if let Some(message) = failure.message() {
        print_line(&format!("unslow: {message}"));
    }
    ExitCode::from(failure.exit_code())
}

/// Prints clap's help or error, and gives its exit code.
pub fn print_usage(help_or_error: &clap::Error) -> ExitCode {
    // Nobody is left to tell that it could not be printed.
    drop(help_or_error.print());
    ExitCode::from(u8::try_from(help_or_error.exit_code()).unwrap_or(2))
}

fn dispatch_command(flags: &Flags, launch: Launch) -> Result<(), CommandFailure> {
    // Whatever its arguments say: somebody waits for it to serve, and says why it does not.
    if launch.is_awaited() {
        return daemon::serve_process(flags, launch)
            .map_err(|ended| CommandFailure::Silent(ended.code));
    }
    if matches!(
        flags.command,
        Command::Run | Command::Start | Command::Check { .. }
    ) {
        for sentence in &flags.without_effect {
            print_line(&format!("unslow: {sentence}"));
        }
    }
    match &flags.command {
        Command::Init(files) => init::run(files),
        Command::Deploy(what) => deploy::run(&what.kind, &what.dir, what.force),
        Command::Man => man::print_page(),
        Command::Completions { shell } => man::print_completions(*shell),
        Command::Status { url: Some(url), .. } => status_url::run(url),
        Command::Status { .. }
        | Command::Stop { .. }
        | Command::Restart
        | Command::Reload
        | Command::Upgrade { .. }
        | Command::Reopen
        | Command::Scale { .. }
        | Command::SystemdUnit => manage::run(flags, launch),
        Command::Run | Command::Start => Ok(daemon::serve_process(flags, launch)?),
        command => with_settings(
            command,
            &settings::load(flags).map_err(CommandFailure::Settings)?,
        ),
    }
}

fn with_settings(command: &Command, loaded: &Loaded) -> Result<(), CommandFailure> {
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
