//! `unslow purge`: throws away, makes stale, or loads anew what a running server has stored of a
//! query. It asks the server and says what that said.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::client::{ServerAnswer, ServerClient};
use super::failure::CommandFailure;
use super::terminal::print_bytes;
use crate::flags::PurgeHow;
use crate::settings::Settings;
use crate::text::words::escape_controls;

/// The characters of a query's name that stand in a path as they are.
pub(super) const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

pub(super) fn run(
    settings: &Settings,
    name: &str,
    params: &[(String, String)],
    how: PurgeHow,
    url: Option<&str>,
) -> Result<(), CommandFailure> {
    let path = format!(
        "/q/{}/{}",
        utf8_percent_encode(name, NAME),
        action_name(how)
    );
    if let Some(rest) = url.and_then(|url| url.strip_prefix("https://")) {
        let server = rest.trim_end_matches('/');
        return Err(CommandFailure::Usage(with_curl(
            settings, server, &path, params,
        )));
    }
    let client = ServerClient::new(settings, url)?;
    let form = Serializer::new(String::new()).extend_pairs(params).finish();
    let answer = client.post_form(&path, &form)?;
    print_bytes(purge_outcome(&answer, &client.server_name(), name)?.as_bytes())
}

fn action_name(how: PurgeHow) -> &'static str {
    match (how.soft, how.refresh) {
        (true, _) => "expire",
        (_, true) => "refresh",
        _ => "purge",
    }
}

/// Returns what was done, in a line; or why it was not.
fn purge_outcome(
    answer: &ServerAnswer,
    server: &str,
    name: &str,
) -> Result<String, CommandFailure> {
    let said = answer.json_body();
    // Text from elsewhere goes to a terminal.
    let word = |member: &str| Some(escape_controls(said.as_ref()?.get(member)?.as_str()?));
    if answer.status == 200 && said.as_ref().is_some_and(|said| said["ok"] == true) {
        if let Some(note) = word("note") {
            return Ok(format!("{name}: {note}\n"));
        }
        let of = match word("scope").as_deref() {
            Some("entry") => "one entry",
            _ => "all entries",
        };
        let done = match word("action").as_deref() {
            Some("expire") => format!("{of} made stale"),
            Some("refresh") => format!("{of} loaded again"),
            _ => format!("{of} purged"),
        };
        let confirmed = said.as_ref().map_or_else(String::new, confirmation_words);
        return Ok(format!("{name}: {done}{confirmed}\n"));
    }
    Err(answer.refusal_error(server))
}

/// Returns which instances have confirmed a purge, where there is more than the one that was asked.
fn confirmation_words(said: &Value) -> String {
    let confirmed = said["confirmed"].as_u64().unwrap_or_default();
    let missing = said["missing"].as_array().into_iter().flatten();
    let missing: Vec<_> = missing
        .filter_map(Value::as_str)
        .map(escape_controls)
        .collect();
    let instances = match confirmed {
        1 => "1 instance".to_owned(),
        more => format!("{more} instances"),
    };
    match (confirmed, missing.is_empty()) {
        (0 | 1, true) => String::new(),
        (_, true) => format!(", confirmed by {instances}"),
        (_, false) => format!(
            ", confirmed by {instances}\n  not by {}: what they hold counts as stale after 5 s at most",
            missing.join(", ")
        ),
    }
}

/// Returns how to do the same where TLS is needed.
fn with_curl(settings: &Settings, server: &str, path: &str, params: &[(String, String)]) -> String {
    let mut words = vec!["curl -X POST".to_owned()];
    if settings.admin_token.is_some() {
        words.push("-H \"Authorization: Bearer $(cat TOKEN_FILE)\"".to_owned());
    }
    for (name, value) in params {
        let pair = quote_word(&format!("{name}={value}"));
        words.push(format!("--data-urlencode {pair}"));
    }
    words.push(quote_word(&format!("https://{server}{path}")));
    format!("https:// is not spoken here\n  {}", words.join(" "))
}

/// Writes a text as one word of a shell.
fn quote_word(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn said(status: u16, body: &str) -> Result<String, (u8, String)> {
        let body = body.as_bytes().to_vec();
        purge_outcome(&ServerAnswer { status, body }, "http://host:1", "top")
            .map_err(|failure| (failure.exit_code(), failure.message().unwrap()))
    }

    #[test]
    fn what_was_done_is_said_in_a_line() {
        for (action, scope, words) in [
            ("purge", "query", "top: all entries purged\n"),
            ("expire", "entry", "top: one entry made stale\n"),
            ("refresh", "entry", "top: one entry loaded again\n"),
        ] {
            let body = format!(r#"{{"ok":true,"action":"{action}","scope":"{scope}"}}"#);
            assert_eq!(said(200, &body).unwrap(), words);
        }
        for (confirmed, missing, words) in [
            (1, "[]", ""),
            (3, "[]", ", confirmed by 3 instances"),
            (
                1,
                r#"["web1:7","web\u001b:8"]"#,
                ", confirmed by 1 instance\n  not by web1:7, web\\u{1b}:8: what they hold counts as \
                 stale after 5 s at most",
            ),
        ] {
            let body = format!(
                r#"{{"ok":true,"action":"purge","scope":"query","reach":"fleet",
                    "confirmed":{confirmed},"missing":{missing}}}"#
            );
            let words = format!("top: all entries purged{words}\n");
            assert_eq!(said(200, &body).unwrap(), words);
        }
        let note = r#"{"ok":true,"action":"purge","note":"without effect"}"#;
        assert_eq!(said(200, note).unwrap(), "top: without effect\n");
    }

    #[test]
    fn what_was_not_done_is_said_in_the_servers_words() {
        let error = |more: &str| format!(r#"{{"ok":false,"error":"no \u001b[1m"{more}}}"#);
        let words = |code| Err((code, "no \\u{1b}[1m".to_owned()));
        assert_eq!(said(400, &error("")), words(2));
        assert_eq!(said(404, &error(r#","queries":["a"]"#)), words(2));
        for status in [401, 403, 404, 503] {
            assert_eq!(said(status, &error("")), words(1), "{status}");
        }
        for (status, body) in [(200, "<html>"), (502, "<html>"), (200, "{}"), (200, "[]")] {
            let (code, words) = said(status, body).unwrap_err();
            assert_eq!(code, 1);
            assert!(words.contains("http://host:1") && words.contains("is it unslow"));
        }
    }

    #[test]
    fn over_tls_curl_does_it() {
        let mut settings = Settings::from_flags(&[]).unwrap();
        let params = [("who".to_owned(), "O'Hara & sons".to_owned())];
        let advice =
            |settings: &Settings| with_curl(settings, "host/under", "/q/top/purge", &params);
        assert!(advice(&settings).ends_with(
            r"curl -X POST --data-urlencode 'who=O'\''Hara & sons' 'https://host/under/q/top/purge'"
        ));
        settings.admin_token = Some(crate::settings::Secret::new("s3cret".to_owned()));
        let with_token = advice(&settings);
        assert!(with_token.contains("Authorization: Bearer $(cat TOKEN_FILE)"));
        assert!(!with_token.contains("s3cret"));
    }
}
