//! Which daemon a command is about: the one of the pidfile that these settings name. It is found
//! as well where the settings are not in order, because that is when somebody wants to end it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Failure;
use crate::daemon::control::{Answer, AskError, Request, ask};
use crate::daemon::pidfile::{self, State};
use crate::error::StartupError;
use crate::flags::Flags;
use crate::settings::{self, Loaded, Settings, Surroundings, pidfile_place};

/// How long a command may take that only asks.
pub(super) const SHORT: Duration = Duration::from_secs(10);

/// More than what the settings allow for something, before it counts as hanging.
const MARGIN: Duration = Duration::from_secs(5);

/// A daemon, running or not.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) pidfile: PathBuf,
    /// How long it may take to end gracefully.
    pub(super) end: Duration,
    /// How long it may take until a new generation or process serves.
    pub(super) start: Duration,
    /// Why the settings cannot be used, where they cannot.
    trouble: Option<StartupError>,
}

impl Daemon {
    /// The one that these flags and the settings mean.
    pub(super) fn find(flags: &Flags) -> Result<Daemon, Failure> {
        let surroundings = Surroundings::of_process().map_err(Failure::Settings)?;
        match settings::load_in(flags, &surroundings) {
            Ok(loaded) => Ok(Daemon::of(&loaded, &surroundings.working_folder)),
            Err(trouble) => {
                let place = pidfile_place(flags, &surroundings);
                let defaults = Settings::from_flags(&[]).map_err(Failure::Settings)?;
                let mut daemon = Daemon::with(&defaults, place.named, &place.folder);
                daemon.trouble = Some(trouble);
                Ok(daemon)
            }
        }
    }

    /// The one of these settings.
    pub(super) fn of(loaded: &Loaded, working: &Path) -> Daemon {
        let folder = loaded.file.as_deref().and_then(Path::parent);
        let named = loaded.settings.process.pidfile.clone();
        Daemon::with(&loaded.settings, named, folder.unwrap_or(working))
    }

    fn with(settings: &Settings, named: Option<PathBuf>, folder: &Path) -> Daemon {
        let default = || pidfile::default_path(|name| std::env::var_os(name), folder);
        let server = &settings.server;
        Daemon {
            pidfile: named.unwrap_or_else(default),
            end: server.graceful_timeout + server.drain_delay + server.keep_alive + MARGIN,
            start: settings.process.start_timeout + MARGIN,
            trouble: None,
        }
    }

    /// What its pidfile says; where nobody holds that, what its control socket does.
    ///
    /// # Errors
    /// It cannot be read; or there is none, and settings that cannot be used may name another.
    pub(super) fn state(&mut self) -> Result<State, Failure> {
        let state = match state(&self.pidfile)? {
            state @ (State::Absent | State::Stale) => self.hidden().map_or(state, State::Running),
            state => state,
        };
        match (state, self.trouble.take()) {
            (State::Absent, Some(trouble)) => Err(Failure::Settings(trouble)),
            (state, _) => Ok(state),
        }
    }

    /// The number of a process that runs although nobody holds the pidfile: somebody has removed it.
    pub(super) fn hidden(&self) -> Option<u32> {
        let socket = pidfile::control_socket(&self.pidfile);
        let answer = ask(&socket, &Request::Status, SHORT).ok()?;
        Some(answer.status?.pid)
    }

    /// Asks it to do something, and gives its answer if it did.
    ///
    /// # Errors
    /// It does not run, takes no commands from this user, or could not do it.
    pub(super) fn ask(&mut self, request: Request, patience: Duration) -> Result<Answer, Failure> {
        let socket = pidfile::control_socket(&self.pidfile);
        let error = match ask(&socket, &request, patience) {
            Ok(answer) if answer.ok => return Ok(answer),
            Ok(answer) => return Err(Failure::Running(answer.message)),
            Err(error) => error,
        };
        match (error, self.state()?) {
            (AskError::NotRunning, State::Running(pid)) => Err(Failure::Running(format!(
                "it runs (pid {pid}) and takes no commands at {}",
                socket.display()
            ))),
            (AskError::NotRunning, State::Starting) => {
                Err(Failure::Running("it starts; try again".to_owned()))
            }
            (AskError::NotRunning, State::Absent | State::Stale) => {
                Err(Failure::NotRunning(self.not_running()))
            }
            (error @ AskError::NotAllowed, _) => Err(Failure::NoPrivilege(error.to_string())),
            (error, _) => Err(Failure::Running(error.to_string())),
        }
    }

    pub(super) fn not_running(&self) -> String {
        format!("it does not run: nobody holds {}", self.pidfile.display())
    }
}

/// What a pidfile says.
pub(super) fn state(path: &Path) -> Result<State, Failure> {
    pidfile::state(path).map_err(|error| {
        let what = format!("the pidfile {} cannot be read: {error}", path.display());
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => Failure::NoPrivilege(what),
            _ => Failure::Running(what),
        }
    })
}
