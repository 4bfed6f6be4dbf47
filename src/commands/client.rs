//! A client for a running server: one request, one answer, in plain HTTP over TCP or a unix
//! socket. It speaks neither TLS nor to proxies; `answer` reads what comes back, `kept` is a
//! connection for many requests.

mod answer;
pub(super) mod kept;
mod stream;

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::failure::CommandFailure;
use crate::settings::{BindAddress, Secret, Settings};

pub(super) use answer::ServerAnswer;

use stream::{ByteStream, LONGEST};

/// The time for which it may take to connect.
const CONNECT: Duration = Duration::from_secs(5);

/// The time for which an answer is waited for beyond the server's own limit for a request.
const MARGIN: Duration = Duration::from_secs(5);

/// The forms in which a server may be named, for messages.
const FORMS: &str = "write http://HOST:PORT or unix:PATH";

/// The place where a server is, and how to speak to it.
#[derive(Debug)]
pub(super) struct ServerClient {
    place: ServerPlace,
    /// The path before each path: none, or the one where a proxy has put the server.
    prefix: String,
    token: Option<Secret>,
    patience: Duration,
}

#[derive(Debug, PartialEq, Eq)]
enum ServerPlace {
    /// Host and port.
    Tcp(String),
    Unix(PathBuf),
}

impl ServerClient {
    /// Makes the client of the server at `url`, else of the one that these settings start. The
    /// admin token of the settings goes with each request.
    ///
    /// The error, a usage error, is for a URL that is none, or is one of `https://`.
    pub(super) fn new(
        settings: &Settings,
        url: Option<&str>,
    ) -> Result<ServerClient, CommandFailure> {
        let (place, prefix) = match url {
            Some(url) => named_place(url)?,
            None => (configured_place(settings)?, String::new()),
        };
        let token = settings.admin_token.clone();
        if token
            .as_ref()
            .is_some_and(|token| token.reveal().contains(char::is_control))
        {
            let why = "the token in [admin] token_file holds line ends or other control characters";
            return Err(CommandFailure::Usage(why.to_owned()));
        }
        Ok(ServerClient {
            place,
            prefix,
            token,
            patience: settings.server.request_timeout + MARGIN,
        })
    }

    /// Returns the server in words: `http://HOST:PORT` or `unix:PATH`.
    pub(super) fn server_name(&self) -> String {
        match &self.place {
            ServerPlace::Tcp(authority) => format!("http://{authority}{}", self.prefix),
            ServerPlace::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// Returns whether its address names a path, which then stands before that of each request.
    pub(super) fn has_path(&self) -> bool {
        !self.prefix.is_empty()
    }

    /// Posts a form to a path. The answer is whatever the server says, errors too.
    ///
    /// Fails where there is no server, or one that does not answer in HTTP within its own limit
    /// for a request and a little more.
    pub(super) fn post_form(&self, path: &str, form: &str) -> Result<ServerAnswer, CommandFailure> {
        self.send_request(&self.post_request(path, form, "close"))
    }

    /// Gets what is at a path, as JSON where there is a choice; otherwise like
    /// [`post`](Self::post_form).
    pub(super) fn get(&self, path: &str) -> Result<ServerAnswer, CommandFailure> {
        let head = self.request_head("GET", path, "close");
        self.send_request(&format!("{head}\r\n"))
    }

    fn send_request(&self, request: &str) -> Result<ServerAnswer, CommandFailure> {
        let failed = |error: io::Error| CommandFailure::Running(self.unreachable_words(&error));
        let mut received = Vec::new();
        let stream = self.connect().map_err(failed)?;
        exchange_bytes(stream, request, &mut received).map_err(failed)?;
        ServerAnswer::read(&received).map_err(|why| self.no_answer(why))
    }

    /// Returns whether connecting failed because nobody listens there.
    pub(super) fn is_absent(error: &io::Error) -> bool {
        let kinds = [io::ErrorKind::ConnectionRefused, io::ErrorKind::NotFound];
        kinds.contains(&error.kind())
    }

    /// Returns whether the server is on this machine: times do not hold a network then.
    pub(super) fn is_near(&self) -> bool {
        match &self.place {
            ServerPlace::Unix(_) => true,
            ServerPlace::Tcp(authority) => authority
                .to_socket_addrs()
                .is_ok_and(|mut all| all.all(|address| address.ip().is_loopback())),
        }
    }

    fn connect(&self) -> io::Result<Box<dyn ByteStream>> {
        Ok(match &self.place {
            ServerPlace::Tcp(authority) => {
                let stream = connect(authority)?;
                stream.set_read_timeout(Some(self.patience))?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            ServerPlace::Unix(path) => Box::new(connect_unix(path, self.patience)?),
        })
    }

    fn no_answer(&self, why: &str) -> CommandFailure {
        CommandFailure::Running(format!("what comes from {} {why}", self.server_name()))
    }

    fn post_request(&self, path: &str, form: &str, connection: &str) -> String {
        format!(
            "{}Content-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            self.request_head("POST", path, connection),
            form.len(),
        )
    }

    /// Returns the first lines of a request, without the empty one that ends them.
    fn request_head(&self, method: &str, path: &str, connection: &str) -> String {
        let host = match &self.place {
            ServerPlace::Tcp(authority) => authority,
            ServerPlace::Unix(_) => "localhost",
        };
        let authorization = self.token.as_ref().map_or_else(String::new, |token| {
            format!("Authorization: Bearer {}\r\n", token.reveal())
        });
        format!(
            "{method} {}{path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n\
             Connection: {connection}\r\n{authorization}",
            self.prefix,
        )
    }

    /// Returns why the server cannot be talked to, and what to do about it.
    pub(super) fn unreachable_words(&self, error: &io::Error) -> String {
        let server = self.server_name();
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                format!("{server} does not answer in time")
            }
            _ => format!(
                "{server} does not answer: {error}\n  is it running there? Else name it with --url"
            ),
        }
    }
}

/// Returns the place that a `--url` names, and the path in it.
fn named_place(url: &str) -> Result<(ServerPlace, String), CommandFailure> {
    let refused = |why: &str| Err(CommandFailure::Usage(format!("--url {why}\n  {FORMS}")));
    if let Some(path) = url.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            return refused("names no path");
        }
        return Ok((ServerPlace::Unix(Path::new(path).to_owned()), String::new()));
    }
    let Ok(parsed) = url::Url::parse(url) else {
        return refused("is no address");
    };
    if parsed.scheme() != "http" {
        return refused("is not of a kind that is spoken here");
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return refused("has no place for a password: the token is in [admin] token_file");
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return refused("ends with the path");
    }
    let (Some(host), Some(port)) = (parsed.host_str(), parsed.port_or_known_default()) else {
        return refused("names no host");
    };
    let prefix = parsed.path().trim_end_matches('/').to_owned();
    Ok((ServerPlace::Tcp(format!("{host}:{port}")), prefix))
}

