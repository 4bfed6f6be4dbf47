//! The sockets that are listened on: bound all or none, kept across generations of workers, and
//! removed at the end. Who serves them is `generation`'s; where they are inherited from is not
//! known here.

use std::fs::Permissions;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::unistd::Group;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::error::StartupError;
use crate::settings::{Bind, Settings};

/// All addresses, bound: all or none. Dropping it closes the sockets and leaves their paths.
#[derive(Debug)]
pub struct Listeners(Vec<Listener>);

/// A bound address.
#[derive(Debug)]
pub(super) struct Listener {
    bind: Bind,
    pub(super) socket: Listening,
    /// The path that is to be removed at the end, unless another file stands there by then.
    path: Option<(PathBuf, FileId)>,
}

/// A listening socket of either family.
#[derive(Debug)]
pub(super) enum Listening {
    /// `HOST:PORT`
    Tcp(TcpListener),
    /// `unix:PATH`
    Unix(UnixListener),
}

/// A listening socket that another process has bound.
#[derive(Debug)]
pub struct Inherited {
    /// What it is called in the settings, as a [`Bind`] displays itself.
    pub name: String,
    /// The socket.
    pub socket: OwnedFd,
    /// Whether a path that it stands at is to be removed at the end.
    pub owned: bool,
}

/// Device and inode: the same file as long as it exists.
type FileId = (u64, u64);

impl Listeners {
    /// Binds every address of the settings, or takes the socket that was inherited under its name.
    /// Sockets that no setting names any more are closed.
    ///
    /// # Errors
    /// An address that cannot be bound; those that were, are released.
    pub fn open(
        settings: &Settings,
        mut inherited: Vec<Inherited>,
    ) -> Result<Listeners, StartupError> {
        let mut listeners = Listeners(Vec::new());
        for bind in &settings.server.bind {
            let name = bind.to_string();
            let taken = inherited.iter().position(|one| one.name == name);
            let opened = match taken.map(|at| inherited.swap_remove(at)) {
                Some(inherited) => Listener::adopt(bind, inherited),
                None => Listener::bind(bind, settings),
            };
            match opened {
                Ok(listener) => listeners.0.push(listener),
                Err(error) => {
                    listeners.remove_paths();
                    return Err(not_bound(bind, &error));
                }
            }
        }
        Ok(listeners)
    }

    /// The listeners for other settings: those that stay are the same sockets, those that are new
    /// are bound. Nothing of `self` is changed; [`Listeners::remove_paths_not_in`] ends what is no
    /// longer wanted.
    ///
    /// # Errors
    /// As [`Listeners::open`].
    pub fn renew(&self, settings: &Settings) -> Result<Listeners, StartupError> {
        let mut renewed = Listeners(Vec::new());
        let mut fresh = Listeners(Vec::new());
        for bind in &settings.server.bind {
            let known = self.0.iter().find(|listener| listener.bind == *bind);
            let opened = match known {
                Some(listener) => listener.try_clone(),
                None => Listener::bind(bind, settings),
            };
            let kept = opened.and_then(|listener| {
                if known.is_none() {
                    fresh.0.push(listener.try_clone()?);
                }
                Ok(listener)
            });
            match kept {
                Ok(listener) => renewed.0.push(listener),
                Err(error) => {
                    fresh.remove_paths();
                    return Err(not_bound(bind, &error));
                }
            }
        }
        Ok(renewed)
    }

