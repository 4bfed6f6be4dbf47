//! `-D`, seen from the terminal: everything that can fail in a way that its user can mend is done
//! here, then the process that serves is started, and nothing is said before it does.

use std::os::fd::AsFd;
use std::path::Path;

use super::bound::{lock, passed_sockets, require_trusted};
use super::ended::{ExitError, print_line};
use super::handover::{self, HandoverParams, HandoverRole};
use super::launch::{Launch, ProcessContext};
use super::pidfile;
use crate::error::StartupError;
use crate::server::Listeners;
use crate::settings::Settings;

/// Starts the process that serves, and returns when it does.
///
/// # Errors
/// Whatever keeps it from serving; then there is no such process.
pub(super) fn run(
    started: &ProcessContext,
    settings: &Settings,
    launch: &mut Launch,
) -> Result<(), ExitError> {
    if launch.notifier.is_listened_to() {
        return Err(refused_error(
            "a supervisor waits for this process (NOTIFY_SOCKET is set)",
        ));
    }
    if std::process::id() == 1 {
        return Err(refused_error(
            "this is process 1: its container would end with it",
        ));
    }
    let path = settings
        .process
        .pidfile
        .as_deref()
        .unwrap_or(Path::new("/"));
    pidfile::make_folder(path).map_err(ExitError::from_settings)?;
    require_trusted(path, settings)?;
    let pidfile = lock(path)?;
    let mut inherited = std::mem::take(&mut launch.sockets);
    inherited.extend(passed_sockets(settings, &inherited)?);
    let listeners = Listeners::open(settings, inherited).map_err(ExitError::from_running)?;
    let luggage = HandoverParams {
        in_background: true,
        listeners: &listeners,
        pidfile: Some(pidfile.file().as_fd()),
        place: Some(path),
        default_place: None,
        folder: &started.surroundings.working_folder,
        config: started.flags.config.as_deref(),
        environment: Vec::new(),
    };
    let process = handover::start(&started.binary, HandoverRole::Detached, luggage);
    let serving = process
        .map_err(|error| {
            let binary = started.binary.display();
            ExitError::from_running(StartupError::new(format!(
                "{binary} cannot be started: {error}"
            )))
        })
        .and_then(|mut process| {
            let ready = process.wait_ready(settings.process.start_timeout);
            let lines = ready.map_err(|not| ExitError {
                code: not.code,
                message: not.message,
            })?;
            let pid = process.pid();
            process.let_go();
            Ok((pid, lines))
        });
    let (pid, lines) = match serving {
        Ok(serving) => serving,
        Err(ended) => {
            listeners.remove_paths();
            return Err(ended);
        }
    };
    pidfile.hand_on();
    print_line(&format!("unslow runs as process {pid}"));
    print_line(&format!("pidfile: {}", path.display()));
    for line in lines {
        print_line(&line);
    }
    Ok(())
}

fn refused_error(why: &str) -> ExitError {
    ExitError::from_running(
        StartupError::new(format!("it cannot run in the background: {why}"))
            .at_place("-D, --daemon")
            .with_remedy("leave -D away: `unslow run` is what is wanted here"),
    )
}
