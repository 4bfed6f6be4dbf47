//! `unslow status --url`: whether a server answers at an address, as a health check of a container
//! asks it. It looks at no pidfile and at no settings, so that an edit of them does not make a
//! server unwell that runs; what a daemon says of itself is `status`'s.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::client::ServerClient;
use super::failure::CommandFailure;
use super::terminal::print_bytes;
use crate::settings::Settings;
use crate::text::units::duration_text;

/// The time for which the answer may take, with finding and reaching the server. Those who ask do
/// so every few seconds, and a server that is well answers at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// The path that is asked where the address has none.
const HEALTH: &str = "/healthz";

/// Says what the server at `url` answers; fails where that is not 2xx.
pub(super) fn run(url: &str) -> Result<(), CommandFailure> {
    let defaults = Settings::from_flags(&[]).map_err(CommandFailure::Settings)?;
    let client = ServerClient::new(&defaults, Some(url))?;
    let (path, place) = if client.has_path() {
        ("", client.server_name())
    } else {
        (HEALTH, format!("{HEALTH} of {}", client.server_name()))
    };
    let status = run_within(PATIENCE, &place, move || Ok(client.get(path)?.status))?;
    let said = format!("{place} answers {status}");
    if (200..300).contains(&status) {
        print_bytes(format!("{said}\n").as_bytes())
    } else {
        Err(CommandFailure::Running(said))
    }
}

/// Returns what `ask` gives, unless it takes too long: a server that sends a byte now and then
/// would otherwise never be unwell.
fn run_within<T: Send + 'static>(
    patience: Duration,
    place: &str,
    ask: impl FnOnce() -> Result<T, CommandFailure> + Send + 'static,
) -> Result<T, CommandFailure> {
    let (tell, told) = channel();
    thread::spawn(move || {
        // Nobody listens once it took too long.
        drop(tell.send(ask()));
    });
    match told.recv_timeout(patience) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout) => Err(CommandFailure::Running(format!(
            "{place} has not answered within {}",
            duration_text(patience)
        ))),
        Err(RecvTimeoutError::Disconnected) => Err(CommandFailure::Running(format!(
            "{place} could not be asked: see above"
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_takes_too_long_is_no_answer() {
        let (_hold, never) = channel::<()>();
        let failure = run_within(Duration::from_millis(1), "http://host:1", move || {
            Ok(never.recv().is_ok())
        })
        .unwrap_err();
        assert_eq!(failure.exit_code(), 1);
        let said = failure.message().unwrap();
        assert_eq!(said, "http://host:1 has not answered within 1ms");
        assert!(run_within(PATIENCE, "", || Ok(true)).unwrap());
    }
}
