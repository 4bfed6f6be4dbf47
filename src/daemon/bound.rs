//! The things that a process takes before it lets go of its privileges: the lock on its pidfile,
//! its addresses, its control socket.

use std::fs::File;
use std::path::Path;

use super::control::{self, ControlSocket};
use super::ended::ExitError;
use super::handover::HandoverRole;
use super::identity::Identity;
use super::launch::Launch;
use super::pidfile::{self, NotLocked, Pidfile, PidfileState};
use super::{claim, identity, launch};
use crate::error::StartupError;
use crate::server::{ConnectionEntrance, Inherited, Listeners, SocketPaths};
use crate::settings::{BindAddress, Settings};

/// The things that a process has taken before it lets go of its privileges.
pub(super) struct BoundResources {
    pub(super) listeners: Listeners,
    pub(super) door: ConnectionEntrance,
    pub(super) pidfile: Option<Pidfile>,
    /// The paths that are removed where this process does not come to serve, and no other one goes
    /// on.
    pub(super) paths: SocketPaths,
}

impl BoundResources {
    pub(super) fn new(
        settings: &Settings,
        launch: &mut Launch,
    ) -> Result<BoundResources, ExitError> {
        let mut inherited = std::mem::take(&mut launch.sockets);
        let path = settings.process.pidfile.as_deref();
        let role = launch.arrival.as_ref().map(|arrival| arrival.role);
        let mut pidfile = None;
        if let Some(arrival) = &mut launch.arrival {
            inherited.append(&mut arrival.listeners);
            pidfile = match (arrival.role, arrival.pidfile.take(), path) {
                (HandoverRole::Detached, Some(file), Some(path)) => Some(
                    Pidfile::adopt_file(File::from(file), path)
                        .map_err(ExitError::from_settings)?,
                ),
                (_, _, Some(path)) => Some(lock(&pidfile::successor_path(path))?),
                (_, _, None) => None,
            };
        } else {
            if let Some(path) = path {
                require_trusted(path, settings)?;
                pidfile = Some(lock(path)?);
            }
            inherited.extend(passed_sockets(settings, &inherited)?);
        }
        let is_successor = role == Some(HandoverRole::Successor);
        let others: Vec<_> = inherited.iter().map(|one| one.name.clone()).collect();
        let door = ConnectionEntrance::open(settings).map_err(ExitError::from_settings)?;
        let listeners = Listeners::open(settings, inherited).map_err(ExitError::from_running)?;
        let paths =
            listeners.socket_paths(|bind| !is_successor || !others.contains(&bind.to_string()));
        if let Some(pidfile) = &mut pidfile {
            let written = pidfile.write(std::process::id());
            written.map_err(|error| {
                let what = format!("{} cannot be written: {error}", pidfile.path().display());
                ExitError::from_running(
                    StartupError::new(what).at_place("--pid / [server] pidfile"),
                )
            })?;
        }
        Ok(BoundResources {
            listeners,
            door,
            pidfile,
            paths,
        })
    }

    pub(super) fn bind_control(
        &self,
        identity: Option<&Identity>,
    ) -> Result<Option<ControlSocket>, ExitError> {
        let Some(pidfile) = &self.pidfile else {
            return Ok(None);
        };
        let path = pidfile::control_socket(pidfile.path());
        let bind = || {
            let control = ControlSocket::bind_at(&path)?;
            if let Some(identity) = identity {
                let (user, group) = identity.user_and_group();
                control.give_to(user, group)?;
            }
            Ok(control)
        };
        let failed = |error| ExitError::from_settings(control::not_made(&path, &error));
        bind().map(Some).map_err(failed)
    }
}

impl BoundResources {
    /// Takes the default place of the pidfile for a process in the foreground, so that the commands
    /// find it there. It serves as well where that cannot be had: two may serve in one folder, and
    /// the folder may be one that cannot be written.
    pub(super) fn take_default(
        &mut self,
        path: &Path,
        settings: &Settings,
    ) -> Option<ControlSocket> {
        match self.try_default(path, settings) {
            Ok(control) => Some(control),
            Err(why) => {
                tracing::info!("`unslow status` and `stop` do not find this process: {why}");
                None
            }
        }
    }

    fn try_default(&mut self, path: &Path, settings: &Settings) -> Result<ControlSocket, String> {
        let held = |pid: Option<u32>| {
            let who = pid.map_or_else(|| "another process".to_owned(), |pid| format!("pid {pid}"));
            format!(
                "they speak of {who}, which holds {}; give this one a --pid of its own",
                path.display()
            )
        };
        require_trusted(path, settings).map_err(|ended| ended.message)?;
        pidfile::make_folder(path).map_err(|error| error.to_string())?;
        match pidfile::read_state(path) {
            Ok(PidfileState::Running(pid)) => return Err(held(Some(pid))),
            Ok(PidfileState::Starting) => return Err(held(None)),
            // An error comes up again.
            _ => {}
        }
        let mut pidfile = Pidfile::lock(path).map_err(|error| match error {
            NotLocked::Held { pid, .. } => held(pid),
            NotLocked::Unusable(error) => error.to_string(),
        })?;
        let written = pidfile.write(std::process::id());
        written.map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        let socket = pidfile::control_socket(path);
        let control = ControlSocket::bind_at(&socket)
            .map_err(|error| control::not_made(&socket, &error).to_string())?;
        self.pidfile = Some(pidfile);
        Ok(control)
    }
}

pub(super) fn lock(path: &Path) -> Result<Pidfile, ExitError> {
    Pidfile::lock(path).map_err(|error| match error {
        NotLocked::Held { .. } => ExitError::from_running(error.into()),
        NotLocked::Unusable(error) => ExitError::from_settings(error),
    })
}

/// Refuses a pidfile that root must not believe later, when it is to end this process by it.
pub(super) fn require_trusted(path: &Path, settings: &Settings) -> Result<(), ExitError> {
    let process = &settings.process;
    let owner = identity::process_owner(process.user.as_deref(), process.group.as_deref());
    owner
        .and_then(|owner| claim::trusted_place(path, owner))
        .map_err(ExitError::from_settings)
}

/// Returns the sockets that `fd://N` names besides those that are known.
pub(super) fn passed_sockets(
    settings: &Settings,
    known: &[Inherited],
) -> Result<Vec<Inherited>, ExitError> {
    let named = settings.all_addresses().filter_map(|bind| match bind {
        BindAddress::Fd(number) => Some((*number, bind.to_string())),
        _ => None,
    });
    named
        .filter(|(_, name)| known.iter().all(|one| one.name != *name))
        .map(|(number, _)| launch::passed_socket(number).map_err(ExitError::from_settings))
        .collect()
}
