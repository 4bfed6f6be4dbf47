//! The words of a unit file and what they are made from: lines, quoted paths, the addresses that
//! the service binds itself.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::settings::{BindAddress, Settings};

/// The things that a service is made from besides the settings.
#[derive(Debug)]
pub struct UnitPlace {
    /// The program, absolute.
    pub program: PathBuf,
    /// The ini file, absolute.
    pub config: Option<PathBuf>,
    /// The user that it runs as where the settings do not say; `None`: a user of its own that
    /// systemd makes.
    pub user: Option<String>,
}

/// Returns whether descriptors are passed on that a unit of ours does not open.
pub(super) fn is_somebody_elses(settings: &Settings) -> bool {
    settings
        .all_addresses()
        .any(|bind| matches!(bind, BindAddress::Fd(_)))
}

/// Returns the addresses that the service has to bind itself.
pub(super) fn own_binds(settings: &Settings) -> impl Iterator<Item = &BindAddress> {
    let own = is_somebody_elses(settings);
    settings
        .all_addresses()
        .filter(move |bind| own && !matches!(bind, BindAddress::Fd(_)))
}

pub(super) fn write_line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

/// Writes a path as one word of a unit file.
pub(super) fn quote_path(path: &Path) -> String {
    let text = escape_text(&path.display().to_string());
    if text.contains([' ', '"', '\'']) {
        format!("\"{}\"", text.replace('"', "\\\""))
    } else {
        text
    }
}

/// Escapes the characters that systemd would read as its own: specifiers and escapes.
pub(super) fn escape_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "%%")
}
