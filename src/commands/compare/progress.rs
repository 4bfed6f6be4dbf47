//! The one line on a terminal that says how far a comparison is. Elsewhere it says nothing.

use std::io::{IsTerminal, Write, stderr};
use std::time::Instant;

use super::figures::group_digits;

const WIDTH: usize = 24;

/// The line, which is gone when this is.
pub(super) struct RunProgress {
    is_shown: bool,
    begun: Instant,
}

impl RunProgress {
    pub(super) fn begin_display() -> RunProgress {
        RunProgress {
            is_shown: stderr().is_terminal(),
            begun: Instant::now(),
        }
    }

    /// So many of so many runs of this way are done.
    pub(super) fn show_runs(&self, way: &str, done: usize, of: usize) {
        if self.is_shown {
            let line = progress_line(way, done, of, self.begun.elapsed().as_secs());
            // The line is for who watches; nobody may.
            drop(write!(stderr().lock(), "\r{line}\x1b[K"));
        }
    }
}

impl Drop for RunProgress {
    fn drop(&mut self) {
        if self.is_shown {
            drop(write!(stderr().lock(), "\r\x1b[K"));
        }
    }
}

fn progress_line(way: &str, done: usize, of: usize, seconds: u64) -> String {
    let full = (WIDTH * done.min(of)).checked_div(of).unwrap_or(0);
    let (bar, rest) = ("#".repeat(full), ".".repeat(WIDTH - full));
    let (done, of) = (
        group_digits(&done.to_string()),
        group_digits(&of.to_string()),
    );
    format!("{way:<8} [{bar}{rest}] {done} of {of}, {seconds} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_from_nothing_to_all() {
        let empty = "database [........................] 0 of 3, 1 s";
        assert_eq!(progress_line("database", 0, 3, 1), empty);
        let half = "memory   [############............] 500 of 1,000, 2 s";
        assert_eq!(progress_line("memory", 500, 1000, 2), half);
        let full = "redis    [########################] 3 of 3, 3 s";
        assert_eq!(progress_line("redis", 3, 3, 3), full);
        assert!(progress_line("redis", 0, 0, 0).contains("0 of 0"));
    }
}
