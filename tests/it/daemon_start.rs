//! The start of a daemon, as seen from the terminal: `start` returns when it serves, and says
//! where; or it says why not, and nothing is left of the attempt.

use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::process::{Child, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

use crate::daemon_support::{Daemon, is_alive, said};
use crate::servers::certificates::Certificates;
use crate::servers::wait_until as until;

const QUICK: &str = "[demo]\ndelay = 0s\n";

#[track_caller]
pub(crate) fn ended(output: &Output, code: i32, words: &[&str]) {
    let text = said(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}

/// A folder whose `app.ini` has a certificate and a key that nobody has written yet: whoever reads
/// it waits for as long as that takes.
pub(crate) struct Hanging {
    pub(crate) daemon: Daemon,
    pub(crate) certificates: Certificates,
    key: String,
}

impl Hanging {
    pub(crate) fn prepare(server: &str) -> Hanging {
        let hanging = Hanging::later(server);
        hanging.hang();
        hanging
    }

    /// Prepares as [`Hanging::prepare`] does, but the key is there as yet.
    pub(crate) fn later(server: &str) -> Hanging {
        let daemon = Daemon::prepare("");
        let certificates = Certificates::make(&daemon.path(""));
        daemon.configure(&format!(
            "{server}\n[tls]\ncert = server.pem\nkey = server.key\n{QUICK}"
        ));
        Hanging {
            key: fs::read_to_string(&certificates.key).unwrap(),
            certificates,
            daemon,
        }
    }

    /// Takes the key away.
    pub(crate) fn hang(&self) {
        fs::remove_file(&self.certificates.key).unwrap();
        mkfifo(&self.certificates.key, Mode::from_bits_truncate(0o600)).unwrap();
    }

    /// Waits until somebody reads the key, who goes on waiting until [`Reader::go_on`].
    pub(crate) fn reader(&self) -> Reader {
        let mut reader = None;
        until("somebody waits for the key", || {
            // Without blocking it can be opened only while it is read.
            let opened = fs::OpenOptions::new()
                .write(true)
                .custom_flags(nix::libc::O_NONBLOCK)
                .open(&self.certificates.key);
            reader = opened.ok();
            reader.is_some()
        });
        Reader(reader.unwrap(), self.key.clone())
    }

    /// Begins a start, and waits until its process waits for the key. Gives that process as well.
    fn begin(&self) -> (Child, i32, Reader) {
        let mut command = self.daemon.command(&["start"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let reader = self.reader();
        let parent = child.id().cast_signed();
        let processes = self.daemon.processes();
        let other = processes.into_iter().find(|pid| *pid != parent);
        (child, other.unwrap(), reader)
    }
}

/// Somebody who waits for a key.
pub(crate) struct Reader(File, String);

impl Reader {
    pub(crate) fn go_on(mut self) {
        self.0.write_all(self.1.as_bytes()).unwrap();
    }
}

fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

#[test]
fn start_returns_when_it_serves_and_says_where() {
    let daemon = Daemon::prepare(QUICK);
    let output = daemon.run(&["start"]);
    let pid = daemon.pid();
    assert_eq!(daemon.get("/healthz").0, 200);
    for word in [
        format!("process {pid}"),
        format!("http://{}", daemon.address),
        daemon.path("unslow.pid").display().to_string(),
        daemon.path("error.log").display().to_string(),
    ] {
        ended(&output, 0, &[&word]);
    }
    assert!(output.stderr.is_empty(), "{}", said(&output));
    let output = daemon.run(&["start"]);
    ended(&output, 1, &["already running", &format!("pid {pid}")]);
    assert_eq!(daemon.pid(), pid);
    assert_eq!(daemon.get("/healthz").0, 200);
}

#[test]
fn a_daemon_has_nothing_of_the_terminal_it_was_started_in() {
    let daemon = Daemon::start(QUICK);
    let pid = daemon.pid();
    let proc = |name: &str| format!("/proc/{pid}/{name}");
    until("its streams lead nowhere", || {
        (0..3).all(|number| {
            let stream = fs::read_link(proc(&format!("fd/{number}"))).unwrap();
            stream.to_str() == Some("/dev/null")
        })
    });
    assert_eq!(fs::read_link(proc("cwd")).unwrap().to_str(), Some("/"));
    let stat = fs::read_to_string(proc("stat")).unwrap();
    let after = stat.rsplit(')').next().unwrap();
    let session = after.split_whitespace().nth(3).unwrap();
    assert_eq!(session, pid.to_string(), "it leads a session of its own");
    let status = fs::read_to_string(proc("status")).unwrap();
    assert!(status.contains("Umask:\t0027"), "{status}");
    let mode = |name: &str| {
        fs::metadata(daemon.path(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode("error.log"), 0o640);
    assert_eq!(mode("unslow.pid"), 0o644);
    assert_eq!(mode("unslow.pid.ctl"), 0o600);
}

#[test]
fn a_descriptor_that_the_caller_left_open_keeps_nobody_waiting() {
    let daemon = Daemon::prepare(QUICK);
    // The caller waits until nobody holds its pipes any more, as in `ssh host unslow start`.
    let mut command = daemon.command_after("exec 9>&1 8>&2", &["start"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        err.read_to_string(&mut text).unwrap();
        text
    });
    until("both pipes are at their end", || reader.is_finished());
    let text = reader.join().unwrap();
    assert!(child.wait().unwrap().success(), "{text}");
    assert!(text.contains("serves http://"), "{text}");
    assert!(is_alive(daemon.pid()));
}

#[test]
fn whatever_keeps_it_from_serving_is_said_and_nothing_is_left() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    for (ini, args, code, words) in [
        (
            QUICK,
            &["--bind", &taken][..],
            1,
            &["in use", &taken, "--bind"][..],
        ),
        ("wrokers = 3\n", &[], 6, &["app.ini:4", "workers"]),
        (
            "[cache]\nttl = ten\n",
            &[],
            6,
            &["app.ini:5", "[cache] ttl"],
        ),
        ("home = nosuch\n", &[], 6, &["nosuch"]),
        ("[queries]\ndir = broken\n", &[], 6, &["broken/bad.sql"]),
        (
            "[tls]\ncert = server.pem\nkey = other.key\n",
            &[],
            6,
            &["other.key", "[tls]"],
        ),
        (
            "[log]\nerror = nowhere/error.log\n",
            &[],
            6,
            &["nowhere/error.log", "[log] error"],
        ),
        (
            "[log]\naccess = nowhere/access.log\n",
            &[],
            6,
            &["nowhere/access.log", "[log] access"],
        ),
        ("chdir = nowhere\n", &[], 6, &["nowhere", "[server] chdir"]),
        (
            "pidfile = nowhere/at/all.pid\n",
            &[],
            6,
            &["nowhere", "[server] pidfile"],
        ),
    ] {
        let daemon = Daemon::prepare(ini);
        Certificates::make(&daemon.path(""));
        fs::create_dir(daemon.path("other")).unwrap();
        let other = Certificates::make(&daemon.path("other"));
        fs::rename(other.key, daemon.path("other.key")).unwrap();
        fs::create_dir(daemon.path("broken")).unwrap();
        fs::write(daemon.path("broken/bad.sql"), "drop table everything").unwrap();
        // A socket is bound before some of these are noticed.
        let address = daemon.address.to_string();
        let mut all = vec!["start", "--bind", "unix:a.sock", "--bind", &address];
        all.extend(args);
        let output = daemon.run(&all);
        ended(&output, code, words);
        assert!(output.stdout.is_empty(), "{}", said(&output));
        let times = said(&output).matches("unslow: ").count();
        assert_eq!(times, 1, "{}", said(&output));
        daemon.has_left_nothing();
        // The same in the foreground.
        all[0] = "run";
        let output = daemon.run(&all);
        ended(&output, code, words);
        daemon.has_left_nothing();
    }
}

#[test]
fn a_process_that_never_gets_ready_is_given_up() {
    let hanging = Hanging::prepare("start_timeout = 1s");
    let output = hanging.daemon.run(&["start", "--bind", "unix:a.sock"]);
    ended(&output, 1, &["not ready within 1s", "--start-timeout"]);
    hanging.daemon.has_left_nothing();
}

#[test]
fn a_process_that_ends_without_a_word_is_noticed() {
    let hanging = Hanging::prepare("");
    let (child, pid, _reader) = hanging.begin();
    signal(pid, Signal::SIGKILL);
    let output = child.wait_with_output().unwrap();
    ended(&output, 1, &["ended before it was ready", "signal: 9"]);
    hanging.daemon.has_left_nothing();
}

#[test]
fn while_it_starts_there_is_no_second_one_and_status_says_so() {
    let hanging = Hanging::prepare("");
    let daemon = &hanging.daemon;
    let (child, _, reader) = hanging.begin();
    ended(&daemon.run(&["status"]), 0, &["starting"]);
    let output = daemon.run(&["status", "--json"]);
    ended(&output, 0, &["\"starting\""]);
    ended(&daemon.run(&["start"]), 1, &["already running (it starts)"]);
    ended(&daemon.run(&["reload"]), 1, &["it starts"]);
    reader.go_on();
    let output = child.wait_with_output().unwrap();
    ended(&output, 0, &["serves https://"]);
    assert_eq!(daemon.status()["state"], "serving");
}

#[test]
fn a_start_that_is_interrupted_serves_nobody_later() {
    let hanging = Hanging::prepare("");
    let (mut child, pid, reader) = hanging.begin();
    signal(child.id().cast_signed(), Signal::SIGINT);
    assert_eq!(child.wait().unwrap().code(), None);
    reader.go_on();
    until("it has ended", || !is_alive(pid));
    hanging.daemon.has_left_nothing();
}

#[test]
fn a_panic_at_start_is_said_on_the_terminal() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not tested: it takes root to become a user who may have no thread");
        return;
    }
    let daemon = Daemon::prepare(QUICK);
    let folder = daemon.path("");
    // The folder is for everybody, as `/tmp` is: root believes no folder in which others could swap
    // files.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o1777)).unwrap();
    // Root may have any number of processes; who it becomes may have this one alone. Without threads
    // the runtime panics.
    let args = ["start", "--user", "3900000001", "--group", "3900000001"];
    let output = daemon
        .command_after("ulimit -u 1 2>&- || ulimit -p 1", &args)
        .output()
        .unwrap();
    ended(&output, 101, &["panicked", "thread"]);
    daemon.has_left_nothing();
}
