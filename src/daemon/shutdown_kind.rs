//! The ways in which the process ends.

/// The way in which the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShutdownKind {
    /// Nobody serves any more.
    Stopped,
    /// Nobody serves any more, which nobody has asked for.
    Failed,
    /// The new process of an upgrade serves on the same sockets.
    HandedOver,
    /// This was the new process of an upgrade, and the old one goes on.
    Withdrawn,
}
