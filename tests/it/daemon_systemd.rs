//! systemd and a process that is busy: the watchdog is fed while it waits, and sockets that were
//! passed on are served through reloads and upgrades, beside its own. What is told when and by
//! whom is in `systemd`.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use nix::sys::signal::Signal;

use crate::daemon_home::{PATIENCE, answers};
use crate::daemon_signals::hold_reloads_up;
use crate::daemon_support::{Daemon, is_alive};
use crate::servers::wait_until;
use crate::systemd::Systemd;

const INI: &str =
    "pidfile = unslow.pid\nkeep_alive = 10m\n[demo]\ndelay = 0s\n[log]\nerror = error.log\n";

/// Runs it in the foreground, told where systemd listens.
fn run(daemon: &Daemon, systemd: &Systemd, watchdog: Option<&str>) -> Child {
    let mut command = daemon.command(&["run"]);
    command.env("NOTIFY_SOCKET", &systemd.path);
    if let Some(micros) = watchdog {
        command.env("WATCHDOG_USEC", micros);
    }
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (from, text) = systemd.next();
    assert!(
        from == child.id() && text.starts_with("READY=1\n"),
        "{text} from {from}"
    );
    child
}

/// Waits for its end, which must be a good one.
fn ends(mut child: Child) {
    wait_until("it ends", || child.try_wait().unwrap().is_some());
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_watchdog_is_fed_while_a_reload_waits_and_while_the_last_requests_end() {
    let daemon = Daemon::prepare(INI);
    let systemd = Systemd::new(&daemon.path(""));
    let child = run(&daemon, &systemd, Some("200000"));
    // The queue takes few messages while nobody reads it, as systemd's does.
    let (heard, messages) = mpsc::channel();
    let path = systemd.path.clone();
    let reader = std::thread::spawn(move || while heard.send(systemd.any()).is_ok() {});
    let next = || messages.recv_timeout(PATIENCE).expect("a message comes");
    let held = hold_reloads_up(&daemon);
    daemon.signal(Signal::SIGHUP);
    let until = |begins: &str| while !next().1.starts_with(begins) {};
    for _ in 0..3 {
        until("RELOADING=1\n");
    }
    let fed = |times: usize| {
        for _ in 0..times {
            assert_eq!(next(), (child.id(), "WATCHDOG=1\n".to_owned()));
        }
    };
    // Not one of the three is told to have ended meanwhile.
    fed(5);
    drop(held);
    until("READY=1\n");
    let held = hold_reloads_up(&daemon);
    daemon.signal(Signal::SIGTERM);
    until("STOPPING=1\n");
    fed(5);
    drop(held);
    ends(child);
    // Wakes who reads, for whom nobody is there any more.
    drop(messages);
    let last = UnixDatagram::unbound().unwrap();
    last.send_to(b"the end", &path).unwrap();
    reader.join().unwrap();
}

#[test]
fn without_a_watchdog_nothing_is_fed_and_a_failed_start_is_never_ready() {
    let daemon = Daemon::prepare(INI);
    let systemd = Systemd::new(&daemon.path(""));
    let child = run(&daemon, &systemd, None);
    daemon.configure(&format!("nonsense\n{INI}"));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log("not reloaded", 1);
    daemon.signal(Signal::SIGTERM);
    for begins in [
        "RELOADING=1\nMONOTONIC_USEC=",
        "READY=1\nSTATUS=generation 1",
        "STOPPING=1\n",
    ] {
        let (from, text) = systemd.any();
        assert!(
            from == child.id() && text.starts_with(begins),
            "{text:?} is not {begins:?}"
        );
    }
    ends(child);
    let mut command = daemon.command(&["run"]);
    command.env("NOTIFY_SOCKET", &systemd.path);
    assert_eq!(command.output().unwrap().status.code(), Some(6));
    // The next that is heard is from one that serves.
    daemon.configure(INI);
    let child = run(&daemon, &systemd, None);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(systemd.any(), (child.id(), "STOPPING=1\n".to_owned()));
    ends(child);
}

/// Runs it with these two as descriptors 3 and 4, in the way of `sd_listen_fds(3)`.
fn activate(daemon: &Daemon, sockets: [OwnedFd; 2]) -> Child {
    let script = "exec 3<&0 4<&1 </dev/null >/dev/null; \
                  export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:local; exec \"$0\" run";
    let [three, four] = sockets;
    let child = Command::new("/bin/sh")
        .args(["-c", script])
        .arg(&daemon.binary)
        .current_dir(daemon.path(""))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(three)
        .stdout(four)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("it serves", || {
        daemon.run(&["status"]).status.success() && daemon.noted().is_some()
    });
    child
}

#[test]
fn sockets_that_were_passed_on_are_served_through_reloads_and_upgrades() {
    for own in [true, false] {
        let daemon = Daemon::prepare(INI);
        let own_address = daemon.address.to_string();
        if !own {
            let ini = format!("[server]\nworkers = 2\n{INI}");
            fs::write(daemon.path("app.ini"), ini).unwrap();
        }
        let (tcp, path) = (
            TcpListener::bind("127.9.8.6:0").unwrap(),
            daemon.path("passed.sock"),
        );
        let unix = UnixListener::bind(&path).unwrap();
        let file = fs::metadata(&path).unwrap().ino();
        let address = tcp.local_addr().unwrap().to_string();
        let child = activate(&daemon, [tcp.into(), unix.into()]);
        let all_are_served = || {
            assert!(answers(&address) && answers(path.to_str().unwrap()));
            assert_eq!(answers(&own_address), own);
            let listeners = daemon.status()["listeners"].clone();
            let all = 2 + usize::from(own);
            assert_eq!(listeners.as_array().unwrap().len(), all, "{listeners}");
            assert_eq!(fs::metadata(&path).unwrap().ino(), file);
        };
        all_are_served();
        daemon.reload();
        all_are_served();
        for _ in 0..2 {
            let old = daemon.pid();
            daemon.signal(Signal::SIGUSR2);
            wait_until("another process is the daemon", || {
                daemon.noted().is_some_and(|pid| pid != old)
            });
            wait_until("the old one has ended", || !is_alive(old));
            all_are_served();
            daemon.reload();
            all_are_served();
        }
        ends(child);
        let pid = daemon.pid();
        assert!(daemon.run(&["stop"]).status.success());
        wait_until("it has ended", || !is_alive(pid));
        assert_eq!(fs::metadata(&path).unwrap().ino(), file, "it is not ours");
        assert!(!answers(&own_address));
    }
}
