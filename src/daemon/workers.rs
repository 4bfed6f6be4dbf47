//! The generations of workers, as the master has them: one serves, others are ending, and a new one
//! serves before the one before it begins to end.

use std::sync::Arc;

use super::master::Master;
use super::shutdown_kind::ShutdownKind;
use super::upgrade::UpgradeState;
use super::watchdog::SILENT;
use crate::app::App;
use crate::error::StartupError;
use crate::logging::AccessLog;
use crate::server::{ConnectionEntrance, Listeners, WorkerGeneration};
use crate::settings::MOST_WORKERS;

/// The number of generations that may be alive at once: one serves, the others end.
const MOST_GENERATIONS: usize = 3;

/// The way in which clients get in.
pub(super) type EntranceParts<'a> = (&'a Listeners, &'a ConnectionEntrance);

impl Master {
    /// Makes a new generation the one that serves, and retires the one before, with the listeners
    /// that only that one had.
    pub(super) async fn take_over(&mut self, generation: WorkerGeneration, gone: Listeners) {
        self.number = generation.number();
        self.app.standing.set_serving_generation(self.number);
        self.watchdog.looks_at(Some(generation.heartbeats()));
        // Another process that serves on the same sockets would not be found there either.
        let gone = if matches!(self.upgrade, UpgradeState::None) {
            gone
        } else {
            Listeners::default()
        };
        if let Some(old) = self.serving.replace(generation) {
            self.retire_generation(old).await;
        }
        gone.close();
        self.silent = false;
    }

    /// Returns a generation of so many workers that serves beside the one there is.
    pub(super) async fn next_generation(
        &self,
        app: &Arc<App>,
        entrance: EntranceParts<'_>,
        workers: usize,
    ) -> Result<WorkerGeneration, StartupError> {
        let access_log = AccessLog::open(&app.settings.log)?;
        let number = self.number + 1;
        WorkerGeneration::start(number, app, access_log, entrance, workers).await
    }

    /// Waits until there may be one generation more; not longer than until the process is to end.
    pub(super) async fn make_room(&mut self) {
        let signals = self.signals.clone();
        while self.retiring.len() > MOST_GENERATIONS - 2 {
            tokio::select! {
                _ = self.retiring.join_next() => {}
                () = signals.wait_for_end() => return,
            }
        }
        while self.retiring.try_join_next().is_some() {}
    }

    /// Lets it accept no more, and end by itself.
    pub(super) async fn retire_generation(&mut self, generation: WorkerGeneration) {
        let number = generation.number();
        tracing::info!(generation = number, "retiring");
        generation.close().await;
        self.retiring.spawn_local(async move {
            generation.retire_workers().await;
            tracing::info!(generation = number, "retired");
        });
    }

    fn worker_count(&self) -> usize {
        let configured = self.app.settings.server.workers;
        self.serving
            .as_ref()
            .map_or(configured, WorkerGeneration::worker_count)
    }

    pub(super) async fn scale_workers(&mut self, by: i32) -> Result<String, String> {
        let by = isize::try_from(by).unwrap_or(0);
        let workers = self.worker_count().saturating_add_signed(by);
        let workers = workers.clamp(1, MOST_WORKERS);
        if self.serving.is_none() {
            return Master::refused("paused: reload brings the workers back".to_owned());
        }
        if workers == self.worker_count() {
            return Ok(format!("{workers} workers, as before"));
        }
        self.replace_generation(workers).await?;
        tracing::info!(workers, "scaled");
        Ok(format!("{workers} workers"))
    }

    /// Returns the same application in new workers.
    async fn replace_generation(&mut self, workers: usize) -> Result<(), String> {
        self.make_room().await;
        let started = self.next_generation(&self.app, (&self.listeners, &self.door), workers);
        match started.await {
            Ok(generation) => {
                self.take_over(generation, Listeners::default()).await;
                Ok(())
            }
            Err(error) => Master::refused(error.to_string()),
        }
    }

    pub(super) async fn pause_workers(&mut self) {
        if let Some(generation) = self.serving.take() {
            tracing::info!("WINCH: the workers end, the sockets stay; HUP brings them back");
            self.watchdog.looks_at(None);
            self.retire_generation(generation).await;
        }
    }

    /// Returns whether all is as it should be; what is not, is mended.
    pub(super) async fn look_after(&mut self) -> Option<ShutdownKind> {
        while self.retiring.try_join_next().is_some() {}
        self.upgrade.look_after();
        self.reload_what_has_changed().await;
        let serving = self.serving.as_ref()?;
        if serving.has_ended() {
            tracing::error!("the workers have ended by themselves");
            return Some(ShutdownKind::Failed);
        }
        let silent = serving.heartbeats().silent_workers(SILENT);
        // Once: where that does not help either, the watchdog is left to see to it.
        if silent > 0 && !std::mem::replace(&mut self.silent, true) {
            // Its requests may be lost; those to come are not.
            tracing::error!(silent, "workers do not answer: a new generation takes over");
            let workers = self.worker_count();
            drop(self.replace_generation(workers).await);
        }
        None
    }
}

#[cfg(test)]
mod tests;
