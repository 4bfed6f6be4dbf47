//! The listeners that this process was started with by somebody else than itself, in the form that
//! systemd defines (`sd_listen_fds(3)`): which numbers they have, and whether what stands behind a
//! number listens at all. How a number becomes owned is `adopt`'s.

use std::ffi::OsString;
use std::io;
use std::os::fd::{OwnedFd, RawFd};

use nix::sys::socket::{SockType, getsockopt, sockopt};
use socket2::Socket;

use crate::environment;
use crate::error::StartupError;

/// The first number of those that systemd passes on.
const FIRST: RawFd = 3;

/// More than anybody passes on, and few enough to look at.
const MOST: RawFd = 1024;

/// Returns the numbers and names of the listeners that systemd gave to this process, in order; none
/// where they are meant for another one. The variables are taken out of the environment, so that no
/// program started from here takes them for its own: to be called before anything starts a thread.
///
/// # Errors
/// The variables are for this process, and make no sense.
pub fn from_environment() -> Result<Vec<(RawFd, String)>, StartupError> {
    let [pid, count, names] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"].map(environment::take);
    read(pid, count, names, std::process::id())
}

/// Returns the socket back, if connections of TCP or a unix socket are accepted from it.
///
/// # Errors
/// It is something else.
pub(super) fn require_listening(socket: OwnedFd) -> io::Result<OwnedFd> {
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why);
    let kind = getsockopt(&socket, sockopt::SockType).map_err(|_| invalid("it is no socket"))?;
    if kind != SockType::Stream || !getsockopt(&socket, sockopt::AcceptConn)? {
        return Err(invalid("it does not listen for connections"));
    }
    let socket = Socket::from(socket);
    let address = socket.local_addr()?;
    if address.as_socket().is_none() && !address.is_unix() {
        return Err(invalid("it is neither TCP nor a unix socket"));
    }
    Ok(socket.into())
}

fn read(
    pid: Option<OsString>,
    count: Option<OsString>,
    names: Option<OsString>,
    own: u32,
) -> Result<Vec<(RawFd, String)>, StartupError> {
    let text = |value: OsString| value.to_string_lossy().into_owned();
    let (Some(pid), Some(count)) = (pid.map(text), count.map(text)) else {
        return Ok(Vec::new());
    };
    // Every child inherits the descriptors that somebody else was to take.
    if pid.trim().parse() != Ok(own) {
        return Ok(Vec::new());
    }
    let Ok(count @ 0..=MOST) = count.trim().parse::<RawFd>() else {
        let what = format!("{count:?} is no number of listeners");
        return Err(StartupError::new(what)
            .at_place("environment LISTEN_FDS")
            .with_remedy("unset LISTEN_PID, or start it with systemd or systemd-socket-activate"));
    };
    let names = names.map(text).unwrap_or_default();
    let mut names = names.split(':');
    let numbered = (FIRST..FIRST + count).map(|number| {
        let name = names.next().filter(|name| !name.is_empty());
        // systemd's own word for it.
        (number, name.unwrap_or("unknown").to_owned())
    });
    Ok(numbered.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn listeners_of_both_kinds_are_told_from_everything_else() {
        let tcp = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0"));
        assert!(require_listening(tcp.unwrap().into()).is_ok());
        let dir = tempfile::tempdir().unwrap();
        let unix = UnixListener::bind(dir.path().join("s")).unwrap();
        assert!(require_listening(unix.into()).is_ok());
        let refused = |socket: OwnedFd| require_listening(socket).unwrap_err().to_string();
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(refused(file.into()).contains("no socket"));
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(refused(udp.into()).contains("not listen"));
        let (one, _other) = UnixStream::pair().unwrap();
        assert!(refused(one.into()).contains("not listen"));
    }

    fn given(pid: &str, count: &str, names: Option<&str>) -> Result<String, StartupError> {
        let names = names.map(OsString::from);
        let listeners = read(Some(pid.into()), Some(count.into()), names, 77)?;
        let words = listeners
            .iter()
            .map(|(number, name)| format!("{number}={name}"));
        Ok(words.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn listeners_are_counted_from_three_and_may_have_names() {
        assert_eq!(
            given("77", "2", Some("web:admin")).unwrap(),
            "3=web 4=admin"
        );
        assert_eq!(given("77", "2", Some("web")).unwrap(), "3=web 4=unknown");
        assert_eq!(given("77", "1", None).unwrap(), "3=unknown");
        assert_eq!(given("77", "1", Some("a:b:c")).unwrap(), "3=a");
        assert_eq!(given("77", "0", None).unwrap(), "");
    }

    #[test]
    fn those_of_another_process_are_not_ours() {
        for pid in ["78", "", "x", "-77"] {
            assert_eq!(given(pid, "2", None).unwrap(), "", "{pid}");
        }
        assert!(read(None, Some("2".into()), None, 77).unwrap().is_empty());
        assert!(read(Some("77".into()), None, None, 77).unwrap().is_empty());
    }

    #[test]
    fn a_number_that_is_none_is_an_error_and_no_loop() {
        for count in ["x", "-1", "99999999999", "1025", ""] {
            let error = given("77", count, None).unwrap_err();
            assert!(error.place.unwrap().contains("LISTEN_FDS"), "{count}");
        }
    }
}
