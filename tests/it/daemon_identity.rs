//! A daemon that gives up root's rights: what it has taken before, what it can do afterwards, and
//! what is said at the start about that which it cannot.

use std::fs::{self, Permissions};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Output;

use nix::sys::signal::Signal;
use nix::unistd::{Group, User};

use crate::daemon_home::answers;
use crate::daemon_start::ended;
use crate::daemon_support::{Daemon, is_alive};
use crate::daemon_upgrade::followed;
use crate::servers::certificates::Certificates;
use crate::servers::wait_until as until;

const QUICK: &str = "keep_alive = 100ms\n[demo]\ndelay = 0s\n";
const AS_NOBODY: &str = "user = nobody\ngroup = nogroup\n";

fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("not tested: becoming another user takes root");
    }
    root
}

/// The numbers of `nobody` and `nogroup`.
fn nobody() -> (u32, u32) {
    let user = User::from_name("nobody").unwrap().unwrap();
    let group = Group::from_name("nogroup").unwrap().unwrap();
    (user.uid.as_raw(), group.gid.as_raw())
}

/// A folder that is nobody's, with these settings.
fn prepare(ini: &str) -> Daemon {
    let daemon = Daemon::prepare(ini);
    let (user, group) = nobody();
    chown(daemon.path(""), Some(user), Some(group)).unwrap();
    fs::set_permissions(daemon.path("app.ini"), Permissions::from_mode(0o644)).unwrap();
    daemon
}

/// Runs a command as nobody.
fn run_as_nobody(daemon: &Daemon, args: &[&str]) -> Output {
    let (user, group) = nobody();
    daemon.command(args).uid(user).gid(group).output().unwrap()
}

/// An address that only root may listen on; `None` where everybody may.
fn privileged() -> Option<SocketAddr> {
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let first = first.map_or(1024, |text| text.trim().parse().unwrap());
    let mut ports = (600..first).rev();
    let free = ports.find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    if free.is_none() {
        eprintln!("not tested: every port is for everybody here");
    }
    Some(free?.local_addr().unwrap())
}

/// The numbers in the line of this name, for each thread.
fn threads(pid: i32, name: &str) -> Vec<Vec<u32>> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads
        .filter_map(|thread| {
            // It may have ended since.
            let status = fs::read_to_string(thread.unwrap().path().join("status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let numbers = line
                .split_whitespace()
                .map(|number| number.parse().unwrap());
            Some(numbers.collect())
        })
        .collect()
}

#[track_caller]
fn runs_as(pid: i32, (user, group): (u32, u32)) {
    let users = threads(pid, "Uid:");
    assert!(
        users.len() > 3 && users.iter().all(|ids| *ids == [user; 4]),
        "{users:?}"
    );
    let groups = threads(pid, "Gid:");
    assert!(groups.iter().all(|ids| *ids == [group; 4]), "{groups:?}");
    let further = threads(pid, "Groups:");
    assert!(further.iter().all(|ids| *ids == [group]), "{further:?}");
}

fn owner(path: &Path) -> (u32, u32) {
    let meta = fs::metadata(path).unwrap();
    (meta.uid(), meta.gid())
}

#[test]
fn everything_is_taken_as_root_and_used_as_somebody_else() {
    let Some(low) = is_root().then(privileged).flatten() else {
        return;
    };
    let daemon = prepare(&format!(
        "{AS_NOBODY}socket_mode = 0620\nsocket_group = 7\n{QUICK}"
    ));
    let low = low.to_string();
    let start = ["start", "--bind", &low, "--bind", "unix:a.sock"];
    ended(&daemon.run(&start), 0, &[&format!("http://{low}")]);
    let first = daemon.pid();
    runs_as(first, nobody());
    let socket = daemon.path("a.sock");
    assert_eq!(owner(&socket).1, 7);
    assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o620);
    assert_eq!(owner(&daemon.path("unslow.pid.ctl")), nobody());
    assert_eq!(owner(&daemon.path("error.log")), nobody());
    // Nothing to be sorry for later: everything that it needs again is there for it.
    assert!(!daemon.log().contains("WARN"), "{}", daemon.log());
    // The user that it is now may go on with what it could not take any more.
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log("reloaded: generation 2", 1);
    daemon.signal(Signal::SIGUSR2);
    let second = followed(&daemon, first);
    runs_as(second, nobody());
    assert!(answers(&low) && answers(socket.to_str().unwrap()));
    assert_eq!(owner(&daemon.path("unslow.pid.ctl")), nobody());
    // Itself and root may give it orders.
    ended(&run_as_nobody(&daemon, &["reload"]), 0, &["generation 2"]);
    ended(&daemon.run(&["reload"]), 0, &["generation 3"]);
    ended(&run_as_nobody(&daemon, &["stop"]), 0, &["stopped"]);
    daemon.has_left_nothing();
}

