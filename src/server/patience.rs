//! The time for which a client may keep its connection waiting: the alarm that ends a wait, and the
//! pace at which an answer is taken. Sockets are not known here.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep_until};

/// The times for which a client may keep the server waiting.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientPatience {
    /// The time from the first byte of a request's head to its last.
    pub(super) head: Duration,
    /// The time while there is something to send and it takes none of it, or all in all too little.
    pub(super) stall: Duration,
    /// The time between an answer and the next request.
    pub(super) idle: Duration,
}

/// Bytes that a client has to take of an answer in a second, on average over the time that it
/// keeps the server waiting. The slowest of links that people use are three times as fast.
const LEAST_RATE: u64 = 16 << 10;

/// The part of the current answer that its client has taken since it first kept the server waiting.
#[derive(Debug, Default)]
pub(super) struct TakingPace {
    /// The answer, counted on its connection.
    answer: u64,
    /// The time that was waited for it, before `since`.
    waited: Duration,
    taken: u64,
    /// The moment since when nothing was taken; `None` while nothing has to wait.
    since: Option<Instant>,
}

impl TakingPace {
    /// Returns whether there is something to send that the client does not take.
    pub(super) fn is_waiting(&self) -> bool {
        self.since.is_some()
    }

    /// Notes that the client took bytes. The clock is read only where it had kept them waiting.
    pub(super) fn note_taken(&mut self, bytes: usize, now: impl FnOnce() -> Instant) {
        self.taken = self.taken.saturating_add(bytes as u64);
        if let Some(since) = self.since.take() {
            self.waited += now().saturating_duration_since(since);
        }
    }

    /// Notes that bytes of this answer have to wait from now on, if they do not yet. Returns the
    /// time at which the client has kept them waiting for too long: it took nothing for `stall`, or
    /// was waited for longer than that and than its bytes take at the least rate.
    pub(super) fn wait(&mut self, answer: u64, stall: Duration, now: Instant) -> Instant {
        if self.answer != answer {
            *self = TakingPace {
                answer,
                ..TakingPace::default()
            };
        }
        let since = *self.since.get_or_insert(now);
        let allowed = stall.saturating_add(at_least_rate(self.taken));
        since + stall.min(allowed.saturating_sub(self.waited))
    }
}

fn at_least_rate(bytes: u64) -> Duration {
    Duration::from_millis(bytes.saturating_mul(1000) / LEAST_RATE)
}

/// The time for which what came in while the process was stopped, or busy, may need to be seen: an
/// alarm that has rung rings once more after this, before it counts.
const SECOND_LOOK: Duration = Duration::from_millis(20);

/// An alarm that rings so much after its time shows that the process was stopped. Its client could
/// not do anything about that, and gets its whole time once more.
const STOPPED: Duration = Duration::from_millis(250);

/// A timer that is set once and then only looked at: its deadline moves with every request, and
/// setting it each time would cost more than ringing early now and then does.
#[derive(Debug, Default)]
pub(super) struct CoarseAlarm {
    timer: Option<Pin<Box<Sleep>>>,
    /// The deadline for which it has rung once.
    rang_for: Option<Instant>,
}

impl CoarseAlarm {
    /// Ready once it is `deadline` or later and a second look was taken since; else the task is
    /// woken then, or before. The second look comes after `whole` where the process was stopped.
    pub(super) fn poll(
        &mut self,
        deadline: Instant,
        whole: Duration,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline.into())));
        loop {
            ready!(timer.as_mut().poll(context));
            if timer.deadline() < deadline.into() {
                timer.as_mut().reset(deadline.into());
            } else if self.rang_for == Some(deadline) {
                return Poll::Ready(());
            } else {
                self.rang_for = Some(deadline);
                let now = Instant::now();
                let was_stopped = now.saturating_duration_since(deadline) > STOPPED;
                let more = if was_stopped { whole } else { SECOND_LOOK };
                timer.as_mut().reset((now + more).into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(10);
    const SECOND: Duration = Duration::from_secs(1);

    /// Returns how long a client keeps its connection that takes so many bytes at once after each
    /// wait, as far as an hour.
    fn lives(bytes: usize, wait: Duration) -> Duration {
        let mut pace = TakingPace::default();
        let start = Instant::now();
        let mut now = start;
        while now.duration_since(start) < Duration::from_hours(1) {
            let deadline = pace.wait(1, STALL, now);
            if deadline < now + wait {
                return deadline.duration_since(start);
            }
            now += wait;
            pace.note_taken(bytes, || now);
        }
        now.duration_since(start)
    }

    #[test]
    fn a_client_that_takes_too_little_is_given_up_and_a_slow_link_is_not() {
        assert_eq!(lives(0, Duration::from_hours(2)), STALL, "it takes nothing");
        let drip = lives(3 << 10, 4 * SECOND);
        assert!(drip > STALL && drip < 2 * STALL, "3 KB every 4 s: {drip:?}");
        let hour = Duration::from_hours(1);
        assert!(lives(50_000, SECOND) >= hour, "50 KB in each second");
        assert!(lives(300_000, 6 * SECOND) >= hour, "the same in bursts");
    }

    #[test]
    fn bytes_that_were_taken_quickly_do_not_pay_for_a_stall() {
        let mut pace = TakingPace::default();
        let now = Instant::now();
        pace.wait(1, STALL, now);
        pace.note_taken(1 << 30, || now);
        assert_eq!(pace.wait(1, STALL, now), now + STALL);
    }

    #[test]
    fn each_answer_begins_anew_and_time_counts_only_while_bytes_wait() {
        let mut pace = TakingPace::default();
        let now = Instant::now();
        pace.wait(1, STALL, now);
        pace.note_taken(0, || now + 9 * SECOND);
        assert!(!pace.is_waiting());
        let later = now + 100 * SECOND;
        assert_eq!(pace.wait(1, STALL, later), later + SECOND);
        pace.note_taken(0, || later);
        assert_eq!(pace.wait(2, STALL, later), later + STALL);
    }
}
