//! The things that a process is given when it starts: words in its environment, open sockets, and a
//! way back to its own binary. They are taken before the first thread, and stay as they are until
//! the end.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use super::handover::{self, InheritedState};
use super::notify::Notifier;
use super::{adopt, inherited, pidfile};
use crate::environment;
use crate::error::StartupError;
use crate::flags::{Command, Flags};
use crate::server::Inherited;
use crate::settings::{self, BindAddress, Loaded, ProcessEnvironment, SettingSource, Settings};

/// The start of this process.
#[derive(Debug)]
pub struct Launch {
    pub(super) arrival: Option<InheritedState>,
    /// Sockets from systemd.
    pub(super) sockets: Vec<Inherited>,
    pub(super) notifier: Notifier,
    binary: PathBuf,
}

impl Launch {
    /// Takes what others have put into the environment for this process alone. Only `main` may
    /// call it, before anything that starts a thread or opens a file.
    ///
    /// # Errors
    /// What stands there is not what it should be.
    pub fn take() -> Result<Launch, StartupError> {
        let arrival = match environment::take(handover::VARIABLE) {
            None => None,
            Some(text) => {
                let arrival =
                    InheritedState::unpack_state(&text.to_string_lossy()).map_err(|error| {
                        StartupError::new(format!("is not for this process: {error}"))
                            .at_place(format!("environment {}", handover::VARIABLE))
                            .with_remedy("remove it: unslow sets it for itself alone")
                    })?;
                // Whatever goes wrong from here on is heard by who waits for it.
                arrival.line.tell_of_panics();
                Some(arrival)
            }
        };
        Ok(Launch {
            binary: program_path(arrival.is_some()),
            arrival,
            sockets: passed_sockets()?,
            notifier: Notifier::from_environment(),
        })
    }
}

impl Launch {
    /// One to which nobody has passed on anything.
    #[cfg(test)]
    pub(super) fn without_sockets() -> Launch {
        Launch {
            arrival: None,
            sockets: Vec::new(),
            notifier: Notifier::without_socket(),
            binary: program_path(false),
        }
    }

    /// Returns whether another process of this program waits for this one to serve.
    pub fn is_awaited(&self) -> bool {
        self.arrival.is_some()
    }
}

/// The sockets that systemd has opened, under the names that settings have for them.
fn passed_sockets() -> Result<Vec<Inherited>, StartupError> {
    let numbers = inherited::from_environment()?;
    numbers
        .into_iter()
        .map(|(number, _)| passed_socket(number))
        .collect()
}

/// Returns the socket that whoever started this process has left open for it under this number.
///
/// # Errors
/// There is none that listens.
pub(super) fn passed_socket(number: RawFd) -> Result<Inherited, StartupError> {
    let listening = adopt::adopt_descriptor(number).and_then(inherited::require_listening);
    let socket = listening.map_err(|error| {
        StartupError::new(format!(
            "descriptor {number} cannot be listened on: {error}"
        ))
        .at_place("--bind / [server] bind")
        .with_remedy("open a listening socket there before unslow is started")
    })?;
    Ok(Inherited {
        name: BindAddress::Fd(number).to_string(),
        socket,
        owned: false,
    })
}

/// The part of a process that stays the same from its start to its end, whatever its settings
/// become.
#[derive(Debug)]
pub(super) struct ProcessContext {
    pub(super) flags: Flags,
    pub(super) surroundings: ProcessEnvironment,
    /// The program's own file, by the path under which it was called: another one may stand there
    /// when it is started again.
    pub(super) binary: PathBuf,
    pub(super) in_background: bool,
    pub(super) on_terminal: bool,
    /// The default place of the pidfile, where a process in the foreground has taken that.
    pub(super) place: Option<PathBuf>,
    /// The names of the sockets that systemd has passed on.
    sockets: Vec<BindAddress>,
}

