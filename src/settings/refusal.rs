//! The error for a setting whose text is refused.

use super::origin::SettingOrigin;
use super::raw_value::ValueError;
use crate::error::StartupError;

/// Returns the error for a setting, without its text.
pub(super) fn refused_setting(
    section: &str,
    key: &str,
    origin: &SettingOrigin,
    fault: &ValueError,
) -> StartupError {
    let what = if fault.why.starts_with('"') {
        fault.why.clone()
    } else {
        format!("the value {}", fault.why)
    };
    StartupError::new(what)
        .at_place(format!("{origin}: [{section}] {key}"))
        .with_remedy(&*fault.remedy)
}
