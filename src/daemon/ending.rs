//! The end of the process: all at once, or when the last request has been answered; and the process
//! that serves then.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::control::{DaemonAnswer, DaemonPhase, DaemonRequest, DaemonStatus};
use super::control_request::{ControlRequest, next_request};
use super::master::Master;
use super::shutdown_kind::ShutdownKind;

/// The time for which the second request to end leaves the first one.
const IMPATIENT: Duration = Duration::from_secs(2);

impl Master {
    /// Ends without losing a request; a second request to end makes it quick.
    pub(super) async fn end_gracefully(&mut self) -> ShutdownKind {
        tracing::info!("draining");
        let end = self.upgrade.hand_over(&self.notifier).await;
        if end == ShutdownKind::Stopped {
            self.notifier.notify_stopping();
        }
        self.finish(end).await;
        self.resolve_end(end).await
    }

    /// Lets the requests that there are come to their ends; at once when it is asked to end again.
    pub(super) async fn finish(&mut self, end: ShutdownKind) {
        let status = DaemonStatus {
            state: DaemonPhase::Draining,
            ..self.daemon_status()
        };
        let (signals, mut requests) = (self.signals.clone(), self.requests.take());
        let drained = tokio::select! {
            () = self.drain_and_close(end) => true,
            () = signals.wait_for_end() => false,
            () = say_draining(&mut requests, status) => false,
        };
        // Until the very end somebody might have to be found by it.
        self.requests = requests;
        if !drained {
            tracing::info!("asked again: ending now");
            let _ = timeout(IMPATIENT, self.cut_off()).await;
        }
        self.app.announce_end().await;
    }

    /// Retires all generations and waits for their ends, and then for what they had begun to load
    /// behind their answers.
    async fn drain_and_close(&mut self, end: ShutdownKind) {
        if let Some(generation) = &self.serving
            && end == ShutdownKind::Stopped
        {
            generation.say_not_ready();
            tokio::time::sleep(self.app.settings.server.drain_delay).await;
        }
        let begun = Instant::now();
        if let Some(generation) = self.serving.take() {
            self.watchdog.looks_at(None);
            self.retire_generation(generation).await;
        }
        if end == ShutdownKind::Stopped {
            // A client that comes from now on is to look elsewhere at once, and not to wait here in
            // vain.
            self.listeners.close();
        }
        while self.retiring.join_next().await.is_some() {}
        let patience = self.app.settings.server.graceful_timeout;
        let left = patience.saturating_sub(begun.elapsed());
        // A load that is not done by then is done anew by another instance, once the lease has run
        // out.
        let _ = timeout(left, self.app.cache.loads_end()).await;
    }

    pub(super) async fn end_now(&mut self) -> ShutdownKind {
        let end = self.upgrade.hand_over(&self.notifier).await;
        if end == ShutdownKind::Stopped {
            self.notifier.notify_stopping();
        }
        self.cut_off().await;
        self.app.announce_end().await;
        self.resolve_end(end).await
    }

    /// Returns how it ends after all.
    async fn resolve_end(&mut self, end: ShutdownKind) -> ShutdownKind {
        match end {
            ShutdownKind::Withdrawn => self.withdraw_process().await,
            end => end,
        }
    }

    async fn cut_off(&mut self) {
        self.retiring.abort_all();
        if let Some(generation) = &self.serving {
            generation.stop().await;
        }
    }
}

/// Answers who asks meanwhile, until somebody asks that it ends now.
async fn say_draining(requests: &mut Option<mpsc::Receiver<ControlRequest>>, status: DaemonStatus) {
    let begun = Instant::now();
    while let Some((request, answer)) = next_request(requests).await {
        let said = match request {
            DaemonRequest::Status => DaemonAnswer::new_done(""),
            DaemonRequest::Stop { .. } => DaemonAnswer::new_done("ending"),
            _ => DaemonAnswer::new_refused(
                "it ends once its requests have: nothing can be changed any more",
            ),
        };
        let uptime_seconds = status.uptime_seconds + begun.elapsed().as_secs();
        // One that has left needs no answer.
        drop(answer.send(said.with_status(DaemonStatus {
            uptime_seconds,
            ..status.clone()
        })));
        if request == (DaemonRequest::Stop { now: true }) {
            return;
        }
    }
    std::future::pending::<()>().await;
}
