//! Signals to a process that serves: each does what it is for, those that come while something else
//! is done are kept, and a terminal is told from an operator.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::Signal;

use crate::daemon_support::{Client, Daemon, is_alive, said};
use crate::servers::wait_until;

const CAME: &str = "a signal came";
/// Connections that are kept hold a generation up for longer than a test waits.
const HELD: &str = "keep_alive = 10m\n[demo]\ndelay = 0s\n[log]\nlevel = debug\n";
/// A request that ends by itself after the test has.
const ENDLESS: &str =
    "graceful_timeout = 10m\n[demo]\ndelay = 10m\n[database]\nstatement_timeout = 20m\n";

/// Has two generations end for as long as the clients live: no reload comes through meanwhile.
pub(crate) fn hold_reloads_up(daemon: &Daemon) -> Vec<Client> {
    let held = || {
        let mut client = Client::new(daemon.address, "/healthz");
        assert_eq!(client.ask(false).unwrap().0, 200);
        daemon.reload();
        client
    };
    vec![held(), held()]
}

/// Sends it so many times, each time when the one before has arrived.
fn send(daemon: &Daemon, signal: Signal, times: usize) {
    for _ in 0..times {
        let before = daemon.log().matches(CAME).count();
        daemon.signal(signal);
        daemon.wait_for_log(CAME, before + 1);
    }
}

fn wait_for_workers(daemon: &Daemon, workers: u64) {
    wait_until("the workers are as many", || {
        daemon.status()["workers"] == workers
    });
}

fn generation(daemon: &Daemon) -> u64 {
    daemon.status()["generation"].as_u64().unwrap()
}

#[test]
fn reloads_in_a_burst_are_done_once_and_with_what_was_written_last() {
    let daemon = Daemon::start(HELD);
    let held = hold_reloads_up(&daemon);
    let before = generation(&daemon);
    for workers in 3..9 {
        daemon.configure(HELD);
        let ini = fs::read_to_string(daemon.path("app.ini")).unwrap();
        let ini = ini.replace("workers = 2", &format!("workers = {workers}"));
        fs::write(daemon.path("app.ini"), ini).unwrap();
        send(&daemon, Signal::SIGHUP, 1);
    }
    drop(held);
    wait_for_workers(&daemon, 8);
    // Scaling comes after every reload that is waiting.
    daemon.signal(Signal::SIGTTIN);
    wait_for_workers(&daemon, 9);
    let reloads = generation(&daemon) - before - 1;
    assert!((1..=2).contains(&reloads), "{reloads} reloads");
}

#[test]
fn scaling_adds_up_while_something_else_is_done_and_ends_at_one_worker() {
    let daemon = Daemon::start(HELD);
    let held = hold_reloads_up(&daemon);
    let before = generation(&daemon);
    send(&daemon, Signal::SIGHUP, 1);
    send(&daemon, Signal::SIGTTIN, 4);
    send(&daemon, Signal::SIGTTOU, 1);
    drop(held);
    wait_for_workers(&daemon, 5);
    assert_eq!(generation(&daemon), before + 2, "one reload, one scaling");
    send(&daemon, Signal::SIGTTOU, 7);
    wait_for_workers(&daemon, 1);
    let output = daemon.run(&["scale", "--", "-3"]);
    assert!(said(&output).contains("1 workers"), "{}", said(&output));
    daemon.signal(Signal::SIGTTIN);
    wait_for_workers(&daemon, 2);
    assert_eq!(daemon.get("/healthz").0, 200);
}

