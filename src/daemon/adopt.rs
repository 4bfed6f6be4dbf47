//! Descriptors that this process was started with become owned: the one place where that is done.
//! What a number means is for others to know; here it is made sure that each is open, is taken
//! once, and is not inherited any further by accident.
#![allow(
    unsafe_code,
    reason = "an inherited descriptor is a number, and no safe call makes it an owned one"
)]

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::sync::{Mutex, PoisonError};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockType, SockaddrLike, SockaddrStorage};
use nix::sys::socket::{getsockname, getsockopt, sockopt};

/// The numbers that were taken. Two owners of one descriptor would close each other's.
static TAKEN: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());

/// A listener that whoever started this process had open.
#[derive(Debug)]
pub enum Inherited {
    /// Of TCP, over IPv4 or IPv6.
    Tcp(TcpListener),
    /// Of a unix socket. Its file belongs to whoever made it.
    Unix(UnixListener),
}

/// Takes a descriptor over, to be closed in programs that this one starts. To be called while the
/// process starts, with the numbers it was given: later a number may be that of something else.
///
/// # Errors
/// It is not open, is one of the standard streams, or was taken already.
pub fn descriptor(number: RawFd) -> io::Result<OwnedFd> {
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why);
    if number < 3 {
        return Err(invalid("it is one of the standard streams"));
    }
    // A panic between two lines changes nothing about the set.
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    if taken.contains(&number) {
        return Err(invalid("it was taken already"));
    }
    // SAFETY: borrowed for a call that fails where the number is not open, and harms nothing.
    let open = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(open, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    taken.insert(number);
    // SAFETY: it is open, nobody else in this process has it, and it is given out once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Takes over a file, such as the locked pidfile.
pub fn file(number: RawFd) -> io::Result<File> {
    descriptor(number).map(File::from)
}

/// Takes over a listener, made non-blocking.
///
/// # Errors
/// As for [`descriptor`]; and it is no socket that listens for streams of TCP or a unix socket.
pub fn listener(number: RawFd) -> io::Result<Inherited> {
    let socket = descriptor(number)?;
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why);
    let kind = getsockopt(&socket, sockopt::SockType).map_err(|_| invalid("it is no socket"))?;
    if kind != SockType::Stream || !getsockopt(&socket, sockopt::AcceptConn)? {
        return Err(invalid(
            "it is a socket that does not listen for connections",
        ));
    }
    let name: SockaddrStorage = getsockname(std::os::fd::AsRawFd::as_raw_fd(&socket))?;
    match name.family() {
        Some(AddressFamily::Inet | AddressFamily::Inet6) => {
            let listener = TcpListener::from(socket);
            listener.set_nonblocking(true)?;
            Ok(Inherited::Tcp(listener))
        }
        Some(AddressFamily::Unix) => {
            let listener = UnixListener::from(socket);
            listener.set_nonblocking(true)?;
            Ok(Inherited::Unix(listener))
        }
        _ => Err(invalid("it listens neither on TCP nor on a unix socket")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::atomic::{AtomicI32, Ordering};

    use super::*;

    /// What a process would be started with: a number that no other test ever has.
    fn inherited(socket: impl Into<OwnedFd>) -> RawFd {
        static NEXT: AtomicI32 = AtomicI32::new(600);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let copy = fcntl(socket.into(), FcntlArg::F_DUPFD(number)).unwrap();
        assert_eq!(copy, number);
        copy
    }

    #[test]
    fn listeners_of_both_kinds_are_taken_over_with_their_addresses() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        match listener(inherited(tcp)).unwrap() {
            Inherited::Tcp(tcp) => assert_eq!(tcp.local_addr().unwrap(), address),
            Inherited::Unix(_) => panic!("it is TCP"),
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let unix = UnixListener::bind(&path).unwrap();
        match listener(inherited(unix)).unwrap() {
            Inherited::Unix(unix) => {
                assert_eq!(unix.local_addr().unwrap().as_pathname(), Some(&*path));
            }
            Inherited::Tcp(_) => panic!("it is a unix socket"),
        }
    }

    #[test]
    fn what_does_not_listen_is_refused() {
        let refused = |number| listener(number).unwrap_err().to_string();
        let file = File::open("/dev/null").unwrap();
        assert!(refused(inherited(file)).contains("no socket"));
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(refused(inherited(udp)).contains("not listen"));
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(refused(inherited(one)).contains("not listen"));
        assert!(refused(2).contains("standard streams"));
        assert!(listener(1_000_000).is_err());
    }

    #[test]
    fn a_descriptor_is_taken_once_and_goes_no_further() {
        let number = inherited(File::open("/dev/null").unwrap());
        let first = file(number).unwrap();
        let flags = fcntl(&first, FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags & FdFlag::FD_CLOEXEC.bits(), FdFlag::FD_CLOEXEC.bits());
        let error = descriptor(number).unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
        drop(first);
    }
}
