//! A Redis server without persistence, on request with a password, with TLS, with more arguments.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use unslow::cache::SystemTag;

use super::certificates::Certificates;
use super::home;
use super::process::{Process, on_free_port, program};

/// The options of a start.
#[derive(Default)]
pub(crate) struct Options<'a> {
    pub(crate) password: Option<&'a str>,
    pub(crate) tls: bool,
    /// The arguments on the command line of `redis-server`.
    pub(crate) arguments: &'a [&'a str],
}

pub(crate) struct Redis {
    /// `None` while it is down.
    process: Option<Process>,
    folder: PathBuf,
    port: u16,
    password: Option<String>,
    certificates: Option<Certificates>,
    arguments: Vec<String>,
}

impl Redis {
    pub(crate) fn start() -> Redis {
        Self::with(&Options::default())
    }

    pub(crate) fn with(options: &Options<'_>) -> Redis {
        let folder = home::folder("redis");
        let certificates = options.tls.then(|| Certificates::make(&folder));
        let mut server = Redis {
            process: None,
            folder,
            port: 0,
            password: options.password.map(str::to_owned),
            certificates,
            arguments: options
                .arguments
                .iter()
                .map(|word| (*word).to_owned())
                .collect(),
        };
        let (port, process) = on_free_port(|port| {
            server.port = port;
            server.launch()
        });
        server.port = port;
        server.process = Some(process);
        server
    }

    fn launch(&self) -> Option<Process> {
        let port = self.port.to_string();
        let mut command = Command::new(program("redis-server", &[], "redis-server"));
        command.args([
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
        ]);
        command.arg(&self.folder);
        match &self.certificates {
            None => command.args(["--port", &port]),
            Some(files) => command
                .args([
                    "--port",
                    "0",
                    "--tls-port",
                    &port,
                    "--tls-auth-clients",
                    "no",
                ])
                .arg("--tls-cert-file")
                .arg(&files.certificate)
                .arg("--tls-key-file")
                .arg(&files.key)
                .arg("--tls-ca-cert-file")
                .arg(&files.ca),
        };
        if let Some(password) = &self.password {
            command.args(["--requirepass", password]);
        }
        command.args(&self.arguments);
        Process::start(command, &self.folder.join("output"), || self.answers())
    }

    fn answers(&self) -> bool {
        if self.certificates.is_some() {
            return TcpStream::connect(("127.0.0.1", self.port)).is_ok();
        }
        // While it loads its data it answers with an error, and with a password too.
        self.try_command("PING").is_ok_and(|line| !line.is_empty())
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The authority to trust; of a server with TLS.
    pub(crate) fn ca(&self) -> PathBuf {
        self.certificates().ca.clone()
    }

    /// The files of a server with TLS.
    pub(crate) fn certificates(&self) -> &Certificates {
        self.certificates.as_ref().expect("started with TLS")
    }

    /// Returns the URL of `[redis] url`, with the password. With TLS the host is the certificate's.
    pub(crate) fn url(&self) -> String {
        let password = self
            .password
            .as_ref()
            .map(|word| format!(":{word}@"))
            .unwrap_or_default();
        match self.certificates {
            None => format!("redis://{password}127.0.0.1:{}", self.port),
            Some(_) => format!("rediss://{password}localhost:{}", self.port),
        }
    }

    /// Sends an inline command without logging in and gives the first line of the answer.
    pub(crate) fn command(&self, line: &str) -> String {
        self.try_command(line)
            .unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Sends as [`command`](Self::command) does, and gives that many lines of the answer.
    pub(crate) fn lines(&self, line: &str, count: usize) -> Vec<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        let lines = BufReader::new(stream).lines().take(count);
        lines.map(Result::unwrap).collect()
    }

    fn try_command(&self, line: &str) -> std::io::Result<String> {
        let mut stream = self.connect()?;
        stream.write_all(format!("{line}\r\n").as_bytes())?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        Ok(answer.trim_end().to_owned())
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(stream)
    }

    /// Sends one command of any words on a connection of its own and gives the whole answer.
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let words: Vec<_> = words.iter().map(|word| word.as_bytes()).collect();
        String::from_utf8_lossy(&self.ask_bytes(&words)).into_owned()
    }

