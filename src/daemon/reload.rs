//! HUP: the settings are read again, and a new generation of workers serves what they say now, on
//! the same sockets, with the same counters and the same memory tier. Everything is tried before
//! anything is changed: whatever is wrong, the old generation goes on.

use std::sync::Arc;

use super::master::Master;
use super::workers::EntranceParts;
use crate::app::App;
use crate::error::StartupError;
use crate::logging;
use crate::server::{ConnectionEntrance, WorkerGeneration};
use crate::settings::{self, Settings};

impl Master {
    /// Reads the settings again and lets a new generation serve them. What has changed in a few
    /// words, or why nothing has; both are in the log by then.
    pub(super) async fn reload_settings(&mut self) -> Result<String, String> {
        self.notifier.notify_reloading();
        self.make_room().await;
        let result = self.try_reload().await;
        // Also after a failure: the process serves, as before.
        self.notifier.notify_ready(&self.state_line());
        let result = result.map_err(|error| error.to_string());
        match &result {
            Ok(message) => tracing::info!("reloaded: {message}"),
            Err(message) => {
                tracing::error!("not reloaded, the old settings stay in force: {message}");
            }
        }
        self.note_reload(&result);
        result
    }

    /// Reloads, with `--reload`, for each change of settings file and query files.
    pub(super) async fn reload_what_has_changed(&mut self) {
        let queries = self.app.settings.queries_dir.as_deref();
        let file = self.started.flags.config.as_deref();
        let watch = self.watch.as_mut();
        if watch.is_some_and(|watch| watch.take_changes(file, queries)) {
            // It has said in the log what came of it.
            drop(self.reload_settings().await);
        }
    }

    async fn try_reload(&mut self) -> Result<String, StartupError> {
        let settings = self.started.read_settings()?;
        let ignored = settings::restart_only(&self.app.settings, &settings);
        let door = self.door.reconfigured(&settings)?;
        let logs = logging::prepare_change(&settings.log)?;
        let listeners = self.listeners.reconfigured(&settings)?;
        let (app, generation) = match self.renew_generation(settings, (&listeners, &door)).await {
            Ok(renewed) => renewed,
            Err(error) => {
                listeners.not_in(&self.listeners).remove_paths();
                return Err(error);
            }
        };
        logging::apply(logs);
        self.app = app;
        self.say_what_is_odd(&door);
        self.door = door;
        let before = std::mem::replace(&mut self.listeners, listeners);
        let gone = before.not_in(&self.listeners);
        gone.remove_paths();
        self.take_over(generation, gone).await;
        let mut message = format!("generation {} serves", self.serving_number());
        if !ignored.is_empty() {
            let names = ignored.join(", ");
            message = format!("{message}; only a restart changes {names}");
        }
        Ok(message)
    }

    /// Returns a new application and a generation that serves it. What it waits for is not worth
    /// waiting for once the process is to end.
    async fn renew_generation(
        &self,
        settings: Settings,
        on: EntranceParts<'_>,
    ) -> Result<(Arc<App>, WorkerGeneration), StartupError> {
        let workers = settings.server.workers;
        let app = tokio::select! {
            app = self.app.reconfigure(settings) => Arc::new(app?),
            () = self.signals.wait_for_end() => {
                return Err(StartupError::new("the process is asked to end"));
            }
        };
        let generation = self.next_generation(&app, on, workers).await?;
        Ok((app, generation))
    }

    /// Logs the notes of the catalog as at the start, and those of the door that were not logged
    /// before.
    fn say_what_is_odd(&self, door: &ConnectionEntrance) {
        for note in self.app.idle_settings() {
            tracing::warn!("{note}");
        }
        if door.certificate_notes() != self.door.certificate_notes() {
            for note in door.certificate_notes() {
                tracing::warn!("{note}");
            }
        }
    }
}
