//! The process around the server where there is no unix system: it serves in the foreground until
//! Ctrl-C. There is nothing to put it into the background, to reload it or to hand over with.

mod browser;
mod ended;

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::environment;
use crate::error::StartupError;
use crate::flags::{Command, Flags};
use crate::logging::{self, AccessLog};
use crate::server::{ConnectionEntrance, Listeners, WorkerGeneration};
use crate::settings::{self, ProcessSettings};

use ended::print_line;

pub use ended::ExitError;

/// The interval at which it looks after the workers.
const TICK: Duration = Duration::from_secs(1);

/// The start of this process: nobody has passed on anything.
#[derive(Debug)]
pub struct Launch;

impl Launch {
    /// Takes what others have put into the environment for this process alone, which is nothing.
    ///
    /// # Errors
    /// None.
    pub fn take() -> Result<Launch, StartupError> {
        Ok(Launch)
    }

    /// Returns whether another process of this program waits for this one to serve.
    pub fn is_awaited(&self) -> bool {
        false
    }
}

/// Returns what is said of anything that cannot be done here; a usage error.
pub fn needs_unix(what: &str) -> ExitError {
    ExitError {
        code: 2,
        message: format!(
            "{what} needs a unix system\n  here unslow serves in the foreground: unslow run"
        ),
    }
}

/// Serves in the foreground until Ctrl-C, which ends it without losing a request; a second one
/// does not wait. Prints each address once it can be used.
///
/// # Errors
/// Why it did not come to serve, or could not go on.
pub fn serve_process(flags: &Flags, _: Launch) -> Result<(), ExitError> {
    if flags.command == Command::Start {
        return Err(needs_unix("running in the background (-D, start)"));
    }
    if flags.reload {
        return Err(needs_unix("--reload"));
    }
    let settings = settings::load(flags)
        .map_err(ExitError::from_settings)?
        .settings;
    refuse(&settings.process).map_err(ExitError::from_settings)?;
    environment::set(&settings.process.env);
    let door = ConnectionEntrance::open(&settings).map_err(ExitError::from_settings)?;
    let listeners = Listeners::open(&settings, Vec::new()).map_err(ExitError::from_running)?;
    if let Some(folder) = &settings.process.chdir {
        std::env::set_current_dir(folder).map_err(|error| {
            let what = format!("{} cannot be entered: {error}", folder.display());
            ExitError::from_settings(StartupError::new(what).at_place("--chdir / [server] chdir"))
        })?;
    }
    logging::start_logging(&settings.log).map_err(ExitError::from_settings)?;
    let access_log = AccessLog::open(&settings.log).map_err(ExitError::from_settings)?;
    let app = Arc::new(App::open(settings).map_err(ExitError::from_settings)?);
    for note in door.certificate_notes().iter().chain(app.idle_settings()) {
        tracing::warn!("{note}");
    }
    let system = actix_web::rt::System::new();
    let end = system.block_on(async {
        let workers = app.settings.server.workers;
        let entrance = (&listeners, &door);
        let started = WorkerGeneration::start(1, &app, access_log, entrance, workers).await;
        let generation = started.map_err(ExitError::from_running)?;
        app.standing.set_serving_generation(1);
        let urls = listeners.visitor_urls();
        tracing::info!(at = urls.join(" "), "started");
        for url in &urls {
            print_line(&format!(
                "unslow {} serves {url}",
                env!("CARGO_PKG_VERSION")
            ));
        }
        for url in &listeners.stats_urls() {
            print_line(&format!(
                "unslow {} shows /stats at {url}",
                env!("CARGO_PKG_VERSION")
            ));
        }
        if flags.open {
            browser::show_page(&urls);
        }
        until_the_end(&app, generation).await
    });
    drop((listeners, system));
    tracing::info!("ended");
    logging::finish();
    end
}

/// Refuses what would silently not be done.
fn refuse(process: &ProcessSettings) -> Result<(), StartupError> {
    for (key, asked) in [
        ("pidfile", process.pidfile.is_some()),
        ("user", process.user.is_some()),
        ("group", process.group.is_some()),
    ] {
        if asked {
            return Err(StartupError::new("this needs a unix system")
                .at_place(format!("[server] {key}"))
                .with_remedy("leave it away here"));
        }
    }
    Ok(())
}

async fn until_the_end(app: &App, generation: WorkerGeneration) -> Result<(), ExitError> {
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            asked = tokio::signal::ctrl_c() => break asked.map_err(ExitError::from_system)?,
            _ = tick.tick() => if generation.has_ended() {
                return Err(ExitError::from_system("the workers have ended by themselves"));
            }
        }
    }
    tracing::info!("draining");
    generation.say_not_ready();
    let drain = async {
        tokio::time::sleep(app.settings.server.drain_delay).await;
        generation.close().await;
        generation.retire_workers().await;
    };
    tokio::select! {
        () = drain => {}
        _ = tokio::signal::ctrl_c() => tracing::info!("asked again: ending now"),
    }
    app.announce_end().await;
    Ok(())
}
