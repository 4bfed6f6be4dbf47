//! How a listening socket comes into being: a TCP address is bound with a backlog of our choosing,
//! a Unix path is taken over from the dead alone and opened to whom the settings say.

use std::fs::Permissions;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::unistd::Group;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Standard library listeners have a fixed backlog; this one's is a setting.
pub(super) fn tcp(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
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
pub(super) fn admit(path: &Path, mode: u32, group: Option<&str>) -> io::Result<()> {
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
pub(super) fn unix(path: &Path) -> io::Result<UnixListener> {
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
