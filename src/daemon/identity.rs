//! The user that the process runs as: names and numbers become an identity, and the whole process
//! becomes that one, for good. The moment is chosen elsewhere: after everything is bound and read
//! that only root may.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use nix::unistd::{
    AccessFlags, Gid, Group, Uid, User, access, getegid, geteuid, getuid, setgid, setuid,
};

use super::process::ProcessOwner;
use crate::error::StartupError;
use crate::settings::ProcessSettings;

/// The settings this is about, as errors name them.
const USER: &str = "--user / [server] user";
const GROUP: &str = "--group / [server] group";

/// A user and a group that exist, or were given as numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    uid: Uid,
    gid: Gid,
    /// The name that further groups are looked up by; a number may have none.
    name: Option<CString>,
}

impl Identity {
    /// Returns the numbers of user and group.
    pub fn user_and_group(&self) -> (u32, u32) {
        (self.uid.as_raw(), self.gid.as_raw())
    }

    fn is_current(&self) -> bool {
        self.uid == geteuid() && self.uid == getuid() && self.gid == getegid()
    }
}

/// Returns whom these settings want the process to become; `None` where it stays who it is.
///
/// # Errors
/// There is no such user or group; a number without a name has no group; or somebody else than
/// root wants to become another.
pub fn wanted_identity(settings: &ProcessSettings) -> Result<Option<Identity>, StartupError> {
    let (user, group) = (settings.user.as_deref(), settings.group.as_deref());
    if user.is_none() && group.is_none() {
        return Ok(None);
    }
    let (uid, named) = if let Some(text) = user {
        self::find_user(text)?
    } else {
        let uid = geteuid();
        (uid, User::from_uid(uid).ok().flatten())
    };
    let gid = match (group, &named) {
        (Some(text), _) => self::find_group(text)?,
        (None, Some(user)) => user.gid,
        (None, None) => {
            return Err(StartupError::new(format!(
                "user {uid} is a number without an entry in /etc/passwd, so its group is not known"
            ))
            .at_place(USER)
            .with_remedy("give its group too: --group"));
        }
    };
    let name = named.and_then(|user| CString::new(user.name).ok());
    let identity = Identity { uid, gid, name };
    if identity.is_current() {
        return Ok(None);
    }
    if !geteuid().is_root() {
        let place = if user.is_some() { USER } else { GROUP };
        let what = "only root can become another user or group";
        return Err(StartupError::new(what)
            .at_place(place)
            .with_remedy("start it as root, or as that user and without this setting"));
    }
    Ok(Some(identity))
}

/// Returns whose process it is that runs by settings with this user and group: the user that they
/// name, else the one who asks.
///
/// # Errors
/// There is no such user or group.
pub fn process_owner(
    user: Option<&str>,
    group: Option<&str>,
) -> Result<ProcessOwner, StartupError> {
    let mut owner = ProcessOwner::of_this_process();
    if let Some(text) = user {
        let (uid, entry) = self::find_user(text)?;
        owner.user = uid.as_raw();
        owner.group = entry.map(|entry| entry.gid.as_raw());
    }
    if let Some(text) = group {
        owner.group = Some(self::find_group(text)?.as_raw());
    }
    Ok(owner)
}

/// Makes the whole process that user and group, with the user's further groups. There is no way
/// back, which is tried.
///
/// # Errors
/// The system does not allow it, or there is a way back; the process must end then, since part of
/// it may have happened.
pub fn drop_to(identity: &Identity) -> Result<(), StartupError> {
    let Identity { uid, gid, .. } = *identity;
    let failed = |what: &str, error: nix::Error| {
        StartupError::new(format!(
            "cannot become user {uid}, group {gid}: {what}: {error}"
        ))
        .at_place(USER)
        .with_remedy("start it as root, with the capabilities SETUID and SETGID")
    };
    further_groups(identity).map_err(|error| failed("groups", error))?;
    // The user goes last: without root's rights the group could not be changed any more.
    setgid(gid).map_err(|error| failed("setgid", error))?;
    setuid(uid).map_err(|error| failed("setuid", error))?;
    let way_back = !uid.is_root() && setuid(Uid::from_raw(0)).is_ok();
    if way_back || geteuid() != uid || getegid() != gid {
        let what = format!("user {uid} could become root again");
        return Err(StartupError::new(what)
            .at_place(USER)
            .with_remedy("do not give the capability SETUID to the program or its user"));
    }
    Ok(())
}

#[cfg(not(target_vendor = "apple"))]
fn further_groups(identity: &Identity) -> nix::Result<()> {
    match &identity.name {
        Some(name) => nix::unistd::initgroups(name, identity.gid),
        None => nix::unistd::setgroups(&[identity.gid]),
    }
}

