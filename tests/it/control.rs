//! The commands that ask or end a daemon, as scripts use them: the real binary against a pidfile
//! and a control socket. The daemon's part is played by the test, so that it can also be one that
//! refuses, hangs, or does not end.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::sync::mpsc;
use unslow::daemon::control::{
    ControlSocket, DaemonAnswer, DaemonPhase, DaemonRequest, DaemonStatus, LastReload,
};
use unslow::daemon::pidfile::{self, Pidfile};

use crate::daemon_home::{ended, install};
use crate::servers::wait_until as until;
use crate::unslow::command;

/// A folder with the files of a daemon.
struct Place {
    dir: TempDir,
    pidfile: PathBuf,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let pidfile = dir.path().join("unslow.pid");
        Place { dir, pidfile }
    }

    /// Runs a command on the daemon of this place.
    fn run(&self, args: &[&str]) -> Output {
        let pid = ["--pid", self.pidfile.to_str().unwrap()];
        self.bare(&[args, &pid].concat())
    }

    /// Runs a command that is not told which daemon.
    fn bare(&self, args: &[&str]) -> Output {
        command(args).current_dir(self.dir.path()).output().unwrap()
    }

    /// A process that holds the pidfile until it ends: this line of a shell, in which `"$UNSLOW"`
    /// is a program of this name that sleeps.
    fn process(&self, line: &str) -> Child {
        let program = self.dir.path().join("asleep/unslow");
        std::fs::create_dir(program.parent().unwrap()).unwrap();
        let copied = Command::new("cp").arg("/bin/sleep").arg(&program).status();
        assert!(copied.unwrap().success());
        let child = Command::new("flock")
            .args(["--no-fork", "--nonblock", self.pidfile.to_str().unwrap()])
            .args(["sh", "-c", line])
            .env("UNSLOW", &program)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until("it holds the pidfile", || {
            pidfile::read_state(&self.pidfile)
                .is_ok_and(|state| state == pidfile::PidfileState::Starting)
        });
        std::fs::write(&self.pidfile, format!("{}\n", child.id())).unwrap();
        let exe = format!("/proc/{}/exe", child.id());
        until("it runs the program", || {
            std::fs::read_link(&exe).is_ok_and(|path| path == program)
        });
        child
    }

    /// Runs a command of the program under the name of this test's own file, which plays the daemon:
    /// a command believes a process that runs a program of its own name.
    fn namesake(&self, args: &[&str]) -> Output {
        let own = std::env::current_exe().unwrap();
        let program = self.dir.path().join(own.file_name().unwrap());
        if !program.exists() {
            install(&program);
        }
        Command::new(program)
            .args(args)
            .args(["--pid", self.pidfile.to_str().unwrap()])
            .env_clear()
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

fn status() -> DaemonStatus {
    DaemonStatus {
        pid: std::process::id(),
        version: "9.9.9".to_owned(),
        state: DaemonPhase::Serving,
        generation: 4,
        workers: 3,
        uptime_seconds: 61,
        listeners: vec!["http://127.0.0.1:8000".to_owned()],
        last_reload: Some(LastReload {
            ok: true,
            at: "2026-01-01T00:00:00Z".to_owned(),
            message: "generation 4 serves".to_owned(),
        }),
    }
}

/// Runs a command while this process is the daemon, which answers with `answer`. Gives what the
/// command printed and what the daemon was asked.
fn asked(place: &Place, args: &[&str], answer: &DaemonAnswer) -> (Output, Vec<DaemonRequest>) {
    let mut held = Pidfile::lock(&place.pidfile).unwrap();
    held.write(std::process::id()).unwrap();
    let control = ControlSocket::bind_at(&pidfile::control_socket(&place.pidfile)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (sender, mut receiver) = mpsc::channel(1);
    runtime.spawn(control.serve_commands(sender));
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (answer, noted) = (answer.clone(), Arc::clone(&requests));
    runtime.spawn(async move {
        while let Some((request, reply)) = receiver.recv().await {
            noted.lock().unwrap().push(request);
            let _ = reply.send(answer.clone());
        }
    });
    let output = place.namesake(args);
    let requests = requests.lock().unwrap().clone();
    drop(runtime);
    drop(held);
    (output, requests)
}

#[test]
fn each_command_asks_for_what_it_is_called_and_prints_the_answer() {
    for (args, request) in [
        (&["reload"][..], DaemonRequest::Reload),
        (&["upgrade"], DaemonRequest::Upgrade { hold: false }),
        (
            &["upgrade", "--hold"],
            DaemonRequest::Upgrade { hold: true },
        ),
        (&["reopen"], DaemonRequest::Reopen),
        (&["scale", "+2"], DaemonRequest::Scale { by: 2 }),
        (&["scale", "-1"], DaemonRequest::Scale { by: -1 }),
        (&["restart"], DaemonRequest::Upgrade { hold: false }),
    ] {
        let place = Place::new();
        let (output, requests) =
            asked(&place, args, &DaemonAnswer::new_done("generation 2 serves"));
        ended(&output, 0, &["generation 2 serves\n"]);
        assert_eq!(requests, [request], "{args:?}");
    }
}

#[test]
fn what_the_daemon_could_not_do_is_printed_and_fails() {
    let answer = DaemonAnswer::new_refused("app.ini:3: [cache] ttl: \"ten\" is no duration");
    let (output, _) = asked(&Place::new(), &["reload"], &answer);
    ended(&output, 1, &["app.ini:3", "no duration"]);
    assert!(output.stdout.is_empty());
}

#[test]
fn reload_asks_the_daemon_also_when_the_settings_are_not_in_order() {
    let place = Place::new();
    std::fs::write(place.dir.path().join("app.ini"), "[cache]\nttl=ten\n").unwrap();
    let answer = DaemonAnswer::new_refused("the old settings stay");
    let (output, requests) = asked(&place, &["reload"], &answer);
    ended(&output, 1, &["the old settings stay"]);
    assert_eq!(requests, [DaemonRequest::Reload]);
    // A restart would end what runs, so it looks at them first.
    let (output, requests) = asked(&place, &["restart"], &DaemonAnswer::new_done("x"));
    ended(&output, 6, &["[cache] ttl"]);
    assert!(requests.is_empty());
}

#[test]
fn without_a_daemon_the_exit_codes_say_so() {
    let place = Place::new();
    for args in [&["reload"][..], &["upgrade"], &["reopen"], &["scale", "+1"]] {
        ended(&place.run(args), 7, &["does not run", "unslow.pid"]);
    }
    ended(&place.run(&["stop"]), 0, &["does not run"]);
    ended(&place.run(&["status"]), 3, &["stopped", "unslow.pid"]);
    std::fs::write(&place.pidfile, "1\n").unwrap();
    ended(&place.run(&["status"]), 1, &["dead"]);
    ended(&place.run(&["reload"]), 7, &["does not run"]);
    ended(&place.run(&["stop"]), 0, &["does not run"]);
    std::fs::remove_file(&place.pidfile).unwrap();
    std::fs::create_dir(&place.pidfile).unwrap();
    ended(&place.run(&["status"]), 4, &["no regular file"]);
}

#[test]
fn status_says_how_it_is_in_lines_and_in_json() {
    let answer = DaemonAnswer::new_done("").with_status(status());
    let (output, _) = asked(&Place::new(), &["status"], &answer);
    let pid = std::process::id().to_string();
    ended(
        &output,
        0,
        &["serving", &pid, "9.9.9", "1m1s", "8000", "done at"],
    );
    let (output, requests) = asked(&Place::new(), &["status", "--json"], &answer);
    ended(&output, 0, &[]);
    assert_eq!(requests, [DaemonRequest::Status]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["state"], "serving");
    assert_eq!(document["workers"], 3);
    assert_eq!(document["last_reload"]["message"], "generation 4 serves");
}

#[test]
fn a_daemon_that_takes_no_commands_runs_all_the_same() {
    let place = Place::new();
    let mut child = place.process("exec \"$UNSLOW\" 1000");
    ended(
        &place.run(&["status"]),
        0,
        &["running", "takes no commands"],
    );
    ended(&place.run(&["reload"]), 1, &["takes no commands"]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn stop_waits_for_the_end_and_says_whose() {
    for (args, signal) in [(&["stop"][..], 15), (&["stop", "--now"], 2)] {
        let place = Place::new();
        let mut child = place.process("exec \"$UNSLOW\" 1000");
        let pid = child.id().to_string();
        let output = place.run(args);
        ended(&output, 0, &["stopped", &pid]);
        assert!(output.stderr.is_empty());
        assert_eq!(child.wait().unwrap().signal(), Some(signal));
    }
}

#[test]
fn stop_ends_by_force_what_does_not_end_and_says_so() {
    let place = Place::new();
    let mut child = place.process("trap '' TERM; exec \"$UNSLOW\" 1000");
    let short = ["--graceful-timeout", "0s", "--keep-alive", "0s"];
    let output = place.run(&[&["stop"], &short[..]].concat());
    ended(&output, 0, &["by force", "stopped"]);
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

#[test]
fn nobody_is_signalled_whose_number_only_stands_in_a_stale_file() {
    let place = Place::new();
    let mut stranger = Command::new("sleep").arg("1000").spawn().unwrap();
    std::fs::write(&place.pidfile, format!("{}\n", stranger.id())).unwrap();
    for args in [&["stop"][..], &["stop", "--now"]] {
        ended(&place.run(args), 0, &["does not run"]);
    }
    assert!(stranger.try_wait().unwrap().is_none(), "it lives");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn stop_finds_the_daemon_through_settings_that_are_not_in_order() {
    let place = Place::new();
    let ini = "[cache]\nttl=ten\n[server]\npidfile=unslow.pid\n";
    std::fs::write(place.dir.path().join("app.ini"), ini).unwrap();
    let mut child = place.process("exec \"$UNSLOW\" 1000");
    ended(&place.bare(&["status"]), 0, &["running"]);
    ended(&place.bare(&["stop"]), 0, &["stopped"]);
    child.wait().unwrap();
    // With nothing found, another file may have been meant.
    std::fs::remove_file(&place.pidfile).unwrap();
    ended(&place.bare(&["stop"]), 6, &["[cache] ttl"]);
    ended(&place.bare(&["status"]), 4, &["[cache] ttl"]);
}

#[test]
fn a_successor_on_its_way_is_ended_too() {
    let place = Place::new();
    let mut old = place.process("exec \"$UNSLOW\" 1000");
    let second = Place {
        pidfile: pidfile::successor_path(&place.pidfile),
        dir: tempfile::tempdir().unwrap(),
    };
    let mut new = second.process("exec \"$UNSLOW\" 1000");
    let pids = [old.id().to_string(), new.id().to_string()];
    ended(&place.run(&["stop"]), 0, &[&pids[0], &pids[1]]);
    old.wait().unwrap();
    new.wait().unwrap();
}

#[test]
fn who_is_neither_root_nor_its_user_may_look_and_do_nothing() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not tested: becoming another user takes root");
        return;
    }
    let place = Place::new();
    let mut child = place.process("exec \"$UNSLOW\" 1000");
    let _control = ControlSocket::bind_at(&pidfile::control_socket(&place.pidfile)).unwrap();
    let public = |path: &Path| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    };
    public(place.dir.path());
    let binary = place.dir.path().join("unslow");
    install(&binary);
    let nobody = |args: &[&str]| {
        Command::new(&binary)
            .args(args)
            .args(["--pid", place.pidfile.to_str().unwrap()])
            .env_clear()
            .current_dir(place.dir.path())
            .stdin(Stdio::null())
            .uid(65_534)
            .gid(65_534)
            .output()
            .unwrap()
    };
    ended(&nobody(&["stop"]), 4, &["another user"]);
    ended(&nobody(&["reload"]), 4, &["only root"]);
    ended(&nobody(&["status"]), 0, &["running", "only root"]);
    assert!(child.try_wait().unwrap().is_none(), "it lives");
    child.kill().unwrap();
    child.wait().unwrap();
}
