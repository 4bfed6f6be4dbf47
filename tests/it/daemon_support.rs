//! The program as a daemon, as an operator has it: started with `unslow start` in a folder with an
//! `app.ini`, spoken to by commands and signals, ended with the test. Its clients are in
//! `daemon_clients`.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

pub(crate) use crate::daemon_clients::{Client, Crowd};
use crate::servers::wait_until;

/// A folder with an `app.ini`, and the daemon in it, if one was started. Ended when dropped.
pub(crate) struct Daemon {
    folder: TempDir,
    pub(crate) address: SocketAddr,
    /// The binary, as the operator has installed it: tests put others in its place.
    pub(crate) binary: PathBuf,
}

impl Daemon {
    /// A folder with these settings besides the address.
    pub(crate) fn prepare(ini: &str) -> Daemon {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let binary = folder.path().join("unslow");
        install(Path::new(env!("CARGO_BIN_EXE_unslow")), &binary);
        let daemon = Daemon {
            folder,
            address,
            binary,
        };
        daemon.configure(ini);
        daemon
    }

    /// [`Daemon::prepare`], started.
    pub(crate) fn start(ini: &str) -> Daemon {
        let daemon = Daemon::prepare(ini);
        daemon.begin();
        daemon
    }

    /// Starts it.
    #[track_caller]
    pub(crate) fn begin(&self) {
        let output = self.run(&["start"]);
        assert!(output.status.success(), "{}", said(&output));
    }

    /// Writes other settings; `[server]` comes first, so lines before a section belong to it.
    pub(crate) fn configure(&self, ini: &str) {
        let text = format!("[server]\nbind = {}\nworkers = 2\n{ini}", self.address);
        fs::write(self.path("app.ini"), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary with these arguments, in the folder, with an environment of its own.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_of(&self.binary, args)
    }

    /// Another program with these arguments, as [`Daemon::command`].
    pub(crate) fn command_of(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        // `make test-undefended` names the defence that the program is to do without.
        if let Some(name) = std::env::var_os("UNDEFENDED") {
            command.env("UNDEFENDED", name);
        }
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// The number in the pidfile; `None` while there is none.
    pub(crate) fn noted(&self) -> Option<i32> {
        let text = fs::read_to_string(self.path("unslow.pid")).ok()?;
        text.trim().parse().ok()
    }

    pub(crate) fn pid(&self) -> i32 {
        self.noted().expect("a pidfile")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("error.log")).unwrap_or_default()
    }

    /// Waits until the log has `text` so many times.
    pub(crate) fn wait_for_log(&self, text: &str, times: usize) {
        let found = || self.log().matches(text).count() >= times;
        wait_until(&format!("{times} × {text:?} in the log"), found);
    }

    /// Reloads, which must succeed, and returns what was printed.
    #[track_caller]
    pub(crate) fn reload(&self) -> String {
        let output = self.run(&["reload"]);
        assert!(output.status.success(), "{}\n{}", said(&output), self.log());
        String::from_utf8(output.stdout).unwrap()
    }

    /// The text of `/stats.json`, read.
    pub(crate) fn stats(&self) -> serde_json::Value {
        let (status, body) = self.get("/stats.json");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Returns the answer of `status --json`.
    pub(crate) fn status(&self) -> serde_json::Value {
        let output = self.run(&["status", "--json"]);
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The answer to one request of its own: status and body.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut client = Client::new(self.address, path);
        client.ask(true).unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // More than one during an upgrade. They are nobody's children here: their end is that there
        // are no such processes.
        wait_until("the daemon is gone", || {
            let left = self.processes();
            for pid in &left {
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            left.is_empty()
        });
        if std::thread::panicking() {
            eprintln!("--- error.log ---\n{}", self.log());
        }
    }
}

/// Returns whether there is such a process that has not ended.
pub(crate) fn is_alive(pid: i32) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat"));
    state.is_ok_and(|stat| {
        let after = stat.rsplit(')').next().unwrap_or_default();
        !after.trim_start().starts_with(['Z', 'X'])
    })
}

/// Puts a program at a path in one step, as an installation does.
pub(crate) fn install(program: &Path, at: &Path) {
    let beside = at.with_extension("new");
    // By another process: while this one writes to a file, whatever it starts for another test holds
    // that file open too, and a file that is open for writing cannot be run.
    let copied = Command::new("cp").arg(program).arg(&beside).status();
    assert!(copied.unwrap().success());
    fs::rename(beside, at).unwrap();
}

/// Everything a command has said.
pub(crate) fn said(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// One that nobody listens on. Clients come from other loopback addresses, so that none of them
/// takes the port.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.9.8.6:0").unwrap();
    listener.local_addr().unwrap()
}
