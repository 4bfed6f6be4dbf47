//! A daemon as a test's subject: the real binary with a pidfile in a folder of its own, talked to
//! with its own commands.

use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use unslow::daemon::pidfile;
use unslow::socket_path::with_short;

use crate::unslow::{LOST, command};

/// A folder in which a daemon may run. What runs there at the end is killed.
pub(crate) struct Home {
    dir: TempDir,
    pub(crate) pidfile: PathBuf,
}

impl Home {
    pub(crate) fn new() -> Home {
        let dir = tempfile::tempdir().unwrap();
        let pidfile = dir.path().join("unslow.pid");
        Home { dir, pidfile }
    }

    /// Makes one with a pidfile in a folder below, whose path has at least so many characters.
    pub(crate) fn deep(length: usize) -> Home {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = dir.path().to_owned();
        while folder.as_os_str().len() < length {
            folder.push("a-folder-with-a-long-name");
        }
        std::fs::create_dir_all(&folder).unwrap();
        let pidfile = folder.join("unslow.pid");
        Home { dir, pidfile }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A command on the daemon of this folder.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = command(args);
        command
            .args(["--pid", self.pidfile.to_str().unwrap()])
            .args(["--demo-delay", "0s", "--workers", "2"])
            .current_dir(self.path());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Returns the process that holds the pidfile.
    pub(crate) fn holder(&self) -> Option<u32> {
        pidfile::read_holder(&self.pidfile)
    }

    /// Starts a daemon on a free port, and gives its number.
    #[track_caller]
    pub(crate) fn start(&self) -> u32 {
        let output = self.run(&["start", "--bind", "127.0.0.1:0"]);
        ended(&output, 0, &["serves http://127.0.0.1:"]);
        self.holder().expect("it runs")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for path in [pidfile::successor_path(&self.pidfile), self.pidfile.clone()] {
            if let Some(pid) = pidfile::read_holder(&path)
                && pid != std::process::id()
            {
                let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
            }
        }
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.path().join("error.log"));
            eprintln!("--- error.log ---\n{}", log.unwrap_or_default());
        }
    }
}

/// Puts a copy of the program at this path, for everybody. Another process does it: a file that
/// this one had open for writing could be open still in one that another test starts just now, and
/// would be busy.
pub(crate) fn install(at: &Path) {
    let copied = Command::new("install")
        .args(["--mode=755", env!("CARGO_BIN_EXE_unslow")])
        .arg(at)
        .status();
    assert!(copied.unwrap().success());
}

/// It ended with this code, and said all of these words.
#[track_caller]
pub(crate) fn ended(output: &Output, code: i32, words: &[&str]) {
    let said = text(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
}

/// Everything that it said.
pub(crate) fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(err)
}

/// Returns whether `/healthz` answers 200 at this address: `HOST:PORT` or a path.
pub(crate) fn answers(address: &str) -> bool {
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    let asked = if address.starts_with('/') {
        let connect = |short: &Path| UnixStream::connect(short);
        with_short(Path::new(address), connect).and_then(|mut stream| {
            stream.set_read_timeout(Some(LOST))?;
            stream.write_all(request)?;
            std::io::Read::read_to_string(&mut stream, &mut answer)
        })
    } else {
        TcpStream::connect(address).and_then(|mut stream| {
            stream.set_read_timeout(Some(LOST))?;
            stream.write_all(request)?;
            std::io::Read::read_to_string(&mut stream, &mut answer)
        })
    };
    asked.is_ok() && answer.starts_with("HTTP/1.1 200")
}

/// Longer than anything takes that is waited for.
pub(crate) const PATIENCE: Duration = LOST;
