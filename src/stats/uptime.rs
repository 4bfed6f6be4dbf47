//! The time since this process began to count. It only moves forward, and goes on while the
//! machine is suspended: what was not counted then is a gap, and not as if no time had passed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Uptime(Duration);

impl Default for Uptime {
    /// Begins now.
    fn default() -> Uptime {
        Uptime(since_boot())
    }
}

impl Uptime {
    pub(super) fn now(&self) -> Duration {
        since_boot().saturating_sub(self.0)
    }
}

/// Returns the time since the machine was started, its sleep included; where there is no such
/// clock, since this was first asked. It takes no system call.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn since_boot() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map(Duration::from)
        .expect("every kernel since 2.6.39 has this clock")
}

/// Returns the time since this was first asked.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn since_boot() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed()
}

/// Returns the time of the machine's calendar, in seconds since 1970.
pub fn wall_clock() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}
