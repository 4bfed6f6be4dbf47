//! A pidfile that another user has put there, or has written in: whatever number stands in it, only a
//! process of this program that holds it is signalled, and root says why it does not believe the
//! rest. What a pidfile is otherwise is in `pidfile`.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use unslow::daemon::control::ControlSocket;
use unslow::daemon::pidfile::{self, PidfileState};

use crate::daemon_home::{Home, ended, text};
use crate::servers::wait_until as until;

/// A process that has nothing to do with anything. Ended when dropped.
struct Innocent(Child);

impl Innocent {
    fn new() -> Innocent {
        Innocent(Command::new("sleep").arg("1000").spawn().unwrap())
    }

    /// One that holds the lock of this file.
    fn holding(path: &Path) -> Innocent {
        let child = Command::new("flock")
            .args(["--no-fork", path.to_str().unwrap(), "sleep", "1000"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let held = Innocent(child);
        until("it is held", || {
            !matches!(
                pidfile::read_state(path),
                Ok(PidfileState::Absent | PidfileState::Stale)
            )
        });
        held
    }

    fn id(&self) -> u32 {
        self.0.id()
    }

    #[track_caller]
    fn lives(&mut self) {
        assert!(self.0.try_wait().unwrap().is_none(), "it was ended");
    }
}

impl Drop for Innocent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const NOT_OURS: &str = "not this program";

#[test]
fn an_innocent_process_is_not_signalled_though_its_number_stands_in_a_locked_pidfile() {
    let home = Home::new();
    let mut victim = Innocent::new();
    std::fs::write(&home.pidfile, format!("{}\n", victim.id())).unwrap();
    let mut helper = Innocent::holding(&home.pidfile);
    for args in [&["stop"][..], &["stop", "--now"]] {
        let output = home.run(args);
        victim.lives();
        ended(&output, 1, &["is not believed", NOT_OURS]);
    }
    for args in [&["reload"][..], &["restart"], &["upgrade"], &["reopen"]] {
        ended(&home.run(args), 1, &[NOT_OURS]);
    }
    ended(&home.run(&["status"]), 4, &[NOT_OURS]);
    victim.lives();
    helper.lives();
}

#[test]
fn numbers_that_no_daemon_has_are_refused_in_words() {
    let home = Home::new();
    std::fs::write(&home.pidfile, "").unwrap();
    let mut helper = Innocent::holding(&home.pidfile);
    let own = helper.id().to_string();
    for number in ["0", "4294967295", "-1", "1", "99999999999", "", "x", &own] {
        std::fs::write(&home.pidfile, number).unwrap();
        for args in [&["stop"][..], &["stop", "--now"]] {
            ended(&home.run(args), 1, &["is not believed", NOT_OURS]);
        }
        ended(&home.run(&["status"]), 4, &[NOT_OURS]);
        helper.lives();
    }
}

#[test]
fn a_daemon_is_found_by_its_lock_whatever_number_was_written_over_its_own() {
    let home = Home::new();
    let pid = home.start();
    let mut victim = Innocent::new();
    for number in [victim.id().to_string(), "0".to_owned(), "-1".to_owned()] {
        std::fs::write(&home.pidfile, format!("{number}\n")).unwrap();
        ended(&home.run(&["status"]), 0, &["serving", &pid.to_string()]);
    }
    std::fs::write(&home.pidfile, format!("{}\n", victim.id())).unwrap();
    let output = home.run(&["stop"]);
    ended(&output, 0, &["stopped", &pid.to_string()]);
    victim.lives();
}

#[test]
fn a_link_in_the_place_of_a_pidfile_is_not_followed() {
    let home = Home::new();
    let other = home.path().join("other.pid");
    let mut victim = Innocent::holding(&other);
    std::fs::write(&other, format!("{}\n", victim.id())).unwrap();
    symlink(&other, &home.pidfile).unwrap();
    for args in [&["stop"][..], &["stop", "--now"], &["reload"]] {
        ended(&home.run(args), 1, &["symbolic link"]);
    }
    ended(&home.run(&["status"]), 4, &["symbolic link"]);
    victim.lives();
}

#[test]
fn what_another_program_says_at_the_control_socket_is_neither_asked_nor_believed() {
    let home = Home::new();
    let mut victim = Innocent::new();
    // This process is not the program, and would answer for it.
    let socket = pidfile::control_socket(&home.pidfile);
    let _fake = ControlSocket::bind_at(&socket).unwrap();
    ended(&home.run(&["reload"]), 1, &["is not believed", NOT_OURS]);
    ended(&home.run(&["stop"]), 0, &["does not run"]);
    ended(&home.run(&["status"]), 3, &["stopped"]);
    std::fs::write(&home.pidfile, format!("{}\n", victim.id())).unwrap();
    let _helper = Innocent::holding(&home.pidfile);
    ended(&home.run(&["stop"]), 1, &[NOT_OURS]);
    victim.lives();
}

#[test]
fn root_does_not_use_a_folder_that_another_user_may_write() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not tested: folders of other users take root");
        return;
    }
    let home = Home::new();
    let remedy = [
        "root does not use the pidfile",
        "may write",
        "[server] user",
    ];
    let refuses = |arguments: &[&str]| {
        for args in [
            &["stop"][..],
            &["reload"],
            &["start", "--bind", "127.0.0.1:0"],
        ] {
            ended(&home.run(&[args, arguments].concat()), 6, &remedy);
        }
        ended(&home.run(&[&["status"], arguments].concat()), 4, &remedy);
    };
    chown(home.path(), Some(54_321), None).unwrap();
    refuses(&["--user", "54323", "--group", "54323"]);
    // Settings that name no user: commands are about processes of the folder's owner, as a unit has
    // it, and root itself does not begin to serve there.
    let start = ["start", "--bind", "127.0.0.1:0"];
    ended(&home.run(&start), 6, &remedy);
    ended(&home.run(&["status"]), 3, &["stopped"]);
    let output = home.run(&["status", "--user", "54321", "--group", "54321"]);
    ended(&output, 3, &["stopped"]);
    chown(home.path(), Some(0), None).unwrap();
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o777)).unwrap();
    refuses(&[]);
    assert!(!text(&home.run(&["stop"])).contains("stopped"));
}
