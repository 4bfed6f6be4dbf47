//! The one way from this process to another of the same program: the binary is started again with
//! the listening sockets, the lock on the pidfile and a line to its parent, and nobody steps aside
//! until it says over that line that it serves. Detaching (`-D`) and upgrading (USR2) differ only
//! in who goes on afterwards.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::adopt;
use super::handover_protocol::{ChildReport, STEP_UP};
use super::new_process::NewProcess;
use crate::server::{Inherited, Listeners};

/// The place where the new process finds what it is given. Not a setting: main takes it away before
/// they are read.
pub(super) const VARIABLE: &str = "UNSLOW_HANDOVER";

/// The relation of the new process to the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum HandoverRole {
    /// It goes on in the background, and the old one, which never served, leaves.
    Detached,
    /// It takes the place of one that serves.
    Successor,
}

/// The things that are passed on, with descriptors as numbers.
#[derive(Debug, Serialize, Deserialize)]
struct HandoverMessage {
    role: HandoverRole,
    line: RawFd,
    pidfile: Option<RawFd>,
    listeners: Vec<PassedSocket>,
    in_background: bool,
    folder: PathBuf,
    config: Option<PathBuf>,
    /// Not known to processes of earlier versions.
    #[serde(default)]
    default_place: Option<PathBuf>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PassedSocket {
    number: RawFd,
    name: String,
    owned: bool,
}

/// The things that a process gives to the one that it starts.
pub(super) struct HandoverParams<'a> {
    /// True where it is nobody's job in a terminal.
    pub(super) in_background: bool,
    pub(super) listeners: &'a Listeners,
    /// The open pidfile, whose lock goes with it.
    pub(super) pidfile: Option<BorrowedFd<'a>>,
    /// The place where its pidfile is going to be.
    pub(super) place: Option<&'a Path>,
    /// The pidfile's default place, where this process in the foreground has taken that.
    pub(super) default_place: Option<&'a Path>,
    /// The folder that relative paths start from.
    pub(super) folder: &'a Path,
    /// The settings file, absolute.
    pub(super) config: Option<&'a Path>,
    /// Variables that this process has taken out of its environment and that the new one needs.
    pub(super) environment: Vec<(&'static str, OsString)>,
}

/// The things that a process was given by the one that started it.
#[derive(Debug)]
pub(super) struct InheritedState {
    pub(super) role: HandoverRole,
    pub(super) line: ParentPipe,
    pub(super) pidfile: Option<OwnedFd>,
    pub(super) listeners: Vec<Inherited>,
    pub(super) in_background: bool,
    pub(super) folder: PathBuf,
    pub(super) config: Option<PathBuf>,
    pub(super) default_place: Option<PathBuf>,
}

impl InheritedState {
    /// Takes over what stands in the variable's text, and closes what was left open besides.
    ///
    /// # Errors
    /// The text or a descriptor is not what [`start`] passes on: somebody else has set it.
    pub(super) fn unpack_state(text: &str) -> io::Result<InheritedState> {
        let baggage: HandoverMessage = serde_json::from_str(text).map_err(io::Error::other)?;
        let mut kept: BTreeSet<RawFd> = baggage.listeners.iter().map(|one| one.number).collect();
        kept.insert(baggage.line);
        kept.extend(baggage.pidfile);
        adopt::close_all_but(&kept);
        let listeners = baggage.listeners.into_iter().map(|socket| {
            Ok(Inherited {
                socket: adopt::adopt_descriptor(socket.number)?,
                name: socket.name,
                owned: socket.owned,
            })
        });
        Ok(InheritedState {
            role: baggage.role,
            listeners: listeners.collect::<io::Result<_>>()?,
            line: ParentPipe::new(adopt::adopt_descriptor(baggage.line)?.into()),
            pidfile: baggage.pidfile.map(adopt::adopt_descriptor).transpose()?,
            in_background: baggage.in_background,
            folder: baggage.folder,
            config: baggage.config,
            default_place: baggage.default_place,
        })
    }
}

/// The line to the process that started this one.
#[derive(Debug, Clone)]
pub(super) struct ParentPipe(Arc<Mutex<Option<UnixStream>>>);

impl ParentPipe {
    fn new(stream: UnixStream) -> ParentPipe {
        ParentPipe(Arc::new(Mutex::new(Some(stream))))
    }

