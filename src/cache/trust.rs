//! The time for which a copy in memory is believed without asking Redis: when it has to be
//! compared, and when it may no longer be called fresh. The question, and the effect of the answer,
//! is `recheck`'s.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::entry::{Entry, Freshness};
use crate::defence::Defence;

/// The time for which a copy is believed while messages come in, …
const BELIEVED: Duration = Duration::from_secs(4);
/// … and while none do. Also how soon a comparison that failed is tried again.
const BELIEVED_ALONE: Duration = Duration::from_secs(1);
/// The time after its latest comparison for which a copy may be called fresh. The promise to who
/// purges: an instance that Redis does not reach calls nothing fresh that was purged so long ago.
/// The time between [`BELIEVED`] and this is for the one request that compares while others are
/// served.
pub(super) const CONFIRMED_FOR: Duration = Duration::from_secs(5);

/// The trust in copies in memory.
pub(super) struct CopyTrust {
    origin: Instant,
    /// True where messages come in.
    connected: AtomicBool,
    /// Copies that were compared before it may be missing something.
    mistrusted: AtomicU64,
}

impl CopyTrust {
    pub(super) fn new(now: Instant) -> CopyTrust {
        CopyTrust {
            origin: now,
            connected: AtomicBool::new(false),
            mistrusted: AtomicU64::new(0),
        }
    }

    /// Makes the trust for another Redis, with which no copy has been compared so far.
    pub(super) fn of_another(&self, now: Instant) -> CopyTrust {
        CopyTrust {
            origin: self.origin,
            connected: AtomicBool::new(false),
            mistrusted: AtomicU64::new(self.nanos_since(now)),
        }
    }

    /// Messages come in from now on; what was said before is lost.
    pub(super) fn note_connected(&self, now: Instant) {
        self.mistrusted
            .store(self.nanos_since(now), Ordering::SeqCst);
        self.connected.store(true, Ordering::SeqCst);
    }

    pub(super) fn note_disconnected(&self) {
        self.connected.store(false, Ordering::SeqCst);
    }

    /// Nanoseconds since it was made; never 0, which stands for never.
    fn nanos_since(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.origin);
        u64::try_from(since.as_nanos()).map_or(u64::MAX, |nanos| nanos.max(1))
    }

    pub(super) fn note_compared(&self, entry: &Entry, now: Instant) {
        let time = self.nanos_since(now);
        entry.confirmed.store(time, Ordering::SeqCst);
        entry.unanswered.store(false, Ordering::SeqCst);
        entry.checked.store(time, Ordering::SeqCst);
    }

    /// Returns whether the copy was compared so long ago that it may have been purged without a
    /// word of it here.
    pub(super) fn is_unconfirmed(&self, entry: &Entry, now: Instant) -> bool {
        if Defence::Recheck.is_off() {
            return false;
        }
        is_unconfirmed_at(entry, self.nanos_since(now))
    }

    /// Returns how long a copy is believed at the moment.
    fn max_unchecked_age(&self) -> Duration {
        if self.connected.load(Ordering::Relaxed) {
            BELIEVED
        } else {
            BELIEVED_ALONE
        }
    }

    /// Returns whether the caller has to compare the copy with Redis before it is used. Of many
    /// that ask because its time is over, one has to; after a reconnection all have.
    pub(super) fn must_compare(&self, entry: &Entry, life: Freshness, now: Instant) -> bool {
        if Defence::Recheck.is_off() {
            return false;
        }
        let (checked, now) = (entry.checked.load(Ordering::SeqCst), self.nanos_since(now));
        if checked < self.mistrusted.load(Ordering::SeqCst) {
            return true;
        }
        let believed = self.max_unchecked_age().as_nanos();
        let unchecked = u128::from(now.saturating_sub(checked));
        // A stale copy is served at once; the refresh behind it asks Redis first.
        if life == Freshness::Stale {
            return false;
        }
        if unchecked <= believed {
            // Another request compares it at this moment, and it is too old to be served meanwhile.
            return is_unconfirmed_at(entry, now) && !entry.unanswered.load(Ordering::Relaxed);
        }
        // One that nobody has used for long is too old for the others to be served from meanwhile.
        unchecked > 2 * believed
            || entry
                .checked
                .compare_exchange(checked, now, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
    }

    /// A comparison that failed confirms nothing, and is made again soon.
    pub(super) fn compare_soon(&self, entry: &Entry, now: Instant) {
        entry.unanswered.store(true, Ordering::SeqCst);
        let early = self.max_unchecked_age().saturating_sub(BELIEVED_ALONE);
        let early = u64::try_from(early.as_nanos()).unwrap_or(u64::MAX);
        let mistrusted = self.mistrusted.load(Ordering::SeqCst);
        let time = self.nanos_since(now).saturating_sub(early);
        entry.checked.store(time.max(mistrusted), Ordering::SeqCst);
    }
}

/// Returns the same at a time as [`CopyTrust`] measures it.
fn is_unconfirmed_at(entry: &Entry, time: u64) -> bool {
    let confirmed = entry.confirmed.load(Ordering::Relaxed);
    u128::from(time.saturating_sub(confirmed)) > CONFIRMED_FOR.as_nanos()
}
