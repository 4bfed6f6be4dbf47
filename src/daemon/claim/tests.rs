//! Who holds a pidfile by the kernel's word, and which folders root believes.
#![allow(clippy::unwrap_used, reason = "tests")]
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use super::*;
use crate::daemon::pidfile::Pidfile;

fn place() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("unslow.pid");
    (dir, path)
}

#[test]
fn the_holder_is_named_by_the_kernel_whatever_number_stands_in_the_file() {
    let (_dir, path) = place();
    let me = ProcessOwner::of_this_process();
    assert_eq!(pidfile_state(&path, me).unwrap(), PidfileState::Absent);
    let mut held = Pidfile::lock(&path).unwrap();
    assert_eq!(pidfile_state(&path, me).unwrap(), PidfileState::Starting);
    assert!(holding_process(&path, me).unwrap().is_none());
    held.write(std::process::id()).unwrap();
    let own = PidfileState::Running(std::process::id());
    assert_eq!(pidfile_state(&path, me).unwrap(), own);
    let process = holding_process(&path, me).unwrap().unwrap();
    assert_eq!(process.pid(), std::process::id());
    // Nobody serves a control socket here, so who is meant is not known.
    for number in ["1", "0", "-1", "4294967295", "x"] {
        fs::write(&path, number).unwrap();
        assert_eq!(
            pidfile_state(&path, me).unwrap(),
            PidfileState::Starting,
            "{number}"
        );
    }
}

#[test]
fn a_folder_that_another_user_may_write_is_not_believed_by_root() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not tested: folders of other users take root");
        return;
    }
    let (dir, path) = place();
    let me = ProcessOwner::of_this_process();
    let service = ProcessOwner {
        user: 54_321,
        group: Some(54_322),
    };
    trusted_place(&path, me).unwrap();
    let mode = |mode| fs::set_permissions(dir.path(), PermissionsExt::from_mode(mode)).unwrap();
    for (bits, group, trusted) in [
        (0o777, 0, false),
        (0o1777, 0, true),
        (0o775, 0, true),
        (0o775, 54_322, true),
        (0o775, 54_323, false),
        (0o755, 54_323, true),
    ] {
        chown(dir.path(), Some(0), Some(group)).unwrap();
        mode(bits);
        let said = trusted_place(&path, service);
        assert_eq!(said.is_ok(), trusted, "{bits:o} {group}: {said:?}");
    }
    chown(dir.path(), Some(54_321), Some(54_322)).unwrap();
    mode(0o755);
    trusted_place(&path, service).unwrap();
    let why = trusted_place(&path, me).unwrap_err().to_string();
    assert!(why.contains("user 54321 may write"), "{why}");
    // The folder that a link leads to counts, and so does the folder that the link is in.
    let link = tempfile::tempdir().unwrap();
    symlink(dir.path(), link.path().join("run")).unwrap();
    let through = link.path().join("run/unslow.pid");
    assert!(trusted_place(&through, me).is_err());
    trusted_place(&through, service).unwrap();
    chown(link.path(), Some(54_323), None).unwrap();
    assert!(trusted_place(&through, service).is_err());
    // A file that somebody else has made where everybody may.
    mode(0o1777);
    chown(dir.path(), Some(0), Some(0)).unwrap();
    fs::write(&path, "1").unwrap();
    chown(&path, Some(54_323), None).unwrap();
    assert!(trusted_place(&path, service).is_err());
}
