//! Servers as processes: started on a free port of the loopback, watched through `/proc`, ended by
//! their id. It knows no server in particular.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Measured;
use crate::load;

/// The time that a server may take to start, or to end when asked.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server. Dropping it ends it.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    child: Child,
}

impl Server {
    /// Starts `command`, which is to listen on `port`, and waits until it does.
    pub(crate) fn start(name: &'static str, port: u16, command: &mut Command) -> Measured<Server> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        let mut server = Server { name, port, child };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("{name} ended at its start: {status}").into());
            }
            if begin.elapsed() > PATIENCE {
                return Err(format!("{name} does not listen on port {port}").into());
            }
            sleep(Duration::from_millis(2));
        }
        Ok(server)
    }

    /// This program, serving the embedded demo on one worker, with these settings more. Waits for
    /// its first answer.
    pub(crate) fn unslow(settings: &[&str]) -> Measured<Server> {
        let port = free_port()?;
        let folder = std::env::temp_dir();
        let server = Server::start(
            "unslow",
            port,
            Command::new(unslow_binary())
                .args(["--bind", &format!("127.0.0.1:{port}"), "--workers", "1"])
                .args(settings)
                .env_clear()
                .current_dir(folder),
        )?;
        load::get(port, "/healthz")?;
        Ok(server)
    }

    /// Processor time of the server so far, all its processes together.
    pub(crate) fn cpu(&self) -> Measured<Duration> {
        let mut ticks = 0;
        for pid in family(self.child.id()) {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
            let fields = fields(&stat);
            // `utime` and `stime`, the 14th and 15th of proc(5).
            ticks += fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        }
        // USER_HZ, which is 100 on every Linux that Rust runs on.
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> Measured<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kibibytes.ok_or("no VmRSS")?.parse::<u64>()? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).expect("process ids are small");
        // It may have ended by itself.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program under test, built with the same profile and for the same target as its rivals.
pub(crate) fn unslow_binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_unslow"))
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> Measured<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// The program in `PATH` or where Debian keeps servers.
pub(crate) fn find(program: &str) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/usr/local/sbin"])
        .map(|folder| format!("{folder}/{program}"))
        .find(|candidate| Path::new(candidate).is_file())
}

/// A process and all that descend from it.
fn family(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            Some((pid, fields(&stat).get(1)?.parse().ok()?))
        })
        .collect();
    let mut family = vec![root];
    let mut seen = 0;
    while let Some(parent) = family.get(seen).copied() {
        family.extend(
            parents
                .iter()
                .filter(|(_, of)| *of == parent)
                .map(|(pid, _)| *pid),
        );
        seen += 1;
    }
    family
}

/// The fields of `/proc/PID/stat` from the third on: the second, a name, may hold anything.
fn fields(stat: &str) -> Vec<&str> {
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    rest.split_whitespace().collect()
}
