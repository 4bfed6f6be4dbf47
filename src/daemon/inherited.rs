//! The listeners that this process was started with by somebody else than itself: those of systemd
//! (`sd_listen_fds(3)`), and those that `fd://N` names. Which number is which, and whether it is a
//! listener at all; how a number becomes owned is [`super::adopt`]'s.

use std::ffi::OsString;
use std::io;
use std::os::fd::{OwnedFd, RawFd};

use nix::sys::socket::{SockType, getsockopt, sockopt};
use socket2::Socket;

use super::adopt;
use crate::environment;
use crate::error::StartupError;
use crate::server::Inherited;
use crate::settings::Bind;

/// The first number of those that systemd passes on.
const FIRST: RawFd = 3;

/// More than anybody passes on, and few enough to look at.
const MOST: RawFd = 1024;

/// The numbers and names of the listeners that systemd gave to this process, in order; none where
/// they are meant for another one. The variables are taken out of the environment, so that no
/// program started from here takes them for its own: to be called before anything starts a thread.
///
/// # Errors
/// The variables are for this process, and make no sense.
pub fn from_environment() -> Result<Vec<(RawFd, String)>, StartupError> {
    let [pid, count, names] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"].map(environment::take);
    read(pid, count, names, std::process::id())
}

/// Takes over the sockets that these addresses name as `fd://N`, and those among `passed` (from
/// [`from_environment`]) that listen at one of these addresses already: each is called what the
/// setting calls it. The rest of `passed` is closed and logged. To be called while the process
/// starts, before other files are opened.
///
/// # Errors
/// One that `fd://N` names is not open, or is no socket that listens for streams.
pub fn sockets(
    passed: Vec<(RawFd, String)>,
    binds: &[Bind],
) -> Result<Vec<Inherited>, StartupError> {
    let mut taken = Vec::new();
    let mut numbers: Vec<RawFd> = binds
        .iter()
        .filter_map(|bind| match bind {
            Bind::Fd(number) => Some(*number),
            _ => None,
        })
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    for &number in &numbers {
        let name = Bind::Fd(number).to_string();
        let socket = adopt::descriptor(number).and_then(listening);
        let (socket, _) = socket.map_err(|error| refused(&name, &error))?;
        taken.push(inherited(name, socket));
    }
    for (number, called) in passed {
        if numbers.contains(&number) {
            continue;
        }
        match adopt::descriptor(number).and_then(listening) {
            Ok((socket, address)) if binds.contains(&address) => {
                taken.push(inherited(address.to_string(), socket));
            }
            Ok((_, address)) => tracing::warn!(
                "the listener {address} that was passed on as {called} is not used: \
                 --bind fd://{number} or its address would use it"
            ),
            Err(error) => tracing::warn!("descriptor {number} ({called}) is not used: {error}"),
        }
    }
    Ok(taken)
}

fn inherited(name: String, socket: OwnedFd) -> Inherited {
    // Its path, if it has one, belongs to whoever made it.
    let owned = false;
    Inherited {
        name,
        socket,
        owned,
    }
}

fn refused(name: &str, error: &io::Error) -> StartupError {
    StartupError::new(format!("cannot listen on {name}: {error}"))
        .at("--bind / [server] bind")
        .remedy("systemd passes its first listener on as fd://3; others know what they pass on")
}

/// The socket back, with the address it listens at.
fn listening(socket: OwnedFd) -> io::Result<(OwnedFd, Bind)> {
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why);
    let kind = getsockopt(&socket, sockopt::SockType).map_err(|_| invalid("it is no socket"))?;
    if kind != SockType::Stream || !getsockopt(&socket, sockopt::AcceptConn)? {
        return Err(invalid("it does not listen for connections"));
    }
    let socket = Socket::from(socket);
    let local = socket.local_addr()?;
    let address = match local.as_socket() {
        Some(address) => Some(Bind::Tcp(address)),
        None => local
            .is_unix()
            .then(|| Bind::Unix(local.as_pathname().unwrap_or("".as_ref()).to_owned())),
    };
    let address = address.ok_or_else(|| invalid("it is neither TCP nor a unix socket"))?;
    Ok((socket.into(), address))
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
    // What somebody else was to take is inherited by everything that one has started.
    if pid.trim().parse() != Ok(own) {
        return Ok(Vec::new());
    }
    let count = match count.trim().parse::<RawFd>() {
        Ok(count @ 0..=MOST) => count,
        _ => {
            let what = format!("{count:?} is no number of listeners");
            return Err(StartupError::new(what)
                .at("environment LISTEN_FDS")
                .remedy("unset LISTEN_PID, or start it with systemd or systemd-socket-activate"));
        }
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
    use std::net::TcpListener;
    use std::os::fd::IntoRawFd;
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    /// What a process would be started with.
    fn passed(socket: impl Into<OwnedFd>) -> RawFd {
        socket.into().into_raw_fd()
    }

    /// What each socket is called, in order.
    fn names(sockets: &[Inherited]) -> Vec<&str> {
        sockets.iter().map(|socket| socket.name.as_str()).collect()
    }

    #[test]
    fn a_number_that_the_settings_name_is_taken_over_whatever_its_address() {
        let dir = tempfile::tempdir().unwrap();
        let number = passed(UnixListener::bind(dir.path().join("s")).unwrap());
        let name = format!("fd://{number}");
        let twice = [Bind::Fd(number), Bind::Fd(number)];
        let taken = sockets(vec![(number, "web".to_owned())], &twice).unwrap();
        assert_eq!(names(&taken), [&name]);
        assert!(!taken[0].owned, "its file is somebody else's");
    }

    #[test]
    fn a_passed_listener_is_known_by_its_address_and_others_are_closed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let unix = UnixListener::bind(&path).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = dir.path().join("unused");
        let unused = UnixListener::bind(&gone).unwrap();
        let binds = [Bind::Unix(path), Bind::Tcp(tcp.local_addr().unwrap())];
        let given = [passed(unused), passed(unix), passed(tcp)];
        let given = given
            .into_iter()
            .map(|number| (number, "unknown".to_owned()));
        let taken = sockets(given.collect(), &binds).unwrap();
        let expected = binds.map(|bind| bind.to_string());
        assert_eq!(names(&taken), expected);
        // Here nobody would ever answer. (A child that another test starts may hold it a moment.)
        while UnixStream::connect(&gone).is_ok() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_does_not_listen_is_refused_with_the_setting() {
        let refused = |number| {
            let error = sockets(Vec::new(), &[Bind::Fd(number)]).unwrap_err();
            assert!(error.place.as_ref().unwrap().contains("--bind"));
            error.what
        };
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(refused(passed(file)).contains("no socket"));
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(refused(passed(udp)).contains("not listen"));
        let (one, _other) = UnixStream::pair().unwrap();
        assert!(refused(passed(one)).contains("not listen"));
        assert!(refused(1_000_000).contains("fd://1000000"));
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
