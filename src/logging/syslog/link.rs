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
pub(super) struct Link {
    target: SyslogTarget,
    socket: Option<Socket>,
}

enum Socket {
    Udp(UdpSocket),
    #[cfg(unix)]
    Unix(UnixDatagram),
}

/// The reason why a message was not sent.
#[derive(Debug)]
pub(super) enum Failed {
    /// Nobody takes it at the moment.
    Now(io::Error),
    /// It will never be taken.
    ForGood(io::Error),
}

impl Link {
    pub(super) fn to(target: SyslogTarget) -> Link {
        Link {
            target,
            socket: None,
        }
    }

    /// Sends one message. `true` where it came out that the one before was not taken, which UDP
    /// says late or never.
    pub(super) fn send(&mut self, message: &[u8]) -> Result<bool, Failed> {
        let mut refused = false;
        if let Some(socket) = &self.socket {
            match socket.send(message) {
                Ok(()) => return Ok(false),
                Err(error) if is_crowded(&error) => return Err(Failed::Now(error)),
                Err(error) => {
                    refused = matches!(socket, Socket::Udp(_))
                        && error.kind() == io::ErrorKind::ConnectionRefused;
                }
            }
        }
        self.socket = None;
        let socket = Socket::open(&self.target).map_err(Failed::Now)?;
        match socket.send(message) {
            Ok(()) => {
                self.socket = Some(socket);
                Ok(refused)
            }
            Err(error) if is_crowded(&error) => {
                self.socket = Some(socket);
                Err(Failed::Now(error))
            }
            Err(error) if is_away(&error) => Err(Failed::Now(error)),
            Err(error) => Err(Failed::ForGood(error)),
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

impl Socket {
    fn open(target: &SyslogTarget) -> io::Result<Socket> {
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
                Ok(Socket::Udp(socket))
            }
            #[cfg(unix)]
            SyslogTarget::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                crate::socket_path::with_short(path, |short| socket.connect(short))?;
                socket.set_write_timeout(Some(PATIENCE))?;
                Ok(Socket::Unix(socket))
            }
            #[cfg(not(unix))]
            SyslogTarget::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn send(&self, message: &[u8]) -> io::Result<()> {
        match self {
            Socket::Udp(socket) => socket.send(message).map(drop),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.send(message).map(drop),
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            SyslogTarget::Udp(host, port) => write!(f, "udp://{host}:{port}"),
            SyslogTarget::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
