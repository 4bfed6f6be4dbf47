//! The one way from this process to another of the same program: the binary is started again with
//! the listening sockets, the lock on the pidfile and a line to its parent, and nobody steps aside
//! until it says over that line that it serves. Detaching (`-D`) and upgrading (USR2) differ only
//! in who goes on afterwards.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::adopt;
use crate::server::{Inherited, Listeners};

/// Where the new process finds what it is given. Not a setting: main takes it away before they are
/// read.
pub(super) const VARIABLE: &str = "UNSLOW_HANDOVER";

/// The word with which the old process steps down.
const STEP_UP: &str = "step up";

/// What the new process is to the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Role {
    /// It goes on in the background, and the old one, which never served, leaves.
    Detached,
    /// It takes the place of one that serves.
    Successor,
}

/// What is passed on, with descriptors as numbers.
#[derive(Debug, Serialize, Deserialize)]
struct Baggage {
    role: Role,
    line: RawFd,
    pidfile: Option<RawFd>,
    listeners: Vec<Socket>,
    in_background: bool,
    folder: PathBuf,
    config: Option<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Socket {
    number: RawFd,
    name: String,
    owned: bool,
}

/// What a process gives to the one that it starts.
pub(super) struct Luggage<'a> {
    /// Whether it is nobody's job in a terminal.
    pub(super) in_background: bool,
    pub(super) listeners: &'a Listeners,
    /// The open pidfile, whose lock goes with it.
    pub(super) pidfile: Option<BorrowedFd<'a>>,
    /// What relative paths start from.
    pub(super) folder: &'a Path,
    /// The settings file, absolute.
    pub(super) config: Option<&'a Path>,
    /// Variables that this process has taken out of its environment and that the new one needs.
    pub(super) environment: Vec<(&'static str, OsString)>,
}

/// What a process was given by the one that started it.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) role: Role,
    pub(super) line: Line,
    pub(super) pidfile: Option<OwnedFd>,
    pub(super) listeners: Vec<Inherited>,
    pub(super) in_background: bool,
    pub(super) folder: PathBuf,
    pub(super) config: Option<PathBuf>,
}

impl Arrival {
    /// Takes over what stands in the variable's text, and closes what was left open besides.
    ///
    /// # Errors
    /// The text or a descriptor is not what [`start`] passes on: somebody else has set it.
    pub(super) fn unpack(text: &str) -> io::Result<Arrival> {
        let baggage: Baggage = serde_json::from_str(text).map_err(io::Error::other)?;
        let mut kept: BTreeSet<RawFd> = baggage.listeners.iter().map(|one| one.number).collect();
        kept.insert(baggage.line);
        kept.extend(baggage.pidfile);
        adopt::close_all_but(&kept);
        let listeners = baggage.listeners.into_iter().map(|socket| {
            Ok(Inherited {
                socket: adopt::descriptor(socket.number)?,
                name: socket.name,
                owned: socket.owned,
            })
        });
        Ok(Arrival {
            role: baggage.role,
            listeners: listeners.collect::<io::Result<_>>()?,
            line: Line::new(adopt::descriptor(baggage.line)?.into()),
            pidfile: baggage.pidfile.map(adopt::descriptor).transpose()?,
            in_background: baggage.in_background,
            folder: baggage.folder,
            config: baggage.config,
        })
    }
}

/// The line to the process that started this one.
#[derive(Debug, Clone)]
pub(super) struct Line(Arc<Mutex<Option<UnixStream>>>);

/// What the new process says, once.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// It serves.
    Ready {
        /// What an operator wants to know of it.
        lines: Vec<String>,
    },
    /// It does not, and ends with this code.
    Failed {
        /// The exit code.
        code: u8,
        /// Why.
        message: String,
    },
}

impl Line {
    fn new(stream: UnixStream) -> Line {
        Line(Arc::new(Mutex::new(Some(stream))))
    }