    fn ask_bytes(&self, words: &[&[u8]]) -> Vec<u8> {
        let mut stream = self.connect().unwrap();
        for command in [words, &[b"QUIT"]] {
            write!(stream, "*{}\r\n", command.len()).unwrap();
            for word in command {
                write!(stream, "${}\r\n", word.len()).unwrap();
                stream.write_all(word).unwrap();
                stream.write_all(b"\r\n").unwrap();
            }
        }
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer.truncate(answer.len().saturating_sub(b"+OK\r\n".len()));
        answer
    }

    /// The bytes stored under a name; empty when there are none.
    pub(crate) fn value(&self, name: &str) -> Vec<u8> {
        let answer = self.ask_bytes(&[b"GET", name.as_bytes()]);
        if answer.starts_with(b"$-1") {
            return Vec::new();
        }
        let start = 1 + answer.iter().position(|byte| *byte == b'\n').unwrap();
        answer[start..answer.len() - 2].to_vec()
    }

    /// Stores bytes under a name.
    pub(crate) fn put(&self, name: &str, value: &[u8], milliseconds: &str) {
        let words: [&[u8]; 5] = [
            b"SET",
            name.as_bytes(),
            value,
            b"PX",
            milliseconds.as_bytes(),
        ];
        assert_eq!(self.ask_bytes(&words), b"+OK\r\n");
    }

    /// A number from `INFO stats`.
    pub(crate) fn stat(&self, name: &str) -> u64 {
        let info = self.ask(&["INFO", "stats"]);
        let value = info
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap().parse().unwrap()
    }

    /// Connections it has taken, without the one of this question and `asked` of others.
    pub(crate) fn connections(&self, asked: u64) -> u64 {
        self.stat("total_connections_received") - asked - 1
    }

    /// Connections that have subscribed to channels.
    pub(crate) fn subscribers(&self) -> usize {
        let list = self.ask(&["CLIENT", "LIST", "TYPE", "pubsub"]);
        list.matches("laddr=").count()
    }

    /// Connections it has now, the asking one included, without those that listen to messages.
    pub(crate) fn clients(&self) -> usize {
        let normal = ["CLIENT", "LIST", "TYPE", "normal"];
        self.ask(&normal).matches("laddr=").count()
    }

    /// Returns the ids that tell those connections from later ones, without the asking one's.
    pub(crate) fn client_ids(&self) -> Vec<String> {
        let list = self.ask(&["CLIENT", "LIST", "TYPE", "normal"]);
        let ours = list.lines().filter(|line| !line.contains("cmd=client"));
        let ids = ours.filter_map(|line| line.split(' ').find(|word| word.starts_with("id=")));
        ids.map(str::to_owned).collect()
    }

    /// The name of what an instance on the embedded demo keeps, by its end.
    pub(crate) fn name_of_demo(end: &str) -> String {
        format!("unslow:v2:{}:{end}", SystemTag::for_system("sqlite"))
    }

    /// The names of the entries it holds.
    pub(crate) fn entries(&self) -> Vec<String> {
        let all = self.ask(&["KEYS", &format!("*}}:{}", "?".repeat(32))]);
        let names = all.lines().filter(|line| line.contains("}:"));
        names.map(str::to_owned).collect()
    }

    /// Freezes it.
    pub(crate) fn stop(&self) {
        self.process
            .as_ref()
            .expect("it is running")
            .signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub(crate) fn cont(&self) {
        self.process
            .as_ref()
            .expect("it is running")
            .signal(Signal::SIGCONT);
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.end(Signal::SIGKILL);
        }
    }

    /// Starts it again after [`kill`](Self::kill), empty, on the same port.
    pub(crate) fn start_again(&mut self) {
        let process = self.launch();
        self.process = Some(process.expect("it started before; see its output above"));
    }

    pub(crate) fn restart(&mut self) {
        self.kill();
        self.start_again();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