impl ProcessContext {
    /// Reads the settings as they are now.
    pub(super) fn new(
        flags: &Flags,
        launch: &Launch,
    ) -> Result<(ProcessContext, Settings), StartupError> {
        let arrival = launch.arrival.as_ref();
        let mut surroundings = ProcessEnvironment::of_process()?;
        let mut flags = flags.clone();
        if let Some(arrival) = arrival {
            surroundings.working_folder.clone_from(&arrival.folder);
            flags.config = flags.config.or_else(|| arrival.config.clone());
        }
        let in_background = match arrival {
            Some(arrival) => arrival.in_background,
            None => flags.command == Command::Start,
        };
        let mut started = ProcessContext {
            flags,
            surroundings,
            binary: launch.binary.clone(),
            in_background,
            on_terminal: !in_background && is_terminal(),
            place: arrival.and_then(|arrival| arrival.default_place.clone()),
            sockets: Vec::new(),
        };
        let loaded = started.load()?;
        // Those that no setting names have come from systemd, be it by way of another process.
        let passed = arrival.map_or(&[][..], |arrival| &arrival.listeners);
        let numbers = launch.sockets.iter().chain(passed).filter_map(|socket| {
            let number = socket.name.strip_prefix("fd://")?;
            number.parse().ok().map(BindAddress::Fd)
        });
        let named: Vec<_> = loaded.settings.all_addresses().collect();
        started.sockets = numbers.filter(|bind| !named.contains(&bind)).collect();
        // It is this file from now on, also where nobody can look into the folder any more.
        if let Some(file) = &loaded.file {
            started.flags.config = Some(started.surroundings.working_folder.join(file));
        }
        let settings = started.finish(loaded);
        Ok((started, settings))
    }

    /// The settings as they are now, read again.
    pub(super) fn read_settings(&self) -> Result<Settings, StartupError> {
        self.load().map(|loaded| self.finish(loaded))
    }

    fn load(&self) -> Result<Loaded, StartupError> {
        settings::load_in(&self.flags, &self.surroundings)
    }

    /// Returns what follows from how the process was started.
    fn finish(&self, loaded: Loaded) -> Settings {
        let is_default = |key: &str| {
            let shown = loaded
                .shown
                .iter()
                .find(|one| one.section == "server" && one.key == key);
            shown.is_some_and(|one| one.origin.source == SettingSource::Default)
        };
        let mut settings = loaded.settings;
        // One that a setting names by now is for that alone.
        let is_free = |socket: &&BindAddress| settings.all_addresses().all(|bind| bind != *socket);
        let free: Vec<_> = self.sockets.iter().filter(is_free).cloned().collect();
        if is_default("bind") && !free.is_empty() {
            settings.server.bind.clear();
        }
        settings.server.bind.extend(free);
        if self.in_background {
            let process = &mut settings.process;
            process.chdir.get_or_insert_with(|| PathBuf::from("/"));
            let pidfile = process
                .pidfile
                .get_or_insert_with(|| self.default_pidfile());
            let folder = pidfile.parent().unwrap_or(Path::new("/")).to_owned();
            settings.log.for_daemon(&folder);
        } else if settings.process.pidfile.is_none() {
            settings.process.pidfile.clone_from(&self.place);
        }
        settings
    }

    /// Returns where the pidfile is when nobody says.
    pub(super) fn default_pidfile(&self) -> PathBuf {
        let file = self.flags.config.as_deref().and_then(Path::parent);
        let folder = file.unwrap_or(&self.surroundings.working_folder);
        pidfile::default_path(|name| std::env::var_os(name), folder)
    }

    /// Returns whether the terminal that it was started in has gone.
    pub(super) fn terminal_has_gone(&self) -> bool {
        self.on_terminal && !is_terminal()
    }
}

fn is_terminal() -> bool {
    io::stdin().is_terminal() || io::stdout().is_terminal()
}

/// Returns the path under which this program was called, where that is this program's file: a link
/// that is set to another version is followed at the next start. Another process of this program
/// has started it by the right path, where by now yet another file may stand.
fn program_path(by_this_program: bool) -> PathBuf {
    let current = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("unslow"));
    let called = std::env::args_os().next().unwrap_or_default();
    let called = if called.to_string_lossy().contains('/') {
        std::path::absolute(&called).ok()
    } else {
        in_path(&called)
    };
    called
        .filter(|path| by_this_program || path.canonicalize().ok() == current.canonicalize().ok())
        .unwrap_or(current)
}

fn in_path(name: &OsString) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let candidates = std::env::split_paths(&folders).map(|folder| folder.join(name));
    candidates
        .filter(|path| path.is_absolute())
        .find(|path| path.is_file())
}
