//! Upgrades: what takes the place of the running program, what does not and why, and what two
//! processes at once are to each other. That no request is lost meanwhile is in `daemon_load`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

use crate::daemon_home::answers;
use crate::daemon_start::{Hanging, ended};
use crate::daemon_support::{Daemon, install, is_alive, said};
use crate::servers::wait_until as until;

const QUICK: &str = "keep_alive = 100ms\n[demo]\ndelay = 0s\n";

/// Puts the real program in place.
fn install_itself(daemon: &Daemon) {
    install(Path::new(env!("CARGO_BIN_EXE_unslow")), &daemon.binary);
}

/// Puts this text in place, as a file that may be run.
fn install_text(daemon: &Daemon, text: &str) {
    let file = daemon.path("text");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    install(&file, &daemon.binary);
}

pub(crate) fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// Another process than this one has the pidfile, and this one has ended.
pub(crate) fn followed(daemon: &Daemon, old: i32) -> i32 {
    until("another process has the pidfile", || {
        daemon.noted().is_some_and(|pid| pid != old)
    });
    until("the old process has ended", || !is_alive(old));
    daemon.pid()
}

#[test]
fn what_does_not_come_to_serve_leaves_the_old_one_serving() {
    let daemon = Daemon::start(&format!("start_timeout = 1s\n{QUICK}"));
    mkfifo(&daemon.path("fifo"), Mode::from_bits_truncate(0o600)).unwrap();
    let old = daemon.pid();
    let never = format!("#!/bin/sh\nread x < {}\n", daemon.path("fifo").display());
    let mut failures = 0;
    for (text, words) in [
        (
            Some("neither a script nor a program\n"),
            &["new process"][..],
        ),
        (
            Some("#!/nowhere/sh\n"),
            &["cannot be started", "No such file"],
        ),
        (Some("#!/bin/sh\nexit 3\n"), &["exit status: 3"]),
        (
            Some("#!/bin/sh\necho for want of a library >&2\nexit 127\n"),
            &["exit status: 127", "for want of a library"],
        ),
        (Some("#!/bin/sh\nkill -9 $$\n"), &["signal: 9"]),
        (Some(never.as_str()), &["not ready within 1s"]),
        (None, &["cannot be started", "No such file"]),
    ] {
        match text {
            Some(text) => install_text(&daemon, text),
            None => fs::remove_file(&daemon.binary).unwrap(),
        }
        let output = daemon.run_itself(&["upgrade"]);
        // The system decides if a file that is no program is given to a shell.
        let words = match words {
            ["new process"] => &[][..],
            _ => words,
        };
        ended(&output, 1, words);
        failures += 1;
        daemon.wait_for_log("no upgrade", failures);
        for word in words {
            assert!(daemon.log().contains(word), "{word:?}: {}", daemon.log());
        }
        daemon.signal(Signal::SIGUSR2);
        failures += 1;
        daemon.wait_for_log("no upgrade", failures);
        assert_eq!(daemon.pid(), old);
        assert_eq!(daemon.get("/healthz").0, 200);
        assert_eq!(daemon.processes(), [old]);
        assert_eq!(daemon.leavings(), ["unslow.pid", "unslow.pid.ctl"]);
    }
    install_itself(&daemon);
    ended(&daemon.run(&["upgrade"]), 0, &["serves"]);
    followed(&daemon, old);
    ended(&daemon.run(&["stop"]), 0, &["stopped"]);
    daemon.has_left_nothing();
}

