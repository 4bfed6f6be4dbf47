//! Serving: `listeners` are the sockets, a `generation` the worker threads on them and their
//! graceful end, `heartbeat` how it is known that they are alive. `door` is what generations share,
//! `http`, `wire`, `patience`, `pipeline` and `framing` are what a connection goes through, `tls` is
//! the pair it may speak with. It owns no route, and not when something begins or ends: that is the
//! daemon's.

mod door;
mod framing;
mod generation;
mod heartbeat;
mod http;
mod limits;
mod listeners;
mod patience;
mod pipeline;
mod refusing;
mod sockets;
mod tls;
mod upgrade;
mod wire;

pub use door::ConnectionEntrance;
pub use generation::WorkerGeneration;
pub use heartbeat::WorkerHeartbeats;
pub use listeners::{Listeners, SocketPaths};
pub use sockets::system::Inherited;
pub use tls::CertifiedPair;
