//! A PostgreSQL server: superuser `postgres` without a password, and `master` with the password
//! `secret` (SCRAM), as in the original's settings file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::certificates::Certificates;
use super::home;
use super::process::{Process, as_user, on_free_port, program};

const PACKAGE: &str = "postgresql";

pub(crate) struct Postgres {
    /// `None` while it is down.
    process: Option<Process>,
    folder: PathBuf,
    port: u16,
    certificates: Option<Certificates>,
    arguments: Vec<String>,
}

impl Postgres {
    pub(crate) fn start() -> Postgres {
        Self::with(&[], false)
    }

    /// Starts one with another system identifier than all the others, which are copies of one
    /// cluster.
    pub(crate) fn of_another_system() -> Postgres {
        static OTHER: OnceLock<PathBuf> = OnceLock::new();
        Self::from(template(&OTHER), &[], false)
    }

    /// Starts one with TLS, by a certificate for `localhost`.
    pub(crate) fn start_tls() -> Postgres {
        Self::with(&[], true)
    }

    /// Starts one with more settings of the server, `name=value`.
    pub(crate) fn with(settings: &[&str], tls: bool) -> Postgres {
        static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
        Self::from(template(&TEMPLATE), settings, tls)
    }

    fn from(template: &Path, settings: &[&str], tls: bool) -> Postgres {
        let folder = home::folder("postgres");
        let mut copy = Command::new("cp");
        run(copy.arg("-a").arg(template.join("data")).arg(&folder));
        let certificates = tls.then(|| Certificates::make(&folder));
        let mut arguments: Vec<String> = settings
            .iter()
            .map(|setting| format!("--{setting}"))
            .collect();
        if let Some(files) = &certificates {
            arguments.push("--ssl=on".to_owned());
            arguments.push(format!("--ssl_cert_file={}", files.certificate.display()));
            arguments.push(format!("--ssl_key_file={}", files.key.display()));
        }
        let mut server = Postgres {
            process: None,
            folder,
            port: 0,
            certificates,
            arguments,
        };
        let (port, process) = on_free_port(|port| {
            server.port = port;
            server.launch()
        });
        server.port = port;
        server.process = Some(process);
        server.psql("postgres", "create role master login password 'secret'");
        server
    }

    /// Starts a standby of this server on a port of its own, which follows it by replication.
    pub(crate) fn standby(&self) -> Postgres {
        let folder = home::folder("standby");
        let mut copy = Command::new(binary("pg_basebackup"));
        copy.args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-U", "postgres", "-R", "-c", "fast", "--no-sync", "-D"])
            .arg(folder.join("data"));
        run(&mut copy);
        let mut server = Postgres {
            process: None,
            folder,
            port: 0,
            certificates: None,
            arguments: Vec::new(),
        };
        let (port, process) = on_free_port(|port| {
            server.port = port;
            server.launch()
        });
        server.port = port;
        server.process = Some(process);
        server
    }

    /// Makes a standby a primary, and waits until it is one.
    pub(crate) fn promote(&self) {
        let promoted = self.psql("postgres", "select pg_promote(true, 60)");
        assert_eq!(promoted, "t");
    }

