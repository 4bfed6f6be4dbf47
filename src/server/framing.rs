//! The end of each request in the bytes of a connection: heads, bodies with a length, bodies in
//! chunks. heads, bodies with a length, bodies in chunks. Nothing is refused here. Bytes that are
//! no request are the HTTP library's to refuse, and it reads no further then, so that they may be
//! taken for anything.

mod chunks;

use self::chunks::{ChunkState, take};
use super::upgrade;

/// The place of a connection's next byte within its request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RequestFraming {
    part: RequestPart,
    head: HeadLines,
}

#[derive(Debug, Clone, Copy, Default)]
enum RequestPart {
    /// The beginning of a line of a head.
    #[default]
    Head,
    /// The inside of a line of a head that decides nothing.
    Line,
    /// So many bytes before the end of a body.
    Body(u64),
    Chunks(ChunkState),
}

/// The lines of a head that were seen so far.
#[derive(Debug, Clone, Copy, Default)]
struct HeadLines {
    has_first: bool,
    is_simple: bool,
    length: u64,
    is_chunked: bool,
}

/// The extent of a request within some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RequestExtent {
    /// It ends behind so many of them.
    Whole {
        bytes: usize,
        /// It is a GET in HTTP/1.1 without a body that says nothing of its connection. The
        /// HTTP library mixes up others: it answers by the method, version and `Connection` of the
        /// request that it has read last.
        is_simple: bool,
    },
    /// It goes on. So many of them can be used; the others begin a line that has to be seen whole.
    Part { bytes: usize },
}

/// The longest line that is waited for, to be seen whole.
const LONGEST: usize = 512;

/// Names of headers that decide how a request is read.
const DECISIVE: [&[u8]; 4] = [
    b"connection:",
    b"content-length:",
    b"transfer-encoding:",
    b"upgrade:",
];

impl RequestFraming {
    /// Returns whether the next byte belongs to a body.
    pub(super) fn is_in_body(&self) -> bool {
        matches!(self.part, RequestPart::Body(_) | RequestPart::Chunks(_))
    }

    /// Follows the request to its end, or as far as the bytes go. Wishes for another protocol are
    /// spoilt in its head.
    pub(super) fn advance(&mut self, bytes: &mut [u8]) -> RequestExtent {
        let mut at = 0;
        loop {
            let rest = &mut bytes[at..];
            match &mut self.part {
                RequestPart::Head | RequestPart::Line => {
                    let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
                        if matches!(self.part, RequestPart::Head) {
                            if self.head.waits_for_rest_of(rest) {
                                return RequestExtent::Part { bytes: at };
                            }
                            self.head.has_first = true;
                            self.part = RequestPart::Line;
                        }
                        return RequestExtent::Part { bytes: bytes.len() };
                    };
                    at += length + 1;
                    let begins_here = matches!(self.part, RequestPart::Head);
                    self.part = RequestPart::Head;
                    if begins_here && self.head.take_line(&mut rest[..length]) {
                        self.part = self.head.body_part();
                        if !self.is_in_body() {
                            return self.request_extent(at);
                        }
                    }
                }
                RequestPart::Body(left) => {
                    let taken = take(left, rest.len());
                    let is_over = *left == 0;
                    at += taken;
                    return if is_over {
                        self.request_extent(at)
                    } else {
                        RequestExtent::Part { bytes: at }
                    };
                }
                RequestPart::Chunks(chunk) => {
                    let (taken, is_over) = chunk.advance(rest);
                    at += taken;
                    return if is_over {
                        self.request_extent(at)
                    } else {
                        RequestExtent::Part { bytes: at }
                    };
                }
            }
        }
    }

    fn request_extent(&mut self, bytes: usize) -> RequestExtent {
        let is_simple = self.head.is_simple && !self.is_in_body();
        *self = RequestFraming::default();
        RequestExtent::Whole { bytes, is_simple }
    }
}

impl HeadLines {
    /// Returns whether a line that begins so has to be seen whole.
    fn waits_for_rest_of(&self, line: &[u8]) -> bool {
        if line.is_empty() || line == b"\r" {
            return true;
        }
        let is_decisive = |name: &&[u8]| {
            let length = line.len().min(name.len());
            line[..length].eq_ignore_ascii_case(&name[..length])
        };
        self.has_first && line.len() < LONGEST && DECISIVE.iter().any(is_decisive)
    }

    /// Takes in a whole line. Returns whether it ends the head.
    fn take_line(&mut self, line: &mut [u8]) -> bool {
        let length = line.strip_suffix(b"\r").map_or(line.len(), <[u8]>::len);
        let line = &mut line[..length];
        if !self.has_first {
            // Empty lines before a request are passed over, as the library does.
            self.has_first = !line.is_empty();
            self.is_simple = line.starts_with(b"GET ") && line.ends_with(b" HTTP/1.1");
            return false;
        }
        match line.first() {
            None => return true,
            Some(b'c' | b'C' | b't' | b'T' | b'u' | b'U') => self.decide_line(line),
            Some(_) => {}
        }
        false
    }

