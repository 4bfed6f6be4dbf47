//! Opening the file of a log by its name. A user who is not root opens it as any program would: the
//! kernel allows nothing that could harm another user. Root goes to it folder by folder, on
//! descriptors, and looks at each before it goes on, so that no other user can lead it to a file of
//! root by a link: neither beforehand nor while it is opened.
//!
//! A folder of root in which a group may write too, as Debian's `/var/log`, is accepted where the
//! file itself is root's, no link, and has no second name. So is a folder with the sticky bit.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

use crate::defence::Defence;
use crate::trusted_place::{OtherWriter, PlaceRights};

/// The number of links after which a path is taken for a circle, as the kernel has it.
const MAX_LINKS: u32 = 40;

/// The reason why the file of a log is not opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogFileError {
    /// The system's error.
    #[error("{0}")]
    System(#[from] io::Error),
    /// Another user could lead root to a file that is none of theirs.
    #[error("{0}")]
    Refused(String),
}

impl From<Errno> for LogFileError {
    fn from(error: Errno) -> LogFileError {
        LogFileError::System(error.into())
    }
}

/// Opens the file at `path` to append to it, and creates it where there is none.
pub(super) fn open(path: &Path) -> Result<File, LogFileError> {
    if !nix::unistd::geteuid().is_root() || Defence::LogFile.is_off() {
        return Ok(follow_path(path)?);
    }
    FolderWalk::walk_to(&std::path::absolute(path)?)?.open()
}

fn follow_path(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// The way from the root folder to a file.
struct FolderWalk {
    folder: OwnedFd,
    /// The path of `folder`, without links.
    at: PathBuf,
    /// Another user who can make entries in `folder`.
    maker: Option<OtherWriter>,
    /// The names that are left, the next one last.
    left: Vec<OsString>,
    links: u32,
}

impl FolderWalk {
    fn walk_to(path: &Path) -> Result<FolderWalk, LogFileError> {
        let mut walk = FolderWalk {
            folder: File::open("/")?.into(),
            at: PathBuf::from("/"),
            maker: None,
            left: Vec::new(),
            links: 0,
        };
        walk.put_before(path);
        Ok(walk)
    }

    /// Goes on along `path`, and then to the names that are left.
    fn put_before(&mut self, path: &Path) {
        let names = path.components().rev().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        });
        self.left.extend(names);
    }

    fn open(mut self) -> Result<File, LogFileError> {
        while let Some(name) = self.left.pop() {
            // Its links are the kernel's: `/dev/stdout` leads to what is open already.
            if self.at == Path::new("/proc") {
                let rest = self.left.iter().rev();
                let path: PathBuf = [&name].into_iter().chain(rest).collect();
                return Ok(follow_path(&self.at.join(path))?);
            }
            let is_last = self.left.is_empty();
            let stat = match fstatat(&self.folder, &*name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(stat) => Some(stat),
                Err(Errno::ENOENT) if is_last => None,
                Err(error) => return Err(error.into()),
            };
            match stat {
                Some(stat) if file_kind(&stat) == SFlag::S_IFLNK => {
                    self.follow_link(&name, &stat)?;
                }
                Some(_) if !is_last => self.enter_folder(&name)?,
                stat => return self.open_append(&name, stat.as_ref()),
            }
        }
        Err(Errno::EISDIR.into())
    }

    /// Goes on to where a link of this folder leads.
    fn follow_link(&mut self, name: &OsString, stat: &FileStat) -> Result<(), LogFileError> {
        let place = self.at.join(name);
        if let Some(writer) = PlaceRights::from(stat).other_writer(0, None) {
            return Err(refused_file(&place, "a link that", writer, "has set"));
        }
        if let (true, Some(maker)) = (self.left.is_empty(), self.maker) {
            return Err(refused_file(
                &place,
                "a link in a folder that",
                maker,
                "may write",
            ));
        }
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::ELOOP.into());
        }
        let target = PathBuf::from(readlinkat(&self.folder, &**name)?);
        if target.is_absolute() {
            self.folder = File::open("/")?.into();
            self.at = PathBuf::from("/");
            self.maker = None;
        }
        self.put_before(&target);
        Ok(())
    }

    /// Goes on into a folder of this one.
    fn enter_folder(&mut self, name: &OsString) -> Result<(), LogFileError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let folder = openat(&self.folder, &**name, flags, Mode::empty())?;
        if name == ".." {
            self.at.pop();
        } else {
            self.at.push(name);
        }
        let rights = PlaceRights::from(&fstat(&folder)?);
        match rights.other_writer(0, None) {
            None | Some(OtherWriter::Group(_)) => {}
            Some(writer) => {
                return Err(refused_file(&self.at, "a folder that", writer, "may write"));
            }
        }
        self.maker = rights.other_maker(None);
        self.folder = folder;
        Ok(())
    }

    /// Opens the file, which `before` has shown.
    fn open_append(
        &self,
        name: &OsString,
        before: Option<&FileStat>,
    ) -> Result<File, LogFileError> {
        // Before as well: a pipe of another user would be waited for.
        before.map_or(Ok(()), |stat| self.check_file(name, stat))?;
        let flags = OFlag::O_WRONLY
            | OFlag::O_APPEND
            | OFlag::O_CREAT
            | OFlag::O_NOFOLLOW
            | OFlag::O_CLOEXEC;
        let file = openat(&self.folder, &**name, flags, Mode::from_bits_retain(0o666))?;
        self.check_file(name, &fstat(&file)?)?;
        Ok(file.into())
    }

    /// Checks that a file is root's where another user could have put it there. A device is made by
    /// root alone, whoever owns it.
    fn check_file(&self, name: &OsString, stat: &FileStat) -> Result<(), LogFileError> {
        let is_device = [SFlag::S_IFCHR, SFlag::S_IFBLK].contains(&file_kind(stat));
        let Some(maker) = self.maker.filter(|_| !is_device) else {
            return Ok(());
        };
        let place = self.at.join(name);
        if stat.st_uid != 0 {
            let owner = OtherWriter::User(stat.st_uid);
            return Err(refused_file(&place, "a file that", owner, "owns"));
        }
        if stat.st_nlink > 1 {
            let what = "a file with a second name in a folder that";
            return Err(refused_file(&place, what, maker, "may write"));
        }
        Ok(())
    }
}

fn file_kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

fn refused_file(place: &Path, what: &str, writer: OtherWriter, does: &str) -> LogFileError {
    let place = place.display();
    LogFileError::Refused(format!("{place} is {what} {writer} {does}"))
}
