//! Reloads, upgrades and scaling under load: nobody loses a request, and nothing is left behind.
//! The same with the numbers of the promise is `make soak`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;

use crate::daemon_support::{Crowd, Daemon};
use crate::servers::{UntilDropped, wait_until};

/// Clients pause for less than a connection is kept, by more than actix's clock is inexact.
const INI: &str = "keep_alive = 5s\n[demo]\ndelay = 0s\n";
const PATH: &str = "/q/version.json";

/// The body that every answer must have.
fn body(daemon: &Daemon) -> String {
    let (status, body) = daemon.get(PATH);
    assert_eq!(status, 200, "{body}");
    body
}

fn reload(daemon: &Daemon) {
    let output = daemon.run(&["reload"]);
    assert!(
        output.status.success(),
        "{}",
        super::daemon_support::said(&output)
    );
}

/// Upgrades and waits until the new process has the pidfile.
fn upgrade(daemon: &Daemon) {
    let old = daemon.pid();
    daemon.signal(Signal::SIGUSR2);
    wait_until("another process has the pidfile", || {
        daemon.noted().is_some_and(|pid| pid != old)
    });
    wait_until("the old process has ended", || {
        !super::daemon_support::is_alive(old)
    });
}

fn scale(daemon: &Daemon) {
    for (signal, workers) in [(Signal::SIGTTIN, 3), (Signal::SIGTTOU, 2)] {
        daemon.signal(signal);
        wait_until("it is scaled", || daemon.status()["workers"] == workers);
    }
}

fn everything(reloads: u32, upgrades: u32, scalings: u32) {
    let daemon = Daemon::start(INI);
    let crowd = Crowd::begin(daemon.address, PATH, &body(&daemon), 64);
    crowd.wait_for_more(64);
    for _ in 0..reloads {
        reload(&daemon);
        crowd.wait_for_more(100);
    }
    for _ in 0..scalings {
        scale(&daemon);
        crowd.wait_for_more(100);
    }
    for _ in 0..upgrades {
        upgrade(&daemon);
        crowd.wait_for_more(100);
    }
    let answered = crowd.end();
    println!(
        "{reloads} reloads, {upgrades} upgrades, {scalings} × up and down: {answered} requests, 0 lost"
    );
}

#[test]
fn reloads_upgrades_and_scaling_lose_no_request() {
    everything(3, 2, 1);
}

#[test]
fn connections_that_come_while_workers_end_are_served() {
    let daemon = Daemon::start(INI);
    let crowd = Crowd::of_strangers(daemon.address, PATH, &body(&daemon), 32);
    for _ in 0..6 {
        reload(&daemon);
        crowd.wait_for_more(100);
    }
    daemon.wait_for_log("retired", 6);
    crowd.end();
}

#[test]
fn ordinary_reloads_upgrades_and_stops_log_no_error() {
    for _ in 0..3 {
        let daemon = Daemon::start(INI);
        let address = daemon.address;
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| connect_until(&is_over, address));
            }
            let _end = UntilDropped(&is_over);
            reload(&daemon);
            upgrade(&daemon);
            reload(&daemon);
            let stopped = daemon.run(&["stop"]);
            assert!(stopped.status.success());
        });
        let log = daemon.log();
        assert!(log.contains("INFO"), "{log}");
        assert!(!log.contains(" ERROR "), "{log}");
    }
}

/// Asks on one new connection after another. The last find nobody who listens.
fn connect_until(is_over: &AtomicBool, address: std::net::SocketAddr) {
    while !is_over.load(Ordering::Relaxed) {
        if let Ok(mut stream) = TcpStream::connect(address) {
            let request =
                format!("GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
}

#[test]
#[ignore = "takes minutes: make soak"]
fn soak_twenty_reloads_ten_upgrades_and_scaling_lose_no_request() {
    everything(20, 10, 5);
}
