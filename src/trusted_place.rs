//! The users who can change what stands at a place in the file system, as the place's owner, group
//! and mode have it. Root does not open a file where another user can put a link in its place; what
//! is refused for that reason, and in which words, is decided by those who open the file.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use nix::sys::stat::{FileStat, SFlag};

/// The sticky bit: in such a folder everybody makes files, and removes only their own.
const STICKY: u32 = 0o1000;

/// The owner and the mode of a folder or a link.
#[derive(Debug, Clone, Copy)]
pub struct PlaceRights {
    /// The user that owns it.
    pub user: u32,
    group: u32,
    mode: u32,
    /// It is a symbolic link.
    pub is_link: bool,
}

/// A user or a group that can change what stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherWriter {
    /// The owner.
    User(u32),
    /// The members of a group.
    Group(u32),
    /// All users.
    Everybody,
}

impl fmt::Display for OtherWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OtherWriter::User(user) => write!(f, "user {user}"),
            OtherWriter::Group(group) => write!(f, "group {group}"),
            OtherWriter::Everybody => f.write_str("everybody"),
        }
    }
}

impl From<&Metadata> for PlaceRights {
    fn from(meta: &Metadata) -> PlaceRights {
        PlaceRights {
            user: meta.uid(),
            group: meta.gid(),
            mode: meta.mode(),
            is_link: meta.is_symlink(),
        }
    }
}

impl From<&FileStat> for PlaceRights {
    #[allow(
        clippy::useless_conversion,
        reason = "a mode has fewer bits on other systems"
    )]
    fn from(stat: &FileStat) -> PlaceRights {
        let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
        PlaceRights {
            user: stat.st_uid,
            group: stat.st_gid,
            mode: stat.st_mode.into(),
            is_link: kind == SFlag::S_IFLNK,
        }
    }
}

impl PlaceRights {
    /// Returns who can change the place, besides root and a user with this number and group. In a
    /// folder with the sticky bit nobody can change the entries of another user.
    pub fn other_writer(&self, user: u32, group: Option<u32>) -> Option<OtherWriter> {
        if self.user != 0 && self.user != user {
            return Some(OtherWriter::User(self.user));
        }
        if self.is_link || self.mode & STICKY != 0 {
            return None;
        }
        self.other_maker(group)
    }

    /// Returns who can make entries in the folder, besides its owner, root's group and this one.
    pub fn other_maker(&self, group: Option<u32>) -> Option<OtherWriter> {
        let is_trusted = self.group == 0 || group == Some(self.group);
        if self.mode & 0o002 != 0 {
            return Some(OtherWriter::Everybody);
        }
        (self.mode & 0o020 != 0 && !is_trusted).then_some(OtherWriter::Group(self.group))
    }
}
