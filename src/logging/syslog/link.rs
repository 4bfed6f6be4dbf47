//! The socket to syslog: opened when it is needed, and opened anew when it fails, because the
//! daemon behind it may have been replaced, and with it the socket of its name.

use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
#[cfg(unix)]
use std::os::unix::net::UnixDatagram;
use std::time::Duration;
use std::{fmt, io};

use crate::settings::SyslogTarget;

/// The time for which one datagram may wait for room at its receiver.
const PATIENCE: Duration = Duration::from_secs(1);

/// A way to syslog.
pub(super) struct SyslogLink {
    target: SyslogTarget,
    socket: Option<SyslogSocket>,
}

enum SyslogSocket {
    Udp(UdpSocket),
    #[cfg(unix)]
    Unix(UnixDatagram),
}

/// The reason why a message was not sent.
#[derive(Debug)]
pub(super) enum SendFailure {
    /// Nobody takes it at the moment.
    Now(io::Error),
    /// It will never be taken.
    ForGood(io::Error),
}

impl SyslogLink {
    pub(super) fn with_target(target: SyslogTarget) -> SyslogLink {
        SyslogLink {
            target,
            socket: None,
        }
    }

    /// Sends one message. `true` where it came out that the one before was not taken, which UDP
    /// says late or never.
    pub(super) fn send(&mut self, message: &[u8]) -> Result<bool, SendFailure> {
        let mut refused = false;
        if let Some(socket) = &self.socket {
            match socket.send(message) {
                Ok(()) => return Ok(false),
                Err(error) if is_crowded(&error) => return Err(SendFailure::Now(error)),
                Err(error) => {
                    refused = matches!(socket, SyslogSocket::Udp(_))
                        && error.kind() == io::ErrorKind::ConnectionRefused;
                }
            }
        }
        self.socket = None;
        let socket = SyslogSocket::open(&self.target).map_err(SendFailure::Now)?;
        match socket.send(message) {
            Ok(()) => {
                self.socket = Some(socket);
                Ok(refused)
            }
            Err(error) if is_crowded(&error) => {
                self.socket = Some(socket);
                Err(SendFailure::Now(error))
            }
            Err(error) if is_away(&error) => Err(SendFailure::Now(error)),
            Err(error) => Err(SendFailure::ForGood(error)),
        }
    }
}

/// The receiver is there and has no room.
fn is_crowded(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// The receiver is not there, or the way to it is not.
fn is_away(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::NotConnected
            | Kind::NotFound
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
    )
}

impl SyslogSocket {
    fn open(target: &SyslogTarget) -> io::Result<SyslogSocket> {
        match target {
            SyslogTarget::Udp(host, port) => {
                let mut addresses = (host.as_str(), *port).to_socket_addrs()?;
                let address = addresses
                    .next()
                    .ok_or_else(|| io::Error::other("the host has no address"))?;
                let any: SocketAddr = match address {
                    SocketAddr::V4(_) => ([0; 4], 0).into(),
                    SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
                };
                let socket = UdpSocket::bind(any)?;
                socket.connect(address)?;
                socket.set_write_timeout(Some(PATIENCE))?;
                Ok(SyslogSocket::Udp(socket))
            }
            #[cfg(unix)]
            SyslogTarget::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                crate::socket_path::with_short(path, |short| socket.connect(short))?;
                socket.set_write_timeout(Some(PATIENCE))?;
                Ok(SyslogSocket::Unix(socket))
            }
            #[cfg(not(unix))]
            SyslogTarget::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn send(&self, message: &[u8]) -> io::Result<()> {
        match self {
            SyslogSocket::Udp(socket) => socket.send(message).map(drop),
            #[cfg(unix)]
            SyslogSocket::Unix(socket) => socket.send(message).map(drop),
        }
    }
}

impl fmt::Display for SyslogLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            SyslogTarget::Udp(host, port) => write!(f, "udp://{host}:{port}"),
            SyslogTarget::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