    /// The same sockets once more.
    ///
    /// # Errors
    /// No descriptors are left.
    pub(super) fn try_clone(&self) -> io::Result<Vec<Listener>> {
        self.0.iter().map(Listener::try_clone).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where clients find them.
    pub fn urls(&self, scheme: &str) -> Vec<String> {
        self.0.iter().map(|one| one.url(scheme)).collect()
    }

    /// Each socket with the name of its setting and whether its path is to be removed at the end.
    pub fn sockets(&self) -> impl Iterator<Item = (&Bind, BorrowedFd<'_>, bool)> {
        self.0
            .iter()
            .map(|one| (&one.bind, one.descriptor(), one.path.is_some()))
    }

    /// Removes the paths of Unix sockets, where they are still this one's.
    pub fn remove_paths(&self) {
        self.0.iter().for_each(Listener::remove_path);
    }

    /// [`Listeners::remove_paths`] for those that `other` does not have.
    pub fn remove_paths_not_in(&self, other: &Listeners) {
        let gone = |one: &&Listener| other.0.iter().all(|kept| kept.bind != one.bind);
        self.0.iter().filter(gone).for_each(Listener::remove_path);
    }
}

impl Listener {
    fn bind(bind: &Bind, settings: &Settings) -> io::Result<Listener> {
        let (socket, path) = match bind {
            Bind::Tcp(address) => (
                Listening::Tcp(tcp(*address, settings.server.backlog)?),
                None,
            ),
            Bind::Unix(path) => {
                let socket = Listening::Unix(unix(path)?);
                let process = &settings.process;
                admit(path, process.socket_mode, process.socket_group.as_deref())?;
                (socket, Some((path.clone(), file_id(path)?)))
            }
            Bind::Fd(number) => {
                let none = format!("nobody passed on a socket as descriptor {number}");
                return Err(io::Error::other(none));
            }
        };
        let bind = bind.clone();
        Ok(Listener { bind, socket, path })
    }

    fn adopt(bind: &Bind, inherited: Inherited) -> io::Result<Listener> {
        let socket = Socket::from(inherited.socket);
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let path = match address.as_pathname() {
            Some(path) if inherited.owned => Some((path.to_owned(), file_id(path)?)),
            _ => None,
        };
        let socket = if address.is_unix() {
            Listening::Unix(socket.into())
        } else {
            Listening::Tcp(socket.into())
        };
        let bind = bind.clone();
        Ok(Listener { bind, socket, path })
    }

    fn try_clone(&self) -> io::Result<Listener> {
        let socket = match &self.socket {
            Listening::Tcp(socket) => Listening::Tcp(socket.try_clone()?),
            Listening::Unix(socket) => Listening::Unix(socket.try_clone()?),
        };
        Ok(Listener {
            bind: self.bind.clone(),
            socket,
            path: self.path.clone(),
        })
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Listening::Tcp(socket) => socket.as_fd(),
            Listening::Unix(socket) => socket.as_fd(),
        }
    }

    fn url(&self, scheme: &str) -> String {
        match &self.socket {
            Listening::Tcp(socket) => match socket.local_addr() {
                Ok(address) => format!("{scheme}://{address}"),
                Err(error) => format!("an address that cannot be read ({error})"),
            },
            Listening::Unix(socket) => {
                let address = socket.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                path.map_or_else(
                    || self.bind.to_string(),
                    |path| format!("unix:{}", path.display()),
                )
            }
        }
    }

    fn remove_path(&self) {
        if let Some((path, id)) = &self.path
            && file_id(path).is_ok_and(|now| now == *id)
        {
            // It may be gone already, which is what was wanted.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn file_id(path: &Path) -> io::Result<FileId> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

fn not_bound(bind: &Bind, error: &io::Error) -> StartupError {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "is it running already? Choose another address or port",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 and other people's folders need the right to use them"
        }
        _ => "give an address of this machine: HOST:PORT or unix:PATH",
    };
    StartupError::new(format!("cannot listen on {bind}: {error}"))
        .at("--bind / [server] bind")
        .remedy(remedy)
}

/// Standard library listeners have a fixed backlog; this one's is a setting.
fn tcp(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // Else a restart would have to wait for the last connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Says who may connect to a Unix socket.
fn admit(path: &Path, mode: u32, group: Option<&str>) -> io::Result<()> {
    if let Some(group) = group {
        let number = match group.parse() {
            Ok(number) => number,
            Err(_) => Group::from_name(group)?
                .ok_or_else(|| io::Error::other(format!("there is no group {group:?}")))?
                .gid
                .as_raw(),
        };
        std::os::unix::fs::chown(path, None, Some(number))?;
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Takes the place of a socket that nobody serves any more; of anything else it does not.
fn unix(path: &Path) -> io::Result<UnixListener> {
    let stale = std::fs::symlink_metadata(path)
        .is_ok_and(|metadata| metadata.file_type().is_socket())
        && std::os::unix::net::UnixStream::connect(path).is_err();
    if stale {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
