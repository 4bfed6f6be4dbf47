//! The real binary as a test's subject: started on a free port, asked over HTTP, ended by signal.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// The time for which a test waits for something that must come before it calls it lost.
pub(crate) const LOST: Duration = Duration::from_secs(30);

/// A running server. Killed when dropped.
pub(crate) struct Unslow {
    child: Child,
    /// `http://127.0.0.1:PORT`, or `https://…`
    pub(crate) url: String,
    folder: TempDir,
}

/// A request that has been sent.
pub(crate) struct Asked(TcpStream);

impl Asked {
    /// Waits for the answer and reads it to its end.
    pub(crate) fn answer(mut self) -> Answer {
        let mut received = Vec::new();
        // A reset after the answer is how a server ends a connection whose request it refused.
        let _ = self.0.read_to_end(&mut received);
        parse(&received)
    }
}

/// An HTTP answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a body in UTF-8")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("there is no {name} among {:?}", self.headers))
    }
}

/// A command on the binary with an environment that holds nothing of the test machine's.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unslow"));
    command
        .args(args)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null());
    // `make test-undefended` names the defence that the program is to do without.
    if let Some(name) = std::env::var_os("UNDEFENDED") {
        command.env("UNDEFENDED", name);
    }
    command
}

/// Runs a command to its end in an empty folder.
pub(crate) fn run(args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    command(args).current_dir(folder.path()).output().unwrap()
}

impl Unslow {
    /// The embedded demo, with a delay that a test can wait for.
    pub(crate) fn demo() -> Unslow {
        Unslow::start(&["--demo-delay", "100ms"])
    }

    /// Starts the server with these arguments, in an empty folder, on a free port.
    pub(crate) fn start(args: &[&str]) -> Unslow {
        Unslow::start_with(args, &[], &[])
    }

    /// Starts as [`start`](Self::start) does, with files (name, content) in the folder and an
    /// environment.
    pub(crate) fn start_with(
        args: &[&str],
        files: &[(&str, &str)],
        env: &[(&str, &str)],
    ) -> Unslow {
        Unslow::start_as(command(args), files, env)
    }

    /// Starts as [`start`](Self::start) does with at most so many descriptors, whatever it does
    /// about it.
    pub(crate) fn start_within(descriptors: u32, args: &[&str]) -> Unslow {
        let program = command(args);
        let script = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &script]).arg(program.get_program());
        shell
            .args(program.get_args())
            .env_clear()
            .stdin(Stdio::null());
        Unslow::start_as(shell, &[], &[])
    }

    /// Starts as [`start_with`](Self::start_with) does, for a program that sees the file `hosts` of
    /// its folder in the place of `/etc/hosts`.
    pub(crate) fn start_with_hosts(args: &[&str], files: &[(&str, &str)]) -> Unslow {
        let program = command(args);
        let script = "mount --bind hosts /etc/hosts && exec \"$0\" \"$@\"";
        let mut apart = Command::new("unshare");
        if !nix::unistd::geteuid().is_root() {
            apart.arg("--map-root-user");
        }
        apart
            .args(["--mount", "/bin/sh", "-c", script])
            .arg(program.get_program())
            .args(program.get_args())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null());
        Unslow::start_as(apart, files, &[])
    }

    /// Starts what `command` starts, with more arguments.
    fn start_as(mut command: Command, files: &[(&str, &str)], env: &[(&str, &str)]) -> Unslow {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let log = File::create(folder.path().join("stderr")).unwrap();
        let mut child = command
            .args(["--bind", "127.0.0.1:0", "--workers", "2"])
            .envs(env.iter().copied())
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        // Each address has a line of its own; unix sockets come too.
        let said = stdout.lines().map_while(Result::ok).find_map(|line| {
            let mut words = line.split_whitespace();
            words
                .find(|word| word.starts_with("http"))
                .map(str::to_owned)
        });
        let Some(url) = said else {
            let _ = child.wait();
            let log = std::fs::read_to_string(folder.path().join("stderr")).unwrap();
            panic!("it did not say where it serves:\n{log}");
        };
        Unslow { child, url, folder }
    }

    /// Returns its error log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.request("GET", path, headers)
    }

    /// One request on a connection of its own.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(method, path, headers).answer()
    }

    /// Sends a request on a connection of its own; its answer is read later.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Asked {
        let host = self.address();
        let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            let _ = write!(text, "Host: {host}\r\n");
        }
        for (name, value) in headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text.push_str("\r\n");
        self.send_raw(text.as_bytes())
    }

    /// Sends these bytes on a connection of its own and reads the answer to its end.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Answer {
        self.send_raw(bytes).answer()
    }

    fn send_raw(&self, bytes: &[u8]) -> Asked {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        Asked(stream)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(LOST)).unwrap();
        stream
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// The counters of one query from `/stats.json`.
    pub(crate) fn numbers(&self, query: &str) -> serde_json::Value {
        let stats = self.get("/stats.json").json();
        let queries = stats["queries"]
            .as_array()
            .expect("a list of queries")
            .clone();
        queries
            .into_iter()
            .find(|numbers| numbers["query"] == query)
            .unwrap_or_else(|| panic!("no numbers of {query} in {stats}"))
    }

    /// Returns the folder where it runs, with the files it was given.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        let asked = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(asked.elapsed() < LOST, "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Unslow {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of {} ---\n{}", self.url, self.log());
        }
    }
}

/// Reads an answer that has come to its end.
pub(crate) fn parse(received: &[u8]) -> Answer {
    let end = received
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no HTTP answer: {:?}", String::from_utf8_lossy(received)));
    let head = std::str::from_utf8(&received[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers: HashMap<_, _> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut body = received[end + 4..].to_vec();
    if headers
        .get("transfer-encoding")
        .is_some_and(|coding| coding == "chunked")
    {
        panic!("no answer of ours is chunked: {head}");
    }
    if let Some(length) = headers.get("content-length") {
        let length: usize = length.parse().unwrap();
        assert!(body.len() <= length, "more bytes than announced");
        if body.len() < length {
            assert!(
                body.is_empty(),
                "fewer bytes than announced: {} of {length}",
                body.len()
            );
        }
        body.truncate(length);
    }
    Answer {
        status,
        headers,
        body,
    }
}
