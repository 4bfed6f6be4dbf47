//! The sockets that are listened on: bound all or none, kept across generations of workers, and
//! removed at the end. Who serves them is `generation`'s; where they are inherited from is not
//! known here.

use std::io;

use super::sockets::system::{Inherited, Listening, Standing};
use crate::error::StartupError;
use crate::settings::{BindAddress, Settings};
use crate::web::{ListenerAudience, ListenerInfo, ListenerProtocol};

/// The place where HTTP and HTTPS are when nobody says.
const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// All addresses, bound: all or none. Dropping it closes the sockets and leaves their paths.
#[derive(Debug, Default)]
pub struct Listeners(Vec<BoundListener>);

/// A bound address.
#[derive(Debug)]
struct BoundListener {
    bind: BindAddress,
    socket: Listening,
    role: ListenerRole,
    standing: Option<Standing>,
}

/// The protocol at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListenerRole {
    /// HTTP; over TCP inside TLS, where there is a pair for it.
    Main { tls: bool },
    /// The same, for operators alone.
    Stats { tls: bool },
    /// Plain HTTP, to send visitors on.
    Redirect,
}

/// Returns all addresses of the settings.
fn wanted_addresses(settings: &Settings) -> impl Iterator<Item = (&BindAddress, ListenerRole)> {
    let tls = settings.tls.as_ref();
    let main = ListenerRole::Main { tls: tls.is_some() };
    let redirects = tls.into_iter().flat_map(|tls| &tls.redirect_bind);
    let stats = ListenerRole::Stats { tls: tls.is_some() };
    let binds = settings.server.bind.iter().map(move |bind| (bind, main));
    binds
        .chain(settings.stats_bind.iter().map(move |bind| (bind, stats)))
        .chain(redirects.map(|bind| (bind, ListenerRole::Redirect)))
}

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
        for (bind, role) in wanted_addresses(settings) {
            let name = bind.to_string();
            let taken = inherited.iter().position(|one| one.name() == name);
            let opened = match taken.map(|at| inherited.swap_remove(at)) {
                Some(inherited) => BoundListener::adopt_socket(bind, role, inherited),
                None => BoundListener::bind_address(bind, role, settings),
            };
            match opened {
                Ok(listener) => listeners.0.push(listener),
                Err(error) => {
                    listeners.remove_paths();
                    return Err(not_bound(bind, role, &error));
                }
            }
        }
        Ok(listeners)
    }

    /// Returns the listeners for other settings: those that stay are the same sockets, those that
    /// are new are bound. Nothing of `self` is changed; [`Listeners::not_in`] has what is no longer
    /// wanted.
    ///
    /// # Errors
    /// As [`Listeners::open`].
    pub fn reconfigured(&self, settings: &Settings) -> Result<Listeners, StartupError> {
        let mut renewed = Listeners(Vec::new());
        let mut fresh = Listeners(Vec::new());
        for (bind, role) in wanted_addresses(settings) {
            let known = self.0.iter().find(|listener| listener.bind == *bind);
            let opened = match known {
                Some(listener) => listener
                    .try_clone()
                    .map(|kept| BoundListener { role, ..kept }),
                None => BoundListener::bind_address(bind, role, settings),
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
                    return Err(not_bound(bind, role, &error));
                }
            }
        }
        Ok(renewed)
    }

    /// Returns the same sockets once more, with how and for whom each is served.
    ///
    /// # Errors
    /// No descriptors are left.
    pub(super) fn served_sockets(&self) -> io::Result<Vec<(Listening, ListenerInfo)>> {
        let mut encrypted = self.main().filter(|one| one.is_tls());
        let to = encrypted.find_map(|one| one.socket.port());
        let elsewhere = self.stats_listeners().next().is_some();
        let served = |one: &BoundListener| {
            let manner = match one.role {
                ListenerRole::Redirect => ListenerProtocol::Redirect {
                    from: one.socket.port().unwrap_or(HTTP),
                    to: to.unwrap_or(HTTPS),
                },
                _ if one.is_tls() => ListenerProtocol::Tls,
                _ => ListenerProtocol::Plain,
            };
            let audience = match one.role {
                ListenerRole::Stats { .. } => ListenerAudience::Operators,
                _ if elsewhere => ListenerAudience::Visitors,
                _ => ListenerAudience::Everyone,
            };
            let reception = ListenerInfo {
                manner,
                audience,
                port: one.socket.port(),
            };
            Ok((one.try_clone()?.socket, reception))
        };
        self.0.iter().map(served).collect()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the addresses at which visitors find them, without those that only send them on.
    pub fn visitor_urls(&self) -> Vec<String> {
        self.main().map(BoundListener::url).collect()
    }

    /// Returns where operators alone find `/stats`; empty where it is beside everything else.
    pub fn stats_urls(&self) -> Vec<String> {
        self.stats_listeners().map(BoundListener::url).collect()
    }

    fn main(&self) -> impl Iterator<Item = &BoundListener> {
        let is_main = |one: &&BoundListener| matches!(one.role, ListenerRole::Main { .. });
        self.0.iter().filter(is_main)
    }

    fn stats_listeners(&self) -> impl Iterator<Item = &BoundListener> {
        let is_stats = |one: &&BoundListener| matches!(one.role, ListenerRole::Stats { .. });
        self.0.iter().filter(is_stats)
    }

    /// Returns each socket with the name of its setting and whether its path is to be removed at
    /// the end.
    #[cfg(unix)]
    pub fn named_sockets(
        &self,
    ) -> impl Iterator<Item = (&BindAddress, std::os::fd::BorrowedFd<'_>, bool)> {
        self.0
            .iter()
            .map(|one| (&one.bind, one.socket.descriptor(), one.standing.is_some()))
    }

    /// Returns the paths of these Unix sockets, for who outlives the listeners.
    pub fn socket_paths(&self, of: impl Fn(&BindAddress) -> bool) -> SocketPaths {
        let these = self.0.iter().filter(|one| of(&one.bind));
        SocketPaths(these.filter_map(|one| one.standing.clone()).collect())
    }

    /// Removes the paths of Unix sockets, where they are still this one's.
    pub fn remove_paths(&self) {
        self.socket_paths(|_| true).remove();
    }

    /// Those that `other` does not have.
    #[must_use]
    pub fn not_in(self, other: &Listeners) -> Listeners {
        let gone = |one: &BoundListener| other.0.iter().all(|kept| kept.bind != one.bind);
        Listeners(self.0.into_iter().filter(gone).collect())
    }

    /// Has nobody connect here any more, whoever else still holds these sockets. Those that
    /// somebody else has bound stay as they are.
    pub fn close(&self) {
        for one in &self.0 {
            if !matches!(one.bind, BindAddress::Fd(_)) {
                one.socket.close();
            }
        }
    }
}

