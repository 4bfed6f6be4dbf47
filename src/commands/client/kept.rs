//! A connection that is kept from one request to the next, as browsers and proxies keep theirs, so
//! that a request is timed without the making of a connection. One that the server has ended is
//! made again before the next request.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::failure::CommandFailure;
use super::ServerClient;
use super::answer::{AnswerHead, CUT_OFF, ServerAnswer};
use super::stream::{ByteStream, LONGEST};

/// The bytes of a long answer that are held; the rest is read and thrown away.
const HELD: usize = 64 << 10;

/// A connection, and whose it is.
pub(in crate::commands) struct KeptConnection {
    client: Arc<ServerClient>,
    stream: Option<Box<dyn ByteStream>>,
}

/// An answer and what the whole of it took.
#[derive(Debug)]
pub(in crate::commands) struct TimedAnswer {
    /// The answer; where its length is known, no more than the beginning of its body.
    pub(in crate::commands) answer: ServerAnswer,
    /// The time from the first byte sent to the last one received.
    pub(in crate::commands) elapsed: Duration,
}

impl KeptConnection {
    /// Connects to the server, for many requests.
    ///
    /// Fails where there is no server. [`ServerClient::is_absent`] tells this from the rest.
    pub(in crate::commands) fn open(client: &Arc<ServerClient>) -> io::Result<KeptConnection> {
        Ok(KeptConnection {
            stream: Some(client.connect()?),
            client: Arc::clone(client),
        })
    }

    /// Posts a form to a path. The answer is whatever the server says, errors too. What has been
    /// sent is not sent again: the server may have done it.
    ///
    /// Fails as [`ServerClient::post_form`].
    pub(in crate::commands) fn post_form(
        &mut self,
        path: &str,
        form: &str,
    ) -> Result<TimedAnswer, CommandFailure> {
        let failed =
            |error: &io::Error| CommandFailure::Running(self.client.unreachable_words(error));
        let request = self.client.post_request(path, form, "keep-alive");
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.client.connect().map_err(|error| failed(&error))?,
        };
        let begun = Instant::now();
        let sent = stream.write_all(request.as_bytes());
        let answered = sent.and_then(|()| receive_answer(&mut stream));
        let elapsed = begun.elapsed();
        let (answer, is_last) = answered
            .map_err(|error| failed(&error))?
            .map_err(|why| self.client.no_answer(why))?;
        self.stream = (!is_last).then_some(stream);
        Ok(TimedAnswer { answer, elapsed })
    }
}

/// Returns one answer, and whether it is the connection's last; or what is wrong with what came.
fn receive_answer(
    stream: &mut dyn ByteStream,
) -> io::Result<Result<(ServerAnswer, bool), &'static str>> {
    let mut received = Vec::new();
    let mut piece = vec![0; HELD];
    loop {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Ok(Err(CUT_OFF));
        }
        received.extend_from_slice(&piece[..count]);
        match AnswerHead::read(&received) {
            Err(why) => return Ok(Err(why)),
            Ok(None) => {}
            Ok(Some((head, from))) => {
                return match head.length {
                    Some(length) if !head.is_chunked => {
                        let body = received.split_off(from);
                        read_sized(stream, length, body, &mut piece)
                            .map(|body| body.map(|body| parse_answer(&head, body)))
                    }
                    _ => open_ended(stream, &head, received, &mut piece),
                };
            }
        }
        if received.len() > HELD {
            return Ok(Err("has a head that does not end"));
        }
    }
}

fn parse_answer(head: &AnswerHead, body: Vec<u8>) -> (ServerAnswer, bool) {
    let status = head.status;
    (ServerAnswer { status, body }, head.is_last)
}

/// Returns the beginning of a body of so many bytes, read to its end.
fn read_sized(
    stream: &mut dyn ByteStream,
    length: usize,
    mut body: Vec<u8>,
    piece: &mut [u8],
) -> io::Result<Result<Vec<u8>, &'static str>> {
    let mut left = length.saturating_sub(body.len());
    while left > 0 {
        let most = piece.len().min(left);
        let count = stream.read(&mut piece[..most])?;
        if count == 0 {
            return Ok(Err(CUT_OFF));
        }
        left -= count;
        let room = HELD.saturating_sub(body.len()).min(count);
        body.extend_from_slice(&piece[..room]);
    }
    body.truncate(length);
    Ok(Ok(body))
}

/// Returns an answer whose length shows only at its end: of a proxy, since unslow's own have one.
fn open_ended(
    stream: &mut dyn ByteStream,
    head: &AnswerHead,
    mut received: Vec<u8>,
    piece: &mut [u8],
) -> io::Result<Result<(ServerAnswer, bool), &'static str>> {
    loop {
        let whole = ServerAnswer::read(&received);
        if head.is_chunked && whole != Err(CUT_OFF) {
            return Ok(whole.map(|answer| (answer, head.is_last)));
        }
        let count = stream.read(piece)?;
        if count == 0 || received.len() as u64 > LONGEST {
            return Ok(whole.map(|answer| (answer, true)));
        }
        received.extend_from_slice(&piece[..count]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::collections::VecDeque;
    use std::io::{Read, Write};

    use super::*;

    /// The bytes that a server sends, in these pieces.
    struct Script(VecDeque<Vec<u8>>);

    impl Read for Script {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let Some(mut piece) = self.0.pop_front() else {
                return Ok(0);
            };
            let rest = piece.split_off(piece.len().min(into.len()));
            into[..piece.len()].copy_from_slice(&piece);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
            Ok(piece.len())
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn received(pieces: &[&str]) -> Result<(u16, String, bool), &'static str> {
        let pieces = pieces.iter().map(|piece| piece.as_bytes().to_vec());
        let mut script = Script(pieces.collect());
        let (answer, is_last) = receive_answer(&mut script).unwrap()?;
        let body = String::from_utf8(answer.body).unwrap();
        Ok((answer.status, body, is_last))
    }

    #[test]
    fn an_answer_is_read_to_its_end_in_whatever_pieces_it_comes() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n";
        for text in [whole, chunked] {
            for at in 1..text.len() {
                let (one, other) = text.split_at(at);
                let said = received(&[one, other]);
                assert_eq!(said, Ok((200, "hello".to_owned(), false)), "{at}");
            }
        }
    }

    #[test]
    fn a_connection_that_the_server_ends_is_not_kept() {
        for head in [
            "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
        ] {
            assert_eq!(received(&[head]), Ok((200, String::new(), true)), "{head}");
        }
    }

    #[test]
    fn a_long_answer_is_read_and_not_held() {
        let body = "x".repeat(3 * HELD);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let (_, kept, _) = received(&[&head, &body]).unwrap();
        assert_eq!(kept.len(), HELD);
    }

    #[test]
    fn what_is_cut_off_is_no_answer() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell";
        for pieces in [&[][..], &["HTTP/1.1 200"], &[head]] {
            assert_eq!(received(pieces), Err(CUT_OFF));
        }
        assert!(received(&["SSH-2.0\r\n\r\n"]).is_err());
        let endless = "x".repeat(HELD + 1);
        assert!(received(&["HTTP/1.1 200 OK\r\nA: ", &endless]).is_err());
    }
}
