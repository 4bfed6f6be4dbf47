//! A setting with its text and the place that the text came from, for people to read.

use super::origin::SettingOrigin;

/// One setting for people to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedSetting {
    /// Its section.
    pub section: &'static str,
    /// Its key.
    pub key: &'static str,
    /// Its text, with `***` for what is secret; `None` where it has no value.
    pub text: Option<String>,
    /// The place where it came from.
    pub origin: SettingOrigin,
}
