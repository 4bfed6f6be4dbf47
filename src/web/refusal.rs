//! The HTTP library's own answers: to what it cannot read as a request (400), reads no further
//! (431), or waited for in vain (408). They have no body, no id and none of our headers, and no
//! line in the access log. Here they are recognised in what the library writes, and made anew.

use actix_web::HttpResponse;
use actix_web::body::MessageBody as _;

use super::connection::ConnectionState;
use super::context::RequestContext;
use super::site::Site;
use super::{errors, guard};
use crate::error::RequestError;

/// More bytes than any of them has.
const LONGEST: usize = 200;
const END: &[u8] = b"\r\n\r\n";
const FIELDS: [&str; 3] = ["connection", "content-length", "date"];

/// Returns how many of the last bytes are an answer of the library's own, 0 for none: a refusal
/// with an empty body and no header but those that the library writes by itself. Bodies of ours end
/// otherwise; in the middle of one these bytes may stand all the same, with more behind them.
pub fn own_answer(written: &[u8]) -> usize {
    if !written.ends_with(END) {
        return 0;
    }
    let window = &written[written.len().saturating_sub(LONGEST)..];
    let begin = window.windows(7).rposition(|bytes| bytes == b"HTTP/1.");
    let answer = begin.and_then(|begin| std::str::from_utf8(&window[begin..]).ok());
    answer.filter(|answer| is_own(answer)).map_or(0, str::len)
}

fn is_own(answer: &str) -> bool {
    let mut lines = answer.trim_end_matches("\r\n").split("\r\n");
    let is_refusal = lines.next().and_then(status_code).is_some();
    let name = |line: &str| {
        line.split_once(": ")
            .map(|(name, _)| name.to_ascii_lowercase())
    };
    let is_known = |line: &str| name(line).is_some_and(|name| FIELDS.contains(&name.as_str()));
    let is_empty = answer
        .to_ascii_lowercase()
        .contains("\r\ncontent-length: 0\r\n");
    is_refusal && is_empty && lines.all(is_known)
}

/// Returns the status in a status line, where it is one that the library gives by itself.
fn status_code(line: &str) -> Option<u16> {
    let status = line.split(' ').nth(1)?.parse().ok()?;
    matches!(status, 400 | 408 | 431 | 500).then_some(status)
}

/// Returns the bytes to send in place of such an answer: the same status with our words, headers
/// and an id, which is also in the access log from now on.
pub fn refusal_bytes(site: &Site, connection: &ConnectionState, own: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(own);
    let status = text.lines().next().and_then(status_code).unwrap_or(400);
    let message = match status {
        408 => "the request's head did not come in time",
        431 => "the request's head is longer than any that is read",
        500 => "the request's body came in an order that cannot be read",
        _ => {
            "this is no request of HTTP/1.1: its first line, a header field or its body's framing is malformed, or its address is longer than 65534 bytes"
        }
    };
    let error = RequestError::Rejected {
        status,
        message: message.to_owned(),
    };
    let context = RequestContext::of_unread(connection);
    let mut response = errors::respond_error(site, &context, &error);
    guard::finish_unread(site, &context, &mut response);
    response_bytes(&text, response)
}

/// Returns the response as bytes, with the first line and the date of the library's.
fn response_bytes(own: &str, response: HttpResponse) -> Vec<u8> {
    let (response, body) = response.into_parts();
    let body = body.try_into_bytes().unwrap_or_default();
    let mut out = Vec::with_capacity(1024 + body.len());
    let mut put = |line: &[u8]| {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    };
    for (place, line) in own.lines().enumerate() {
        if place == 0 || line.to_ascii_lowercase().starts_with("date: ") {
            put(line.as_bytes());
        }
    }
    put(b"connection: close");
    put(format!("content-length: {}", body.len()).as_bytes());
    for (name, value) in response.headers() {
        put(&[name.as_str().as_bytes(), b": ", value.as_bytes()].concat());
    }
    put(b"");
    out.extend_from_slice(&body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "date: Mon, 30 Nov 2026 23:05:06 GMT\r\n";

    #[test]
    fn only_what_the_library_says_by_itself_is_taken_for_that() {
        let bare = format!(
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n{DATE}\r\n"
        );
        assert_eq!(own_answer(bare.as_bytes()), bare.len());
        let behind = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{{}}{bare}");
        assert_eq!(own_answer(behind.as_bytes()), bare.len());
        for other in [
            String::new(),
            "\r\n\r\n".to_owned(),
            bare.replace("400 Bad Request", "404 Not Found"),
            bare.replace("400 Bad Request", "200 OK"),
            bare.replace("content-length: 0", "content-length: 9"),
            bare.replace(DATE, "x-request-id: 1\r\n"),
            format!("{bare}x"),
            bare[9..].to_owned(),
        ] {
            assert_eq!(own_answer(other.as_bytes()), 0, "{other:?}");
        }
    }
}