    /// A panic before it is ready is told over the line too, whatever else becomes of it.
    pub(super) fn tell_of_panics(&self) {
        let (line, before) = (self.clone(), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            line.report_failure(101, &panic.to_string());
            before(panic);
        }));
    }

    /// Tells the old process that this one serves. Who detached hears no answer and is done with
    /// the line; a successor waits for it with [`step_up`].
    ///
    /// # Errors
    /// Nobody hears it any more.
    pub(super) fn report_ready(&self, lines: Vec<String>) -> io::Result<()> {
        self.send_report(&ChildReport::Ready { lines })
    }

    /// Tells the old process that this one does not come. Without effect once it is ready.
    pub(super) fn report_failure(&self, code: u8, message: &str) {
        let message = message.to_owned();
        // An old process that has gone needs no word.
        drop(self.send_report(&ChildReport::Failed { code, message }));
        self.close();
    }

    fn send_report(&self, word: &ChildReport) -> io::Result<()> {
        let mut text = serde_json::to_string(word).expect("strings and numbers are JSON");
        text.push('\n');
        match &mut *self.lock() {
            Some(stream) => stream.write_all(text.as_bytes()),
            None => Ok(()),
        }
    }

    /// Nothing more is said.
    pub(super) fn close(&self) {
        drop(self.take());
    }

    /// Returns the line itself, for [`step_up`]; nothing more is said.
    pub(super) fn take(&self) -> Option<UnixStream> {
        self.lock().take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<UnixStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until the old process steps down, which gives `true`, or nothing can be heard of it any
/// more. Blocks for as long as that takes.
pub(super) fn step_up(line: UnixStream) -> bool {
    let mut word = String::new();
    // Bytes that cannot be read are not that word.
    let _ = BufReader::new(line).read_line(&mut word);
    word.trim_end() == STEP_UP
}

/// Starts the program again, with the same arguments.
///
/// # Errors
/// The binary cannot be started, or no descriptors are left.
pub(super) fn start(
    binary: &Path,
    role: HandoverRole,
    luggage: HandoverParams<'_>,
) -> io::Result<NewProcess> {
    let (ours, theirs) = UnixStream::pair()?;
    // A `dup` is passed on to a child, the original is not. Nothing else is started meanwhile.
    let passed = |descriptor: &dyn AsFd| nix::unistd::dup(descriptor.as_fd());
    let line = passed(&theirs)?;
    let pidfile = luggage.pidfile.as_ref().map(|file| passed(file));
    let pidfile = pidfile.transpose()?;
    let mut sockets = Vec::new();
    for (bind, socket, owned) in luggage.listeners.named_sockets() {
        sockets.push((bind.to_string(), passed(&socket)?, owned));
    }
    let baggage = HandoverMessage {
        role,
        line: line.as_raw_fd(),
        pidfile: pidfile.as_ref().map(AsRawFd::as_raw_fd),
        listeners: sockets
            .iter()
            .map(|(name, socket, owned)| PassedSocket {
                number: socket.as_raw_fd(),
                name: name.clone(),
                owned: *owned,
            })
            .collect(),
        in_background: luggage.in_background,
        folder: luggage.folder.to_owned(),
        config: luggage.config.map(Path::to_owned),
        default_place: luggage.default_place.map(Path::to_owned),
    };
    let text = serde_json::to_string(&baggage).map_err(io::Error::other)?;
    let mut command = Command::new(binary);
    command
        .args(std::env::args_os().skip(1))
        .envs(luggage.environment)
        .env(VARIABLE, text)
        .current_dir("/")
        .stdin(Stdio::null());
    if role == HandoverRole::Successor && luggage.in_background {
        // This process has no terminal: what the new one says before it is ready is heard here.
        command.stderr(Stdio::piped());
    }
    let child = command.spawn()?;
    Ok(NewProcess::new(child, ours, luggage.place))
}
