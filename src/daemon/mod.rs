//! The process around the server: how it starts, what it does when it is asked to by a signal or
//! over its control socket, how it hands over to another process, and how it ends. Serving is
//! `server`'s.
//!
//! `launch` is what a process is given, `start` how it comes to serve, `bound` what it takes
//! before, `detach` how that looks from the terminal with `-D`; `master` decides what happens then,
//! with `signals`, `control_request`, `reload` (HUP), `upgrade` and `upgrading` (USR2), `workers`
//! (the generations), `watch` (`--reload`), `watchdog`, `ending` and `shutdown_kind`. `handover`
//! (with `handover_protocol`) is the one way to another process, `new_process` that one as long as
//! it is watched, `adopt` how descriptors arrive there. Around them: `pidfile`, `control` and
//! `place` (how commands find it), `claim` and `process` (which process that is, and whether it may
//! be signalled), `identity` (whom it runs as), `inherited` and `notify` (what systemd passes on,
//! and what it is told), `unit` (the files it is set up by), `browser` (`--open`), `ended` (why it
//! does not serve). `elsewhere` stands for all of it where there is no unix system.

mod adopt;
mod bound;
mod browser;
pub mod claim;
pub mod control;
mod control_request;
mod detach;
mod ended;
mod ending;
mod handover;
mod handover_protocol;
pub mod identity;
pub mod inherited;
mod launch;
mod master;
mod new_process;
pub mod notify;
pub mod pidfile;
mod place;
pub mod process;
mod reload;
mod shutdown_kind;
mod signals;
mod start;
pub mod unit;
mod upgrade;
mod upgrading;
mod watch;
mod watchdog;
mod workers;

pub use ended::ExitError;
pub use launch::Launch;
pub use start::serve_process;
