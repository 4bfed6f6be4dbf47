//! `unslow status`: whether the daemon runs, and what it says of itself. The exit codes are those
//! of the Linux Standard Base: 0 it runs, 1 it died and left its pidfile, 3 it does not run, 4 that
//! cannot be told.

use std::time::Duration;

use serde_json::{Value, json};

use super::failure::CommandFailure;
use super::place::{DaemonHandle, SHORT};
use super::terminal::print_bytes;
use crate::app::format::align_columns;
use crate::daemon::control::{DaemonPhase, DaemonRequest, DaemonStatus};
use crate::daemon::pidfile::PidfileState;
use crate::flags::Flags;
use crate::text::units::duration_text;
use crate::text::words::escape_controls;

pub(super) fn run(flags: &Flags, json: bool) -> Result<(), CommandFailure> {
    let unknown =
        |failure: CommandFailure| CommandFailure::Unknown(failure.message().unwrap_or_default());
    let mut daemon = DaemonHandle::find(flags).map_err(unknown)?;
    let state = daemon.pidfile_state().map_err(unknown)?;
    let said = match state {
        PidfileState::Running(_) => Some(ask_status(&mut daemon)),
        _ => None,
    };
    let pidfile = daemon.pidfile.display().to_string();
    let text = if json {
        format!("{:#}\n", status_document(state, said.as_ref(), &pidfile))
    } else {
        status_lines(state, said.as_ref(), &pidfile)
    };
    print_bytes(text.as_bytes())?;
    match state {
        PidfileState::Running(_) | PidfileState::Starting => Ok(()),
        PidfileState::Stale => Err(CommandFailure::Silent(1)),
        PidfileState::Absent => Err(CommandFailure::Silent(3)),
    }
}

/// Returns what the daemon says of itself, or why it says nothing.
fn ask_status(daemon: &mut DaemonHandle) -> Result<DaemonStatus, String> {
    match daemon.ask_daemon(DaemonRequest::Status, SHORT) {
        Ok(answer) => answer
            .status
            .ok_or_else(|| "it answers without saying how it is".to_owned()),
        Err(failure) => Err(failure.message().unwrap_or_default()),
    }
}

fn state_word(state: PidfileState) -> &'static str {
    match state {
        PidfileState::Absent => "stopped",
        PidfileState::Stale => "dead",
        PidfileState::Starting => "starting",
        PidfileState::Running(_) => "running",
    }
}

fn status_document(
    state: PidfileState,
    said: Option<&Result<DaemonStatus, String>>,
    pidfile: &str,
) -> Value {
    let mut document = json!({ "state": state_word(state), "pidfile": pidfile });
    if let PidfileState::Running(pid) = state {
        document["pid"] = pid.into();
    }
    match said {
        Some(Ok(status)) => {
            // Its own word for what it does says more than that it runs.
            if let Ok(Value::Object(members)) = serde_json::to_value(status) {
                for (name, value) in members {
                    document[name] = value;
                }
            }
        }
        Some(Err(why)) => document["error"] = why.as_str().into(),
        None => {}
    }
    document
}

fn status_lines(
    state: PidfileState,
    said: Option<&Result<DaemonStatus, String>>,
    pidfile: &str,
) -> String {
    let first = match (state, said) {
        (PidfileState::Running(_), Some(Ok(status))) => phase_word(status.state).to_owned(),
        (PidfileState::Stale, _) => "dead: it has ended without removing its pidfile".to_owned(),
        _ => state_word(state).to_owned(),
    };
    let mut lines = vec![("state", first)];
    if let PidfileState::Running(pid) = state {
        lines.push(("pid", pid.to_string()));
    }
    lines.push(("pidfile", pidfile.to_owned()));
    match said {
        Some(Ok(status)) => lines.extend(status_details(status)),
        Some(Err(why)) => lines.push(("no details", escape_controls(why))),
        None => {}
    }
    let lines: Vec<_> = lines
        .into_iter()
        .map(|(name, text)| vec![name.to_owned(), text])
        .collect();
    align_columns(&lines, false)
}

fn phase_word(phase: DaemonPhase) -> &'static str {
    match phase {
        DaemonPhase::Serving => "serving",
        DaemonPhase::Paused => "paused: it serves nobody until HUP",
        DaemonPhase::Draining => "draining: it ends once its requests have",
    }
}

fn status_details(status: &DaemonStatus) -> Vec<(&'static str, String)> {
    let uptime = duration_text(Duration::from_secs(status.uptime_seconds));
    let mut lines = vec![
        ("version", escape_controls(&status.version)),
        ("uptime", uptime),
        ("workers", status.workers.to_string()),
        ("generation", status.generation.to_string()),
        ("listens", escape_controls(&status.listeners.join(", "))),
    ];
    if let Some(reload) = &status.last_reload {
        let how = if reload.ok { "done" } else { "refused" };
        let text = format!("{how} at {}: {}", reload.at, reload.message);
        lines.push(("last reload", escape_controls(&text)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::control::LastReload;

    fn status() -> DaemonStatus {
        DaemonStatus {
            pid: 77,
            version: "0.1.0".to_owned(),
            state: DaemonPhase::Serving,
            generation: 3,
            workers: 2,
            uptime_seconds: 3661,
            listeners: vec!["http://127.0.0.1:8000".to_owned()],
            last_reload: Some(LastReload {
                ok: false,
                at: "2026-01-01T00:00:00Z".to_owned(),
                message: "app.ini:3: \u{1b}[1m".to_owned(),
            }),
        }
    }

    #[test]
    fn a_running_daemon_is_described_in_lines() {
        let said = Ok(status());
        let text = status_lines(PidfileState::Running(77), Some(&said), "/run/u.pid");
        for words in [
            "serving",
            "77",
            "/run/u.pid",
            "1h1m1s",
            "http://127.0.0.1:8000",
            "refused",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(!text.contains('\u{1b}'), "what it says goes to a terminal");
    }

    #[test]
    fn a_document_has_what_the_lines_have() {
        let said = Ok(status());
        let document = status_document(PidfileState::Running(77), Some(&said), "/run/u.pid");
        assert_eq!(document["state"], "serving");
        assert_eq!(document["pid"], 77);
        assert_eq!(document["generation"], 3);
        assert_eq!(document["last_reload"]["ok"], false);
    }

    #[test]
    fn one_that_does_not_answer_runs_all_the_same() {
        let said = Err("it has not answered within 10s".to_owned());
        let document = status_document(PidfileState::Running(77), Some(&said), "p");
        assert_eq!(document["state"], "running");
        assert_eq!(document["error"], "it has not answered within 10s");
        let text = status_lines(PidfileState::Running(77), Some(&said), "p");
        assert!(text.contains("not answered"), "{text}");
        assert!(status_lines(PidfileState::Stale, None, "p").contains("dead"));
        assert!(status_lines(PidfileState::Absent, None, "p").contains("stopped"));
    }
}
