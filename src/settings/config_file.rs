//! The ini file: which one is taken, and its text.

use std::path::{Path, PathBuf};

use super::ini::IniFormat;
use crate::error::StartupError;
use crate::flags::Flags;

/// The settings file that is taken when none is named and it is there.
const CONFIG_FILE: &str = "app.ini";

/// Returns the ini file as it is to be named in messages.
pub(super) fn config_file(flags: &Flags, working: &Path) -> Option<PathBuf> {
    let found = || {
        // A link that leads nowhere is there too: better an error than other settings.
        working
            .join(CONFIG_FILE)
            .symlink_metadata()
            .is_ok()
            .then(|| PathBuf::from(CONFIG_FILE))
    };
    flags.config.clone().or_else(found)
}

pub(super) fn read_file(file: &Path, working: &Path) -> Result<(IniFormat, String), StartupError> {
    let path = file.display().to_string();
    let text = std::fs::read_to_string(working.join(file)).map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound => "check the path, or write one with `unslow init`",
            std::io::ErrorKind::InvalidData => "save it as UTF-8",
            std::io::ErrorKind::IsADirectory => "it is a folder: name the file, not its place",
            _ => "let the user that runs unslow read it",
        };
        StartupError::new(format!("the settings file cannot be read: {error}"))
            .at_place(&*path)
            .with_remedy(remedy)
    })?;
    Ok((IniFormat { path }, text))
}
