//! `unslow stats`: the page `/stats` of a running server as a table on the terminal, once or again
//! and again. What stands in it is `view`'s; how it gets onto the screen is decided here.

use std::collections::BTreeMap;
use std::io::{IsTerminal, stdout};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::client::{ServerAnswer, ServerClient};
use super::failure::CommandFailure;
use super::resources::make_runtime;
use super::terminal::print_bytes;
use crate::app::StatusSnapshot;
use crate::flags;
use crate::settings::Settings;
use crate::stats::StatsSnapshot;
use crate::text::words::escape_controls;
use crate::view::{NotReloaded, PagesHere, StatsPage, StatsSort, export};

/// The place where nobody says how wide a line may be.
const WIDTH: usize = 80;

pub(super) fn run(settings: &Settings, asked: &flags::StatsArgs) -> Result<(), CommandFailure> {
    let url = asked.url.as_deref();
    if let Some(rest) = url.and_then(|url| url.strip_prefix("https://")) {
        return Err(CommandFailure::Usage(with_curl(settings, rest, asked)));
    }
    let client = Arc::new(ServerClient::new(settings, url)?);
    let screen = TerminalScreen::of_process(asked);
    let first = fetch_text(&client, asked)?;
    print_bytes(screen.first_page(&first).as_bytes())?;
    match asked.watch {
        Some(seconds) => watch_stats(&client, asked, screen, Duration::from_secs(seconds)),
        None => Ok(()),
    }
}

/// Shows a page every so often until Ctrl-C. A server that does not answer is asked again: it may
/// be restarting.
fn watch_stats(
    client: &Arc<ServerClient>,
    asked: &flags::StatsArgs,
    screen: TerminalScreen,
    pause: Duration,
) -> Result<(), CommandFailure> {
    let runtime = make_runtime()?;
    let shown = runtime.block_on(async {
        let mut end = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            let (of, what) = (Arc::clone(client), asked.clone());
            let fetched = async {
                tokio::time::sleep(pause).await;
                tokio::task::spawn_blocking(move || fetch_text(&of, &what)).await
            };
            let fetched = tokio::select! {
                fetched = fetched => fetched,
                _ = &mut end => return Ok(()),
            };
            let text = match fetched {
                Ok(Ok(text)) => text,
                Ok(Err(failure)) => format!("{}\n", failure.message().unwrap_or_default()),
                Err(stopped) => return Err(CommandFailure::Running(stopped.to_string())),
            };
            // On a terminal the page stands where the last one stood.
            print_bytes(screen.next_page(&text).as_bytes())?;
        }
    });
    // A thread that waits for an answer would hold up the end.
    runtime.shutdown_background();
    shown
}

/// Returns the text to show.
fn fetch_text(client: &ServerClient, asked: &flags::StatsArgs) -> Result<String, CommandFailure> {
    let answer = client.get(&format!("/stats.json?window={}", asked.window))?;
    if answer.status != 200 {
        return Err(stats_refusal(&answer, &client.server_name()));
    }
    if asked.json {
        return Ok(String::from_utf8_lossy(&answer.body).into_owned() + "\n");
    }
    let width = terminal_size().map_or_else(line_width, |(width, _)| width);
    render_table(&answer.body, width).map_err(|error| {
        CommandFailure::Running(format!(
            "{} sends no numbers: {error}",
            client.server_name()
        ))
    })
}

/// The members of the document beside the numbers.
#[derive(Deserialize)]
struct DocumentExtras {
    daemon: Option<StatusSnapshot>,
    #[serde(default)]
    logs: LogLosses,
}

#[derive(Deserialize, Default)]
struct LogLosses {
    /// The lines that each log lost.
    lost: BTreeMap<String, u64>,
}

fn render_table(json: &[u8], width: usize) -> serde_json::Result<String> {
    let snapshot: StatsSnapshot = serde_json::from_slice(json)?;
    let DocumentExtras { daemon, logs } = serde_json::from_slice(json)?;
    let last = daemon.and_then(|daemon| daemon.last_reload);
    let refused = last.filter(|last| !last.ok);
    let page = StatsPage {
        snapshot: &snapshot,
        sort: StatsSort::default(),
        refresh: None,
        evicted: None,
        script: "",
        here: PagesHere::All,
        of_late: None,
        lines_lost: logs.lost.values().sum(),
        not_reloaded: refused.as_ref().map(|last| NotReloaded {
            at: &last.at,
            message: &last.message,
        }),
    };
    Ok(export::write_terminal(&page, width))
}

/// Returns why there are no numbers, in the server's words.
fn stats_refusal(answer: &ServerAnswer, server: &str) -> CommandFailure {
    let said: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
    let error = said.as_ref().and_then(|said| said["error"].as_str());
    CommandFailure::Running(match error {
        Some(error) => format!("{server} refuses: {}", escape_controls(error)),
        None => format!(
            "{server} answers {} and does not say why: is it unslow?",
            answer.status
        ),
    })
}