    /// A panic before it is ready is told over the line too, whatever else becomes of it.
    pub(super) fn tell_of_panics(&self) {
        let (line, before) = (self.clone(), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            line.fail(101, &panic.to_string());
            before(panic);
        }));
    }

    /// Tells the old process that this one serves. Who detached hears no answer; a successor waits
    /// for it with [`Line::step_up`].
    pub(super) fn ready(&self, lines: Vec<String>) {
        self.say(&Word::Ready { lines });
    }

    /// Tells the old process that this one does not come. Without effect once it is ready.
    pub(super) fn fail(&self, code: u8, message: &str) {
        let message = message.to_owned();
        self.say(&Word::Failed { code, message });
        self.take();
    }

    /// Waits until the old process steps down or has ended; blocks for as long as that takes.
    pub(super) fn step_up(&self) {
        if let Some(stream) = self.take() {
            // The word and the end of the line mean the same.
            let _ = BufReader::new(stream).read_line(&mut String::new());
        }
    }

    fn say(&self, word: &Word) {
        let mut text = serde_json::to_string(word).expect("strings and numbers are JSON");
        text.push('\n');
        if let Some(stream) = &mut *self.lock() {
            // An old process that has gone needs no word.
            let _ = stream.write_all(text.as_bytes());
        }
    }

    fn take(&self) -> Option<UnixStream> {
        self.lock().take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<UnixStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process that was started and is not yet on its own. Dropped, it is ended and reaped.
#[derive(Debug)]
pub(super) struct NewProcess {
    child: Option<Child>,
    line: BufReader<UnixStream>,
}

/// Why a new process did not come to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotReady {
    /// The exit code that says so to a script.
    pub(super) code: u8,
    /// What went wrong.
    pub(super) message: String,
}

/// Starts the program again, with the same arguments.
///
/// # Errors
/// The binary cannot be started, or no descriptors are left.
pub(super) fn start(binary: &Path, role: Role, luggage: Luggage<'_>) -> io::Result<NewProcess> {
    let (ours, theirs) = UnixStream::pair()?;
    // A `dup` is passed on to a child, the original is not. Nothing else is started meanwhile.
    let passed = |descriptor: &dyn AsFd| nix::unistd::dup(descriptor.as_fd());
    let line = passed(&theirs)?;
    let pidfile = luggage.pidfile.as_ref().map(|file| passed(file));
    let pidfile = pidfile.transpose()?;
    let mut sockets = Vec::new();
    for (bind, socket, owned) in luggage.listeners.sockets() {
        sockets.push((bind.to_string(), passed(&socket)?, owned));
    }
    let baggage = Baggage {
        role,
        line: line.as_raw_fd(),
        pidfile: pidfile.as_ref().map(AsRawFd::as_raw_fd),
        listeners: sockets
            .iter()
            .map(|(name, socket, owned)| Socket {
                number: socket.as_raw_fd(),
                name: name.clone(),
                owned: *owned,
            })
            .collect(),
        in_background: luggage.in_background,
        folder: luggage.folder.to_owned(),
        config: luggage.config.map(Path::to_owned),
    };
    let text = serde_json::to_string(&baggage).map_err(io::Error::other)?;
    let child = Command::new(binary)
        .args(std::env::args_os().skip(1))
        .envs(luggage.environment)
        .env(VARIABLE, text)
        .current_dir("/")
        .stdin(Stdio::null())
        .spawn()?;
    Ok(NewProcess {
        child: Some(child),
        line: BufReader::new(ours),
    })
}

impl NewProcess {
    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Waits until it serves, for so long; what it says of itself. Blocks. One that does not come
    /// has been ended and reaped when this returns.
    ///
    /// # Errors
    /// It said why it does not come, ended without a word, or was not ready in time.
    pub(super) fn wait_ready(&mut self, limit: Duration) -> Result<Vec<String>, NotReady> {
        let heard = self.hear(limit);
        match heard {
            Ok(Word::Ready { lines }) => Ok(lines),
            Ok(Word::Failed { code, message }) => {
                self.end();
                Err(NotReady { code, message })
            }
            Err(error) => {
                let status = self.end();
                let how = match status {
                    _ if error.kind() == ErrorKind::TimedOut => {
                        format!("was not ready within {limit:?} (--start-timeout)")
                    }
                    Some(status) => format!("ended before it was ready ({status})"),
                    None => format!("did not say that it is ready ({error})"),
                };
                Err(NotReady {
                    code: 1,
                    message: format!("the new process {how}"),
                })
            }
        }
    }

    fn hear(&mut self, limit: Duration) -> io::Result<Word> {
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

    /// Whether it has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// Leaves everything to it.
    pub(super) fn step_down(mut self) {
        let mut line = self.line.get_ref();
        // The end of the line says the same.
        let _ = line.write_all(format!("{STEP_UP}\n").as_bytes());
        self.child = None;
    }

    /// Ends it and waits for its end, which may have come by itself. `None` when it had to be ended.
    fn end(&mut self) -> Option<std::process::ExitStatus> {
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
        status
    }
}

impl Drop for NewProcess {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
