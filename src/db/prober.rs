//! Asks a database that is away, once a second, until it answers: one task, in place of every
//! load. What an answer means is remembered in `health`.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use super::contact::ContactResult;

/// The time from one question to the next.
const EVERY: Duration = Duration::from_secs(1);

/// A database that is asked while it is away.
pub(super) trait ProbedDatabase: Send + Sync + 'static {
    /// Asks once.
    fn ask_once(&self) -> BoxFuture<'static, ContactResult>;

    /// Remembers what the prober has found. Returns whether the prober is done.
    fn conclude_probe(&self, contact: ContactResult) -> bool;

    /// Notes that the prober has ended, however it did. Without one, loads find out for themselves.
    fn note_unprobed(&self);
}

/// Starts one, which asks at once: what looked like a database that is away may have been less.
/// Where there is no runtime, none is started.
pub(super) fn start<P: ProbedDatabase>(health: &Arc<P>) {
    let end = ProberEnd(Arc::downgrade(health));
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(probe_until_well(end));
    }
}

async fn probe_until_well<P: ProbedDatabase>(mut end: ProberEnd<P>) {
    loop {
        let asked = Instant::now();
        // Nothing is held while it waits, so that it ends with the database's last user.
        let Some(question) = end.0.upgrade().map(|health| health.ask_once()) else {
            return;
        };
        let contact = question.await;
        let Some(health) = end.0.upgrade() else {
            return;
        };
        if health.conclude_probe(contact) {
            // It is told, and the next may be at work already.
            end.0 = Weak::new();
            return;
        }
        drop(health);
        sleep_until(asked + EVERY).await;
    }
}

/// Tells that there is no prober any more, also when its runtime ends or it panics.
struct ProberEnd<P: ProbedDatabase>(Weak<P>);

impl<P: ProbedDatabase> Drop for ProberEnd<P> {
    fn drop(&mut self) {
        if let Some(health) = self.0.upgrade() {
            health.note_unprobed();
        }
    }
}