    fn launch(&self) -> Option<Process> {
        let mut command = Command::new(binary("postgres"));
        command
            .arg("-D")
            .arg(self.folder.join("data"))
            .args(["-p", &self.port.to_string()])
            .arg("-k")
            .arg(&self.folder)
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "shared_buffers=16MB",
            ])
            .args(["-c", "fsync=off", "-c", "max_connections=100"])
            .args(&self.arguments);
        let output = self.folder.join("output");
        Process::start(command, &output, || {
            self.try_psql("postgres", "postgres", "select 1").is_ok()
        })
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

    /// Makes a new, empty database and says its name. `master` may create in it.
    pub(crate) fn database(&self) -> String {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("create database {name} owner master"));
        name
    }

    /// Returns the output of `psql` for a statement, unadorned, as superuser.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> String {
        self.psql_as("postgres", database, sql)
    }

    /// Asks in a new session of this user.
    pub(crate) fn psql_as(&self, user: &str, database: &str, sql: &str) -> String {
        self.try_psql(user, database, sql)
            .unwrap_or_else(|error| panic!("{user}: {sql}: {error}"))
    }

    fn try_psql(&self, user: &str, database: &str, sql: &str) -> Result<String, String> {
        let mut command = Command::new(binary("psql"));
        command
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", user])
            .arg("-h")
            .arg(&self.folder)
            .args(["-p", &self.port.to_string(), "-d", database, "-c", sql])
            .env("PGTZ", "UTC")
            .env("PGCLIENTENCODING", "UTF8");
        let done = as_user(&mut command)
            .output()
            .map_err(|error| error.to_string())?;
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).into_owned());
        }
        Ok(String::from_utf8(done.stdout)
            .unwrap()
            .trim_end_matches('\n')
            .to_owned())
    }

    /// Returns how many other sessions are running a statement that contains `text`.
    pub(crate) fn running(&self, text: &str) -> usize {
        let sql = format!(
            "select count(*) from pg_stat_activity where state = 'active' \
             and pid <> pg_backend_pid() and query like '%{text}%'"
        );
        self.psql("postgres", &sql).parse().unwrap()
    }

    /// Ends all sessions but the one that asks.
    pub(crate) fn end_sessions(&self, database: &str) {
        let sql = format!(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity \
             where datname = '{database}' and pid <> pg_backend_pid()"
        );
        self.psql("postgres", &sql);
    }

    /// Freezes the server and all of its processes.
    pub(crate) fn stop(&self) {
        self.signal_all(Signal::SIGSTOP);
    }

    /// Lets a frozen server go on.
    pub(crate) fn cont(&self) {
        self.signal_all(Signal::SIGCONT);
    }

    /// Ends it at once, without a word to its clients.
    pub(crate) fn kill(&mut self) {
        drop(self.process.take());
    }

    /// Starts it again after [`kill`](Self::kill), on the same port.
    pub(crate) fn start_again(&mut self) {
        let process = self.launch();
        self.process = Some(process.expect("it started before; see its output above"));
    }

    pub(crate) fn restart(&mut self) {
        self.kill();
        self.start_again();
    }

    fn signal_all(&self, signal: Signal) {
        let process = self.process.as_ref().expect("it is running");
        process.signal(signal);
        for child in children(process.pid()) {
            // It may have ended in the meantime.
            let _ = kill(child, signal);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.cont();
        }
        drop(self.process.take());
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// `initdb` takes seconds, so it runs once, and each server starts from a copy.
fn template(made: &'static OnceLock<PathBuf>) -> &'static Path {
    made.get_or_init(|| {
        let folder = home::folder("initdb");
        let mut command = Command::new(binary("initdb"));
        command.arg("-D").arg(folder.join("data")).args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        run(&mut command);
        let hba = "local all all trust\n\
                   host all master 127.0.0.1/32 scram-sha-256\n\
                   host replication all 127.0.0.1/32 trust\n\
                   host all all 127.0.0.1/32 trust\n";
        home::write(&folder.join("data/pg_hba.conf"), hba);
        folder
    })
}

fn run(command: &mut Command) {
    let done = as_user(command).output().unwrap();
    assert!(
        done.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// A program of the newest installed version.
pub(crate) fn binary(name: &str) -> PathBuf {
    let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    versions.sort_by_key(|path| std::cmp::Reverse(number(path)));
    let folders: Vec<_> = versions.into_iter().map(|path| path.join("bin")).collect();
    program(name, &folders, PACKAGE)
}

/// The processes whose parent is `parent`. (Each backend is a process group of its own.)
fn children(parent: Pid) -> Vec<Pid> {
    let parent_of = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        rest.split_whitespace().nth(1)?.parse::<i32>().ok()
    };
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| parent_of(*pid) == Some(parent.as_raw()))
        .map(Pid::from_raw)
        .collect()
}
