//! USR2: another process of the same program, from whatever the binary is by now, takes the place
//! of this one. It owns the steps of the master; the state between them is in `upgrade`.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::handover::{self, HandoverParams, HandoverRole};
use super::master::Master;
use super::new_process::NotReady;
use super::pidfile;
use super::place::DaemonFiles;
use super::shutdown_kind::ShutdownKind;
use super::upgrade::{UpgradeAsker, UpgradeState, UpgradeStep, in_background, step_down};

/// The time for which the new process may take to have the pidfile as its own, and how often that
/// is looked at.
const TAKEN: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(5);

impl Master {
    /// Starts the new process; what comes of it is told later.
    pub(super) fn begin_upgrade(
        &mut self,
        hold: bool,
        asker: UpgradeAsker,
    ) -> Result<(), (String, UpgradeAsker)> {
        let refused = match &self.upgrade {
            UpgradeState::None if std::process::id() == 1 => {
                Some("process 1 cannot be replaced: its container would end; restart that")
            }
            UpgradeState::None => None,
            UpgradeState::Starting { .. } => Some("an upgrade is under way"),
            UpgradeState::Held(_) => Some("the process of the last upgrade is still held"),
            UpgradeState::Young { .. } => {
                Some("the process before this one has not stepped down yet")
            }
        };
        if let Some(message) = refused {
            tracing::error!("no upgrade: {message}");
            return Err((message.to_owned(), asker));
        }
        let path = self.app.settings.process.pidfile.as_deref();
        let place = path.map(pidfile::successor_path);
        let luggage = HandoverParams {
            in_background: self.started.in_background,
            listeners: &self.listeners,
            pidfile: None,
            place: place.as_deref(),
            default_place: self.started.place.as_deref(),
            folder: &self.started.surroundings.working_folder,
            config: self.started.flags.config.as_deref(),
            environment: self.notifier.for_successor(),
        };
        let binary = &self.started.binary;
        let process = match handover::start(binary, HandoverRole::Successor, luggage) {
            Ok(process) => process,
            Err(error) => {
                let message = format!("{} cannot be started: {error}", binary.display());
                tracing::error!("no upgrade: {message}");
                return Err((message, asker));
            }
        };
        let pid = process.pid();
        tracing::info!(pid, "the new process starts");
        let limit = self.app.settings.process.start_timeout;
        let (told, ready) = oneshot::channel();
        in_background(move || {
            let mut process = process;
            let result = process.wait_ready(limit);
            // Where nobody waits for it any more it is dropped here, and ended by that.
            let _ = told.send(result.map(|_| process));
        });
        self.upgrade = UpgradeState::Starting {
            pid,
            ready,
            hold,
            asker,
        };
        Ok(())
    }

    /// Goes on with an upgrade; the end of this process, if it is that.
    pub(super) async fn continue_upgrade(&mut self, step: UpgradeStep) -> Option<ShutdownKind> {
        let before = std::mem::replace(&mut self.upgrade, UpgradeState::None);
        let (UpgradeStep::Started(result), UpgradeState::Starting { hold, asker, .. }) =
            (step, before)
        else {
            self.become_the_daemon();
            return None;
        };
        let process = match result {
            Ok(process) => process,
            Err(NotReady { message, .. }) => {
                tracing::error!("no upgrade, this process goes on: {message}");
                self.send_answer(asker, Err(message));
                return None;
            }
        };
        let pid = process.pid();
        if hold {
            let message = format!(
                "process {pid} serves beside this one, {}",
                std::process::id()
            );
            tracing::info!("{message}");
            self.upgrade = UpgradeState::Held(process);
            self.send_answer(asker, Ok(message));
            return None;
        }
        if !step_down(process, &self.notifier) {
            let message = "the new process has ended as soon as it was ready";
            tracing::error!("no upgrade, this process goes on: {message}");
            self.send_answer(asker, Err(message.to_owned()));
            return None;
        }
        self.wait_until_followed().await;
        self.send_answer(asker, Ok(format!("process {pid} serves")));
        self.finish(ShutdownKind::HandedOver).await;
        Some(ShutdownKind::HandedOver)
    }

    /// Returns the end of a process that withdraws before the old one has stepped down for it; if
    /// that happened all the same, nobody is left to go on.
    pub(super) async fn withdraw_process(&mut self) -> ShutdownKind {
        if !self.upgrade.was_left_alone().await {
            return ShutdownKind::Withdrawn;
        }
        self.take_the_place();
        self.notifier.notify_stopping();
        ShutdownKind::Stopped
    }

    /// Waits until commands find the new process; not for ever, where it cannot let itself be
    /// found.
    async fn wait_until_followed(&self) {
        let begun = Instant::now();
        let found = || self.place.as_ref().is_none_or(DaemonFiles::is_taken);
        while !found() && begun.elapsed() < TAKEN {
            tokio::time::sleep(LOOK).await;
        }
    }
}
