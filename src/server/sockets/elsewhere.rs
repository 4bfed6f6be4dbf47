//! Sockets where there is only TCP: addresses that need a unix system are refused, and nobody
//! passes sockets on.

use std::io;
use std::net::{SocketAddr, TcpListener};

use actix_web::rt::net::TcpStream;

use crate::settings::{BindAddress, Settings};

/// A listening socket.
#[derive(Debug)]
pub(in crate::server) enum Listening {
    /// `HOST:PORT`
    Tcp(TcpListener),
}

/// A listening socket that another process has bound: there is none.
#[derive(Debug)]
pub enum Inherited {}

impl Inherited {
    pub(in crate::server) fn name(&self) -> &str {
        match *self {}
    }
}

/// The path of a socket: there is none.
#[derive(Debug, Clone)]
pub(in crate::server) enum Standing {}

impl Standing {
    pub(in crate::server) fn remove(&self) {
        match *self {}
    }
}

impl Listening {
    /// Returns a socket of our own.
    pub(in crate::server) fn bind(
        bind: &BindAddress,
        settings: &Settings,
    ) -> io::Result<(Listening, Option<Standing>)> {
        match bind {
            BindAddress::Tcp(address) => {
                let socket = super::tcp_listener(*address, settings.server.backlog)?;
                Ok((Listening::Tcp(socket), None))
            }
            BindAddress::Unix(_) | BindAddress::Fd(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "addresses of this kind need a unix system",
            )),
        }
    }

    #[allow(clippy::needless_pass_by_value, reason = "its twin keeps it")]
    pub(in crate::server) fn adopt(
        _: &BindAddress,
        inherited: Inherited,
    ) -> io::Result<(Listening, Option<Standing>)> {
        match inherited {}
    }

    pub(in crate::server) fn try_clone(&self) -> io::Result<Listening> {
        let Listening::Tcp(socket) = self;
        socket.try_clone().map(Listening::Tcp)
    }

    /// Nobody else can hold this socket: dropping it is what closes it.
    #[allow(clippy::unused_self, reason = "its twin has to do something")]
    pub(in crate::server) fn close(&self) {}

    pub(in crate::server) fn port(&self) -> Option<u16> {
        let Listening::Tcp(socket) = self;
        super::tcp_port(socket)
    }

    #[allow(clippy::unused_self, reason = "its twin has sockets that are not")]
    pub(in crate::server) fn is_tcp(&self) -> bool {
        true
    }

    /// Returns where clients find it.
    pub(in crate::server) fn url(&self, scheme: &str, _: &BindAddress) -> String {
        let Listening::Tcp(socket) = self;
        super::tcp_url(scheme, socket)
    }
}

/// An accepted connection.
pub(in crate::server) type Socket = TcpStream;

/// Returns a connection over TCP, made ready, and its other end.
pub(in crate::server) fn over_tcp(stream: TcpStream) -> (Socket, Option<SocketAddr>) {
    let peer = stream.peer_addr().ok();
    // Else the end of a long body waits for the client to acknowledge what came before. A
    // connection that refuses it is gone already.
    let _ = stream.set_nodelay(true);
    (stream, peer)
}
