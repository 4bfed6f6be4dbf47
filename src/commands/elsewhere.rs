//! The commands that manage a daemon, where there is none: each says what it needs.

use super::failure::Failure;
use crate::daemon::{Launch, needs_unix};
use crate::flags::Flags;

/// Refuses the command that the flags name.
pub(super) fn run(_: &Flags, _: Launch) -> Result<(), Failure> {
    Err(needs_unix("a command that manages a daemon").into())
}