/// Returns where the server of these settings is found from this machine.
fn configured_place(settings: &Settings) -> Result<ServerPlace, CommandFailure> {
    let (binds, setting) = match settings.stats_bind.as_slice() {
        [] => (settings.server.bind.as_slice(), "[server] bind"),
        own => (own, "[stats] bind"),
    };
    let unix = binds
        .iter()
        .find(|bind| matches!(bind, BindAddress::Unix(_)));
    if settings.tls.is_some() && unix.is_none() {
        let why = format!(
            "the server of these settings speaks TLS, and this command does not\n  \
             add an address unix:PATH to {setting}, which stays plain"
        );
        return Err(CommandFailure::Usage(why));
    }
    let unknown = || {
        let why = "the settings do not say at which port it serves\n  name it: --url";
        CommandFailure::Usage(format!("{why} http://HOST:PORT"))
    };
    let encrypted = settings.tls.is_some();
    match unix
        .filter(|_| encrypted)
        .or(binds.first())
        .ok_or_else(unknown)?
    {
        BindAddress::Unix(path) => Ok(ServerPlace::Unix(path.clone())),
        BindAddress::Fd(_) => Err(unknown()),
        BindAddress::Tcp(address) if address.port() == 0 => Err(unknown()),
        BindAddress::Tcp(address) => Ok(ServerPlace::Tcp(reachable_address(*address).to_string())),
    }
}

/// All interfaces are listened on, but one of them is connected to.
fn reachable_address(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Connects to the first of the host's addresses that lets one in.
fn connect(authority: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Returns a socket whose other end may take so long to answer.
#[cfg(unix)]
fn connect_unix(path: &Path, patience: Duration) -> io::Result<impl ByteStream + use<>> {
    let stream = crate::socket_path::with_short(path, |short| {
        std::os::unix::net::UnixStream::connect(short)
    })?;
    stream.set_read_timeout(Some(patience))?;
    Ok(stream)
}

#[cfg(not(unix))]
fn connect_unix(_: &Path, _: Duration) -> io::Result<TcpStream> {
    let why = "unix sockets need a unix system";
    Err(io::Error::new(io::ErrorKind::Unsupported, why))
}

fn exchange_bytes(
    mut stream: impl Read + Write,
    request: &str,
    received: &mut Vec<u8>,
) -> io::Result<()> {
    // A server may refuse before it has read everything; what it says is worth more.
    let sent = stream.write_all(request.as_bytes());
    let read = stream.take(LONGEST).read_to_end(received);
    if received.is_empty() {
        sent.and(read.map(drop))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
