//! Every setting once: its type, unit, default and check, and how ini, environment and flags are
//! merged into [`Settings`]. No other file knows a default.
//!
//! The table is in `settings/table.rs`; a value's way is text → layer (`layers`) → merge by the
//! `config` crate → reader (`values`, `files`, `bind`, `url`) → [`Settings`].

mod bind;
mod config_file;
mod draft;
mod files;
mod ini;
mod layers;
mod log;
mod network;
mod origin;
mod origins;
mod pidfile;
mod process;
mod raw_value;
mod refusal;
mod resolved_setting;
mod restart;
mod secret;
mod service_links;
mod session;
mod ssl_mode;
mod surroundings;
mod table;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;
mod types;
mod url;
mod values;

use std::path::{Path, PathBuf};

use config_file::{config_file, read_file};
use draft::SettingsBuilder;
use ini::IniFormat;
use layers::MergedSettings;
use raw_value::{RawValue, ValueError};
use refusal::refused_setting;
use table::{DefaultContext, SettingRow, SettingSecrecy};

use crate::error::StartupError;
use crate::flags::{self, Flags};
use crate::text::words::mask_passwords;

pub use files::read_authorities;
pub use log::{AccessFormat, FormatPart, LogSettings, LogTarget, SyslogFacility, SyslogTarget};
pub use network::Network;
pub use origin::{SettingOrigin, SettingSource};
pub use pidfile::{PidfilePlace, pidfile_place};
pub use process::ProcessSettings;
pub use resolved_setting::ResolvedSetting;
pub use restart::{keep_restart_only, restart_only};
pub use secret::Secret;
pub use ssl_mode::SslMode;
pub use surroundings::ProcessEnvironment;
pub use table::{all_flags, readme_table};
pub use types::*;

/// The documented sample file, which `unslow init` writes.
pub const SAMPLE: &str = include_str!("../assets/app.ini");

/// Settings with what `print-config` tells about them.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Every setting, in the order of the table.
    pub shown: Vec<ResolvedSetting>,
    /// The ini file, if one was read.
    pub file: Option<PathBuf>,
}

/// Reads and checks all settings of this process.
pub fn load(flags: &Flags) -> Result<Loaded, StartupError> {
    load_in(flags, &ProcessEnvironment::of_process()?)
}

/// Reads and checks all settings as they are in these surroundings.
///
/// It reads the ini file and the files that settings name, and resolves the names of hosts to
/// listen on; it connects to nothing.
pub fn load_in(flags: &Flags, surroundings: &ProcessEnvironment) -> Result<Loaded, StartupError> {
    let working = surroundings.working_folder.as_path();
    let file = config_file(flags, working);
    let ini = file
        .as_ref()
        .map(|file| read_file(file, working))
        .transpose()?;
    let path = file.as_ref().map(|file| working.join(file));
    let ini_folder = path
        .as_ref()
        .and_then(|path| path.parent())
        .map(Path::to_path_buf);
    let (settings, shown) = resolve_layers(
        ini,
        &DefaultContext {
            ini_folder,
            working_folder: Some(working.to_owned()),
        },
        surroundings,
        flags,
    )?;
    Ok(Loaded {
        settings,
        shown,
        file: path,
    })
}

impl Settings {
    /// Returns the defaults with these flags over them, without environment or ini file: what tests
    /// and benchmarks start from. A relative path starts from the working directory.
    pub fn from_flags(arguments: &[&str]) -> Result<Settings, StartupError> {
        Settings::from_flags_with(arguments, &[])
    }

