//! The daemon that a command is about: the one of the pidfile that these settings name. It is found
//! as well where the settings are not in order, because that is when somebody wants to end it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::failure::CommandFailure;
use crate::daemon::claim::{self, UnknownHolder};
use crate::daemon::control::{AskError, DaemonAnswer, DaemonRequest, ask_daemon};
use crate::daemon::identity;
use crate::daemon::pidfile::{self, PidfileState};
use crate::daemon::process::{ProcessOwner, RunningProcess};
use crate::error::StartupError;
use crate::flags::Flags;
use crate::settings::{self, Loaded, ProcessEnvironment, Settings, pidfile_place};
use crate::text::words::escape_controls;

/// The time for which a command may take that only asks.
pub(super) const SHORT: Duration = Duration::from_secs(10);

/// More than what the settings allow for something, before it counts as hanging.
const MARGIN: Duration = Duration::from_secs(5);

/// A daemon, running or not.
#[derive(Debug)]
pub(super) struct DaemonHandle {
    pub(super) pidfile: PathBuf,
    /// The owner of the process.
    owner: ProcessOwner,
    /// The time for which it may take to end gracefully.
    pub(super) end: Duration,
    /// The time for which it may take until a new generation or process serves.
    pub(super) start: Duration,
    /// The reason why the settings cannot be used, where they cannot.
    trouble: Option<StartupError>,
}

impl DaemonHandle {
    /// Returns the one that these flags and the settings mean.
    pub(super) fn find(flags: &Flags) -> Result<DaemonHandle, CommandFailure> {
        let surroundings = ProcessEnvironment::of_process().map_err(CommandFailure::Settings)?;
        match settings::load_in(flags, &surroundings) {
            Ok(loaded) => DaemonHandle::find_by_settings(&loaded, &surroundings.working_folder),
            Err(trouble) => {
                let place = pidfile_place(flags, &surroundings);
                let defaults = Settings::from_flags(&[]).map_err(CommandFailure::Settings)?;
                // A user that is not known is one more thing that is not in order.
                let owner = identity::process_owner(place.user.as_deref(), place.group.as_deref());
                let owner = owner.unwrap_or(ProcessOwner::of_this_process());
                let mut daemon =
                    DaemonHandle::with_pidfile(&defaults, owner, place.named, &place.folder)?;
                daemon.trouble = Some(trouble);
                Ok(daemon)
            }
        }
    }

    /// Returns the one of these settings.
    pub(super) fn find_by_settings(
        loaded: &Loaded,
        working: &Path,
    ) -> Result<DaemonHandle, CommandFailure> {
        let folder = loaded.file.as_deref().and_then(Path::parent);
        let process = &loaded.settings.process;
        let owner = identity::process_owner(process.user.as_deref(), process.group.as_deref())
            .map_err(CommandFailure::Settings)?;
        let named = process.pidfile.clone();
        DaemonHandle::with_pidfile(&loaded.settings, owner, named, folder.unwrap_or(working))
    }

    fn with_pidfile(
        settings: &Settings,
        owner: ProcessOwner,
        named: Option<PathBuf>,
        folder: &Path,
    ) -> Result<DaemonHandle, CommandFailure> {
        let default = || pidfile::default_path(|name| std::env::var_os(name), folder);
        let pidfile = named.unwrap_or_else(default);
        let owner = claim::owner_of_place(&pidfile, owner);
        claim::trusted_place(&pidfile, owner).map_err(CommandFailure::Settings)?;
        let server = &settings.server;
        Ok(DaemonHandle {
            pidfile,
            owner,
            end: server.graceful_timeout + server.drain_delay + server.keep_alive + MARGIN,
            start: settings.process.start_timeout + MARGIN,
            trouble: None,
        })
    }

