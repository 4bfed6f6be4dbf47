//! The things that several commands open: the catalog of queries, the database, a runtime.

use tokio::runtime::{Builder, Runtime};

use super::failure::CommandFailure;
use crate::app;
use crate::db::Database;
use crate::query::Catalog;
use crate::settings::Settings;

/// Returns the queries that these settings offer.
pub(super) fn open_catalog(settings: &Settings) -> Result<Catalog, CommandFailure> {
    app::open_catalog(settings).map_err(CommandFailure::Settings)
}

/// Returns a runtime for one command, which has nothing to do at the same time.
pub(super) fn make_runtime() -> Result<Runtime, CommandFailure> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandFailure::Running(format!("the runtime does not start: {error}")))
}

/// Returns the database; to be called on the runtime.
pub(super) fn open_database(settings: &Settings) -> Result<Database, CommandFailure> {
    Database::open(settings).map_err(CommandFailure::Settings)
}
