//! Becoming another user, for good and in every thread. It is done in processes of its own, since
//! there is no way back.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::{Command, Output, Stdio};

use unslow::daemon::{identity, pidfile};
use unslow::settings::Settings;

use crate::daemon_home::{Home, ended, install};
use crate::servers::wait_until as until;

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
    identity::wanted_identity(&Settings::from_flags(flags).unwrap().process).unwrap()
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
    let (uid, gid) = nobody.user_and_group();
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
    let error = identity::wanted_identity(&process).unwrap_err();
    assert!(error.what.contains("only root"), "{error}");
    let folders = identity::unwritable_folders(["/etc".as_ref(), "/tmp".as_ref()]);
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

/// The user and group of a process.
fn ids_of(pid: u32) -> [String; 2] {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    ["Uid:", "Gid:"].map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().replace('\t', " ")
    })
}

#[test]
fn a_daemon_of_another_user_serves_reloads_upgrades_and_is_root_s_to_command() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let (uid, gid) = (nobody.uid.as_raw(), nobody.gid.as_raw());
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).unwrap();
    chown(home.path(), Some(uid), Some(gid)).unwrap();
    let binary = home.path().join("unslow");
    install(&binary);
    // Only root may use such a port, so an upgrade that binds again would fail.
    let run = |args: &[&str]| {
        Command::new(&binary)
            .args(args)
            .args(["--user", "nobody", "--demo-delay", "0s", "--workers", "1"])
            .args([
                "--bind",
                "127.77.0.1:77",
                "--pid",
                home.pidfile.to_str().unwrap(),
            ])
            .env_clear()
            .current_dir(home.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    ended(&run(&["start"]), 0, &["serves http://127.77.0.1:77"]);
    let first = home.holder().unwrap();
    let expected = [[uid; 4], [gid; 4]].map(|ids| ids.map(|id| id.to_string()).join(" "));
    assert_eq!(ids_of(first), expected);
    let control = pidfile::control_socket(&home.pidfile).metadata().unwrap();
    assert_eq!((control.uid(), control.mode() & 0o777), (uid, 0o600));
    ended(&run(&["reload"]), 0, &["generation 2"]);
    ended(&run(&["upgrade"]), 0, &["serves"]);
    until("the new one has the pidfile", || {
        home.holder().is_some_and(|pid| pid != first)
    });
    assert_eq!(ids_of(home.holder().unwrap()), expected);
    ended(&run(&["status"]), 0, &["serving", "127.77.0.1:77"]);
    ended(&run(&["stop"]), 0, &["stopped"]);
    assert!(!home.pidfile.exists(), "its own folder: it can clean up");
}
