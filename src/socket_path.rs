//! Paths of unix sockets that are longer than the address of a socket: how they are bound and
//! connected to all the same. What is said over a socket belongs to the part that opens it.

use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

/// The most bytes of a path that the address of a socket has room for.
pub const LONGEST: usize = 107;

/// Does something with the path of a socket under a name that fits the address of a socket. A
/// longer path is reached by way of its folder's descriptor, which is open for that time.
///
/// # Errors
/// The folder cannot be opened, or the file's own name is too long.
pub fn with_short<T>(path: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    if path.as_os_str().len() <= LONGEST {
        return act(path);
    }
    let too_long = |most: usize| {
        let why = format!("the name of a unix socket may have at most {most} bytes");
        io::Error::new(io::ErrorKind::InvalidInput, why)
    };
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(too_long(LONGEST));
    };
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let folder = open(folder, flags, Mode::empty())?;
    let mut short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    let room = LONGEST - short.as_os_str().len() - 1;
    if name.len() > room {
        return Err(too_long(room));
    }
    short.push(name);
    act(&short)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn folder(length: usize) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = dir.path().to_owned();
        while folder.as_os_str().len() < length {
            folder.push("a-folder-with-a-long-name");
        }
        std::fs::create_dir_all(&folder).unwrap();
        (dir, folder)
    }

    #[test]
    fn a_socket_of_any_folder_is_bound_and_connected_to() {
        for length in [0, 142, 1000] {
            let (_dir, folder) = folder(length);
            let path = folder.join("unslow.pid.ctl");
            let listener = with_short(&path, |short| UnixListener::bind(short)).unwrap();
            assert!(path.exists());
            with_short(&path, |short| UnixStream::connect(short)).unwrap();
            listener.accept().unwrap();
            drop(listener);
            let refused = with_short(&path, |short| UnixStream::connect(short)).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        }
    }

    #[test]
    fn a_name_that_is_too_long_itself_is_refused_with_the_bound() {
        let (_dir, folder) = folder(0);
        let path = folder.join("n".repeat(120));
        let error = with_short(&path, |short| UnixListener::bind(short)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("at most 9"), "{error}");
        let nowhere = folder.join("n".repeat(90)).join("s");
        let error = with_short(&nowhere, |short| UnixStream::connect(short)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
