//! The files of `unslow deploy systemd`, by the program itself: its units are the ones that
//! `systemd-unit` makes, and their commands, run as they are written by a stand-in for systemd that
//! holds the listener, lose no request. its units are the ones that `systemd-unit` makes, and their
//! commands, run as they are written by a stand-in for systemd that holds the listener, lose no
//! request. How systemd judges and runs them is `make check-deploy`'s.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::daemon_clients::{Client, Crowd};
use crate::daemon_home::{Home, ended, install, text};
use crate::daemon_support::{Daemon, is_alive};
use crate::servers::wait_until;
use crate::systemd::{Ended, Systemd};
use crate::unslow::command;

const PROGRAM: &str = "/usr/local/bin/unslow";
const CONFIG: &str = "/etc/unslow/app.ini";

fn assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/deploy/systemd")
}

fn asset(name: &str) -> String {
    fs::read_to_string(assets().join(name)).unwrap()
}

#[test]
fn the_deployed_units_are_those_that_the_program_makes_of_the_deployed_settings() {
    const RENEW: &str = "RENEW_UNITS";
    let settings = assets().join("app.ini");
    let settings = settings.to_str().unwrap();
    let output = command(&["systemd-unit", "--config", settings, "--user", "unslow"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let printed = String::from_utf8(output.stdout)
        .unwrap()
        .replace(env!("CARGO_BIN_EXE_unslow"), PROGRAM)
        .replace(settings, CONFIG);
    let (service, socket) = printed
        .split_once("\n# /etc/systemd/system/unslow.socket\n")
        .expect("two files with an empty line between them");
    let socket = format!("# /etc/systemd/system/unslow.socket\n{socket}");
    for (name, made) in [("unslow.service", service), ("unslow.socket", &socket)] {
        let path = assets().join(name);
        if std::env::var_os(RENEW).is_some() {
            fs::write(&path, made).unwrap();
        }
        assert!(
            fs::read_to_string(&path).is_ok_and(|text| text == made),
            "{} is not what `unslow systemd-unit` makes of app.ini beside it:\n{made}\nto renew it: \
             {RENEW}=1 cargo test --test it the_deployed_units",
            path.display()
        );
    }
}

/// A folder with the program and the settings as they are deployed, and systemd's part of them.
struct Machine {
    home: Home,
    systemd: Systemd,
    listener: TcpListener,
    service: String,
}

impl Machine {
    fn new() -> Machine {
        let mut home = Home::new();
        let run = home.path().join("unslow");
        fs::create_dir(&run).unwrap();
        home.pidfile = run.join("unslow.pid");
        fs::create_dir(home.path().join("bin")).unwrap();
        install(&home.path().join("bin/unslow"));
        let ini = asset("app.ini").replace("/run/", &format!("{}/", home.path().display()));
        fs::write(home.path().join("app.ini"), ini).unwrap();
        Machine {
            systemd: Systemd::new(home.path()),
            listener: TcpListener::bind("127.9.8.6:0").unwrap(),
            service: asset("unslow.service"),
            home,
        }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Returns the command of the service under this name, with this folder's paths.
    fn exec(&self, name: &str) -> Vec<String> {
        let here = |below: &str| self.home.path().join(below).display().to_string();
        let mut lines = self.service.lines();
        let line = lines.find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("no {name}"))
            .replace(PROGRAM, &here("bin/unslow"))
            .replace(CONFIG, &here("app.ini"))
            .replace("%t", &here(""))
            .split(' ')
            .map(str::to_owned)
            .collect()
    }

    /// Runs one of the service's commands to its end.
    fn control(&self, name: &str) -> Output {
        let words = self.exec(name);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().stdin(Stdio::null());
        command.output().unwrap()
    }

    /// Starts the service, with the listener as descriptor 3, and waits for its word.
    fn start(&self) -> Ended {
        let script = "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" \"$@\"";
        let child: Child = Command::new("/bin/sh")
            .args(["-c", script])
            .args(self.exec("ExecStart"))
            .env_clear()
            .env("NOTIFY_SOCKET", &self.systemd.path)
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(
                self.listener.try_clone().unwrap(),
            )))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (from, text) = self.systemd.next();
        assert!(
            from == child.id() && text.starts_with("READY=1\n"),
            "{text} from {from}"
        );
        Ended(child)
    }
}

#[test]
fn the_written_commands_reload_upgrade_and_restart_it_without_losing_a_request() {
    let machine = Machine::new();
    let mut first = machine.start();
    let (status, body) = Client::new(machine.address(), "/healthz")
        .ask(true)
        .unwrap();
    assert_eq!(status, 200);
    let crowd = Crowd::begin(machine.address(), "/healthz", &body, 6);
    let more = || crowd.wait_for_more(50);
    more();
    ended(&machine.control("ExecReload"), 0, &["generation 2"]);
    more();
    // The one that is stopped is not the one that was started, in whose place it is.
    ended(&machine.home.run(&["upgrade"]), 0, &["serves"]);
    wait_until("the first has ended", || {
        first.0.try_wait().unwrap().is_some()
    });
    more();
    ended(&machine.control("ExecStop"), 0, &["stopped"]);
    assert_eq!(machine.home.holder(), None);
    // The log holds words of all that; the next word is of the next process.
    while !machine.systemd.next().1.starts_with("STOPPING=1") {}
    let mut second = machine.start();
    more();
    ended(&machine.control("ExecStop"), 0, &["stopped"]);
    assert!(second.0.wait().unwrap().success());
    while !machine.systemd.next().1.starts_with("STOPPING=1") {}
    let _third = machine.start();
    more();
    crowd.end();
}

#[test]
fn stop_returns_when_the_process_has_ended() {
    let daemon = Daemon::start("pidfile = unslow.pid\n[log]\nerror = error.log\n");
    let pid = daemon.pid();
    assert!(daemon.run(&["stop"]).status.success());
    assert!(!is_alive(pid), "systemd would kill it now");
}
