//! Sockets where there are unix sockets and descriptors: a path is taken over from the dead alone
//! and opened to whom the settings say; sockets that others have bound are taken as they are.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::rt::net::{TcpStream, UnixStream};
use nix::unistd::Group;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use socket_file::SocketFile;

use crate::settings::{BindAddress, Settings};
use crate::socket_path::with_short;

#[cfg(target_os = "linux")]
#[path = "socket_file.rs"]
mod socket_file;
#[cfg(not(target_os = "linux"))]
#[path = "socket_file/elsewhere.rs"]
mod socket_file;

/// A listening socket of either family.
#[derive(Debug)]
pub(in crate::server) enum Listening {
    /// `HOST:PORT`
    Tcp(TcpListener),
    /// `unix:PATH`
    Unix(UnixListener),
}

/// A listening socket that another process has bound.
#[derive(Debug)]
pub struct Inherited {
    /// The name in the settings, as a [`BindAddress`] displays itself.
    pub name: String,
    /// The socket.
    pub socket: OwnedFd,
    /// True where a path that it stands at is to be removed at the end.
    pub owned: bool,
}

impl Inherited {
    pub(in crate::server) fn name(&self) -> &str {
        &self.name
    }
}

/// The path of a socket, to be removed at the end unless another file stands there by then.
#[derive(Debug, Clone)]
pub(in crate::server) struct Standing {
    path: PathBuf,
    file: FileId,
}

/// Device and inode: the same file as long as it exists.
type FileId = (u64, u64);

impl Standing {
    fn at(path: &Path) -> io::Result<Standing> {
        Ok(Standing {
            path: path.to_owned(),
            file: file_id(path)?,
        })
    }

    pub(in crate::server) fn remove(&self) {
        if file_id(&self.path).is_ok_and(|now| now == self.file) {
            // It may be gone already, which is what was wanted.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn file_id(path: &Path) -> io::Result<FileId> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

impl Listening {
    /// Returns a socket of our own, and the path it stands at.
    pub(in crate::server) fn bind(
        bind: &BindAddress,
        settings: &Settings,
    ) -> io::Result<(Listening, Option<Standing>)> {
        match bind {
            BindAddress::Tcp(address) => {
                let socket = super::tcp_listener(*address, settings.server.backlog)?;
                Ok((Listening::Tcp(socket), None))
            }
            BindAddress::Unix(path) => {
                let socket = unix_listener(path)?;
                let process = &settings.process;
                set_permissions(path, process.socket_mode, process.socket_group.as_deref())?;
                Ok((Listening::Unix(socket), Some(Standing::at(path)?)))
            }
            BindAddress::Fd(number) => {
                let none = format!("nobody passed on a socket as descriptor {number}");
                Err(io::Error::other(none))
            }
        }
    }

    /// Returns a socket of another process, and the path that is ours to remove.
    pub(in crate::server) fn adopt(
        bind: &BindAddress,
        inherited: Inherited,
    ) -> io::Result<(Listening, Option<Standing>)> {
        let socket = socket2::Socket::from(inherited.socket);
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        // The address of the socket itself is not its path where that is a long one.
        let standing = match bind {
            BindAddress::Unix(path) if inherited.owned => Some(Standing::at(path)?),
            _ => None,
        };
        let socket = if address.is_unix() {
            Listening::Unix(socket.into())
        } else {
            Listening::Tcp(socket.into())
        };
        Ok((socket, standing))
    }

    pub(in crate::server) fn try_clone(&self) -> io::Result<Listening> {
        Ok(match self {
            Listening::Tcp(socket) => Listening::Tcp(socket.try_clone()?),
            Listening::Unix(socket) => Listening::Unix(socket.try_clone()?),
        })
    }

    /// Has nobody connect here any more, whoever else still holds this socket.
    pub(in crate::server) fn close(&self) {
        // It may be closed already, which is what was wanted.
        let _ = SockRef::from(&self.descriptor()).shutdown(Shutdown::Read);
    }

    pub(in crate::server) fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Listening::Tcp(socket) => socket.as_fd(),
            Listening::Unix(socket) => socket.as_fd(),
        }
    }

    /// `None` for a unix socket.
    pub(in crate::server) fn port(&self) -> Option<u16> {
        match self {
            Listening::Tcp(socket) => super::tcp_port(socket),
            Listening::Unix(_) => None,
        }
    }

    pub(in crate::server) fn is_tcp(&self) -> bool {
        matches!(self, Listening::Tcp(_))
    }

    /// Returns the address at which clients find it, `bind` being its setting.
    pub(in crate::server) fn url(&self, scheme: &str, bind: &BindAddress) -> String {
        match self {
            Listening::Tcp(socket) => super::tcp_url(scheme, socket),
            Listening::Unix(_) if matches!(bind, BindAddress::Unix(_)) => bind.to_string(),
            Listening::Unix(socket) => {
                let address = socket.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                path.map_or_else(
                    || bind.to_string(),
                    |path| format!("unix:{}", path.display()),
                )
            }
        }
    }
}

/// Says who may connect to a unix socket.
fn set_permissions(path: &Path, mode: u32, group: Option<&str>) -> io::Result<()> {
    let file = SocketFile::open(path)?;
    if let Some(group) = group {
        let number = match group.parse() {
            Ok(number) => number,
            Err(_) => Group::from_name(group)?
                .ok_or_else(|| io::Error::other(format!("there is no group {group:?}")))?
                .gid
                .as_raw(),
        };
        file.give_to(number)?;
    }
    file.open_to(mode)
}

/// Takes the place of a socket that nobody serves any more; of anything else it does not.
fn unix_listener(path: &Path) -> io::Result<UnixListener> {
    let stale = std::fs::symlink_metadata(path)
        .is_ok_and(|metadata| metadata.file_type().is_socket())
        && with_short(path, |short| std::os::unix::net::UnixStream::connect(short)).is_err();
    if stale {
        std::fs::remove_file(path)?;
    }
    let listener = with_short(path, |short| UnixListener::bind(short))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// An accepted connection.
pub(in crate::server) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Returns a connection over TCP, made ready, and its other end.
pub(in crate::server) fn over_tcp(stream: TcpStream) -> (Socket, Option<SocketAddr>) {
    let peer = stream.peer_addr().ok();
    let most = u32::try_from(super::UNSENT).unwrap_or(u32::MAX);
    // Without the first, the end of a long body waits for the client to acknowledge what came
    // before. A connection that refuses either is gone already.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_notsent_lowat(most);
    (Socket::Tcp(stream), peer)
}

/// Returns a connection over a unix socket, whose other end has no address.
pub(in crate::server) fn over_unix(stream: UnixStream) -> (Socket, Option<SocketAddr>) {
    (Socket::Unix(stream), None)
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_read(context, buffer),
            Socket::Unix(socket) => Pin::new(socket).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_write(context, bytes),
            Socket::Unix(socket) => Pin::new(socket).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_write_vectored(context, parts),
            Socket::Unix(socket) => Pin::new(socket).poll_write_vectored(context, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Socket::Tcp(socket) => socket.is_write_vectored(),
            Socket::Unix(socket) => socket.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_flush(context),
            Socket::Unix(socket) => Pin::new(socket).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(socket) => Pin::new(socket).poll_shutdown(context),
            Socket::Unix(socket) => Pin::new(socket).poll_shutdown(context),
        }
    }
}
