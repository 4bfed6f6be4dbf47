//! The program as a daemon, as an operator has it: started with `unslow start` in a folder with an
//! `app.ini`, spoken to by commands and signals, ended with the test. And clients that notice every
//! request that is lost.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::servers::wait_until;
use crate::unslow::LOST;

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

    /// What `reload` prints; it must succeed.
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

    /// What `status --json` says.
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

/// Whether there is such a process that has not ended.
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

/// One client, with a connection that it keeps as long as the server does.
pub(crate) struct Client {
    address: SocketAddr,
    path: String,
    open: Option<BufReader<TcpStream>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, path: &str) -> Client {
        let path = path.to_owned();
        Client {
            address,
            path,
            open: None,
        }
    }

    /// Asks once, on the open connection if there is one, without a second try: a request that is
    /// lost is an error. A connection that the server has announced to close is not used again.
    pub(crate) fn ask(&mut self, close: bool) -> Result<(u16, String), String> {
        self.try_ask(close).map_err(|error| {
            let kept = if self.open.take().is_some() {
                "kept"
            } else {
                "new"
            };
            format!("{kept} connection: {error}")
        })
    }

    fn try_ask(&mut self, close: bool) -> std::io::Result<(u16, String)> {
        if self.open.is_none() {
            let stream = TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(LOST))?;
            self.open = Some(BufReader::new(stream));
        }
        let stream = self.open.as_mut().expect("opened above");
        let connection = if close { "close" } else { "keep-alive" };
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n\r\n",
            self.path
        );
        stream.get_mut().write_all(request.as_bytes())?;
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if line == "\r\n" {
                break;
            }
            lines.push(line.trim_end().to_ascii_lowercase());
        }
        let header = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name));
        let length = header("content-length: ").and_then(|text| text.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body)?;
        let status = lines[0]
            .split(' ')
            .nth(1)
            .and_then(|text| text.parse().ok());
        if close || header("connection: ") == Some("close") {
            self.open = None;
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok((status.unwrap_or(0), body))
    }
}

/// Clients that ask without end until they are stopped.
pub(crate) struct Crowd {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Crowd {
    /// So many clients that ask for `path` and expect `body`: half of them with a connection for
    /// each request, half keep it and pause between requests for up to 1.5 s.
    pub(crate) fn begin(address: SocketAddr, path: &str, body: &str, clients: u64) -> Crowd {
        Crowd::of(
            address,
            path,
            body,
            (0..clients).map(|number| number % 2 == 0),
        )
    }

    /// As [`Crowd::begin`], each with a connection for each request, and without pauses.
    pub(crate) fn of_strangers(address: SocketAddr, path: &str, body: &str, clients: u64) -> Crowd {
        Crowd::of(address, path, body, (0..clients).map(|_| true))
    }

    fn of(
        address: SocketAddr,
        path: &str,
        body: &str,
        clients: impl Iterator<Item = bool>,
    ) -> Crowd {
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let client = |(number, close): (usize, bool)| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            let (mut client, body) = (Client::new(address, path), body.to_owned());
            std::thread::spawn(move || {
                let mut lost = Vec::new();
                let mut pause = number as u64;
                while !stop.load(Ordering::Relaxed) {
                    match client.ask(close) {
                        Ok((200, text)) if text == body => {
                            answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(other) => lost.push(format!("{other:?}")),
                        Err(error) => lost.push(error),
                    }
                    // Up to 1.5 s for those that keep their connection, different each time.
                    pause = (pause * 37 + 11) % 1500;
                    if !close {
                        std::thread::sleep(Duration::from_millis(pause));
                    }
                }
                lost
            })
        };
        let clients = clients.enumerate().map(client).collect();
        Crowd {
            stop,
            answered,
            clients,
        }
    }

    /// Requests that were answered as they should be.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Waits until so many more have been answered.
    pub(crate) fn wait_for_more(&self, more: u64) {
        let goal = self.answered() + more;
        wait_until("the crowd is answered", || self.answered() >= goal);
    }

    /// Stops them; how many were answered. Fails when a request was lost.
    #[track_caller]
    pub(crate) fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let lost = self
            .clients
            .into_iter()
            .map(|client| client.join().unwrap());
        let lost: Vec<_> = lost.flatten().collect();
        let answered = self.answered.load(Ordering::Relaxed);
        let first = &lost[..lost.len().min(5)];
        assert!(
            lost.is_empty(),
            "{} lost, {answered} answered: {first:#?}",
            lost.len()
        );
        answered
    }
}
