//! `unslow systemd-unit`: the unit files for this program with these settings.

use nix::unistd::{User, geteuid};

use super::failure::CommandFailure;
use super::terminal::print_bytes;
use crate::daemon::unit::{UnitPlace, unit_files};
use crate::settings::Loaded;

pub(super) fn run(loaded: &Loaded) -> Result<(), CommandFailure> {
    let program = std::env::current_exe().map_err(|error| {
        CommandFailure::Running(format!("where this program is cannot be told: {error}"))
    })?;
    let config = loaded.file.as_ref().map(std::path::absolute).transpose();
    let config = config.map_err(|error| CommandFailure::Running(error.to_string()))?;
    // A user who writes a unit for a program of their own wants it to run as them.
    let user = Some(geteuid()).filter(|uid| !uid.is_root());
    let user = user.and_then(|uid| User::from_uid(uid).ok().flatten());
    let place = UnitPlace {
        program,
        config,
        user: user.map(|user| user.name),
    };
    print_bytes(unit_files(&loaded.settings, &place).as_bytes())
}
