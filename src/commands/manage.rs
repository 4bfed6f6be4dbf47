//! The commands about the daemon, and those that change a running one: `stop`, `restart`, `reload`,
//! `upgrade`, `reopen`, `scale`. They ask it over its control socket and print what it says; only to end it is it sent
//! a signal, and only as long as it holds its pidfile.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::place::{Daemon, SHORT, state};
use super::{Failure, check, print, say, status, unit};
use crate::daemon::control::Request;
use crate::daemon::pidfile::{self, State};
use crate::daemon::{self as server, Launch};
use crate::flags::{Command, Flags};
use crate::settings;

/// How often the pidfile of a process that ends is looked at.
const STEP: Duration = Duration::from_millis(20);

/// How long an end may take that does not wait for requests; also what the system takes to end a
/// process by force.
const QUICK: Duration = Duration::from_secs(5);

/// Runs the command that the flags name, one of those about a daemon.
pub(super) fn run(flags: &Flags, launch: Launch) -> Result<(), Failure> {
    match &flags.command {
        Command::Status { json, .. } => status::run(flags, *json),
        Command::Stop { now } => stop(flags, *now),
        Command::Restart => restart(flags, launch),
        Command::Reload => change(flags, Request::Reload),
        Command::Upgrade { hold } => change(flags, Request::Upgrade { hold: *hold }),
        Command::Reopen => change(flags, Request::Reopen),
        Command::Scale { by } => change(flags, Request::Scale { by: *by }),
        Command::SystemdUnit => unit::run(&settings::load(flags).map_err(Failure::Settings)?),
        _ => unreachable!("the rest is about no daemon"),
    }
}

/// Ends the daemon, and returns when it has ended. One that does not run is ended already.
fn stop(flags: &Flags, now: bool) -> Result<(), Failure> {
    let mut daemon = Daemon::find(flags)?;
    let path = daemon.pidfile.clone();
    // A successor that is on its way would take the place of the one that ends.
    let mut ended = Vec::new();
    end(&pidfile::successor(&path), now, &daemon, &mut ended)?;
    if daemon.state()? != State::Absent {
        end(&path, now, &daemon, &mut ended)?;
    }
    if let Some(pid) = daemon.hidden() {
        end_hidden(now, &mut daemon)?;
        ended.push(pid);
    }
    if ended.is_empty() {
        return print(format!("{}\n", daemon.not_running()).as_bytes());
    }
    for pid in ended {
        print(format!("stopped (pid {pid})\n").as_bytes())?;
    }
    Ok(())
}

/// Ends every process that holds this pidfile, one after the other. Those in `ended` were told
/// already, under another path, and are not told twice: the second time they would not wait.
fn end(path: &Path, now: bool, daemon: &Daemon, ended: &mut Vec<u32>) -> Result<(), Failure> {
    loop {
        let pid = match state(path)? {
            State::Absent | State::Stale => return Ok(()),
            State::Starting => match named(path, daemon.start)? {
                Some(pid) => pid,
                None => return Ok(()),
            },
            State::Running(pid) => pid,
        };
        let (signal, patience) = if now {
            (Signal::SIGINT, QUICK)
        } else {
            (Signal::SIGTERM, daemon.end)
        };
        if !ended.contains(&pid) {
            send(pid, signal)?;
            ended.push(pid);
        }
        if !has_gone(path, pid, patience)? {
            say(&format!(
                "unslow: pid {pid} has not ended within {}: it is ended by force",
                settings::duration_text(patience)
            ));
            send(pid, Signal::SIGKILL)?;
            if !has_gone(path, pid, QUICK)? {
                return Err(Failure::Running(format!("pid {pid} does not end")));
            }
        }
    }
}

/// Ends a process whose pidfile somebody has removed. It is asked to, since a number that no lock
/// stands behind is not sent a signal.
fn end_hidden(now: bool, daemon: &mut Daemon) -> Result<(), Failure> {
    daemon.ask(Request::Stop { now }, SHORT)?;
    let begun = Instant::now();
    let patience = if now { QUICK } else { daemon.end };
    while let Some(pid) = daemon.hidden() {
        if begun.elapsed() > patience {
            return Err(Failure::Running(format!("pid {pid} does not end")));
        }
        std::thread::sleep(STEP);
    }
    Ok(())
}

/// The number of a process that has just begun, once it has written that; `None` when it does not
/// come to serve.
fn named(path: &Path, patience: Duration) -> Result<Option<u32>, Failure> {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        match state(path)? {
            State::Running(pid) => return Ok(Some(pid)),
            State::Starting => std::thread::sleep(STEP),
            State::Absent | State::Stale => return Ok(None),
        }
    }
    let what = format!("a process that starts holds {}; try again", path.display());
    Err(Failure::Running(what))
}

/// Whether the process lets go of its pidfile within this time. What it does after that takes but a
/// moment and is waited for too: systemd kills what it still finds once `stop` has returned.
fn has_gone(path: &Path, pid: u32, patience: Duration) -> Result<bool, Failure> {
    let begun = Instant::now();
    while state(path)? == State::Running(pid) {
        if begun.elapsed() > patience {
            return Ok(false);
        }
        std::thread::sleep(STEP);
    }
    let begun = Instant::now();
    while lives(pid) && begun.elapsed() < QUICK {
        std::thread::sleep(STEP);
    }
    Ok(true)
}

/// Whether there is such a process. One that has ended and that its parent has not asked about yet
/// does not live, as far as that can be seen: systemd keeps `/proc/PID` of one command of a service
/// from another, and asks at once.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
    let has_ended = state.is_some_and(|state| state.starts_with(['Z', 'X']));
    !has_ended && kill(Pid::from_raw(pid.cast_signed()), None) != Err(Errno::ESRCH)
}

/// Sends a signal to a process that holds a pidfile.
fn send(pid: u32, signal: Signal) -> Result<(), Failure> {
    match kill(Pid::from_raw(pid.cast_signed()), signal) {
        // It has ended meanwhile, which is what was wanted.
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(Errno::EPERM) => Err(Failure::NoPrivilege(format!(
            "pid {pid} runs as another user: only that one and root may end it"
        ))),
        Err(error) => Err(Failure::Running(format!("no signal to pid {pid}: {error}"))),
    }
}

/// Puts a new process in the place of the running one, which serves until then; or starts one. The
/// settings are checked first: with bad ones nothing changes.
fn restart(flags: &Flags, launch: Launch) -> Result<(), Failure> {
    let loaded = settings::load(flags).map_err(Failure::Settings)?;
    check::files(&loaded.settings)?;
    let mut daemon = Daemon::find(flags)?;
    match daemon.state()? {
        State::Absent | State::Stale => {
            let mut start = flags.clone();
            start.command = Command::Start;
            Ok(server::serve(&start, launch)?)
        }
        State::Starting | State::Running(_) => change(flags, Request::Upgrade { hold: false }),
    }
}

/// Asks the daemon to change something, and prints what it says of that.
fn change(flags: &Flags, request: Request) -> Result<(), Failure> {
    let mut daemon = Daemon::find(flags)?;
    let patience = match request {
        Request::Reload | Request::Upgrade { .. } | Request::Scale { .. } => daemon.start,
        _ => SHORT,
    };
    let answer = daemon.ask(request, patience)?;
    print(format!("{}\n", answer.message).as_bytes())
}
