//! The end that is asked.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, lchown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::protocol::{DaemonAnswer, DaemonRequest, LONGEST};
use crate::error::StartupError;
use crate::socket_path::with_short;

/// The time for which a client may take to send its line, and to read ours.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections at once; further ones wait to be accepted.
const AT_ONCE: u16 = 16;

/// The pause after a connection that could not be accepted, as when descriptors have run out.
const PAUSE: Duration = Duration::from_millis(500);

/// A request, and where its answer goes. An answer that nobody waits for any more is no error.
type Command = (DaemonRequest, oneshot::Sender<DaemonAnswer>);

/// The socket on which commands are taken. Dropped, it removes its file, if that still is its own.
#[derive(Debug)]
pub struct ControlSocket {
    listener: std::os::unix::net::UnixListener,
    place: SocketMover,
}

/// Returns the start-up error for a control socket that cannot be bound.
pub(in crate::daemon) fn not_made(path: &Path, error: &io::Error) -> StartupError {
    let what = format!(
        "the control socket {} cannot be made: {error}",
        path.display()
    );
    let remedy = match error.kind() {
        io::ErrorKind::InvalidInput => "give the pidfile a shorter name",
        io::ErrorKind::AddrInUse => "end the process that listens there, or name another pidfile",
        io::ErrorKind::AlreadyExists => "remove it, or name another pidfile",
        _ => "name a pidfile in a folder where unslow may make files",
    };
    StartupError::new(what)
        .at_place("--pid / [server] pidfile")
        .with_remedy(remedy)
}

/// Moves a control socket to another path while it is served.
#[derive(Debug, Clone)]
pub struct SocketMover(Arc<Mutex<SocketPlace>>);

#[derive(Debug)]
struct SocketPlace {
    path: PathBuf,
    /// Device and inode.
    file: (u64, u64),
}