    /// Reads them as [`from_flags`](Self::from_flags) does, with these variables as the whole
    /// environment: a URL with a password is refused as a flag.
    pub fn from_flags_with(
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Settings, StartupError> {
        let arguments = std::iter::once(&"unslow").chain(arguments);
        let flags = flags::parse(arguments, all_flags())
            .map_err(|error| StartupError::new(error.to_string()))?;
        let variables = environment.iter();
        let surroundings = ProcessEnvironment {
            environment: variables
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..ProcessEnvironment::of_process()?
        };
        let ground = DefaultContext {
            ini_folder: None,
            working_folder: None,
        };
        resolve_layers(None, &ground, &surroundings, &flags).map(|(settings, _)| settings)
    }
}

/// Merges all layers to checked settings.
fn resolve_layers(
    ini: Option<(IniFormat, String)>,
    ground: &DefaultContext,
    surroundings: &ProcessEnvironment,
    flags: &Flags,
) -> Result<(Settings, Vec<ResolvedSetting>), StartupError> {
    let merged = layers::merge(ini, ground, surroundings, flags)?;
    let (draft, shown) = read_all(&merged, ground, &surroundings.working_folder)?;
    let mut settings = finish(draft, &shown)?;
    settings.notes = merged.url_notes();
    Ok((settings, shown))
}

/// Puts every setting's text through its reader.
fn read_all(
    merged: &MergedSettings,
    ground: &DefaultContext,
    working: &Path,
) -> Result<(SettingsBuilder, Vec<ResolvedSetting>), StartupError> {
    let mut draft = SettingsBuilder::without_values();
    let mut shown = Vec::new();
    let ini_folder = ground.ini_folder.as_deref().unwrap_or(working);
    for row in table::all_settings() {
        let (text, origin) = merged
            .get(row)
            .unwrap_or_else(|| (None, SettingOrigin::from(SettingSource::Default)));
        let default = row.default_text(ground);
        // Without a default, empty means none; what a URL leaves out is its default.
        let text = match (text, default.as_deref()) {
            (Some(""), None) => None,
            (None, default) => default,
            (text, _) => text,
        };
        if let Some(text) = text {
            let base = origin.base_folder(ini_folder, working);
            (row.read)(&mut draft, RawValue { text, base })
                .map_err(|fault| unusable_text(row, text, &origin, &fault))?;
        }
        let text = text.map(|text| match row.secrecy {
            SettingSecrecy::Open => text.to_owned(),
            SettingSecrecy::Url => url::redact_url(text),
            SettingSecrecy::Values => process::without_values(text),
            SettingSecrecy::Secret => "***".to_owned(),
        });
        shown.push(ResolvedSetting {
            section: row.section,
            key: row.key,
            text,
            origin,
        });
    }
    Ok((draft, shown))
}

/// Returns the error for a text that its reader refuses.
fn unusable_text(
    row: &SettingRow,
    text: &str,
    origin: &SettingOrigin,
    fault: &ValueError,
) -> StartupError {
    if row.secrecy != SettingSecrecy::Open || origin.in_url {
        return refused_setting(row.section, row.key, origin, fault);
    }
    let mut remedy = fault.remedy.clone();
    if origin.line().is_some() {
        if text.starts_with(['"', '\'']) {
            remedy.push_str("; quotes are part of a value here, leave them out");
        } else if text.contains(" #") || text.contains(" ;") {
            remedy.push_str("; a comment stands on a line of its own");
        }
    }
    let fault = ValueError::new(format!("{:?} {}", mask_passwords(text), fault.why), remedy);
    refused_setting(row.section, row.key, origin, &fault)
}

/// Brings the parts together and checks what concerns several settings.
fn finish(mut draft: SettingsBuilder, shown: &[ResolvedSetting]) -> Result<Settings, StartupError> {
    let tls = tls::finish(
        std::mem::replace(&mut draft.tls, draft::TlsParts::BLANK),
        shown,
    )?;
    let parts = || {
        shown.iter().filter(|one| {
            one.section == "postgres"
                // How a server is trusted says nothing about there being one.
                && ["host", "port", "database", "user", "password", "password_file"]
                    .contains(&one.key)
                && one.text.is_some()
                && one.origin.source != SettingSource::Default
        })
    };
    let sqlite = draft.sqlite.is_some();
    if let Some(part) = parts().find(|one| sqlite && !one.origin.in_url) {
        return Err(StartupError::new("a SQLite file has no such part")
            .at_place(format!("{}: [postgres] {}", part.origin, part.key))
            .with_remedy("remove it, or take the sqlite: URL away"));
    }
    // A URL that was taken back leaves a default behind, which is nobody's wish for PostgreSQL.
    let url = shown
        .iter()
        .find(|one| one.section == "postgres" && one.key == "url");
    let url_given = url.is_some_and(|url| url.text.is_some());
    let first = parts().find(|one| url_given || !one.origin.in_url);
    let settings = draft.finish(first.is_some(), tls).map_err(|missing| {
        let place = first.map(|one| format!("{}: [postgres] {}", one.origin, one.key));
        let row = table::find("postgres", missing);
        let flag = row
            .and_then(|row| row.flag)
            .map(|flag| flag.long)
            .unwrap_or_default();
        let name = row.map(SettingRow::variable_name).unwrap_or_default();
        let error = StartupError::new(format!("a database is named here, but not its {missing}"));
        error
            .at_place(place.unwrap_or_default())
            .with_remedy(format!("add {missing} to [postgres] (or --{flag}, {name})"))
    })?;
    bind::keep_apart(&settings, shown)?;
    tokens::keep_apart(&settings, shown)?;
    Ok(settings)
}
