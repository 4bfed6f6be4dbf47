//! `[tls]` in parts, and when the parts are a whole. The files are read by the server
//! (`server::Pair`), not here: whoever only asks for settings need not be allowed to see the key.

use super::draft::TlsParts;
use super::origin::SettingSource;
use super::resolved_setting::ResolvedSetting;
use super::table;
use super::types::TlsSettings;
use crate::error::StartupError;

/// Returns the whole; `None` where nothing was said.
///
/// # Errors
/// A part without the others; it names the place of the one that is there.
pub(super) fn finish(
    parts: TlsParts,
    shown: &[ResolvedSetting],
) -> Result<Option<TlsSettings>, StartupError> {
    let missing = match (parts.cert, parts.key) {
        (Some(cert), Some(key)) => {
            return Ok(Some(TlsSettings {
                cert,
                key,
                redirect_bind: parts.redirect_bind,
            }));
        }
        (None, None) if parts.redirect_bind.is_empty() => return Ok(None),
        (None, _) => "cert",
        (Some(_), None) => "key",
    };
    let mut given = shown.iter().filter(|one| {
        one.section == "tls" && one.text.is_some() && one.origin.source != SettingSource::Default
    });
    let place = given.next().map_or_else(String::new, |one| {
        format!("{}: [tls] {}", one.origin, one.key)
    });
    let name = table::find("tls", missing).map_or_else(String::new, |row| {
        let flag = row.flag.map_or("", |flag| flag.long);
        format!(" (or --{flag}, {})", row.variable_name())
    });
    let what = format!("TLS is asked for here, but [tls] {missing} is not set");
    Err(StartupError::new(what)
        .at_place(place)
        .with_remedy(format!("add {missing} to [tls]{name}")))
}
