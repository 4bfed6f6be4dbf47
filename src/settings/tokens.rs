//! Tokens that must not be the same. Where they are read from is `files`'.

use super::resolved_setting::ResolvedSetting;
use super::types::Settings;
use crate::error::StartupError;

/// Refuses one token for reading and for purging: a reader of the queries is not to purge them.
pub(super) fn keep_apart(
    settings: &Settings,
    shown: &[ResolvedSetting],
) -> Result<(), StartupError> {
    let reader = settings.access.token.as_ref();
    if reader.is_none() || reader != settings.admin_token.as_ref() {
        return Ok(());
    }
    let token = |one: &&ResolvedSetting| one.section == "access" && one.key == "token_file";
    let place = shown.iter().find(token);
    let place = place.map_or_else(String::new, |one| format!("{}: ", one.origin));
    let what = "the token for queries is the admin token too: whoever may read could also purge";
    Err(StartupError::new(what)
        .at_place(format!("{place}[access] token_file"))
        .with_remedy("put another token into its file; the admin token opens queries as well"))
}