#[test]
fn logs_that_were_renamed_are_opened_again() {
    let daemon = Daemon::prepare("");
    daemon.configure("[log]\naccess = access.log\n");
    daemon.begin();
    let read = |name: &str| fs::read_to_string(daemon.path(name)).unwrap_or_default();
    daemon.get("/healthz");
    wait_until("the line is there", || {
        read("access.log").contains("/healthz")
    });
    for name in ["access", "error"] {
        let (from, to) = (format!("{name}.log"), format!("{name}.1"));
        fs::rename(daemon.path(&from), daemon.path(&to)).unwrap();
    }
    daemon.signal(Signal::SIGUSR1);
    let both = || {
        ["access.log", "error.log"]
            .iter()
            .all(|name| daemon.path(name).exists())
    };
    wait_until("new files are there", both);
    // Until the writes are over that were under way.
    wait_until("lines go to the new file", || {
        daemon.get("/readyz");
        read("access.log").contains("/readyz")
    });
    daemon.reload();
    daemon.wait_for_log("reloaded: generation 2", 1);
    assert!(!read("error.1").contains("reloaded"));
    assert_eq!(read("access.1").matches("/healthz").count(), 1);
}

#[test]
fn winch_pauses_and_hup_brings_the_workers_back() {
    let daemon = Daemon::start("");
    daemon.signal(Signal::SIGWINCH);
    wait_until("it is paused", || daemon.status()["state"] == "paused");
    daemon.wait_for_log("retired generation=1", 1);
    assert_eq!(daemon.status()["workers"], 0);
    // The sockets stay: who comes now waits.
    let address = daemon.address;
    let waiting = std::thread::spawn(move || Client::new(address, "/healthz").ask(true));
    let output = daemon.run(&["scale", "+1"]);
    assert!(
        !output.status.success() && said(&output).contains("paused"),
        "{}",
        said(&output)
    );
    daemon.signal(Signal::SIGHUP);
    assert_eq!(waiting.join().unwrap().unwrap().0, 200);
    assert_eq!(daemon.status()["state"], "serving");
    assert_eq!(daemon.status()["workers"], 2);
}

/// A request that does not end by itself, once it runs.
fn endless(daemon: &Daemon) -> JoinHandle<Result<(u16, String), String>> {
    let address = daemon.address;
    let loads = || daemon.stats()["total"]["requests"].as_u64().unwrap();
    let request = std::thread::spawn(move || Client::new(address, "/q/version.json").ask(true));
    wait_until("it is loading", || {
        daemon.stats()["total"]["loads_in_flight"] == 1
    });
    assert_eq!(loads(), 0);
    request
}

#[test]
fn int_and_quit_end_it_while_requests_run_in_old_and_new_workers() {
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        let daemon = Daemon::start(ENDLESS);
        let old = endless(&daemon);
        daemon.reload();
        let new = endless(&daemon);
        let pid = daemon.pid();
        daemon.signal(signal);
        wait_until("it has ended", || !is_alive(pid));
        assert!(old.join().unwrap().is_err() && new.join().unwrap().is_err());
        assert_eq!(daemon.noted(), None);
        assert!(daemon.log().contains("ended"));
    }
}

#[test]
fn term_waits_for_a_request_and_a_second_one_does_not() {
    let daemon = Daemon::start(ENDLESS);
    let request = endless(&daemon);
    let pid = daemon.pid();
    daemon.signal(Signal::SIGTERM);
    daemon.wait_for_log("draining", 1);
    assert!(is_alive(pid) && !request.is_finished());
    daemon.signal(Signal::SIGTERM);
    wait_until("it has ended", || !is_alive(pid));
    assert!(request.join().unwrap().is_err());
    daemon.wait_for_log("asked again", 1);
    assert_eq!(daemon.noted(), None);
}

#[test]
fn term_ends_it_while_a_reload_waits_for_a_database_or_for_room() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let daemon = Daemon::start("");
    let database = silent.local_addr().unwrap();
    daemon.configure(&format!("[postgres]\nurl = postgres://u@{database}/d\n"));
    daemon.signal(Signal::SIGHUP);
    // It has connected and waits to be spoken to.
    let connection = silent.accept().unwrap();
    let pid = daemon.pid();
    daemon.signal(Signal::SIGTERM);
    wait_until("it has ended", || !is_alive(pid));
    drop(connection);
    assert!(daemon.log().contains("asked to end"), "{}", daemon.log());

    let daemon = Daemon::start(HELD);
    let held = hold_reloads_up(&daemon);
    send(&daemon, Signal::SIGHUP, 1);
    let pid = daemon.pid();
    for _ in 0..2 {
        // The second makes it quick: connections are kept for longer than this test.
        daemon.signal(Signal::SIGTERM);
        daemon.wait_for_log("draining", 1);
    }
    wait_until("it has ended", || !is_alive(pid));
    drop(held);
}

