//! The commands for a daemon that runs, is paused, drains or does not run: what they do, what they
//! say, and how they end.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::daemon_start::ended;
use crate::daemon_support::{Client, Daemon, is_alive};
use crate::servers::wait_until as until;

const QUICK: &str = "[demo]\ndelay = 0s\n";

#[test]
fn without_a_daemon_each_command_says_so_with_its_exit_code() {
    let daemon = Daemon::prepare(QUICK);
    for args in [&["reload"][..], &["upgrade"], &["reopen"], &["scale", "+1"]] {
        ended(&daemon.run(args), 7, &["does not run", "unslow.pid"]);
    }
    ended(&daemon.run(&["status"]), 3, &["stopped"]);
    ended(&daemon.run(&["stop"]), 0, &["does not run"]);
    ended(&daemon.run(&["start"]), 0, &[]);
    ended(&daemon.run(&["status"]), 0, &["serving"]);
    let pid = daemon.pid();
    daemon.signal(Signal::SIGKILL);
    until("it is dead", || !is_alive(pid));
    ended(&daemon.run(&["status"]), 1, &["dead"]);
    ended(&daemon.run(&["reload"]), 7, &["does not run"]);
    // The rest of it is in nobody's way.
    ended(&daemon.run(&["start"]), 0, &[]);
    ended(&daemon.run(&["stop", "--now"]), 0, &["stopped"]);
    daemon.has_left_nothing();
    ended(&daemon.run(&["status"]), 3, &["stopped"]);
}

#[test]
fn what_is_stopped_can_be_started_at_once_on_the_same_port() {
    let daemon = Daemon::prepare(&format!("keep_alive = 100ms\n{QUICK}"));
    for round in 0..10 {
        ended(&daemon.run(&["start"]), 0, &["serves"]);
        let pid = daemon.pid();
        // A connection that is open stays behind in the system's tables.
        let mut client = Client::new(daemon.address, "/healthz");
        assert_eq!(client.ask(false).unwrap().0, 200);
        let stop: &[&str] = match round % 2 {
            0 => &["stop"],
            _ => &["stop", "--now"],
        };
        let pid = format!("pid {pid}");
        ended(&daemon.run(stop), 0, &["stopped", &pid]);
    }
    daemon.has_left_nothing();
}

#[test]
fn restart_replaces_what_runs_starts_what_does_not_and_heeds_bad_settings() {
    let daemon = Daemon::prepare(QUICK);
    ended(&daemon.run(&["restart"]), 0, &["runs as process"]);
    let first = daemon.pid();
    daemon.configure(&format!("home = nosuch\n{QUICK}"));
    ended(&daemon.run(&["restart"]), 6, &["nosuch"]);
    daemon.configure("[cache]\nttl = ten\n");
    ended(&daemon.run(&["restart"]), 6, &["[cache] ttl"]);
    assert_eq!(daemon.pid(), first);
    assert_eq!(daemon.get("/healthz").0, 200);
    daemon.configure(&format!("umask = 077\n{QUICK}"));
    ended(&daemon.run(&["restart"]), 0, &["serves"]);
    // A command that comes now asks the new one, also about what only a restart changes.
    let second = daemon.pid();
    assert_ne!(first, second);
    assert_eq!(daemon.status()["pid"], second);
    let status = std::fs::read_to_string(format!("/proc/{second}/status")).unwrap();
    assert!(status.contains("Umask:\t0077"), "{status}");
    until("the first one has ended", || !is_alive(first));
    ended(&daemon.run(&["stop"]), 0, &["stopped"]);
    daemon.has_left_nothing();
}

#[test]
fn a_paused_daemon_keeps_its_clients_waiting_until_it_is_reloaded() {
    let daemon = Daemon::start(&format!("keep_alive = 100ms\n{QUICK}"));
    daemon.signal(Signal::SIGWINCH);
    until("it is paused", || daemon.status()["state"] == "paused");
    ended(&daemon.run(&["status"]), 0, &["paused"]);
    ended(&daemon.run(&["scale", "+1"]), 1, &["paused"]);
    daemon.wait_for_log("retired", 1);
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let mut client = Client::new(daemon.address, "/q/version.json");
            std::thread::spawn(move || client.ask(true))
        })
        .collect();
    // The system takes their connections.
    let connected = TcpStream::connect(daemon.address);
    assert!(connected.is_ok() && clients.iter().all(|client| !client.is_finished()));
    daemon.signal(Signal::SIGHUP);
    for client in clients {
        assert_eq!(client.join().unwrap().unwrap().0, 200);
    }
    assert_eq!(daemon.status()["state"], "serving");
}

#[test]
fn a_draining_daemon_says_that_it_drains_and_takes_no_orders() {
    let daemon = Daemon::start("drain_delay = 1h\n[demo]\ndelay = 0s\n");
    let pid = daemon.pid();
    daemon.signal(Signal::SIGTERM);
    until("it drains", || daemon.status()["state"] == "draining");
    assert_eq!(daemon.status()["pid"], pid);
    ended(&daemon.run(&["status"]), 0, &["draining"]);
    for args in [&["reload"][..], &["upgrade"], &["reopen"], &["scale", "+1"]] {
        ended(&daemon.run(args), 1, &["it ends"]);
    }
    assert_eq!(daemon.get("/q/version.json").0, 200);
    assert_eq!(daemon.get("/readyz").0, 503);
    ended(&daemon.run(&["stop", "--now"]), 0, &["stopped"]);
    daemon.has_left_nothing();
}

pub(crate) fn is_loading(daemon: &Daemon) -> bool {
    let (_, stats) = daemon.get("/stats.json");
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    let queries = stats["queries"].as_array().unwrap();
    queries.iter().any(|query| query["loads_in_flight"] == 1)
}

#[test]
fn stop_lets_a_running_request_end() {
    let daemon = Daemon::start("[demo]\ndelay = 2s\n");
    let mut client = Client::new(daemon.address, "/q/version.json");
    let client = std::thread::spawn(move || client.ask(false));
    until("it loads", || is_loading(&daemon));
    ended(&daemon.run(&["stop"]), 0, &["stopped"]);
    assert_eq!(client.join().unwrap().unwrap().0, 200);
    daemon.has_left_nothing();
}

#[test]
fn stop_now_does_not_wait_for_one_not_even_while_it_drains() {
    let patient = "request_timeout = 1h\n[database]\nstatement_timeout = 1h\n";
    let daemon = Daemon::start(&format!("{patient}[demo]\ndelay = 1h\n"));
    let mut client = TcpStream::connect(daemon.address).unwrap();
    client
        .write_all(b"GET /q/version.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    until("it loads", || is_loading(&daemon));
    let pid = daemon.pid();
    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    until("it drains", || daemon.status()["state"] == "draining");
    assert!(is_alive(pid));
    ended(&daemon.run(&["stop", "--now"]), 0, &["stopped"]);
    client
        .set_read_timeout(Some(Duration::from_mins(1)))
        .unwrap();
    let mut answer = Vec::new();
    // Cut off: the end of the connection, or a reset.
    let _ = std::io::Read::read_to_end(&mut client, &mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    daemon.has_left_nothing();
}
