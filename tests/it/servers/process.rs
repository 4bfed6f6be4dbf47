//! One server process: started as the servers' user with its output in a file, signalled, ended
//! and reaped.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{home, wait_until};

/// The number of further ports that are tried when somebody took the one that was free a moment
/// ago.
const ATTEMPTS: usize = 5;

/// The time that a server gets to end by itself.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) struct Process {
    child: Child,
    note: PathBuf,
    output: PathBuf,
}

impl Process {
    /// Starts a server and waits until it is ready. `None` if it ended instead.
    pub(crate) fn start(
        mut command: Command,
        output: &Path,
        mut ready: impl FnMut() -> bool,
    ) -> Option<Process> {
        let file = File::create(output).unwrap();
        as_user(&mut command)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .process_group(0);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut process = Process {
            note: home::note(child.id()),
            child,
            output: output.to_owned(),
        };
        let mut ended = false;
        wait_until(&format!("{command:?} is ready"), || {
            ended = process.child.try_wait().unwrap().is_some();
            ended || ready()
        });
        if ended {
            eprintln!("{command:?} ended: {}", process.output());
            return None;
        }
        Some(process)
    }

    /// Returns its output so far, for the messages of failing tests.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Ends it with `signal`, or with KILL where that is ignored, as QUIT is by what a shell starts
    /// in the background; waits until it is gone.
    pub(crate) fn end(&mut self, signal: Signal) {
        if self.child.try_wait().unwrap().is_some() {
            return;
        }
        self.signal(signal);
        let _ = kill(self.pid(), Signal::SIGCONT);
        let asked = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            if asked.elapsed() > PATIENCE {
                self.signal(Signal::SIGKILL);
                self.child.wait().unwrap();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(Signal::SIGQUIT);
        let _ = fs::remove_file(&self.note);
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.output.display(), self.output());
        }
    }
}

/// Lets a command run as the servers' user.
pub(crate) fn as_user(command: &mut Command) -> &mut Command {
    if let Some((uid, gid)) = home::user() {
        command.uid(uid.as_raw()).gid(gid.as_raw());
    }
    // The user may not be allowed to see our own.
    command.current_dir("/")
}

/// Starts a server on a free port, again on another where somebody was faster.
pub(crate) fn on_free_port<T>(mut start: impl FnMut(u16) -> Option<T>) -> (u16, T) {
    for _ in 0..ATTEMPTS {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        if let Some(started) = start(port) {
            return (port, started);
        }
    }
    panic!("the server did not start on any of {ATTEMPTS} ports; see its output above");
}

/// Returns the place of a program: in one of the folders, or on the path.
pub(crate) fn program(name: &str, folders: &[PathBuf], package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/usr/local/bin"].map(PathBuf::from);
    folders
        .iter()
        .cloned()
        .chain(std::env::split_paths(&path))
        .chain(system)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is not installed: apt-get install {package}"))
}
