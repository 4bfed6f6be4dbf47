//! The process around the server: how it starts, what it does when it is asked to by a signal, and
//! how it ends. Serving is `server`'s.

mod adopt;
pub mod control;
mod handover;
pub mod identity;
pub mod inherited;
pub mod notify;
pub mod pidfile;
mod signals;

use std::sync::Arc;

use crate::app::App;
use crate::error::StartupError;
use crate::logging::AccessLog;
use crate::server::{Door, Generation, Listeners};
use signals::{Asked, Signals};

/// Serves until TERM (graceful) or INT (quick). Prints each address once it can be used.
///
/// # Errors
/// An address that cannot be bound, or a system that gives no threads.
pub fn run(app: App, access_log: Option<AccessLog>, door: &Door) -> Result<(), StartupError> {
    let listeners = Listeners::open(&app.settings, Vec::new())?;
    let app = Arc::new(app);
    let result = actix_web::rt::System::new().block_on(serve(&app, access_log, (&listeners, door)));
    listeners.remove_paths();
    result
}

async fn serve(
    app: &Arc<App>,
    access_log: Option<AccessLog>,
    (listeners, door): (&Listeners, &Door),
) -> Result<(), StartupError> {
    let signals = Signals::hear(app.engine())
        .map_err(|error| StartupError::new(format!("no signals: {error}")))?;
    let workers = app.settings.server.workers;
    let generation = Generation::start(1, app, access_log, (listeners, door), workers).await?;
    for url in listeners.urls() {
        println!("unslow {} serves {url}", env!("CARGO_PKG_VERSION"));
    }
    loop {
        match signals.next().await {
            Asked::Stop => {
                generation.say_not_ready();
                tokio::time::sleep(app.settings.server.drain_delay).await;
                generation.retire().await;
                return Ok(());
            }
            Asked::Quit => {
                generation.stop().await;
                return Ok(());
            }
            _ => {}
        }
    }
}
