//! The commands that manage a daemon, where there is none: each says what it needs.

use super::failure::CommandFailure;
use crate::daemon::{Launch, needs_unix};
use crate::flags::Flags;

/// Refuses the command that the flags name.
pub(super) fn run(_: &Flags, _: Launch) -> Result<(), CommandFailure> {
    Err(needs_unix("a command that manages a daemon").into())
}