/// Returns how to do the same where TLS is needed.
fn with_curl(settings: &Settings, rest: &str, asked: &flags::StatsArgs) -> String {
    let token = match settings.admin_token {
        Some(_) => " -H \"Authorization: Bearer $(cat TOKEN_FILE)\"",
        None => "",
    };
    let server = rest.trim_end_matches('/').replace('\'', r"'\''");
    let form = if asked.json { "json" } else { "txt" };
    let window = &asked.window;
    format!(
        "https:// is not spoken here\n  curl{token} 'https://{server}/stats.{form}?window={window}'"
    )
}

/// The place where pages go.
#[derive(Debug, Clone, Copy)]
struct TerminalScreen {
    /// One page takes the place of the other.
    replaces: bool,
    is_json: bool,
}

impl TerminalScreen {
    fn of_process(asked: &flags::StatsArgs) -> TerminalScreen {
        TerminalScreen {
            replaces: asked.watch.is_some() && !asked.json && stdout().is_terminal(),
            is_json: asked.json,
        }
    }

    /// Returns the first page.
    fn first_page(self, text: &str) -> String {
        match terminal_size().filter(|_| self.replaces) {
            Some((_, height)) => format!("\x1b[2J{}", replace_text(text, height)),
            None => text.to_owned(),
        }
    }

    /// Returns one that follows.
    fn next_page(self, text: &str) -> String {
        match terminal_size().filter(|_| self.replaces) {
            Some((_, height)) => replace_text(text, height),
            None if self.is_json => text.to_owned(),
            None => format!("\n{text}"),
        }
    }
}

/// Writes the text over the one that stands there, line by line, so that nothing flickers; no more
/// lines than there are.
fn replace_text(text: &str, height: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    let room = height.saturating_sub(1).max(1);
    let (shown, more) = match lines.len().checked_sub(room) {
        // Their number takes the place of one more.
        Some(more @ 1..) => (&lines[..room - 1], Some(more + 1)),
        _ => (&lines[..], None),
    };
    let mut out = String::from("\x1b[H");
    for line in shown {
        out.extend([line, "\x1b[K\n"]);
    }
    if let Some(more) = more {
        out.extend(["… and ", &more.to_string(), " more lines\x1b[K\n"]);
    }
    out + "\x1b[J"
}

/// Columns and lines of the terminal that is written to, if it is one.
fn terminal_size() -> Option<(usize, usize)> {
    if !stdout().is_terminal() {
        return None;
    }
    let (width, height) = terminal_size::terminal_size()?;
    Some((width.0.into(), height.0.into()))
}

/// Returns how wide a line may be where there is no terminal.
fn line_width() -> usize {
    let said = std::env::var("COLUMNS").ok();
    said.and_then(|said| said.parse().ok()).unwrap_or(WIDTH)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::stats::{Stats, Window};

    #[test]
    fn the_windows_of_the_flag_are_those_of_the_numbers() {
        assert_eq!(flags::WINDOWS, Window::ALL.map(Window::name));
    }

    #[test]
    fn a_page_stands_where_the_last_one_stood_and_no_lower() {
        let three = "a\nb\nc\n";
        let whole = "\x1b[Ha\x1b[K\nb\x1b[K\nc\x1b[K\n\x1b[J";
        assert_eq!(replace_text(three, 4), whole);
        assert_eq!(replace_text(three, 24), whole);
        let cut = "\x1b[Ha\x1b[K\n… and 2 more lines\x1b[K\n\x1b[J";
        assert_eq!(replace_text(three, 3), cut);
        for height in 0..3 {
            assert_eq!(
                replace_text(three, height).matches('\n').count(),
                1,
                "{height}"
            );
        }
    }

    #[test]
    fn a_refused_reload_is_said_and_steers_no_terminal() {
        let stats = Stats::new(["q"].into_iter());
        let mut document = serde_json::to_value(stats.take_snapshot(Window::Start)).unwrap();
        let page = |document: &serde_json::Value| {
            let json = serde_json::to_vec(document).unwrap();
            render_table(&json, 80).unwrap()
        };
        assert!(!page(&document).contains("Reload "));
        document["daemon"] = serde_json::json!({
            "generation": 2,
            "last_reload": { "ok": false, "at": "2026-01-01T00:00:00Z", "message": "no \u{1b}[1m" }
        });
        let said = page(&document);
        let line = "\nReload      tried at 2026-01-01T00:00:00Z: no \\u{1b}[1m\n";
        assert!(said.contains(line), "{said}");
        document["daemon"]["last_reload"]["ok"] = true.into();
        assert!(!page(&document).contains("Reload "));
        assert!(render_table(b"<html>", 80).is_err());
    }

    #[test]
    fn a_refusal_is_said_in_the_servers_words() {
        let said = |status, body: &str| {
            let body = body.as_bytes().to_vec();
            stats_refusal(&ServerAnswer { status, body }, "http://h:1")
                .message()
                .unwrap()
        };
        let words = said(403, r#"{"ok":false,"error":"no \u001b[1m"}"#);
        assert_eq!(words, "http://h:1 refuses: no \\u{1b}[1m");
        assert!(said(502, "<html>").contains("is it unslow"));
    }
}
