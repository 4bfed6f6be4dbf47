//! The answer of a server: the status and the body of one HTTP/1.1 response, read from all that
//! came until the connection ended; and the words for the reason why it is not what was asked for.
//! the status and the body of one HTTP/1.1 response, read from all that came until the connection
//! ended; and the server's words for why it is not what was asked for. Asking is the client's.

use serde_json::Value;

use super::super::failure::CommandFailure;
use crate::text::words::escape_controls;

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::commands) struct ServerAnswer {
    pub(in crate::commands) status: u16,
    pub(in crate::commands) body: Vec<u8>,
}

/// The fault of an answer, said of what came.
pub(super) const NO_HTTP: &str = "is no HTTP";
pub(super) const CUT_OFF: &str = "is not complete: the connection ended before the answer did";

impl ServerAnswer {
    /// Reads everything that came, with the body freed of its chunks.
    ///
    /// # Errors
    /// What is wrong with it, to be said of what came.
    pub(super) fn read(received: &[u8]) -> Result<ServerAnswer, &'static str> {
        let (head, from) = AnswerHead::read(received)?.ok_or(NO_HTTP)?;
        let rest = &received[from..];
        let body = match head.length {
            _ if head.is_chunked => join_chunks(rest)?,
            Some(length) => rest.get(..length).ok_or(CUT_OFF)?.to_vec(),
            None => rest.to_vec(),
        };
        let status = head.status;
        Ok(ServerAnswer { status, body })
    }

    /// Returns what it says, where it is JSON.
    pub(in crate::commands) fn json_body(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Returns why it is not what was asked for, in the server's words.
    pub(in crate::commands) fn refusal_error(&self, server: &str) -> CommandFailure {
        let said = self.json_body();
        // Text from elsewhere goes to a terminal.
        let word = |member: &str| Some(escape_controls(said.as_ref()?.get(member)?.as_str()?));
        let Some(mut error) = word("error") else {
            return CommandFailure::Running(format!(
                "{server} answers {} and does not say why: is it unslow?",
                self.status
            ));
        };
        if let Some((class, id)) = word("class").zip(word("id")) {
            error = format!("{error} ({class})\n  more about it is in the server's log, at {id}");
        }
        let has_catalog = said.is_some_and(|said| said["queries"].is_array());
        match self.status {
            400 => CommandFailure::Usage(error),
            // Another 404 is that of a server which does not know the command.
            404 if has_catalog => CommandFailure::Usage(error),
            _ => CommandFailure::Running(error),
        }
    }
}

/// The part before an answer's body.
pub(super) struct AnswerHead {
    pub(super) status: u16,
    /// The length of the body, in bytes; `None`: until the connection ends, or as the chunks say.
    pub(super) length: Option<usize>,
    pub(super) is_chunked: bool,
    /// No other answer comes on this connection.
    pub(super) is_last: bool,
}

impl AnswerHead {
    /// Reads it, and says where the body begins; `None` as long as it is not complete.
    ///
    /// # Errors
    /// What is wrong with it, to be said of what came.
    pub(super) fn read(received: &[u8]) -> Result<Option<(AnswerHead, usize)>, &'static str> {
        let Some((head, rest)) = split_at_mark(received, b"\r\n\r\n") else {
            return Ok(None);
        };
        let from = received.len() - rest.len();
        let head = std::str::from_utf8(head).map_err(|_| NO_HTTP)?;
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap_or_default();
        let (version, line) = line.split_once(' ').ok_or(NO_HTTP)?;
        if !version.starts_with("HTTP/1.") {
            return Err(NO_HTTP);
        }
        let status = line.get(..3).and_then(|status| status.parse().ok());
        let status = status.ok_or(NO_HTTP)?;
        if (100..200).contains(&status) {
            // Only the announcement of the answer, which follows it.
            let next = AnswerHead::read(rest)?;
            return Ok(next.map(|(head, at)| (head, from + at)));
        }
        let mut head = AnswerHead {
            status,
            length: None,
            is_chunked: false,
            is_last: version != "HTTP/1.1",
        };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                head.length = Some(value.parse::<usize>().map_err(|_| NO_HTTP)?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                head.is_chunked = value.eq_ignore_ascii_case("chunked");
            } else if name.eq_ignore_ascii_case("connection") {
                head.is_last |= value.eq_ignore_ascii_case("close");
            }
        }
        Ok(Some((head, from)))
    }
}

/// Returns the body that came in chunks. What stands behind the last one is not looked at.
fn join_chunks(mut rest: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut body = Vec::new();
    loop {
        let (size, data) = split_at_mark(rest, b"\r\n").ok_or(CUT_OFF)?;
        let size = std::str::from_utf8(size).map_err(|_| NO_HTTP)?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| NO_HTTP)?;
        if size == 0 {
            return Ok(body);
        }
        let (chunk, behind) = data.split_at_checked(size).ok_or(CUT_OFF)?;
        body.extend_from_slice(chunk);
        rest = behind.strip_prefix(b"\r\n").ok_or(CUT_OFF)?;
    }
}

/// Returns what stands before and behind the first `mark`.
fn split_at_mark<'t>(text: &'t [u8], mark: &[u8]) -> Option<(&'t [u8], &'t [u8])> {
    let at = text.windows(mark.len()).position(|part| part == mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    fn read(text: &str) -> Result<(u16, String), &'static str> {
        let answer = ServerAnswer::read(text.as_bytes())?;
        Ok((answer.status, String::from_utf8(answer.body).unwrap()))
    }

    #[test]
    fn an_answer_is_its_status_and_its_body() {
        for (text, status, body) in [
            (
                "HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n{}\r\n\r\n",
                404,
                "{}\r\n\r\n",
            ),
            (
                "HTTP/1.0 200 OK\r\nContent-length:  2 \r\n\r\n{}?",
                200,
                "{}",
            ),
            ("HTTP/1.1 204\r\nContent-Length: 0\r\n\r\n", 204, ""),
            (
                "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\na",
                200,
                "a",
            ),
        ] {
            assert_eq!(read(text), Ok((status, body.to_owned())), "{text}");
        }
    }

    #[test]
    fn chunks_are_joined() {
        let chunked = |chunks: &str| {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n";
            read(&format!("{head}{chunks}")).map(|(_, body)| body)
        };
        let text = "3\r\na\r\n\r\nA;name=\"x\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
        assert_eq!(chunked(text), Ok("a\r\n0123456789".to_owned()));
        for cut in ["", "3", "3\r\nab", "3\r\nabc\r\n", "3\r\nabcd\r\n0\r\n\r\n"] {
            assert_eq!(chunked(cut), Err(CUT_OFF), "{cut}");
        }
        for nonsense in ["x\r\n", "-1\r\n", "\r\n", "fffffffffffffffff\r\n"] {
            assert_eq!(chunked(nonsense), Err(NO_HTTP), "{nonsense}");
        }
        assert_eq!(chunked("ffffffffffffffff\r\na"), Err(CUT_OFF));
    }

    #[test]
    fn what_is_cut_off_or_no_http_is_no_answer() {
        for nonsense in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "SSH-2.0 x\r\n\r\n",
            "HTTP/1.1 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\n\r\n",
        ] {
            assert_eq!(read(nonsense), Err(NO_HTTP), "{nonsense}");
        }
        let short = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab";
        assert_eq!(read(short), Err(CUT_OFF));
    }
}