/// Paths at which this process listens.
#[derive(Debug, Clone)]
pub struct SocketPaths(Vec<Standing>);

impl SocketPaths {
    /// Removes them, unless other files stand there by now.
    pub fn remove(&self) {
        self.0.iter().for_each(Standing::remove);
    }
}

impl BoundListener {
    fn bind_address(
        bind: &BindAddress,
        role: ListenerRole,
        settings: &Settings,
    ) -> io::Result<BoundListener> {
        Listening::bind(bind, settings).map(|opened| BoundListener::new(bind, role, opened))
    }

    fn adopt_socket(
        bind: &BindAddress,
        role: ListenerRole,
        inherited: Inherited,
    ) -> io::Result<BoundListener> {
        Listening::adopt(bind, inherited).map(|opened| BoundListener::new(bind, role, opened))
    }

    fn new(
        bind: &BindAddress,
        role: ListenerRole,
        opened: (Listening, Option<Standing>),
    ) -> BoundListener {
        let (socket, standing) = opened;
        BoundListener {
            bind: bind.clone(),
            socket,
            role,
            standing,
        }
    }

    fn try_clone(&self) -> io::Result<BoundListener> {
        let opened = (self.socket.try_clone()?, self.standing.clone());
        Ok(BoundListener::new(&self.bind, self.role, opened))
    }

    /// Returns whether TLS is spoken here.
    fn is_tls(&self) -> bool {
        let tls = match self.role {
            ListenerRole::Main { tls } | ListenerRole::Stats { tls } => tls,
            ListenerRole::Redirect => false,
        };
        tls && self.socket.is_tcp()
    }

    fn url(&self) -> String {
        let scheme = if self.is_tls() { "https" } else { "http" };
        self.socket.url(scheme, &self.bind)
    }
}

fn not_bound(bind: &BindAddress, role: ListenerRole, error: &io::Error) -> StartupError {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "is it running already? Choose another address or port",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 and other people's folders need the right to use them"
        }
        io::ErrorKind::InvalidInput if matches!(bind, BindAddress::Unix(_)) => {
            "give the socket a shorter name"
        }
        io::ErrorKind::Unsupported => "give a HOST:PORT of this machine",
        _ => "give an address of this machine: HOST:PORT or unix:PATH",
    };
    StartupError::new(format!("cannot listen on {bind}: {error}"))
        .at_place(match role {
            ListenerRole::Main { .. } => "--bind / [server] bind",
            ListenerRole::Stats { .. } => "--stats-bind / [stats] bind",
            ListenerRole::Redirect => "--redirect-bind / [tls] redirect_bind",
        })
        .with_remedy(remedy)
}
