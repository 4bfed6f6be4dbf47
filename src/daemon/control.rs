//! The socket on which the daemon takes commands: one line of JSON asks, one line answers, and
//! the connection is over. It owns who may ask, and both ends of the line; what a command does is
//! for whoever receives it.

mod client;
mod protocol;
mod server;

pub use crate::app::LastReload;
pub use client::{AskError, ask_daemon, listening_process};
pub use protocol::{DaemonAnswer, DaemonPhase, DaemonRequest, DaemonStatus};
pub(super) use server::not_made;
pub use server::{ControlSocket, SocketMover};

#[cfg(test)]
mod tests;