/// The settings of a process in the foreground, with a place for commands to find it.
const FOREGROUND: &str =
    "pidfile = unslow.pid\n[demo]\ndelay = 0s\n[log]\nerror = error.log\nlevel = debug\n";

/// Runs it in the foreground by way of another program, until it serves.
fn foreground(daemon: &Daemon, by: &[&str], terminal: Option<OwnedFd>) -> Child {
    let mut command = Command::new(by[0]);
    command.args(&by[1..]).arg(&daemon.binary).arg("run");
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir(daemon.path(""));
    match terminal {
        Some(terminal) => command
            .stdin(terminal.try_clone().unwrap())
            .stdout(terminal),
        None => command.stdin(Stdio::null()).stdout(Stdio::null()),
    };
    let child = command.stderr(Stdio::null()).spawn().unwrap();
    wait_until("it serves", || {
        daemon.run(&["status"]).status.success() && daemon.noted().is_some()
    });
    wait_until("it says so", || daemon.log().contains("started"));
    child
}

/// Both ends of a terminal. Nobody else who is started meanwhile inherits ours: as long as it is
/// open somewhere, the terminal is there.
fn terminal() -> (PtyMaster, OwnedFd) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let ours = posix_openpt(flags).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let mut options = fs::File::options();
    options
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NOCTTY.bits());
    let theirs = options.open(ptsname_r(&ours).unwrap()).unwrap();
    (ours, theirs.into())
}

#[test]
fn on_a_terminal_its_own_signals_are_ignored_and_its_end_is_the_end() {
    let daemon = Daemon::prepare(FOREGROUND);
    let (ours, theirs) = terminal();
    // A session of its own, whose terminal this is.
    let mut child = foreground(&daemon, &["setsid", "--ctty"], Some(theirs));
    assert_eq!(daemon.pid().cast_unsigned(), child.id());
    for signal in [
        Signal::SIGTTIN,
        Signal::SIGTTOU,
        Signal::SIGWINCH,
        Signal::SIGTTIN,
    ] {
        send(&daemon, signal, 1);
    }
    for generation in [2, 3] {
        daemon.signal(Signal::SIGHUP);
        daemon.wait_for_log(&format!("reloaded: generation {generation}"), 1);
        let status = daemon.status();
        assert_eq!(status["state"], "serving");
        assert_eq!(
            (&status["workers"], &status["generation"]),
            (&2.into(), &generation.into())
        );
    }
    drop(ours);
    wait_until("it ends", || child.try_wait().unwrap().is_some());
    assert!(child.wait().unwrap().success());
    let log = daemon.log();
    assert!(
        log.contains("the terminal has gone") && !log.contains("scaled"),
        "{log}"
    );
    assert_eq!(daemon.noted(), None);
}

#[test]
fn under_nohup_a_hang_up_is_ignored_and_reload_is_not() {
    let daemon = Daemon::prepare(FOREGROUND);
    let mut child = foreground(&daemon, &["nohup"], None);
    for _ in 0..3 {
        daemon.signal(Signal::SIGHUP);
    }
    daemon.configure(&format!("{FOREGROUND}[cache]\nttl = 1h\n"));
    assert!(daemon.reload().contains("generation 2"));
    // A reload that was waiting would come before this.
    daemon.signal(Signal::SIGTTIN);
    wait_for_workers(&daemon, 3);
    assert_eq!(generation(&daemon), 3);
    daemon.signal(Signal::SIGTERM);
    wait_until("it ends", || child.try_wait().unwrap().is_some());
    assert!(child.wait().unwrap().success());
}
