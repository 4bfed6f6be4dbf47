//! A process that another one has started to take its place, seen from there, as long as it is not
//! on its own: whether it serves, why not, and its end.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ExitStatus};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::handover_protocol::{ChildReport, STEP_UP};
use super::place;
use crate::text::units::duration_text;
use crate::text::words::escape_controls;

/// The bytes that are passed on of what a failing process says.
const LAST_WORDS: u64 = 2 << 10;

/// A process that was started and is not yet on its own. Dropped, it is ended and reaped.
#[derive(Debug)]
pub(super) struct NewProcess {
    child: Option<Child>,
    line: BufReader<UnixStream>,
    /// Its pidfile, to be looked for when it has ended and could not remove it.
    place: Option<PathBuf>,
}

/// The reason why a new process did not come to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotReady {
    /// The exit code that says so to a script.
    pub(super) code: u8,
    /// The message.
    pub(super) message: String,
}

impl NewProcess {
    /// Takes this child, the line to it, and the place where its pidfile is going to be.
    pub(super) fn new(child: Child, line: UnixStream, place: Option<&Path>) -> NewProcess {
        NewProcess {
            child: Some(child),
            line: BufReader::new(line),
            place: place.map(Path::to_owned),
        }
    }

    /// Returns its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Waits until it serves, for so long; what it says of itself. Blocks. One that does not come
    /// has been ended and reaped when this returns.
    ///
    /// # Errors
    /// It said why it does not come, ended without a word, or was not ready in time.
    pub(super) fn wait_ready(&mut self, limit: Duration) -> Result<Vec<String>, NotReady> {
        let heard = self.receive_report(limit);
        match heard {
            Ok(ChildReport::Ready { lines }) => Ok(lines),
            Ok(ChildReport::Failed { code, message }) => {
                self.end_and_reap();
                Err(NotReady { code, message })
            }
            Err(error) => {
                let errors = self.child.as_mut().and_then(|child| child.stderr.take());
                let status = self.end_and_reap();
                let how = match status {
                    _ if error.kind() == ErrorKind::TimedOut => {
                        let limit = duration_text(limit);
                        format!("was not ready within {limit} (--start-timeout)")
                    }
                    Some(status) => format!("ended before it was ready ({status})"),
                    None => format!("did not say that it is ready ({error})"),
                };
                let said = errors.map(last_words).unwrap_or_default();
                Err(NotReady {
                    code: 1,
                    message: format!("the new process {how}{said}"),
                })
            }
        }
    }

    fn receive_report(&mut self, limit: Duration) -> io::Result<ChildReport> {
        let (until, mut text) = (Instant::now() + limit, String::new());
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.line.get_ref().set_read_timeout(Some(left))?;
            match self.line.read_line(&mut text) {
                Ok(_) if text.ends_with('\n') => {
                    return serde_json::from_str(&text).map_err(io::Error::other);
                }
                Ok(_) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns whether it has ended.
    pub(super) fn check_ended(&mut self) -> bool {
        let child = self.child.as_mut();
        let ended = child.is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
        if ended {
            self.remove_leftovers();
        }
        ended
    }

    /// Removes what it has left behind, if it was ended before it could.
    fn remove_leftovers(&mut self) {
        if let Some(place) = self.place.take() {
            place::remove_leftovers(&place);
        }
    }

    /// Leaves everything to it, or gives it back where it does not hear that: it has ended, or is
    /// just about to.
    pub(super) fn step_down(self) -> Result<(), NewProcess> {
        let mut line = self.line.get_ref();
        if line.write_all(format!("{STEP_UP}\n").as_bytes()).is_err() {
            return Err(self);
        }
        self.let_go();
        Ok(())
    }

    /// Lets it go its way.
    pub(super) fn let_go(mut self) {
        self.child = None;
        self.place = None;
    }

    /// Ends it and waits for its end, which may have come by itself. `None` when it had to be
    /// ended.
    fn end_and_reap(&mut self) -> Option<ExitStatus> {
        let mut child = self.child.take()?;
        // One that closed its line is about to end; one that has not is not to be waited for.
        let patience = Instant::now() + Duration::from_secs(2);
        let mut status = child.try_wait().ok().flatten();
        while status.is_none() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(10));
            status = child.try_wait().ok().flatten();
        }
        if status.is_none() {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.remove_leftovers();
        status
    }
}

/// Returns what a process that has ended said last on its standard error, for a sentence's end.
fn last_words(errors: ChildStderr) -> String {
    let mut said = Vec::new();
    // Something that it started may hold the other end and live on.
    let open = fcntl(&errors, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).is_ok();
    if open {
        // The answer counts that was read until there was nothing more.
        drop(errors.take(LAST_WORDS).read_to_end(&mut said));
    }
    let said = String::from_utf8_lossy(&said);
    match said.trim() {
        "" => String::new(),
        said => format!("; it said: {}", escape_controls(said)),
    }
}

impl Drop for NewProcess {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
            self.remove_leftovers();
        }
    }
}
