//! The messages to systemd (`sd_notify(3)`): that the process serves, reloads, ends, or is another
//! process now; and that it is alive. that it serves, reloads, ends, or is another process now; and
//! that it is alive. Who tells when is for others. Nothing here fails: without systemd there is
//! nobody to tell, and what cannot be told is logged.
//!
//! Not the crate sd-notify: it reads the environment at every message, where ours is empty by
//! then, and knows no abstract sockets.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use socket2::SockRef;

use crate::environment;

/// The variable that systemd puts into the environment of what it starts.
const SOCKET: &str = "NOTIFY_SOCKET";
const WATCHDOG: &str = "WATCHDOG_USEC";
const WATCHDOG_PID: &str = "WATCHDOG_PID";

/// The time for which a message may wait for room in systemd's queue.
const PATIENCE: Duration = Duration::from_secs(1);

/// The place where messages go, if anywhere.
#[derive(Debug)]
pub struct Notifier {
    /// The socket as it was in the environment, and open.
    socket: Option<(OsString, UnixDatagram)>,
    /// The time within which it must be fed.
    watchdog: Option<Duration>,
    /// The reason why the named socket is not used; to be logged once there is a log.
    trouble: Option<String>,
}

impl Notifier {
    /// Returns the one that the environment names. The variables are taken out of it, so that no
    /// program started from here speaks in this one's name: to be called before anything starts a
    /// thread.
    pub fn from_environment() -> Notifier {
        let [socket, watchdog, pid] = [SOCKET, WATCHDOG, WATCHDOG_PID].map(environment::take);
        Notifier::new(socket, watchdog.as_deref(), pid.as_deref())
    }

    /// Returns one that tells nobody.
    pub fn without_socket() -> Notifier {
        Notifier::new(None, None, None)
    }

    /// Returns one that tells a socket of a test's, and is to be fed within so many microseconds.
    #[cfg(test)]
    pub(super) fn with_socket(socket: &OsStr, watchdog: &str) -> Notifier {
        Notifier::new(Some(socket.to_owned()), Some(OsStr::new(watchdog)), None)
    }

    fn new(socket: Option<OsString>, watchdog: Option<&OsStr>, pid: Option<&OsStr>) -> Notifier {
        let number = |text: &OsStr| text.to_str()?.parse::<u64>().ok();
        let other = pid.is_some_and(|pid| number(pid) != Some(std::process::id().into()));
        let watchdog = watchdog
            .and_then(number)
            .filter(|limit| *limit > 0 && !other)
            .map(Duration::from_micros);
        let socket = socket.filter(|name| !name.is_empty());
        let mut trouble = None;
        let socket = socket.and_then(|name| match connect(&name) {
            Ok(socket) => Some((name, socket)),
            Err(error) => {
                trouble = Some(format!("{SOCKET} cannot be used: {error}"));
                None
            }
        });
        Notifier {
            trouble,
            watchdog: watchdog.filter(|_| socket.is_some()),
            socket,
        }
    }

    /// Returns whether there is somebody to tell: then this process must not be detached.
    pub fn is_listened_to(&self) -> bool {
        self.socket.is_some()
    }

    /// Says that it serves; also what follows [`reloading`](Self::notify_reloading), however that went.
    /// `status` is one line for `systemctl status`.
    pub fn notify_ready(&self, status: &str) {
        if let Some(trouble) = &self.trouble {
            tracing::warn!("systemd is told nothing: {trouble}");
        }
        self.send(&format!("READY=1\nSTATUS={}\n", one_line(status)));
    }

    /// Says that it reads its settings again. The time goes in the same message, as systemd
    /// demands.
    pub fn notify_reloading(&self) {
        match monotonic_time() {
            Ok(now) => {
                let micros = now.as_micros();
                self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\n"));
            }
            Err(error) => tracing::warn!("systemd is not told of the reload: {error}"),
        }
    }

    /// Says that it ends. Never when it hands over: systemd would take that for the end of the
    /// service.
    pub fn notify_stopping(&self) {
        self.send("STOPPING=1\n");
    }

    /// Says that another process is the service from now on. For the old one to say, which systemd
    /// believes, before the new one says that it is ready.
    pub fn main_pid(&self, pid: u32) {
        self.send(&format!("MAINPID={pid}\n"));
    }

    /// Returns how often it is to be fed: twice within systemd's own limit. `None`: never.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog.map(|limit| limit / 2)
    }

    /// Says that it is alive. Where systemd's queue is full this is not worth waiting for: systemd
    /// has enough to read.
    pub fn feed_watchdog(&self) {
        if let Some((_, socket)) = &self.socket {
            let flags = nix::libc::MSG_DONTWAIT;
            let fed = SockRef::from(socket).send_with_flags(b"WATCHDOG=1\n", flags);
            if let Err(error) = fed {
                tracing::debug!("the watchdog is not fed: {error}");
            }
        }
    }

    /// Returns the environment for a process that is to take this one's place. Without the number
    /// of a process, which is not known yet.
    pub fn for_successor(&self) -> Vec<(&'static str, OsString)> {
        let socket = self.socket.iter().map(|(name, _)| (SOCKET, name.clone()));
        let watchdog = self
            .watchdog
            .map(|limit| (WATCHDOG, limit.as_micros().to_string().into()));
        socket.chain(watchdog).collect()
    }

    fn send(&self, message: &str) {
        let Some((_, socket)) = &self.socket else {
            return;
        };
        if let Err(error) = socket.send(message.as_bytes()) {
            let what = message.trim_end().replace('\n', ", ");
            tracing::warn!("systemd is not told {what}: {error}");
        }
    }
}

fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let address = match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(name)?,
        [b'@', name @ ..] => abstract_name(name)?,
        _ => {
            let why = "it is neither a path nor an abstract socket";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn abstract_name(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_name(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

fn monotonic_time() -> nix::Result<Duration> {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from)
}

/// A line end would begin a message of its own.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// The other end of a notifier: what systemd would read.
    struct Systemd {
        socket: UnixDatagram,
        /// The place where its path is, if it has one.
        _folder: Option<tempfile::TempDir>,
    }

    impl Systemd {
        fn new() -> (Systemd, OsString) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("notify");
            let socket = UnixDatagram::bind(&path).unwrap();
            let systemd = Systemd {
                socket,
                _folder: Some(dir),
            };
            (systemd, path.into())
        }

        /// Returns the next message; all are sent before it is asked for.
        fn next(&self) -> String {
            self.socket.set_nonblocking(true).unwrap();
            let mut buffer = [0; 4096];
            let length = self.socket.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        }

        fn has_none(&self) -> bool {
            self.socket.set_nonblocking(true).unwrap();
            self.socket.recv(&mut [0; 1]).is_err()
        }
    }

    #[test]
    fn each_message_is_one_datagram() {
        let (systemd, name) = Systemd::new();
        let notifier = Notifier::new(Some(name), None, None);
        assert!(notifier.is_listened_to());
        notifier.notify_ready("serves\nSTOPPING=1");
        assert_eq!(systemd.next(), "READY=1\nSTATUS=serves STOPPING=1\n");
        notifier.main_pid(77);
        assert_eq!(systemd.next(), "MAINPID=77\n");
        notifier.notify_stopping();
        assert_eq!(systemd.next(), "STOPPING=1\n");
        notifier.feed_watchdog();
        assert_eq!(systemd.next(), "WATCHDOG=1\n");
        let before = monotonic_time().unwrap();
        notifier.notify_reloading();
        let message = systemd.next();
        let after = monotonic_time().unwrap();
        let micros = message
            .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
            .unwrap();
        let micros: u64 = micros.trim_end().parse().unwrap();
        let told = Duration::from_micros(micros + 1);
        assert!(before <= told && told <= after + Duration::from_micros(1));
        assert!(systemd.has_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_abstract_socket_is_reached_too() {
        let name = format!("unslow-test-{}", std::process::id());
        let address = abstract_name(name.as_bytes()).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        let systemd = Systemd {
            socket,
            _folder: None,
        };
        let notifier = Notifier::new(Some(format!("@{name}").into()), None, None);
        notifier.notify_stopping();
        assert_eq!(systemd.next(), "STOPPING=1\n");
    }

    #[test]
    fn the_watchdog_is_fed_twice_in_its_time_by_the_process_it_is_for() {
        let (_systemd, name) = Systemd::new();
        let own = std::process::id().to_string();
        let interval = |micros: &str, pid: Option<&str>| {
            let (micros, pid) = (OsStr::new(micros), pid.map(OsStr::new));
            Notifier::new(Some(name.clone()), Some(micros), pid).watchdog_interval()
        };
        let fifteen = Some(Duration::from_secs(15));
        assert_eq!(interval("30000000", Some(&own)), fifteen);
        assert_eq!(interval("30000000", None), fifteen);
        assert_eq!(interval("30000000", Some("1")), None);
        assert_eq!(interval("0", None), None);
        assert_eq!(interval("soon", None), None);
        let without = Notifier::new(None, Some(OsStr::new("30000000")), None);
        assert_eq!(without.watchdog_interval(), None);
    }

    #[test]
    fn a_successor_is_told_where_systemd_listens_but_not_who_it_is() {
        let (_systemd, name) = Systemd::new();
        let own = OsString::from(std::process::id().to_string());
        let notifier = Notifier::new(Some(name.clone()), Some(OsStr::new("5")), Some(&own));
        let told = notifier.for_successor();
        assert_eq!(told, [(SOCKET, name), (WATCHDOG, "5".into())]);
        assert!(Notifier::without_socket().for_successor().is_empty());
    }

    #[test]
    fn without_anybody_to_tell_nothing_happens() {
        for name in ["", "/nowhere/notify", "relative", "vsock:2:1234"] {
            let notifier = Notifier::new(Some(name.into()), None, None);
            assert!(!notifier.is_listened_to(), "{name}");
            notifier.notify_ready("x");
        }
        let (systemd, name) = Systemd::new();
        let notifier = Notifier::new(Some(name), None, None);
        drop(systemd);
        notifier.notify_ready("nobody hears it");
    }
}
