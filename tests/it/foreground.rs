//! A server in the foreground, and the commands in its folder: they speak of it as of a daemon, and
//! it leaves nothing behind.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, ExitStatus};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::daemon_home::answers;
use crate::daemon_start::ended;
use crate::daemon_support::Daemon;
use crate::servers::wait_until as until;

const QUICK: &str = "keep_alive = 100ms\n[demo]\ndelay = 0s\n";

/// A process in the foreground. Killed when dropped.
struct Foreground(Child);

impl Foreground {
    /// Starts one in the daemon's folder, with its log in a file of this name, and waits until it
    /// serves at this address.
    fn start(daemon: &Daemon, log: &str, address: &str, user: Option<u32>) -> Foreground {
        let mut command = daemon.command(&["run", "--bind", address]);
        command.stderr(File::create(daemon.path(log)).unwrap());
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let process = Foreground(command.spawn().unwrap());
        until("it serves", || answers(address));
        process
    }

    fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    fn end(mut self, signal: Signal) -> ExitStatus {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
        self.0.wait().unwrap()
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn commands_in_its_folder_speak_of_it() {
    let daemon = Daemon::prepare(QUICK);
    let address = daemon.address.to_string();
    let mut process = Foreground::start(&daemon, "stderr", &address, None);
    let pid = process.pid().to_string();
    ended(&daemon.run(&["status"]), 0, &["serving", &pid, &address]);
    ended(&daemon.run(&["reload"]), 0, &["generation 2"]);
    ended(&daemon.run(&["scale", "+1"]), 0, &[]);
    let second = ["start", "--bind", "127.0.0.1:0"];
    ended(&daemon.run(&second), 1, &["already running", &pid]);
    ended(&daemon.run(&["stop"]), 0, &["stopped", &pid]);
    assert!(process.0.wait().unwrap().success());
    daemon.has_left_nothing();
    ended(&daemon.run(&["status"]), 3, &["stopped"]);
}

#[test]
fn it_leaves_nothing_behind_whichever_way_it_is_asked_to_end() {
    let daemon = Daemon::prepare(QUICK);
    let address = daemon.address.to_string();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT] {
        let process = Foreground::start(&daemon, "stderr", &address, None);
        until("it is found", || daemon.run(&["status"]).status.success());
        assert!(process.end(signal).success(), "{signal}");
        daemon.has_left_nothing();
    }
    // The remains of a killed one keep the next from nothing.
    let process = Foreground::start(&daemon, "stderr", &address, None);
    until("it is found", || daemon.run(&["status"]).status.success());
    process.end(Signal::SIGKILL);
    ended(&daemon.run(&["status"]), 1, &["dead"]);
    let process = Foreground::start(&daemon, "stderr", &address, None);
    until("it is found", || daemon.run(&["status"]).status.success());
    process.end(Signal::SIGTERM);
    daemon.has_left_nothing();
}

#[test]
fn of_two_in_one_folder_the_second_says_that_commands_speak_of_the_first() {
    let daemon = Daemon::prepare(QUICK);
    let address = daemon.address.to_string();
    let first = Foreground::start(&daemon, "first", &address, None);
    let pid = first.pid().to_string();
    until("it is found", || daemon.run(&["status"]).status.success());
    let other = crate::daemon_support::free_address().to_string();
    let second = Foreground::start(&daemon, "second", &other, None);
    let log = || std::fs::read_to_string(daemon.path("second")).unwrap();
    until("it is said", || {
        log().contains(&format!("they speak of pid {pid}"))
    });
    ended(&daemon.run(&["status"]), 0, &[&pid, &address]);
    assert!(second.end(Signal::SIGTERM).success());
    ended(&daemon.run(&["status"]), 0, &[&pid, &address]);
    assert!(first.end(Signal::SIGTERM).success());
    daemon.has_left_nothing();
}

#[test]
fn a_folder_that_cannot_be_written_keeps_it_from_nothing() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not tested: becoming another user takes root");
        return;
    }
    let daemon = Daemon::prepare(QUICK);
    for name in ["", "app.ini"] {
        let mode = PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(daemon.path(name), mode).unwrap();
    }
    let address = daemon.address.to_string();
    let process = Foreground::start(&daemon, "stderr", &address, Some(65_534));
    until("it is said", || {
        let log = std::fs::read_to_string(daemon.path("stderr")).unwrap();
        log.contains("do not find this process")
    });
    assert_eq!(daemon.leavings(), Vec::<String>::new());
    assert!(process.end(Signal::SIGINT).success());
}

#[test]
fn an_upgrade_takes_its_place_along() {
    let daemon = Daemon::prepare(QUICK);
    let address = daemon.address.to_string();
    let mut process = Foreground::start(&daemon, "stderr", &address, None);
    until("it is found", || daemon.run(&["status"]).status.success());
    ended(&daemon.run(&["upgrade"]), 0, &["serves"]);
    assert!(process.0.wait().unwrap().success());
    let pid = daemon.status()["pid"].as_i64().unwrap();
    assert_ne!(pid, i64::from(process.pid()));
    ended(&daemon.run(&["stop"]), 0, &["stopped", &pid.to_string()]);
    daemon.has_left_nothing();
}
