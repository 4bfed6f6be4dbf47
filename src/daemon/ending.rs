//! How the process ends: all at once, or when the last request has been answered; and who serves
//! then.

use std::time::Duration;

use super::master::Master;

/// How long the second request to end leaves the first one.
const IMPATIENT: Duration = Duration::from_secs(2);

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nobody serves any more.
    Stopped,
    /// The new process of an upgrade serves on the same sockets.
    HandedOver,
    /// This was the new process of an upgrade, and the old one goes on.
    Withdrawn,
}

impl Master {
    /// Ends without losing a request; a second request to end makes it quick.
    pub(super) async fn end(&mut self) -> End {
        tracing::info!("draining");
        let end = self.upgrade.hand_over(&self.notifier);
        if end == End::Stopped {
            self.notifier.stopping();
        }
        let signals = self.signals.clone();
        tokio::select! {
            () = self.drain(end) => {}
            () = signals.end() => {
                tracing::info!("asked again: ending now");
                let _ = tokio::time::timeout(IMPATIENT, self.cut_off()).await;
            }
        }
        end
    }

    /// Retires all generations and waits for their ends.
    pub(super) async fn drain(&mut self, end: End) {
        if let Some(generation) = &self.serving
            && end == End::Stopped
        {
            generation.say_not_ready();
            tokio::time::sleep(self.app.settings.server.drain_delay).await;
        }
        if let Some(generation) = self.serving.take() {
            self.watchdog.looks_at(None);
            self.retire(generation).await;
        }
        while self.retiring.join_next().await.is_some() {}
    }

    pub(super) async fn end_now(&mut self) -> End {
        let end = self.upgrade.hand_over(&self.notifier);
        if end == End::Stopped {
            self.notifier.stopping();
        }
        self.cut_off().await;
        end
    }

    async fn cut_off(&mut self) {
        self.retiring.abort_all();
        if let Some(generation) = &self.serving {
            generation.stop().await;
        }
    }
}
