//! Pidfiles of real daemons: who may start beside what, what is left behind, and that a number
//! alone means nothing.

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use unslow::daemon::pidfile::{self, PidfileState};

use crate::daemon_home::{Home, ended};
use crate::servers::wait_until as until;

#[test]
fn a_second_start_is_refused_with_the_number_of_the_first() {
    let home = Home::new();
    let pid = home.start();
    let output = home.run(&["start", "--bind", "127.0.0.1:0"]);
    let number = format!("pid {pid}");
    ended(&output, 1, &["already running", &number, "--pid"]);
    let output = home.run(&["run", "--bind", "127.0.0.1:0"]);
    ended(&output, 1, &["already running", &number]);
    assert_eq!(home.holder(), Some(pid));
    ended(&home.run(&["stop"]), 0, &["stopped"]);
    assert_eq!(
        pidfile::read_state(&home.pidfile).unwrap(),
        PidfileState::Absent
    );
    assert!(!pidfile::control_socket(&home.pidfile).exists());
}

#[test]
fn what_a_dead_one_left_behind_is_taken_over() {
    let home = Home::new();
    let first = home.start();
    kill(Pid::from_raw(first.cast_signed()), Signal::SIGKILL).unwrap();
    until("the lock is free", || {
        pidfile::read_state(&home.pidfile).unwrap() == PidfileState::Stale
    });
    ended(&home.run(&["status"]), 1, &["dead"]);
    assert!(pidfile::control_socket(&home.pidfile).exists());
    let second = home.start();
    assert_ne!(first, second);
    ended(&home.run(&["status"]), 0, &["serving"]);
}

#[test]
fn a_number_that_somebody_else_has_is_nobody_s_claim() {
    for content in ["1\n", "", &format!("{}\n", std::process::id())] {
        let home = Home::new();
        std::fs::write(&home.pidfile, content).unwrap();
        let pid = home.start();
        let written = std::fs::read_to_string(&home.pidfile).unwrap();
        assert_eq!(written, format!("{pid}\n"));
        let mode = home.pidfile.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "whatever the umask");
    }
}

#[test]
fn what_is_no_pidfile_is_refused_and_left_as_it_is() {
    let home = Home::new();
    let start = || home.run(&["start", "--bind", "127.0.0.1:0"]);
    let words = ["--pid", "[server] pidfile"];
    std::fs::write(&home.pidfile, "[cache]\n").unwrap();
    ended(&start(), 6, &words);
    assert_eq!(std::fs::read_to_string(&home.pidfile).unwrap(), "[cache]\n");
    std::fs::remove_file(&home.pidfile).unwrap();
    let other = home.path().join("other");
    std::fs::write(&other, "1").unwrap();
    std::os::unix::fs::symlink(&other, &home.pidfile).unwrap();
    ended(&start(), 6, &["symbolic link"]);
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "1");
    std::fs::remove_file(&home.pidfile).unwrap();
    std::fs::create_dir(&home.pidfile).unwrap();
    ended(&start(), 6, &words);
    let nowhere = home.path().join("nowhere/unslow.pid");
    let output = home
        .command(&["start", "--bind", "127.0.0.1:0"])
        .args(["--umask", "027"])
        .env("UNSLOW_SERVER_PIDFILE", &nowhere)
        .output()
        .unwrap();
    ended(&output, 6, &words);
}

#[test]
fn a_start_that_fails_leaves_no_pidfile_behind() {
    let home = Home::new();
    let output = home.run(&["start", "--bind", "unix:/nowhere/u.sock"]);
    ended(&output, 1, &["cannot listen", "/nowhere/u.sock"]);
    assert_eq!(
        pidfile::read_state(&home.pidfile).unwrap(),
        PidfileState::Absent
    );
    ended(&home.run(&["status"]), 3, &[]);
}

#[test]
fn upgrades_hand_the_pidfile_on() {
    let home = Home::new();
    let mut before = home.start();
    for _ in 0..3 {
        ended(&home.run(&["upgrade"]), 0, &["serves"]);
        until("the new one has the pidfile", || {
            home.holder().is_some_and(|pid| pid != before)
        });
        before = home.holder().unwrap();
        until("the names of the old one are taken", || {
            pidfile::read_state(&pidfile::successor_path(&home.pidfile)).unwrap()
                == PidfileState::Absent
                && home.run(&["status"]).status.success()
        });
    }
    ended(&home.run(&["stop"]), 0, &["stopped"]);
    let mut left = std::fs::read_dir(home.path()).unwrap();
    let is_pidfile = |name: &str| name.starts_with("unslow.pid");
    assert!(!left.any(|entry| is_pidfile(entry.unwrap().file_name().to_str().unwrap())));
}

#[test]
fn a_restart_starts_what_does_not_run_and_replaces_what_does() {
    let home = Home::new();
    let restart = || home.run(&["restart", "--bind", "127.0.0.1:0"]);
    ended(&restart(), 0, &["serves http://"]);
    let first = home.holder().unwrap();
    ended(&restart(), 0, &["serves"]);
    until("another one has the pidfile", || {
        home.holder().is_some_and(|pid| pid != first)
    });
    let second = home.holder();
    let output = home.run(&["restart", "--home", "nothing"]);
    ended(&output, 6, &["nothing"]);
    assert_eq!(home.holder(), second, "it goes on");
}

#[test]
fn without_a_pidfile_of_its_own_a_daemon_is_found_at_the_default_place() {
    let home = Home::new();
    let runtime = home.path().join("run");
    std::fs::create_dir(&runtime).unwrap();
    let run = |args: &[&str], variable: &str| {
        crate::unslow::command(args)
            .args(["--demo-delay", "0s"])
            .current_dir(home.path())
            .env(variable, &runtime)
            .output()
            .unwrap()
    };
    for (variable, path) in [
        ("RUNTIME_DIRECTORY", runtime.join("unslow.pid")),
        ("XDG_RUNTIME_DIR", runtime.join("unslow/unslow.pid")),
    ] {
        let output = run(&["start", "--bind", "127.0.0.1:0"], variable);
        ended(&output, 0, &[path.to_str().unwrap()]);
        ended(&run(&["status"], variable), 0, &["serving"]);
        let pid = pidfile::read_holder(&path).unwrap().to_string();
        ended(&run(&["stop"], variable), 0, &["stopped", &pid]);
    }
}
