//! Pidfiles under adversity: two starts at the same moment, a file that somebody removes or holds,
//! and a disk that takes nothing. What is in a pidfile, and what becomes of it otherwise, is in
//! `pidfile`.

use std::fs;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::daemon_start::ended;
use crate::daemon_support::{Daemon, is_alive, said};
use crate::servers::wait_until as until;

const QUICK: &str = "[demo]\ndelay = 0s\n";

#[test]
fn of_several_that_start_at_once_exactly_one_serves() {
    for _ in 0..5 {
        let daemon = Daemon::prepare(QUICK);
        let start = || {
            let mut command = daemon.command(&["start"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let starts: Vec<_> = (0..4).map(|_| start()).collect();
        let outputs = starts
            .into_iter()
            .map(|start| start.wait_with_output().unwrap());
        let (served, refused): (Vec<_>, Vec<_>) =
            outputs.partition(|output| output.status.success());
        assert_eq!(served.len(), 1);
        for output in refused {
            ended(&output, 1, &["already running"]);
        }
        let pid = daemon.pid();
        ended(&served[0], 0, &[&format!("process {pid}")]);
        assert_eq!(daemon.processes(), [pid]);
        assert_eq!(daemon.get("/healthz").0, 200);
    }
}

#[test]
fn a_pidfile_that_somebody_else_holds_is_somebody_else_s() {
    let daemon = Daemon::prepare(QUICK);
    let file = fs::File::create(daemon.path("unslow.pid")).unwrap();
    file.lock().unwrap();
    ended(&daemon.run(&["start"]), 1, &["already running (it starts)"]);
    fs::write(daemon.path("unslow.pid"), "4711\n").unwrap();
    ended(&daemon.run(&["start"]), 1, &["already running (pid 4711)"]);
    assert_eq!(daemon.processes(), [0; 0]);
    drop(file);
    ended(&daemon.run(&["start"]), 0, &[]);
    assert_ne!(daemon.pid(), 4711);
}

#[test]
fn a_daemon_whose_pidfile_was_removed_is_in_nobody_s_way_and_nobody_in_its() {
    let daemon = Daemon::start(QUICK);
    let pid = daemon.pid();
    fs::remove_file(daemon.path("unslow.pid")).unwrap();
    // Its address is still its own, and so is its control socket.
    ended(&daemon.run(&["start"]), 1, &["in use"]);
    let elsewhere = ["start", "--bind", "127.0.0.1:0"];
    ended(&daemon.run(&elsewhere), 6, &["unslow.pid.ctl", "in use"]);
    assert_eq!(daemon.leavings(), ["unslow.pid.ctl"]);
    assert_eq!(daemon.get("/healthz").0, 200);
    ended(&daemon.run(&["reload"]), 0, &["generation 2"]);
    let number = pid.to_string();
    ended(&daemon.run(&["status"]), 0, &["serving", &number]);
    // The next process makes a pidfile again.
    ended(&daemon.run(&["restart"]), 0, &["serves"]);
    until("the old one has ended", || !is_alive(pid));
    assert_eq!(daemon.processes(), [daemon.pid()]);
    for stop in [&["stop"][..], &["stop", "--now"]] {
        fs::remove_file(daemon.path("unslow.pid")).unwrap();
        let pid = daemon.status()["pid"].as_i64().unwrap();
        ended(&daemon.run(stop), 0, &["stopped", &format!("pid {pid}")]);
        daemon.has_left_nothing();
        ended(&daemon.run(stop), 0, &["does not run"]);
        ended(&daemon.run(&["start"]), 0, &[]);
    }
}

#[test]
fn what_stands_in_the_place_of_a_removed_pidfile_is_not_removed() {
    let daemon = Daemon::start(QUICK);
    let pid = daemon.pid();
    fs::remove_file(daemon.path("unslow.pid")).unwrap();
    fs::write(daemon.path("unslow.pid"), "4711\n").unwrap();
    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    until("it has ended", || !is_alive(pid));
    assert_eq!(daemon.noted(), Some(4711));
    assert_eq!(daemon.leavings(), ["unslow.pid"]);
}

#[test]
fn on_a_full_disk_it_does_not_start_and_says_so() {
    let daemon = Daemon::prepare(QUICK);
    // No file may grow: what a full disk does, and with a signal besides.
    let args = ["start", "--bind", "unix:a.sock"];
    let output = daemon.command_after("ulimit -f 0", &args).output().unwrap();
    ended(&output, 1, &["unslow.pid", "File too large"]);
    daemon.has_left_nothing();
}

#[test]
fn a_log_that_may_not_grow_keeps_nobody_from_serving() {
    let daemon = Daemon::prepare(QUICK);
    let full = "x".repeat(4096);
    fs::write(daemon.path("error.log"), &full).unwrap();
    // In blocks of 512 or 1024 bytes: enough for a pidfile, too little for the log.
    let output = daemon
        .command_after("ulimit -f 1", &["start"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(daemon.get("/healthz").0, 200);
    ended(&daemon.run(&["reload"]), 0, &["generation 2"]);
    assert_eq!(daemon.log(), full);
}