    fn decide_line(&mut self, line: &mut [u8]) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"connection") {
            self.is_simple &= value.eq_ignore_ascii_case(b"keep-alive");
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value).map(str::parse::<u64>);
            self.length = length.ok().and_then(Result::ok).unwrap_or_default();
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.is_chunked = true;
        }
        upgrade::ignore_wish(line, colon);
    }

    /// Returns the body behind it; without one the next head.
    fn body_part(&self) -> RequestPart {
        if self.is_chunked {
            RequestPart::Chunks(ChunkState::default())
        } else if self.length > 0 {
            RequestPart::Body(self.length)
        } else {
            RequestPart::Head
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    /// Requests, each with whether it is simple.
    const REQUESTS: &[(&str, bool)] = &[
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
        (
            "\r\n\r\nGET / HTTP/1.1\nHost: a\nCookie: c\nUser-Agent: u\n\n",
            true,
        ),
        (
            "GET / HTTP/1.1\r\nConnection: Keep-Alive\r\nC\r\n\r\n",
            true,
        ),
        ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", false),
        (
            "POST / HTTP/1.1\r\ncontent-length:  6 \r\n\r\n\r\n\r\n\r\n",
            false,
        ),
        ("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", false),
        (
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
             4;a=b\r\n\r\n\r\n\r\n1A \r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n0\r\n\r\n",
            false,
        ),
        (
            "PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n00\r\nA: b\n\r\nC: d\r\n\r\n",
            false,
        ),
    ];

    /// Returns the ends of the requests in these bytes, which come in parts of so many.
    fn ends(text: &str, size: usize) -> Vec<usize> {
        let mut framing = RequestFraming::default();
        let (mut ends, mut held, mut seen) = (Vec::new(), Vec::new(), 0);
        for part in text.as_bytes().chunks(size) {
            held.extend_from_slice(part);
            loop {
                let (used, is_whole) = match framing.advance(&mut held) {
                    RequestExtent::Whole { bytes, .. } => (bytes, true),
                    RequestExtent::Part { bytes } => (bytes, false),
                };
                held.drain(..used);
                seen += used;
                if !is_whole {
                    break;
                }
                ends.push(seen);
            }
            assert!(held.len() < LONGEST);
        }
        ends
    }

    #[test]
    fn requests_end_where_they_end_however_they_are_cut() {
        let (mut all, mut expected) = (String::new(), Vec::new());
        for (request, _) in REQUESTS.iter().chain(REQUESTS) {
            all += request;
            expected.push(all.len());
        }
        for size in 1..=all.len() {
            assert_eq!(ends(&all, size), expected, "in parts of {size}");
        }
    }

    #[test]
    fn only_a_get_without_more_is_simple() {
        for (request, simple) in REQUESTS {
            let mut bytes = request.as_bytes().to_vec();
            let extent = RequestFraming::default().advance(&mut bytes);
            let (bytes, is_simple) = (request.len(), *simple);
            assert_eq!(
                extent,
                RequestExtent::Whole { bytes, is_simple },
                "{request:?}"
            );
        }
    }

    #[test]
    fn wishes_for_another_protocol_are_spoilt_however_they_are_cut_and_bodies_are_not() {
        let sent = "POST /upgrade: HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n\
                    X: upgrade\r\nContent-Length: 14\r\n\r\nUpgrade: web\r\n\
                    GET / HTTP/1.1\r\nuPgrade: x\r\n\r\n";
        let expected = sent
            .replacen("Upgrade\r", "Upgrad-\r", 1)
            .replacen("Upgrade: h2c", "Upgrad-: h2c", 1)
            .replacen("uPgrade:", "uPgrad-:", 1);
        for size in 1..=sent.len() {
            let mut framing = RequestFraming::default();
            let (mut held, mut seen) = (Vec::new(), Vec::new());
            for part in sent.as_bytes().chunks(size) {
                held.extend_from_slice(part);
                loop {
                    let extent = framing.advance(&mut held);
                    let (RequestExtent::Whole { bytes, .. } | RequestExtent::Part { bytes }) =
                        extent;
                    seen.extend(held.drain(..bytes));
                    if matches!(extent, RequestExtent::Part { .. }) {
                        break;
                    }
                }
            }
            assert_eq!(
                String::from_utf8(seen).unwrap(),
                expected,
                "in parts of {size}"
            );
        }
    }

    #[test]
    fn a_line_that_never_ends_is_not_waited_for() {
        for line in ["Connection: ", "X: ", "Content-Length: "] {
            let mut bytes = format!("GET / HTTP/1.1\r\n{line}{}", "x".repeat(60_000)).into_bytes();
            let bytes_all = bytes.len();
            let extent = RequestFraming::default().advance(&mut bytes);
            assert_eq!(extent, RequestExtent::Part { bytes: bytes_all }, "{line}");
        }
    }
}