#[test]
fn what_was_put_in_place_runs_afterwards_with_settings_found_where_they_were() {
    let daemon = Daemon::prepare(QUICK);
    // By relative paths, as somebody types them.
    fs::create_dir(daemon.path("own")).unwrap();
    fs::write(daemon.path("own/one.sql"), "select 1 as a").unwrap();
    let start = ["start", "--config", "app.ini", "--queries", "own"];
    ended(&daemon.run(&start), 0, &[]);
    let mut old = daemon.pid();
    let running = |pid: i32| fs::metadata(format!("/proc/{pid}/exe")).unwrap().ino();
    for (round, workers) in [3, 4].into_iter().enumerate() {
        fs::write(daemon.path("own/one.sql"), format!("select {round} as a")).unwrap();
        let ini = fs::read_to_string(daemon.path("app.ini")).unwrap();
        let line = ini
            .lines()
            .find(|line| line.starts_with("workers"))
            .unwrap();
        let ini = ini.replace(line, &format!("workers = {workers}"));
        fs::write(daemon.path("app.ini"), ini).unwrap();
        install_itself(&daemon);
        assert_ne!(running(old), fs::metadata(&daemon.binary).unwrap().ino());
        daemon.signal(Signal::SIGUSR2);
        old = followed(&daemon, old);
        assert_eq!(running(old), fs::metadata(&daemon.binary).unwrap().ino());
        assert_eq!(daemon.status()["workers"], workers);
        let (_, body) = daemon.get("/q/one.json");
        assert!(body.contains(&format!("{{\"a\":{round}}}")), "{body}");
        let cwd = fs::read_link(format!("/proc/{old}/cwd")).unwrap();
        assert_eq!(cwd.to_str(), Some("/"));
    }
}

#[test]
fn whoever_asks_after_an_upgrade_asks_the_new_process() {
    let daemon = Daemon::start(QUICK);
    for _ in 0..5 {
        let output = daemon.run(&["upgrade"]);
        let status = daemon.status();
        ended(&output, 0, &[&format!("process {} serves", status["pid"])]);
        assert_eq!(status["pid"], daemon.pid());
        assert_eq!(status["state"], "serving");
    }
}

#[test]
fn a_second_upgrade_waits_for_nobody_and_an_end_is_the_end_of_both() {
    let daemon = Daemon::start(QUICK);
    let old = daemon.pid();
    let fifo = daemon.path("fifo");
    mkfifo(&fifo, Mode::from_bits_truncate(0o600)).unwrap();
    let never = format!("#!/bin/sh\nread x < {}\n", fifo.display());
    install_text(&daemon, &never);
    daemon.signal(Signal::SIGUSR2);
    daemon.wait_for_log("the new process starts", 1);
    daemon.signal(Signal::SIGUSR2);
    daemon.wait_for_log("an upgrade is under way", 1);
    let output = daemon.run_itself(&["upgrade"]);
    ended(&output, 1, &["an upgrade is under way"]);
    assert_eq!(daemon.processes().len(), 2);
    send(old, Signal::SIGTERM);
    until("the old one has ended", || !is_alive(old));
    daemon.has_left_nothing();
}

#[test]
fn an_end_while_the_new_process_starts_leaves_nothing_of_either() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let hanging = Hanging::later("keep_alive = 100ms");
        let daemon = &hanging.daemon;
        ended(&daemon.run(&["start", "--bind", "unix:a.sock"]), 0, &[]);
        let old = daemon.pid();
        hanging.hang();
        daemon.signal(Signal::SIGUSR2);
        let _reader = hanging.reader();
        assert_eq!(daemon.leavings().len(), 4, "{:?}", daemon.leavings());
        send(old, signal);
        until("the old one has ended", || !is_alive(old));
        daemon.has_left_nothing();
    }
}

#[test]
fn a_new_process_whose_old_one_dies_meanwhile_is_the_daemon() {
    let hanging = Hanging::later("keep_alive = 100ms");
    let daemon = &hanging.daemon;
    ended(&daemon.run(&["start", "--bind", "unix:a.sock"]), 0, &[]);
    let old = daemon.pid();
    hanging.hang();
    daemon.signal(Signal::SIGUSR2);
    let reader = hanging.reader();
    send(old, Signal::SIGKILL);
    until("the old one is dead", || !is_alive(old));
    reader.go_on();
    let new = followed(daemon, old);
    assert_eq!(daemon.processes(), [new]);
    assert_eq!(daemon.status()["pid"], new);
    let socket = daemon.path("a.sock");
    assert!(answers(socket.to_str().unwrap()));
    ended(&daemon.run(&["stop"]), 0, &["stopped"]);
    daemon.has_left_nothing();
}