/// The calls are not offered there; the groups stay those of whoever started it.
#[cfg(target_vendor = "apple")]
fn further_groups(_: &Identity) -> nix::Result<()> {
    Ok(())
}

/// Returns those of these folders in which this process, as who it is now, can make no files: the
/// folder of the pidfile, those of logs. Without that no upgrade can note itself, and no log be
/// made anew.
pub fn unwritable_folders<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Vec<PathBuf> {
    folders
        .into_iter()
        .filter(|folder| access(*folder, AccessFlags::W_OK | AccessFlags::X_OK).is_err())
        .map(Path::to_owned)
        .collect()
}

/// Returns those of these files that this process, as who it is now, cannot read: the key that only
/// root may, for example. Without that a reload or an upgrade will fail.
pub fn unreadable_files<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
    files
        .into_iter()
        .filter(|file| access(file.as_path(), AccessFlags::R_OK).is_err())
        .cloned()
        .collect()
}

/// Returns a user's number, and its entry where it has one.
fn find_user(text: &str) -> Result<(Uid, Option<User>), StartupError> {
    let named = User::from_name(text).map_err(|error| not_known(error, USER))?;
    if let Some(user) = named {
        return Ok((user.uid, Some(user)));
    }
    let uid =
        Uid::from_raw(account_number(text).ok_or_else(|| unknown_account("user", text, USER))?);
    Ok((uid, User::from_uid(uid).ok().flatten()))
}

fn find_group(text: &str) -> Result<Gid, StartupError> {
    let named = Group::from_name(text).map_err(|error| not_known(error, GROUP))?;
    match named {
        Some(group) => Ok(group.gid),
        None => account_number(text)
            .map(Gid::from_raw)
            .ok_or_else(|| unknown_account("group", text, GROUP)),
    }
}

/// The largest number stands for "leave it as it is" in some calls, so it is nobody's.
fn account_number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| digits && *id != u32::MAX)
}

fn unknown_account(kind: &str, text: &str, place: &str) -> StartupError {
    StartupError::new(format!("there is no {kind} {text:?}"))
        .at_place(place)
        .with_remedy(format!(
            "names are looked up in /etc/passwd and /etc/group alone: write the {kind}'s number"
        ))
}

fn not_known(error: nix::Error, place: &str) -> StartupError {
    StartupError::new(format!("users and groups cannot be read: {error}"))
        .at_place(place)
        .with_remedy("let everybody read /etc/passwd and /etc/group, or write numbers")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::settings::Settings;

    fn named(user: Option<&str>, group: Option<&str>) -> Result<Option<Identity>, StartupError> {
        let mut settings = Settings::from_flags(&[]).unwrap().process;
        settings.user = user.map(str::to_owned);
        settings.group = group.map(str::to_owned);
        wanted_identity(&settings)
    }

    #[test]
    fn who_is_meant_already_needs_no_change() {
        let (uid, gid) = (geteuid().to_string(), getegid().to_string());
        assert_eq!(named(None, None).unwrap(), None);
        assert_eq!(named(Some(&uid), Some(&gid)).unwrap(), None);
        assert_eq!(named(None, Some(&gid)).unwrap(), None);
    }

    #[test]
    fn whom_nobody_knows_is_refused_with_the_setting_and_the_remedy() {
        for (user, group, place) in [
            (Some("nobody-of-that-name"), None, USER),
            (Some("4294967295"), None, USER),
            (Some("+0"), None, USER),
            (None, Some("no-group-of-that-name"), GROUP),
        ] {
            let error = named(user, group).unwrap_err();
            assert_eq!(error.place.as_deref(), Some(place));
            assert!(error.remedy.unwrap().contains("number"));
        }
        let error = named(Some("3999999999"), None).unwrap_err();
        assert!(error.remedy.unwrap().contains("--group"));
    }

    #[test]
    fn names_and_numbers_mean_the_same_and_only_root_can_become_them() {
        let numbers = named(Some("3999999999"), Some("3999999998"));
        let by_name = named(Some("nobody"), None);
        if geteuid().is_root() {
            assert_eq!(
                numbers.unwrap().unwrap().user_and_group(),
                (3_999_999_999, 3_999_999_998)
            );
            let nobody = by_name.unwrap().unwrap();
            let by_number = named(Some(&nobody.uid.to_string()), None).unwrap().unwrap();
            assert_eq!(nobody, by_number);
        } else {
            for error in [numbers.unwrap_err(), by_name.unwrap_err()] {
                assert!(error.what.contains("only root"), "{error}");
            }
        }
    }

    #[test]
    fn folders_that_are_not_there_are_not_writable() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone");
        assert_eq!(unwritable_folders([dir.path(), &gone]), [gone]);
    }
}
