//! Serving: `listeners` are the sockets, a `generation` the worker threads on them and their
//! graceful end, `heartbeat` how it is known that they are alive. It owns no route, and not when
//! something begins or ends: that is the daemon's.

mod generation;
mod heartbeat;
mod listeners;

pub use generation::Generation;
pub use listeners::{Inherited, Listeners};
