//! The events that a flight sends to its waiters: its end, and before it perhaps a copy that is not
//! the one it loads. The time of sending is the flight's.

use std::sync::Arc;

use tokio::sync::watch;

use super::super::entry::Entry;
use super::super::purge_request::PurgeKind;
use crate::error::RequestError;
use crate::outcome::Tier;

/// The end of a flight; every waiter gets the same.
#[derive(Debug, Clone)]
pub(in crate::cache) enum FlightResult {
    /// There is a fresh entry: loaded, or found in a tier after all.
    Done(Arc<Entry>, Option<Tier>),
    /// Loading failed.
    Failed(RequestError),
    /// Loaded, and too large to store.
    TooLarge(Arc<Entry>),
    /// The task panicked or was dropped: nobody knows.
    Dangling,
}

/// An event that a waiter has received.
pub(in crate::cache) enum FlightEvent {
    /// The flight's end.
    End(FlightResult),
    /// A copy that it offers; the flight goes on.
    Offer(Arc<Entry>),
}

/// The events of a flight so far.
#[derive(Default)]
pub(super) struct FlightState {
    pub(super) offer: Option<Arc<Entry>>,
    pub(super) end: Option<FlightResult>,
}

/// Waits for a flight. Woken, not polled; dropping it changes nothing for the others.
#[derive(Clone)]
pub(in crate::cache) struct FlightWaiter(watch::Receiver<FlightState>);

impl FlightWaiter {
    pub(super) fn subscribe_to(news: &watch::Sender<FlightState>) -> FlightWaiter {
        FlightWaiter(news.subscribe())
    }

    /// A soft purge concerns what is offered, up to the purge's number.
    pub(super) fn expire_offer(&self, number: u64) {
        if let Some(copy) = &self.0.borrow().offer
            && copy.rank.order <= number
        {
            copy.note_purge(PurgeKind::Soft);
        }
    }

    /// Returns the flight's end, whatever it offers before.
    pub(in crate::cache) async fn wait_for_end(self) -> FlightResult {
        match self.next_event(|_| false).await {
            FlightEvent::End(end) => end,
            FlightEvent::Offer(_) => FlightResult::Dangling,
        }
    }

    /// Returns the flight's end, or a copy it offers that `will_do`, which must be quick: the
    /// flight waits for it.
    pub(in crate::cache) async fn next_event(
        mut self,
        will_do: impl Fn(&Entry) -> bool,
    ) -> FlightEvent {
        let is_word =
            |news: &FlightState| news.end.is_some() || news.offer.as_deref().is_some_and(&will_do);
        match self.0.wait_for(is_word).await.as_deref() {
            Ok(FlightState { end: Some(end), .. }) => FlightEvent::End(end.clone()),
            Ok(FlightState {
                offer: Some(copy), ..
            }) => FlightEvent::Offer(Arc::clone(copy)),
            Ok(_) | Err(_) => FlightEvent::End(FlightResult::Dangling),
        }
    }
}
