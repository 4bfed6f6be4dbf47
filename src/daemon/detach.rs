//! `-D`, seen from the terminal: everything that can fail in a way that its user can mend is done
//! here, then the process that serves is started, and nothing is said before it does.

use std::os::fd::AsFd;
use std::path::Path;

use super::bound::{lock, passed, trust};
use super::ended::{ExitError, tell};
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
        return Err(refused(
            "a supervisor waits for this process (NOTIFY_SOCKET is set)",
        ));
    }
    if std::process::id() == 1 {
        return Err(refused(
            "this is process 1: its container would end with it",
        ));
    }
    let path = settings
        .process
        .pidfile
        .as_deref()
        .unwrap_or(Path::new("/"));
    pidfile::make_folder(path).map_err(ExitError::settings)?;
    trust(path, settings)?;
    let pidfile = lock(path)?;
    let mut inherited = std::mem::take(&mut launch.sockets);
    inherited.extend(passed(settings, &inherited)?);
    let listeners = Listeners::open(settings, inherited).map_err(ExitError::running)?;
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
            ExitError::running(StartupError::new(format!(
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
    tell(&format!("unslow runs as process {pid}"));
    tell(&format!("pidfile: {}", path.display()));
    for line in lines {
        tell(&line);
    }
    Ok(())
}

fn refused(why: &str) -> ExitError {
    ExitError::running(
        StartupError::new(format!("it cannot run in the background: {why}"))
            .at("-D, --daemon")
            .remedy("leave -D away: `unslow run` is what is wanted here"),
    )
}
