//! The things that several commands open: the catalog of queries, the database, a runtime.

use tokio::runtime::{Builder, Runtime};

use super::failure::Failure;
use crate::app;
use crate::db::Database;
use crate::query::Catalog;
use crate::settings::Settings;

/// Returns the queries that these settings offer.
pub(super) fn catalog(settings: &Settings) -> Result<Catalog, Failure> {
    app::catalog(settings).map_err(Failure::Settings)
}

/// Returns a runtime for one command, which has nothing to do at the same time.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Running(format!("the runtime does not start: {error}")))
}

/// Returns the database; to be called on the runtime.
pub(super) fn database(settings: &Settings) -> Result<Database, Failure> {
    Database::open(settings).map_err(Failure::Settings)
}