    /// Returns what its pidfile says; where nobody holds that, what its control socket does.
    ///
    /// # Errors
    /// It cannot be read; or there is none, and settings that cannot be used may name another.
    pub(super) fn pidfile_state(&mut self) -> Result<PidfileState, CommandFailure> {
        let state = match self.state_of(&self.pidfile)? {
            state @ (PidfileState::Absent | PidfileState::Stale) => {
                self.hidden_process().map_or(state, PidfileState::Running)
            }
            state => state,
        };
        match (state, self.trouble.take()) {
            (PidfileState::Absent, Some(trouble)) => Err(CommandFailure::Settings(trouble)),
            (state, _) => Ok(state),
        }
    }

    /// Returns the number of a process that runs although nobody holds the pidfile: somebody has
    /// removed it.
    pub(super) fn hidden_process(&self) -> Option<u32> {
        let socket = pidfile::control_socket(&self.pidfile);
        let answer = ask_daemon(&socket, &DaemonRequest::Status, SHORT, self.owner).ok()?;
        Some(answer.status?.pid)
    }

    /// Returns what this pidfile says, its own or that of its successor.
    pub(super) fn state_of(&self, path: &Path) -> Result<PidfileState, CommandFailure> {
        claim::pidfile_state(path, self.owner).map_err(|error| unclaimed_error(path, error))
    }

    /// Returns the process that holds this pidfile, to be signalled; `None` where none does, or one
    /// that only starts.
    pub(super) fn process_of(&self, path: &Path) -> Result<Option<RunningProcess>, CommandFailure> {
        claim::holding_process(path, self.owner).map_err(|error| unclaimed_error(path, error))
    }

    /// Asks it to do something, and gives its answer if it did.
    ///
    /// # Errors
    /// It does not run, takes no commands from this user, or could not do it.
    pub(super) fn ask_daemon(
        &mut self,
        request: DaemonRequest,
        patience: Duration,
    ) -> Result<DaemonAnswer, CommandFailure> {
        let socket = pidfile::control_socket(&self.pidfile);
        let error = match ask_daemon(&socket, &request, patience, self.owner) {
            Ok(answer) if answer.ok => return Ok(answer),
            Ok(answer) => return Err(CommandFailure::Running(printed_message(&answer.message))),
            Err(error) => error,
        };
        match (error, self.pidfile_state()?) {
            (AskError::NotRunning, PidfileState::Running(pid)) => {
                Err(CommandFailure::Running(format!(
                    "it runs (pid {pid}) and takes no commands at {}",
                    socket.display()
                )))
            }
            (AskError::NotRunning, PidfileState::Starting) => {
                Err(CommandFailure::Running("it starts; try again".to_owned()))
            }
            (AskError::NotRunning, PidfileState::Absent | PidfileState::Stale) => {
                Err(CommandFailure::NotRunning(self.not_running()))
            }
            (error @ AskError::NotAllowed, _) => {
                Err(CommandFailure::NoPrivilege(error.to_string()))
            }
            (error, _) => Err(CommandFailure::Running(error.to_string())),
        }
    }

    pub(super) fn not_running(&self) -> String {
        format!(
            "the daemon does not run: no process holds {}",
            self.pidfile.display()
        )
    }
}

/// Returns what a daemon says, harmless for a terminal, in the lines that it has.
pub(super) fn printed_message(message: &str) -> String {
    let lines: Vec<_> = message.lines().map(escape_controls).collect();
    lines.join("\n")
}

/// Says why it is not known which process a pidfile belongs to.
fn unclaimed_error(path: &Path, error: UnknownHolder) -> CommandFailure {
    match error {
        UnknownHolder::Unreadable(error) => {
            let what = format!("the pidfile {} cannot be read: {error}", path.display());
            match error.kind() {
                std::io::ErrorKind::PermissionDenied => CommandFailure::NoPrivilege(what),
                _ => CommandFailure::Running(what),
            }
        }
        UnknownHolder::NotAllowed(_) => CommandFailure::NoPrivilege(error.to_string()),
        UnknownHolder::Foreign(why) => CommandFailure::Running(why),
    }
}
