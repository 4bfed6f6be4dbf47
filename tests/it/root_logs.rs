//! The files of the logs of a server that runs as root: another user cannot lead it to a file of
//! root by a link, neither at the start nor when a log is opened again; what root may always log to
//! stays so.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::daemon_home::{ended, text};
use crate::daemon_support::{Daemon, said};
use crate::servers::wait_until as until;
use crate::unslow::{Unslow, command};

const STRANGER: u32 = 54_321;

fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("not tested: files of other users take root");
    }
    root
}

/// A folder of this owner, group and mode, below one of root.
struct Shelf {
    _above: TempDir,
    path: PathBuf,
}

fn shelf(user: u32, group: u32, mode: u32) -> Shelf {
    let above = tempfile::tempdir().unwrap();
    let path = above.path().join("logs");
    fs::create_dir(&path).unwrap();
    chown(&path, Some(user), Some(group)).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    Shelf {
        _above: above,
        path,
    }
}

/// A file of root that nobody else may write.
fn secret() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "root's\n").unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    (folder, path)
}

/// Starts a server with this log, which it refuses in words.
#[track_caller]
fn refuses(flag: &str, key: &str, log: &Path, why: &str) {
    let log = log.to_str().unwrap();
    let args = ["--bind", "127.0.0.1:0", "--demo-delay", "0s", flag, log];
    let refused = command(&args);
    // One that serves is ended after a while, which is another exit code.
    let output = Command::new("timeout")
        .args(["--kill-after=1", "30"])
        .arg(refused.get_program())
        .args(refused.get_args())
        .envs(
            refused
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir("/")
        .output()
        .unwrap();
    let words = [
        "root does not open the log",
        log,
        why,
        flag,
        key,
        "[server] user",
    ];
    ended(&output, 6, &words);
}

const LOGS: [(&str, &str); 2] = [
    ("--error-log", "[log] error"),
    ("--access-log", "[log] access"),
];

#[test]
fn root_follows_no_link_that_another_user_has_put_in_the_place_of_a_log() {
    if !is_root() {
        return;
    }
    let (_folder, secret) = secret();
    // Each folder by owner, group and mode: a stranger's own; one that a group may write; one where
    // everybody makes files.
    for (user, group, mode) in [
        (STRANGER, STRANGER, 0o755),
        (0, STRANGER, 0o775),
        (0, 0, 0o1777),
    ] {
        for (flag, key) in LOGS {
            let shelf = shelf(user, group, mode);
            let log = shelf.path.join("unslow.log");
            symlink(&secret, &log).unwrap();
            std::os::unix::fs::lchown(&log, Some(STRANGER), Some(STRANGER)).unwrap();
            refuses(flag, key, &log, "54321");
            // A link of root's own is no better where the folder is not root's alone.
            std::os::unix::fs::lchown(&log, Some(0), Some(0)).unwrap();
            refuses(flag, key, &log, "may write");
        }
    }
    assert_eq!(fs::read_to_string(&secret).unwrap(), "root's\n");
}

#[test]
fn root_goes_through_no_folder_that_another_user_has_put_on_the_way_to_a_log() {
    if !is_root() {
        return;
    }
    let (folder, secret) = secret();
    let (flag, key) = LOGS[0];
    // A link to root's folder, in one that a group may write.
    let group = shelf(0, STRANGER, 0o775);
    let link = group.path.join("app");
    symlink(folder.path(), &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(STRANGER), Some(STRANGER)).unwrap();
    refuses(
        flag,
        key,
        &link.join("secret"),
        "a link that user 54321 has set",
    );
    // A folder of a stranger in the middle, and one that everybody may write.
    for (user, mode, why) in [(STRANGER, 0o755, "user 54321"), (0, 0o777, "everybody")] {
        let middle = shelf(user, 0, mode);
        let inner = middle.path.join("inner");
        fs::create_dir(&inner).unwrap();
        refuses(flag, key, &inner.join("error.log"), why);
        assert!(!inner.join("error.log").exists(), "nothing was made");
        refuses(flag, key, &middle.path.join("error.log"), why);
    }
    assert_eq!(fs::read_to_string(&secret).unwrap(), "root's\n");
}

#[test]
fn root_does_not_open_a_file_that_another_user_can_have_put_in_the_place_of_a_log() {
    if !is_root() {
        return;
    }
    let (flag, key) = LOGS[1];
    for (group, mode) in [(STRANGER, 0o775), (0, 0o1777)] {
        let shelf = shelf(0, group, mode);
        let log = shelf.path.join("access.log");
        fs::write(&log, "").unwrap();
        chown(&log, Some(STRANGER), None).unwrap();
        refuses(flag, key, &log, "a file that user 54321 owns");
        // A second name: the first may stand anywhere.
        fs::remove_file(&log).unwrap();
        fs::write(shelf.path.join("first"), "").unwrap();
        fs::hard_link(shelf.path.join("first"), &log).unwrap();
        refuses(flag, key, &log, "a second name");
        // A pipe would be waited for without end.
        fs::remove_file(&log).unwrap();
        let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
        nix::unistd::mkfifo(&log, mode).unwrap();
        chown(&log, Some(STRANGER), None).unwrap();
        refuses(flag, key, &log, "a file that user 54321 owns");
    }
}

#[test]
fn root_logs_where_no_other_user_can_do_harm() {
    if !is_root() {
        return;
    }
    // Debian's /var/log has a group that may write; others have the sticky bit, or are root's.
    for (group, mode) in [
        (0, 0o755),
        (0, 0o775),
        (STRANGER, 0o775),
        (STRANGER, 0o1775),
        (0, 0o1777),
    ] {
        let shelf = shelf(0, group, mode);
        let access = shelf.path.join("below/../access.log");
        fs::create_dir(shelf.path.join("below")).unwrap();
        let error = shelf.path.join("below/error.log");
        // At the second start both files are there.
        for _ in 0..2 {
            let unslow = Unslow::start(&[
                "--demo-delay",
                "0s",
                "--access-log",
                access.to_str().unwrap(),
                "--error-log",
                error.to_str().unwrap(),
            ]);
            assert_eq!(unslow.get("/q/version.json").status, 200);
            unslow.signal(Signal::SIGTERM);
            assert!(unslow.wait().success());
        }
        let length = |path: &Path| fs::metadata(path).unwrap().size();
        assert!(
            length(&access) > 0 && length(&error) > 0,
            "{group} {mode:o}"
        );
    }
    // A link that root has set in a folder of its own, and a file of another user there.
    let (own, real) = (shelf(0, 0, 0o755), shelf(0, 0, 0o755));
    let file = real.path.join("error.log");
    fs::write(&file, "").unwrap();
    chown(&file, Some(STRANGER), None).unwrap();
    symlink("../logs/real", own.path.join("error.log")).unwrap();
    symlink(&file, own.path.join("real")).unwrap();
    let unslow = Unslow::start(&["--error-log", own.path.join("error.log").to_str().unwrap()]);
    let log = || fs::read_to_string(&file).unwrap();
    until("it has said something", || log().contains("started"));
    drop(unslow);
}

#[test]
fn streams_are_logged_to_by_any_of_their_names() {
    for name in ["/dev/stderr", "/proc/self/fd/2", "/dev/fd/2", "-"] {
        let args = [
            "--bind",
            "127.0.0.1:0",
            "--error-log",
            name,
            "--log-level",
            "debug",
        ];
        let mut child = command(&args);
        let folder = tempfile::tempdir().unwrap();
        child.current_dir(folder.path());
        let stderr = tempfile::tempfile().unwrap();
        child.stderr(stderr.try_clone().unwrap());
        let mut child = child.spawn().unwrap();
        let read = || {
            use std::os::unix::fs::FileExt as _;
            let mut bytes = vec![0; 65_536];
            let length = stderr.read_at(&mut bytes, 0).unwrap();
            String::from_utf8_lossy(&bytes[..length]).into_owned()
        };
        until(name, || read().contains(": started "));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn a_log_that_is_opened_again_stays_where_it_is_when_a_link_stands_in_its_place() {
    if !is_root() {
        return;
    }
    let (_folder, secret) = secret();
    let logs = shelf(0, STRANGER, 0o775);
    let (access, error) = (logs.path.join("access.log"), logs.path.join("error.log"));
    let settings = format!(
        "[log]\naccess = {}\nerror = {}\nlevel = info\n[demo]\ndelay = 0s\n",
        access.display(),
        error.display()
    );
    let daemon = Daemon::start(&settings);
    let plant = |log: &Path, aside: &str| {
        fs::rename(log, logs.path.join(aside)).unwrap();
        symlink(&secret, log).unwrap();
        std::os::unix::fs::lchown(log, Some(STRANGER), Some(STRANGER)).unwrap();
    };
    plant(&access, "access.1");
    plant(&error, "error.1");
    let old = |aside: &str| fs::read_to_string(logs.path.join(aside)).unwrap();
    let output = daemon.run(&["reopen"]);
    assert!(!output.status.success(), "{}", said(&output));
    for word in ["root does not open the log", "[log] error", "[log] access"] {
        assert!(text(&output).contains(word), "{word}: {}", text(&output));
    }
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(daemon.pid()), Signal::SIGUSR1).unwrap();
    until("the signal's refusal is in the log", || {
        old("error.1").matches("root does not open the log").count() >= 2
    });
    // Neither a reload nor a new version follows it.
    for step in ["reload", "upgrade"] {
        let output = daemon.run(&[step]);
        assert!(!output.status.success(), "{}", said(&output));
        assert!(
            said(&output).contains("root does not open the log"),
            "{}",
            said(&output)
        );
    }
    assert_eq!(daemon.get("/q/version.json").0, 200);
    until("the request is in the old file", || {
        old("access.1").contains("/q/version.json")
    });
    assert_eq!(fs::read_to_string(&secret).unwrap(), "root's\n");
}
