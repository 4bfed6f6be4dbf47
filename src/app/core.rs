//! The application's data. It owns what an application is made of; what it does is in the files
//! that take it.

use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use super::aside::SideWork;
use super::ca_files::CaFiles;
use super::engine::Engine;
use super::fleet::{FleetReporter, ReportSource};
use super::keys::ring::KeyRing;
use super::listen::{ListenMonitor, NotificationListener};
use super::schedules::QuerySchedules;
use super::standing::ProcessStatus;
use super::unsent::UnsentBudget;
use crate::cache::Cache;
use crate::db::Database;
use crate::query::Catalog;
use crate::settings::Settings;
use crate::stats::Stats;

/// Everything that answers take: with other settings, [`App::reconfigure`] makes the next one over the
/// same engine runtime, counters and memory tier. What it does by itself ends when it is dropped;
/// loads that it began go on and are stored.
#[derive(Debug)]
pub struct App {
    /// The named queries.
    pub catalog: Catalog,
    /// The place where they run.
    pub db: Arc<Database>,
    /// Both tiers and the flights.
    pub cache: Cache,
    /// Every counter.
    pub stats: Arc<Stats>,
    /// The settings as they were configured; where only a restart changes one, the one in force.
    pub settings: Settings,
    /// The moment when this process began to serve.
    pub started: Instant,
    /// The generation that serves, and the result of the last reload: the same for all Apps of a
    /// process.
    pub standing: Arc<ProcessStatus>,
    /// Work beside the workers: the same for all Apps of a process.
    pub side_work: Arc<SideWork>,
    /// The bytes that wait to be sent: the same for all Apps of a process.
    pub unsent: Arc<UnsentBudget>,
    /// True where the database's messages are heard; `None` where nothing is to be heard.
    pub listening: Option<Arc<ListenMonitor>>,
    pub(super) keys: Arc<KeyRing>,
    pub(super) schedules: Arc<QuerySchedules>,
    pub(super) follower: Option<Arc<NotificationListener>>,
    pub(super) ca_files: CaFiles,
    /// The same for all Apps of a process.
    pub(super) fleet: Arc<FleetReporter>,
    pub(super) source: Arc<ReportSource>,
    /// The tasks that it runs by itself, on the engine runtime.
    pub(super) tasks: JoinSet<()>,
    // The last field, so that it is dropped last: the others have tasks on it.
    pub(super) engine: Arc<Engine>,
}

/// The parts that an App is made of, before it begins to do anything.
pub(super) struct AppParts {
    pub(super) catalog: Catalog,
    pub(super) db: Arc<Database>,
    pub(super) cache: Cache,
    pub(super) stats: Arc<Stats>,
    pub(super) settings: Settings,
    pub(super) ca_files: CaFiles,
    pub(super) engine: Arc<Engine>,
}
