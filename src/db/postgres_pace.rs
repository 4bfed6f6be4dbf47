//! The round trip to a server as it was measured, and the deadlines of connecting and beginning
//! that follow from it: a server that is far is not taken for one that is away. The statement's
//! own time is no business of this file.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::checkout::CHECKOUT;

/// Round trips of connecting and beginning, with TLS and a password: TCP, the request for TLS, its
/// two, three of the log-in, BEGIN; and one to spare.
const CONNECT_TRIPS: u32 = 9;
/// The time of a server's own work while it lets somebody in.
const WORK: Duration = Duration::from_millis(500);
/// However far a server is, connecting to it is given up then.
const FARTHEST: Duration = Duration::from_secs(20);
/// A server that has not let us in after this long is asked how far it is. One that is near has.
const SLOW: Duration = Duration::from_millis(300);
/// The first message of a client that would have TLS; the server answers with one byte.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// The smoothed round trip to one server.
#[derive(Debug, Default)]
pub(super) struct RoundTrip {
    /// The smoothed time, in microseconds; 0 as long as it is not known.
    smoothed: AtomicU64,
}

impl RoundTrip {
    /// Takes one in. A shorter one counts for more: the server adds its own time to each.
    pub(super) fn record(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let known = self.smoothed.load(Ordering::Relaxed);
        let smoothed = match known {
            0 => took,
            known if took < known => u64::midpoint(known, took),
            known => known + (took - known) / 8,
        };
        // One that is lost to another thread's is no loss.
        self.smoothed.store(smoothed, Ordering::Relaxed);
    }

    fn known_trip(&self) -> Option<Duration> {
        let micros = self.smoothed.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros))
    }

    /// Returns the longest time that connecting and beginning take while the server is well.
    pub(super) fn connect_patience(&self) -> Duration {
        trip_patience(self.known_trip().unwrap_or_default())
    }

    /// Returns the time that a run's answers are on their way, beside the statement's own.
    pub(super) fn on_the_way(&self) -> Duration {
        4 * self.known_trip().unwrap_or_default().min(FARTHEST)
    }

    /// Returns when a server that is well would have let us in: not before `deadline`, and later
    /// where it is far. A server of which that is not known is asked.
    pub(super) async fn out_of_patience(&self, options: &PgConnectOptions, deadline: Instant) {
        let start = Instant::now();
        if self.known_trip().is_some() {
            sleep_until(deadline.max(start + self.patience_if_far())).await;
            return;
        }
        sleep(SLOW).await;
        let trip = timeout_at(deadline, measure_trip(options))
            .await
            .ok()
            .flatten();
        let far = trip
            .map(trip_patience)
            .filter(|patience| *patience > CHECKOUT);
        sleep_until(deadline.max(start + far.unwrap_or_default())).await;
    }

    /// Returns nothing where the general deadline is long enough.
    fn patience_if_far(&self) -> Duration {
        let patience = self.connect_patience();
        if patience > CHECKOUT {
            patience
        } else {
            Duration::ZERO
        }
    }
}

fn trip_patience(trip: Duration) -> Duration {
    (CONNECT_TRIPS * trip.min(FARTHEST) + WORK).clamp(CHECKOUT, FARTHEST)
}

/// Returns the round trip to the server, from the longer of two: the one of TCP, which a proxy
/// beside us may answer, and the one of the server's first byte, which a server that hangs never
/// sends.
async fn measure_trip(options: &PgConnectOptions) -> Option<Duration> {
    if options.get_socket().is_some() || options.get_host().starts_with('/') {
        return None;
    }
    let start = Instant::now();
    let place = (options.get_host(), options.get_port());
    let mut stream = TcpStream::connect(place).await.ok()?;
    let handshake = start.elapsed();
    if trip_patience(handshake) > CHECKOUT {
        return Some(handshake);
    }
    let start = Instant::now();
    stream.write_all(&TLS_REQUEST).await.ok()?;
    stream.read_u8().await.ok()?;
    Some(start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_of_connecting_fits_the_round_trip() {
        let trip = RoundTrip::default();
        assert_eq!(
            (trip.connect_patience(), trip.on_the_way()),
            (CHECKOUT, Duration::ZERO)
        );
        for (millis, patience) in [
            (1, 1800),
            (100, 1800),
            (200, 2300),
            (1000, 9500),
            (60_000, 20_000),
        ] {
            let trip = RoundTrip::default();
            trip.record(Duration::from_millis(millis));
            assert_eq!(
                trip.connect_patience(),
                Duration::from_millis(patience),
                "{millis} ms"
            );
        }
    }

    #[test]
    fn one_slow_answer_of_a_near_server_does_not_make_it_far() {
        let trip = RoundTrip::default();
        trip.record(Duration::from_millis(1));
        trip.record(Duration::from_secs(1));
        assert_eq!(trip.connect_patience(), CHECKOUT);
        for _ in 0..8 {
            trip.record(Duration::from_millis(1));
        }
        assert!(trip.on_the_way() < Duration::from_millis(8));
    }
}
