//! Two processes of one daemon side by side, after `upgrade --hold`: both serve, and whichever ends,
//! the other is the daemon and nothing of the first is left.

use std::fs;

use nix::sys::signal::Signal;

use crate::daemon_commands::is_loading;
use crate::daemon_home::answers;
use crate::daemon_start::ended;
use crate::daemon_support::{Client, Daemon, is_alive};
use crate::daemon_upgrade::{followed, send};
use crate::servers::wait_until as until;

const QUICK: &str = "keep_alive = 100ms\n[demo]\ndelay = 0s\n";

/// Stops it, so that it cannot answer, and waits until all of it stands still.
fn freeze(pid: i32) {
    send(pid, Signal::SIGSTOP);
    until("it stands still", || {
        let mut threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        threads.all(|thread| {
            let stat = fs::read_to_string(thread.unwrap().path().join("stat")).unwrap();
            stat.rsplit(')').next().unwrap().starts_with(" T")
        })
    });
}

/// A held upgrade: both processes.
fn hold(daemon: &Daemon) -> (i32, i32) {
    let old = daemon.pid();
    let output = daemon.run(&["upgrade", "--hold"]);
    ended(&output, 0, &["serves beside", &old.to_string()]);
    let text = fs::read_to_string(daemon.path("unslow.pid.2")).unwrap();
    let new = text.trim().parse().unwrap();
    assert_eq!(daemon.pid(), old);
    let mut both = [old, new];
    both.sort_unstable();
    assert_eq!(daemon.processes(), both);
    (old, new)
}

#[test]
fn while_one_is_held_both_serve_and_whoever_stays_is_the_daemon() {
    let daemon = Daemon::prepare(QUICK);
    let (address, socket) = (daemon.address.to_string(), daemon.path("a.sock"));
    let start = ["start", "--bind", &address, "--bind", "unix:a.sock"];
    ended(&daemon.run(&start), 0, &[]);
    let (old, new) = hold(&daemon);
    ended(&daemon.run(&["upgrade"]), 1, &["still held"]);
    for frozen in [old, new] {
        freeze(frozen);
        assert_eq!(daemon.get("/healthz").0, 200);
        assert!(answers(socket.to_str().unwrap()));
        send(frozen, Signal::SIGCONT);
    }
    // The new one goes by itself …
    send(new, Signal::SIGTERM);
    daemon.wait_for_log("this one goes on alone", 1);
    assert_eq!(daemon.processes(), [old]);
    let all = ["a.sock", "unslow.pid", "unslow.pid.ctl"];
    assert_eq!(daemon.leavings(), all);
    // … or by force …
    let (old, new) = hold(&daemon);
    send(new, Signal::SIGKILL);
    daemon.wait_for_log("this one goes on alone", 2);
    assert_eq!(daemon.leavings(), all);
    assert!(answers(socket.to_str().unwrap()));
    // … or the old one does, and then by force.
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let (old, new) = hold(&daemon);
        send(old, signal);
        assert_eq!(followed(&daemon, old), new);
        assert_eq!(daemon.status()["pid"], new);
        assert_eq!(daemon.leavings(), all);
        assert!(answers(socket.to_str().unwrap()));
    }
    assert!(!is_alive(old));
    let (old, new) = hold(&daemon);
    let pids = [format!("pid {old}"), format!("pid {new}")];
    ended(&daemon.run(&["stop"]), 0, &[&pids[0], &pids[1]]);
    daemon.has_left_nothing();
}

#[test]
fn a_new_process_that_is_left_alone_while_it_ends_leaves_nothing() {
    let daemon = Daemon::prepare("keep_alive = 100ms\n[demo]\ndelay = 3s\n");
    let address = daemon.address.to_string();
    let start = ["start", "--bind", &address, "--bind", "unix:a.sock"];
    ended(&daemon.run(&start), 0, &[]);
    let (old, new) = hold(&daemon);
    freeze(old);
    let mut client = Client::new(daemon.address, "/q/version.json");
    let client = std::thread::spawn(move || client.ask(false));
    until("the new one loads", || is_loading(&daemon));
    // It ends when it has answered; and the old one leaves everything to it before.
    send(new, Signal::SIGTERM);
    daemon.wait_for_log("draining", 1);
    send(old, Signal::SIGTERM);
    send(old, Signal::SIGCONT);
    assert_eq!(client.join().unwrap().unwrap().0, 200);
    until("both have ended", || !is_alive(old) && !is_alive(new));
    daemon.has_left_nothing();
}