impl ControlSocket {
    /// Listens at `path`, for this user and root alone. It takes the place of a socket that
    /// nobody listens at any more. Needs no runtime.
    ///
    /// # Errors
    /// Somebody listens there (`AddrInUse`), something else is there (`AlreadyExists`), or the
    /// folder does not allow it.
    pub fn bind_at(path: &Path) -> io::Result<ControlSocket> {
        match path.symlink_metadata() {
            Ok(there) if !there.file_type().is_socket() => {
                let why = format!("{} is there and is no socket", path.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
            }
            Ok(_) if is_served(path) => return Err(io::ErrorKind::AddrInUse.into()),
            Ok(_) => std::fs::remove_file(path)?,
            Err(_) => {}
        }
        let listener = with_short(path, |short| std::os::unix::net::UnixListener::bind(short))?;
        listener.set_nonblocking(true)?;
        // The mode is that of the file itself: in a folder of another user a link may stand there
        // by now.
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        fchmodat(AT_FDCWD, path, mode, FchmodatFlags::NoFollowSymlink)?;
        let file = file_identity(path)?;
        let path = path.to_owned();
        let place = SocketMover(Arc::new(Mutex::new(SocketPlace { path, file })));
        Ok(ControlSocket { listener, place })
    }

    /// Gives the socket's file to the user and group that this process becomes: that user is to be
    /// able to ask, and to remove it. Nothing else than that file is given away, whatever another
    /// user has put into its place.
    ///
    /// # Errors
    /// The file is not there any more, or the system does not allow it.
    pub fn give_to(&self, user: u32, group: u32) -> io::Result<()> {
        let place = self.place.lock();
        if file_identity(&place.path)? != place.file {
            let why = format!("{} is another file by now", place.path.display());
            return Err(io::Error::other(why));
        }
        // Where a link takes its place at this very moment, the link is given away and nothing more.
        lchown(&place.path, Some(user), Some(group))
    }

    /// Returns what moves it while [`serve`](Self::serve_commands) runs.
    pub fn socket_mover(&self) -> SocketMover {
        self.place.clone()
    }

    /// Takes commands until the future is dropped, or nobody receives them any more and the answers
    /// that are due are written; then the socket's file is removed. Each request is sent on, and
    /// what comes back is the answer: where the sender is dropped instead, the client is told that
    /// the daemon ends.
    ///
    /// # Errors
    /// The runtime does not take the socket.
    pub async fn serve_commands(self, commands: mpsc::Sender<Command>) -> io::Result<()> {
        let listener = UnixListener::from_std(self.listener.try_clone()?)?;
        let places = Arc::new(Semaphore::new(AT_ONCE.into()));
        let answering = Arc::new(Semaphore::new(AT_ONCE.into()));
        loop {
            let place = Arc::clone(&places).acquire_owned();
            let stream = tokio::select! {
                () = commands.closed() => {
                    // A client that has asked gets an answer; one that has not asked yet is not
                    // waited for.
                    let all = answering.acquire_many(AT_ONCE.into());
                    drop(tokio::time::timeout(PATIENCE, all).await);
                    return Ok(());
                }
                accepted = async { (place.await, listener.accept().await) } => accepted,
            };
            match stream {
                (Ok(place), Ok((stream, _))) => {
                    let (commands, answering) = (commands.clone(), Arc::clone(&answering));
                    tokio::spawn(async move {
                        if let Err(error) = answer_client(stream, &commands, &answering).await {
                            tracing::debug!("control socket: {error}");
                        }
                        drop(place);
                    });
                }
                (_, Err(error)) => {
                    tracing::warn!("control socket: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
                (Err(_), _) => unreachable!("the semaphore is never closed"),
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let place = self.place.lock();
        if file_identity(&place.path).is_ok_and(|there| there == place.file) {
            // It may be gone already, which is what was wanted.
            drop(std::fs::remove_file(&place.path));
        }
    }
}

impl SocketMover {
    /// Puts the socket in the place of another one, whose owner steps down.
    pub fn rename(&self, to: &Path) -> io::Result<()> {
        let mut place = self.lock();
        std::fs::rename(&place.path, to)?;
        to.clone_into(&mut place.path);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, SocketPlace> {
        // A path is never half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_served(path: &Path) -> bool {
    match with_short(path, |short| std::os::unix::net::UnixStream::connect(short)) {
        Ok(_) => true,
        // Nobody can tell that of another user's socket.
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    }
}

fn file_identity(path: &Path) -> io::Result<(u64, u64)> {
    let meta = path.symlink_metadata()?;
    Ok((meta.dev(), meta.ino()))
}

async fn answer_client(
    mut stream: UnixStream,
    commands: &mpsc::Sender<Command>,
    answering: &Semaphore,
) -> io::Result<()> {
    let asked = read(&mut stream).await?;
    let _due = answering.acquire().await;
    let answer = match asked {
        Ok(request) => {
            let (sender, receiver) = oneshot::channel();
            // Where it fails, the sender in it is dropped, and the receiver says so.
            drop(commands.send((request, sender)).await);
            receiver
                .await
                .unwrap_or_else(|_| DaemonAnswer::new_refused("the daemon ends"))
        }
        Err(why) => DaemonAnswer::new_refused(why),
    };
    let mut line = serde_json::to_string(&answer).map_err(io::Error::other)?;
    line.push('\n');
    tokio::time::timeout(PATIENCE, stream.write_all(line.as_bytes())).await?
}

/// Returns the request, or what is to be said to whoever sent none.
async fn read(stream: &mut UnixStream) -> io::Result<Result<DaemonRequest, String>> {
    let asks = stream.peer_cred()?.uid();
    if asks != 0 && asks != nix::unistd::geteuid().as_raw() {
        return Ok(Err(super::client::AskError::NotAllowed.to_string()));
    }
    let mut line = Vec::new();
    let mut reader = BufReader::new(stream.take(LONGEST));
    tokio::time::timeout(PATIENCE, reader.read_until(b'\n', &mut line)).await??;
    Ok(serde_json::from_slice(&line).map_err(|error| format!("this is no command: {error}")))
}
