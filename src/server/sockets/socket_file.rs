//! The file of a unix socket, whose mode and group are set on the socket itself. Root binds it in a
//! folder that another user may write, and that user can put a link, or another name of root's
//! file, in its place before the mode is set.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};
use nix::unistd::{Gid, fchownat};

/// A descriptor of the socket's file, which cannot be read or written by it.
pub(super) struct SocketFile {
    file: File,
    path: PathBuf,
}

impl SocketFile {
    /// Opens the file that stands at `path`.
    ///
    /// # Errors
    /// It is no socket.
    pub(super) fn open(path: &Path) -> io::Result<SocketFile> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits())
            .open(path)?;
        if !file.metadata()?.file_type().is_socket() {
            let why = format!(
                "{} was replaced while it was bound: name a folder that no other user may write",
                path.display()
            );
            return Err(io::Error::other(why));
        }
        let path = path.to_owned();
        Ok(SocketFile { file, path })
    }

    /// Gives the file to a group.
    pub(super) fn give_to(&self, group: u32) -> io::Result<()> {
        let group = Some(Gid::from_raw(group));
        let flags = AtFlags::AT_EMPTY_PATH;
        Ok(fchownat(&self.file, "", None, group, flags)?)
    }

    /// Sets the mode of the file.
    pub(super) fn open_to(&self, mode: u32) -> io::Result<()> {
        // The kernel's name of the open file; the call for descriptors does not take one like this.
        let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        match std::fs::set_permissions(own, Permissions::from_mode(mode)) {
            // No /proc: by its name, and no link.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mode = Mode::from_bits_truncate(mode as nix::libc::mode_t);
                let flags = FchmodatFlags::NoFollowSymlink;
                Ok(fchmodat(nix::fcntl::AT_FDCWD, &self.path, mode, flags)?)
            }
            end => end,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::super::set_permissions;

    #[test]
    fn only_the_socket_s_own_file_is_opened_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.sock");
        let victim = folder.path().join("shadow");
        std::fs::write(&victim, "x").unwrap();
        let told = |path: &std::path::Path| {
            let meta = path.symlink_metadata().unwrap();
            (meta.mode() & 0o777, meta.gid())
        };
        let before = told(&victim);
        let own_group = nix::unistd::getegid().as_raw();
        let is_root = nix::unistd::geteuid().is_root();
        let group = if is_root { 54_321 } else { own_group };
        let _listener = UnixListener::bind(&path).unwrap();
        set_permissions(&path, 0o620, Some(&group.to_string())).unwrap();
        assert_eq!(told(&path), (0o620, group));
        // A link, and another name of the file, in the place of the socket.
        std::fs::remove_file(&path).unwrap();
        symlink(&victim, &path).unwrap();
        assert!(set_permissions(&path, 0o666, Some(&group.to_string())).is_err());
        assert_eq!(told(&victim), before);
        std::fs::remove_file(&path).unwrap();
        std::fs::hard_link(&victim, &path).unwrap();
        let error = set_permissions(&path, 0o666, None).unwrap_err().to_string();
        assert!(error.contains("was replaced"), "{error}");
        assert_eq!(told(&victim), before);
    }
}
