//! The end that asks. It blocks: a command of the command line has nothing else to do.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::protocol::{DaemonAnswer, DaemonRequest, LONGEST};
use crate::daemon::process::{ProcessOwner, RunningProcess};
use crate::socket_path::with_short;

/// The reason why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens there.
    #[error("it does not run")]
    NotRunning,
    /// It runs as somebody else.
    #[error("only root and the user that unslow runs as may ask it")]
    NotAllowed,
    /// Another process than the daemon listens there; nothing was sent to it.
    #[error("its control socket is not believed: {0}")]
    Stranger(String),
    /// It did not answer in time; what was asked for may still happen.
    #[error("it has not answered within {}", crate::text::units::duration_text(*.0))]
    Late(Duration),
    /// The connection broke, or what came is no answer.
    #[error("it gave no answer: {0}")]
    Broken(String),
}

/// Returns the process that listens at a control socket, as the kernel says it; `None` where that
/// cannot be told, as on another system than Linux or from another container.
///
/// # Errors
/// Nobody listens there, or this user may not connect.
pub fn listening_process(path: &Path) -> io::Result<Option<u32>> {
    let stream = with_short(path, |short| UnixStream::connect(short))?;
    Ok(peer_of(&stream))
}

#[cfg(target_os = "linux")]
fn peer_of(stream: &UnixStream) -> Option<u32> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    let peer = getsockopt(stream, PeerCredentials).ok()?;
    u32::try_from(peer.pid()).ok().filter(|pid| *pid > 0)
}

#[cfg(not(target_os = "linux"))]
fn peer_of(_: &UnixStream) -> Option<u32> {
    None
}

/// Checks that a process of this program and this owner is at the other end. Nobody but root can be
/// harmed by what a stranger answers: it could say that anybody's process was meant.
fn check_peer(stream: &UnixStream, owner: ProcessOwner) -> Result<(), String> {
    let Some(pid) = peer_of(stream) else {
        return if nix::unistd::geteuid().is_root() {
            Err("the process behind it cannot be seen from here".to_owned())
        } else {
            Ok(())
        };
    };
    let process = RunningProcess::open(pid).map_err(|error| error.to_string())?;
    let process = process.ok_or_else(|| format!("pid {pid} has ended"))?;
    process.check_owner(owner).map_err(|why| why.to_string())
}

/// Asks the daemon at a control socket, and waits for its answer. Nothing is sent to a process that
/// is not of this program, or not this owner's.
///
/// # Errors
/// There is no answer within `patience`. A daemon that refuses answers with `ok: false`.
pub fn ask_daemon(
    path: &Path,
    request: &DaemonRequest,
    patience: Duration,
    owner: ProcessOwner,
) -> Result<DaemonAnswer, AskError> {
    let broken = |error: io::Error| AskError::Broken(error.to_string());
    let asked = Instant::now();
    let stream = with_short(path, |short| UnixStream::connect(short));
    let mut stream = stream.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NotRunning,
        io::ErrorKind::PermissionDenied => AskError::NotAllowed,
        _ => broken(error),
    })?;
    check_peer(&stream, owner).map_err(AskError::Stranger)?;
    let mut line = serde_json::to_string(request).map_err(|e| AskError::Broken(e.to_string()))?;
    line.push('\n');
    // A process that does not answer may not read either.
    stream.set_write_timeout(Some(patience)).map_err(broken)?;
    stream.write_all(line.as_bytes()).map_err(broken)?;
    let mut received = Vec::new();
    let mut reader = BufReader::new(stream.take(LONGEST));
    while !received.ends_with(b"\n") {
        let left = patience.saturating_sub(asked.elapsed());
        if left.is_zero() {
            return Err(AskError::Late(patience));
        }
        let stream = reader.get_ref().get_ref();
        stream.set_read_timeout(Some(left)).map_err(broken)?;
        match reader.read_until(b'\n', &mut received) {
            Ok(_) => break,
            // Both mean that the time is over, and both may come early.
            Err(error)
                if [
                    io::ErrorKind::WouldBlock,
                    io::ErrorKind::TimedOut,
                    io::ErrorKind::Interrupted,
                ]
                .contains(&error.kind()) => {}
            Err(error) => return Err(broken(error)),
        }
    }
    if received.is_empty() {
        return Err(AskError::Broken("it closed the connection".to_owned()));
    }
    serde_json::from_slice(&received).map_err(|error| AskError::Broken(error.to_string()))
}
