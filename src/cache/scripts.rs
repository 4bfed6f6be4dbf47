//! The scripts that Redis runs for us, each with what those of entries begin with. What they do
//! stands in the files; who sends them is `commands`.

macro_rules! script {
    ($name:literal) => {
        concat!(include_str!("scripts/common.lua"), include_str!($name))
    };
}

pub(super) const PREPARE: &str = script!("scripts/prepare.lua");
pub(super) const STORE: &str = script!("scripts/store.lua");
pub(super) const RELEASE: &str = script!("scripts/release.lua");
pub(super) const RENEW: &str = script!("scripts/renew.lua");
pub(super) const PURGE: &str = script!("scripts/purge.lua");
/// The script of reports, which concerns no entry.
pub(super) const REPORT: &str = include_str!("scripts/report.lua");
