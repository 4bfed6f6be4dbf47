//! The making of a listening socket, and the kind of its connections. TCP is everywhere, with a
//! backlog of our choosing; the other kinds are `system`'s.

#[cfg(not(unix))]
#[path = "sockets/elsewhere.rs"]
pub(super) mod system;
#[cfg(unix)]
#[path = "sockets/unix.rs"]
pub(super) mod system;

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// The bytes that the system takes of a response that it cannot send yet. It would take megabytes
/// from each of the clients that do not read, until no connection has memory left.
pub(super) const UNSENT: usize = 64 << 10;

/// Standard library listeners have a fixed backlog; this one's is a setting.
fn tcp_listener(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    share(&socket)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Else a restart would have to wait for the last connections' `TIME_WAIT`.
#[cfg(unix)]
fn share(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// Windows does not wait; there, the option would let another program take the address away.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "its twin can fail")]
fn share(_: &Socket) -> io::Result<()> {
    Ok(())
}

fn tcp_url(scheme: &str, socket: &TcpListener) -> String {
    match socket.local_addr() {
        Ok(address) => format!("{scheme}://{address}"),
        Err(error) => format!("an address that cannot be read ({error})"),
    }
}

fn tcp_port(socket: &TcpListener) -> Option<u16> {
    socket.local_addr().ok().map(|address| address.port())
}
