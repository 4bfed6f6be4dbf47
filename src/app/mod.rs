//! The application: the one place that sees both database and cache. It knows no HTTP and no
//! markup.
//!
//! `core` is what an application is made of, `open` its start, `renew` the one that follows under
//! other settings; `answer` is the way from a query and its arguments to a reply. Loads that no
//! request has asked for begin in `reload`; `warm` and `schedule` say when. Numbers are put
//! together in `snapshot`, those of other instances in `fleet`.

mod answer;
mod aside;
mod ca_files;
mod compare;
mod contact;
mod core;
mod engine;
mod fleet;
mod follow;
pub mod format;
mod home;
mod keys;
pub mod listen;
mod open;
mod probe;
mod purge;
mod reload;
mod renew;
mod schedule;
mod schedules;
mod snapshot;
mod standing;
mod unsent;
mod warm;

pub use aside::SideWork;
pub use compare::{AnswerSource, NoAnswer};
pub use core::App;
pub use engine::Engine;
pub use home::{database_kind, open_catalog, require_home};
pub use purge::PurgeDone;
pub use standing::{LastReload, ProcessStatus, StatusSnapshot};
pub use unsent::{HeldBody, HeldBuffer, NoRoom, UnsentBudget};