#[test]
fn an_upgrade_to_settings_that_are_not_in_order_takes_back_what_it_has_bound() {
    let daemon = Daemon::start(QUICK);
    let old = daemon.pid();
    let ini = fs::read_to_string(daemon.path("app.ini")).unwrap();
    let bind = format!("bind = {}", daemon.address);
    let more = ini.replace(
        &bind,
        &format!("{bind}, unix:{}", daemon.path("b.sock").display()),
    );
    fs::write(
        daemon.path("app.ini"),
        more.replace(QUICK, &format!("home = nosuch\n{QUICK}")),
    )
    .unwrap();
    ended(&daemon.run(&["upgrade"]), 1, &["nosuch"]);
    assert_eq!(daemon.pid(), old);
    assert_eq!(daemon.leavings(), ["unslow.pid", "unslow.pid.ctl"]);
    fs::write(daemon.path("app.ini"), more).unwrap();
    ended(&daemon.run(&["upgrade"]), 0, &["serves"]);
    followed(&daemon, old);
    assert!(answers(daemon.path("b.sock").to_str().unwrap()));
    ended(&daemon.run(&["stop"]), 0, &["stopped"]);
    daemon.has_left_nothing();
}

#[test]
fn in_the_foreground_too_it_is_another_process_that_goes_on() {
    let daemon = Daemon::prepare(QUICK);
    let mut command = daemon.command(&["run", "--pid", "unslow.pid"]);
    let log = fs::File::create(daemon.path("error.log")).unwrap();
    let mut child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
    daemon.wait_for_log("started", 1);
    let old = child.id().cast_signed();
    install_text(
        &daemon,
        "#!/bin/sh\necho for want of a library >&2\nexit 127\n",
    );
    ended(&daemon.run_itself(&["upgrade"]), 1, &["exit status: 127"]);
    // It is where all else is that this process says.
    daemon.wait_for_log("for want of a library", 1);
    install_itself(&daemon);
    let output = daemon.run(&["upgrade"]);
    ended(&output, 0, &["serves"]);
    assert!(child.wait().unwrap().success(), "{}", said(&output));
    let new = followed(&daemon, old);
    assert_eq!(daemon.processes(), [new]);
    assert_eq!(daemon.get("/healthz").0, 200);
}

#[test]
fn a_new_process_that_panics_at_its_start_says_so_to_the_old_one() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not tested: it takes root to become a user who may have no further thread");
        return;
    }
    let who = 3_900_000_003;
    let daemon = Daemon::prepare(&format!("user = {who}\ngroup = {who}\n{QUICK}"));
    std::os::unix::fs::chown(daemon.path(""), Some(who), Some(who)).unwrap();
    install(&daemon.binary, &daemon.path("itself"));
    ended(&daemon.run(&["start"]), 0, &[]);
    let pid = daemon.pid();
    // The program itself, where it gets no threads: its runtime panics.
    let itself = daemon.path("itself");
    let limit = "ulimit -u 1 2>&- || ulimit -p 1";
    let script = format!("#!/bin/sh\n{limit}\nexec {} \"$@\"\n", itself.display());
    install_text(&daemon, &script);
    ended(&daemon.run_itself(&["upgrade"]), 1, &["panicked", "thread"]);
    daemon.wait_for_log("this process goes on: panicked", 1);
    assert_eq!(daemon.processes(), [pid]);
    assert_eq!(daemon.leavings(), ["unslow.pid", "unslow.pid.ctl"]);
    assert_eq!(daemon.get("/healthz").0, 200);
    install_itself(&daemon);
    ended(&daemon.run(&["upgrade"]), 0, &["serves"]);
}
