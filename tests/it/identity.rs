//! Becoming another user, for good and in every thread. It is done in a process of its own, since
//! there is no way back.

use std::process::{Command, Output};

use unslow::daemon::identity;
use unslow::settings::Settings;

/// Runs one of the tests below that only make sense in a process of their own.
fn alone(test: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .output()
        .unwrap()
}

fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("not tested: becoming another user takes root");
    }
    root
}

fn wanted(flags: &[&str]) -> Option<identity::Identity> {
    identity::wanted(&Settings::from_flags(flags).unwrap().process).unwrap()
}

#[test]
fn the_whole_process_becomes_another_user_and_cannot_go_back() {
    if !is_root() {
        return;
    }
    for test in ["identity::becomes_nobody", "identity::becomes_a_number"] {
        let output = alone(test);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}"
        );
    }
}

/// Each thread's line of this name in its status.
fn threads(name: &str) -> Vec<Vec<u32>> {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    threads
        .map(|thread| {
            let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap()
                .split_whitespace()
                .map(|number| number.parse().unwrap())
                .collect()
        })
        .collect()
}

#[test]
#[ignore = "run in a process of its own by the test above"]
fn becomes_nobody() {
    let user = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let nobody = wanted(&["--user", "nobody"]).unwrap();
    let (uid, gid) = nobody.ids();
    assert_eq!((uid, gid), (user.uid.as_raw(), user.gid.as_raw()));
    identity::drop_to(&nobody).unwrap();
    for ids in threads("Uid:") {
        assert_eq!(ids, [uid; 4]);
    }
    for ids in threads("Gid:") {
        assert_eq!(ids, [gid; 4]);
    }
    for groups in threads("Groups:") {
        assert!(!groups.contains(&0), "root's groups are gone: {groups:?}");
    }
    let root = nix::unistd::Uid::from_raw(0);
    assert!(nix::unistd::setuid(root).is_err());
    // Being that user, the same wish needs no change; and no other can be fulfilled.
    assert_eq!(wanted(&["--user", "nobody"]), None);
    let process = Settings::from_flags(&["--user", "root"]).unwrap().process;
    let error = identity::wanted(&process).unwrap_err();
    assert!(error.what.contains("only root"), "{error}");
    let folders = identity::unwritable(["/etc".as_ref(), "/tmp".as_ref()]);
    assert_eq!(folders, [std::path::PathBuf::from("/etc")]);
}

#[test]
#[ignore = "run in a process of its own by the test above"]
fn becomes_a_number() {
    let number = wanted(&["--user", "54321", "--group", "54322"]).unwrap();
    identity::drop_to(&number).unwrap();
    assert!(threads("Uid:").iter().all(|ids| *ids == [54_321; 4]));
    assert!(threads("Groups:").iter().all(|ids| *ids == [54_322]));
}
