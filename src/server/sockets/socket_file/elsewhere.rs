//! The file of a unix socket where the kernel has no descriptor for it: its mode and group are set
//! by its name, and by no link.

use std::io;
use std::os::unix::fs::{FileTypeExt, lchown};
use std::path::{Path, PathBuf};

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};

/// The name of the socket's file.
pub(super) struct SocketFile(PathBuf);

impl SocketFile {
    /// Takes the file that stands at `path`.
    ///
    /// # Errors
    /// It is no socket.
    pub(super) fn open(path: &Path) -> io::Result<SocketFile> {
        if !path.symlink_metadata()?.file_type().is_socket() {
            let why = format!("{} was replaced while it was bound", path.display());
            return Err(io::Error::other(why));
        }
        Ok(SocketFile(path.to_owned()))
    }

    /// Gives the file to a group.
    pub(super) fn give_to(&self, group: u32) -> io::Result<()> {
        lchown(&self.0, None, Some(group))
    }

    /// Sets the mode of the file.
    pub(super) fn open_to(&self, mode: u32) -> io::Result<()> {
        let mode = Mode::from_bits_truncate(mode as nix::libc::mode_t);
        Ok(fchmodat(
            AT_FDCWD,
            &self.0,
            mode,
            FchmodatFlags::NoFollowSymlink,
        )?)
    }
}
