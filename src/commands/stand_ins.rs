//! Stands in for what other modules bring. Once they are there this file goes, and its uses are
//! `crate::server::run`, `crate::cache::probe` and `crate::db::DRIVER_ENVIRONMENT`.

use crate::error::StartupError;
use crate::settings::{Redis, Settings};

/// For `crate::db::DRIVER_ENVIRONMENT`.
pub const DRIVER_ENVIRONMENT: [&str; 0] = [];

/// For `crate::server::run`.
pub(super) fn serve(settings: Settings) -> Result<(), StartupError> {
    drop(settings);
    Err(StartupError::new("this build has no server"))
}

/// For `crate::cache::probe`.
#[allow(clippy::unused_async, reason = "what it stands for is")]
pub(super) async fn probe(settings: &Redis) -> Result<(), String> {
    Err(format!("this build has no Redis ({})", settings.namespace))
}
