//! The commands about the daemon, and those that change a running one: `stop`, `restart`, `reload`,
//! `upgrade`, `reopen`, `scale`. They ask it over its control socket and print what it says; only
//! to end it is it sent a signal, and only as long as the kernel says that it holds its pidfile.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::failure::CommandFailure;
use super::place::{DaemonHandle, SHORT, printed_message};
use super::terminal::{print_bytes, print_line};
use super::{check, status, unit};
use crate::daemon::control::DaemonRequest;
use crate::daemon::pidfile::{self, PidfileState};
use crate::daemon::process::RunningProcess;
use crate::daemon::{self as server, Launch};
use crate::flags::{Command, Flags};
use crate::settings;
use crate::text::units::duration_text;

/// The interval at which the pidfile of a process that ends is looked at.
const STEP: Duration = Duration::from_millis(20);

/// The time for which an end may take that does not wait for requests; also what the system takes
/// to end a process by force.
const QUICK: Duration = Duration::from_secs(5);

/// Runs the command that the flags name, one of those about a daemon.
pub(super) fn run(flags: &Flags, launch: Launch) -> Result<(), CommandFailure> {
    match &flags.command {
        Command::Status { json, .. } => status::run(flags, *json),
        Command::Stop { now } => stop(flags, *now),
        Command::Restart => restart_daemon(flags, launch),
        Command::Reload => change_daemon(flags, DaemonRequest::Reload),
        Command::Upgrade { hold } => change_daemon(flags, DaemonRequest::Upgrade { hold: *hold }),
        Command::Reopen => change_daemon(flags, DaemonRequest::Reopen),
        Command::Scale { by } => change_daemon(flags, DaemonRequest::Scale { by: *by }),
        Command::SystemdUnit => {
            unit::run(&settings::load(flags).map_err(CommandFailure::Settings)?)
        }
        _ => unreachable!("the rest is about no daemon"),
    }
}

/// Ends the daemon, and returns when it has ended. One that does not run is ended already.
fn stop(flags: &Flags, now: bool) -> Result<(), CommandFailure> {
    let mut daemon = DaemonHandle::find(flags)?;
    let path = daemon.pidfile.clone();
    // A successor that is on its way would take the place of the one that ends.
    let mut ended = Vec::new();
    end_all(&pidfile::successor_path(&path), now, &daemon, &mut ended)?;
    if daemon.pidfile_state()? != PidfileState::Absent {
        end_all(&path, now, &daemon, &mut ended)?;
    }
    if let Some(pid) = daemon.hidden_process() {
        end_hidden(now, &mut daemon)?;
        ended.push(pid);
    }
    if ended.is_empty() {
        return print_bytes(format!("{}\n", daemon.not_running()).as_bytes());
    }
    for pid in ended {
        print_bytes(format!("stopped (pid {pid})\n").as_bytes())?;
    }
    Ok(())
}

/// Ends every process that holds this pidfile, one after the other. Those in `ended` were told
/// already, under another path, and are not told twice: the second time they would not wait.
fn end_all(
    path: &Path,
    now: bool,
    daemon: &DaemonHandle,
    ended: &mut Vec<u32>,
) -> Result<(), CommandFailure> {
    while let Some(process) = find_holder(path, daemon)? {
        let pid = process.pid();
        let (signal, patience) = if now {
            (Signal::SIGINT, QUICK)
        } else {
            (Signal::SIGTERM, daemon.end)
        };
        if !ended.contains(&pid) {
            send(&process, signal)?;
            ended.push(pid);
        } else if process.ends_within(Duration::ZERO) {
            // Its number is all that is left of it.
            return Ok(());
        }
        if process.ends_within(patience) {
            continue;
        }
        print_line(&format!(
            "unslow: pid {pid} has not ended within {}: it is ended by force",
            duration_text(patience)
        ));
        send(&process, Signal::SIGKILL)?;
        if !process.ends_within(QUICK) {
            return Err(CommandFailure::Running(format!("pid {pid} does not end")));
        }
    }
    Ok(())
}

/// Returns the process that holds a pidfile; one that has just begun once it has written its
/// number, and `None` when it does not come to serve.
fn find_holder(
    path: &Path,
    daemon: &DaemonHandle,
) -> Result<Option<RunningProcess>, CommandFailure> {
    let begun = Instant::now();
    loop {
        if let Some(process) = daemon.process_of(path)? {
            return Ok(Some(process));
        }
        if matches!(
            daemon.state_of(path)?,
            PidfileState::Absent | PidfileState::Stale
        ) {
            return Ok(None);
        }
        if begun.elapsed() > daemon.start {
            let what = format!(
                "a process holds {} and has not written its number there; try again",
                path.display()
            );
            return Err(CommandFailure::Running(what));
        }
        std::thread::sleep(STEP);
    }
}

/// Ends a process whose pidfile somebody has removed. It is asked to, since a number that no lock
/// stands behind is not sent a signal.
fn end_hidden(now: bool, daemon: &mut DaemonHandle) -> Result<(), CommandFailure> {
    daemon.ask_daemon(DaemonRequest::Stop { now }, SHORT)?;
    let begun = Instant::now();
    let patience = if now { QUICK } else { daemon.end };
    while let Some(pid) = daemon.hidden_process() {
        if begun.elapsed() > patience {
            return Err(CommandFailure::Running(format!("pid {pid} does not end")));
        }
        std::thread::sleep(STEP);
    }
    Ok(())
}

/// Sends a signal to a process that holds a pidfile.
fn send(process: &RunningProcess, signal: Signal) -> Result<(), CommandFailure> {
    let pid = process.pid();
    process.send(signal).map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => CommandFailure::NoPrivilege(format!(
            "pid {pid} runs as another user: only that one and root may end it"
        )),
        _ => CommandFailure::Running(format!("no signal to pid {pid}: {error}")),
    })
}

/// Puts a new process in the place of the running one, which serves until then; or starts one. The
/// settings are checked first: with bad ones nothing changes.
fn restart_daemon(flags: &Flags, launch: Launch) -> Result<(), CommandFailure> {
    let loaded = settings::load(flags).map_err(CommandFailure::Settings)?;
    check::check_files(&loaded.settings)?;
    let mut daemon = DaemonHandle::find(flags)?;
    match daemon.pidfile_state()? {
        PidfileState::Absent | PidfileState::Stale => {
            let mut start = flags.clone();
            start.command = Command::Start;
            Ok(server::serve_process(&start, launch)?)
        }
        PidfileState::Starting | PidfileState::Running(_) => {
            change_daemon(flags, DaemonRequest::Upgrade { hold: false })
        }
    }
}

/// Asks the daemon to change something, and prints what it says of that.
fn change_daemon(flags: &Flags, request: DaemonRequest) -> Result<(), CommandFailure> {
    let mut daemon = DaemonHandle::find(flags)?;
    let patience = match request {
        DaemonRequest::Reload | DaemonRequest::Upgrade { .. } | DaemonRequest::Scale { .. } => {
            daemon.start
        }
        _ => SHORT,
    };
    let answer = daemon.ask_daemon(request, patience)?;
    print_bytes(format!("{}\n", printed_message(&answer.message)).as_bytes())
}