#[test]
fn numbers_are_users_too() {
    if !is_root() {
        return;
    }
    // Those of somebody without a name.
    let who = 3_900_000_002;
    let daemon = Daemon::prepare(&format!("user = {who}\ngroup = {who}\n{QUICK}"));
    chown(daemon.path(""), Some(who), Some(who)).unwrap();
    ended(&daemon.run(&["start"]), 0, &[]);
    runs_as(daemon.pid(), (who, who));
    ended(&daemon.run(&["stop"]), 0, &["stopped"]);
    daemon.has_left_nothing();
}

#[test]
fn a_key_for_root_alone_is_read_at_the_start_and_missed_afterwards() {
    if !is_root() {
        return;
    }
    let daemon = prepare(&format!(
        "{AS_NOBODY}[tls]\ncert = server.pem\nkey = server.key\n"
    ));
    let certificates = Certificates::make(&daemon.path(""));
    for (file, mode) in [
        (&certificates.certificate, 0o644),
        (&certificates.key, 0o600),
    ] {
        chown(file, Some(0), Some(0)).unwrap();
        fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
    }
    ended(&daemon.run(&["start"]), 0, &["https://"]);
    let pid = daemon.pid();
    runs_as(pid, nobody());
    daemon.wait_for_log("server.key is not readable", 1);
    assert!(!daemon.log().contains("server.pem"), "{}", daemon.log());
    for command in ["reload", "upgrade"] {
        ended(&daemon.run(&[command]), 1, &["server.key", "denied"]);
    }
    assert_eq!(daemon.status()["pid"], pid);
    fs::set_permissions(&certificates.key, Permissions::from_mode(0o644)).unwrap();
    ended(&daemon.run(&["reload"]), 0, &[]);
    ended(&daemon.run(&["upgrade"]), 0, &[]);
}

#[test]
fn a_log_that_the_other_user_may_not_write_is_noticed_at_the_start() {
    if !is_root() {
        return;
    }
    let daemon = prepare(&format!(
        "{AS_NOBODY}{QUICK}[log]\nerror = logs/error.log\n"
    ));
    fs::create_dir(daemon.path("logs")).unwrap();
    fs::set_permissions(daemon.path("logs"), Permissions::from_mode(0o755)).unwrap();
    let words = ["logs/error.log", "[log] error", "denied"];
    ended(&daemon.run(&["start", "--bind", "unix:a.sock"]), 6, &words);
    daemon.has_left_nothing();
}

#[test]
fn without_the_pidfile_s_folder_an_upgrade_is_known_to_be_impossible() {
    if !is_root() {
        return;
    }
    let place = "pidfile = run/unslow.pid\n";
    let daemon = prepare(&format!(
        "{AS_NOBODY}{place}{QUICK}[log]\nerror = error.log\n"
    ));
    fs::create_dir(daemon.path("run")).unwrap();
    fs::set_permissions(daemon.path("run"), Permissions::from_mode(0o755)).unwrap();
    for _ in 0..2 {
        ended(&daemon.run(&["start"]), 0, &[]);
        let status = daemon.status();
        let pid = status["pid"].as_i64().unwrap().try_into().unwrap();
        daemon.wait_for_log("an upgrade will not be possible", 1);
        ended(&daemon.run(&["upgrade"]), 1, &["unslow.pid.2", "denied"]);
        assert_eq!(daemon.status()["pid"], status["pid"]);
        ended(&daemon.run(&["reload"]), 0, &[]);
        ended(&daemon.run(&["stop"]), 0, &["stopped"]);
        until("it has ended", || !is_alive(pid));
        // It could not remove its pidfile either, which keeps nobody from starting again.
        ended(&daemon.run(&["status"]), 1, &["dead"]);
    }
}

#[test]
fn without_the_right_ports_and_users_are_refused_with_their_settings() {
    let Some(low) = is_root().then(privileged).flatten() else {
        return;
    };
    let low = low.to_string();
    let daemon = prepare(QUICK);
    let output = run_as_nobody(&daemon, &["start", "--bind", &low]);
    ended(&output, 1, &[&low, "--bind / [server] bind", "below 1024"]);
    daemon.has_left_nothing();
    let output = run_as_nobody(&daemon, &["start", "--user", "root"]);
    ended(&output, 6, &["only root", "--user / [server] user"]);
    daemon.has_left_nothing();
    let output = daemon.run(&["start", "--user", "nobody-of-that-name"]);
    ended(&output, 6, &["nobody-of-that-name", "--user"]);
    daemon.has_left_nothing();
}
