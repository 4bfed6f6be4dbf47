//! `unslow run`: opens what serving needs, in the order in which its errors are best heard, and
//! hands over to the server.

use super::Failure;
use crate::app::App;
use crate::logging::{self, AccessLog};
use crate::server;
use crate::settings::Settings;

pub(super) fn run(settings: Settings) -> Result<(), Failure> {
    logging::init(&settings.log).map_err(Failure::Settings)?;
    let access_log = AccessLog::open(&settings.log).map_err(Failure::Settings)?;
    let app = App::open(settings).map_err(Failure::Settings)?;
    for note in app.catalog.notes() {
        tracing::warn!("{note}");
    }
    let served = server::run(app, access_log);
    logging::finish();
    served.map_err(|error| Failure::Running(error.to_string()))
}
