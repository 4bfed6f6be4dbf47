//! Wishes to speak another protocol on the same connection (`Upgrade`, RFC 9110, 7.8), as Java's
//! client has with every request. They are ignored: the request is answered in the protocol it came
//! in, and the connection is kept. The HTTP library has no such answer; it would repeat the wish and
//! close, and take everything behind it for another protocol. So it does not get to see it.

/// The header's name, and the word for it in `Connection`.
const UPGRADE: &[u8] = b"upgrade";

/// Spoils the wish in bytes that begin within a request's head: one letter of each word is changed
/// in its place, which makes them words without a meaning. Bodies are left as they are, and what
/// comes behind one.
pub(super) fn ignore(bytes: &mut [u8]) {
    if !mentions(bytes) {
        return;
    }
    let mut has_body = false;
    for line in bytes.split_mut(|byte| *byte == b'\n') {
        let length = line.strip_suffix(b"\r").map_or(line.len(), <[u8]>::len);
        let line = &mut line[..length];
        if line.is_empty() {
            if has_body {
                return;
            }
            continue;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at_mut(colon);
        if name.eq_ignore_ascii_case(b"connection") {
            value[1..].split_mut(|byte| *byte == b',').for_each(spoil);
        } else if name.eq_ignore_ascii_case(b"content-length")
            || name.eq_ignore_ascii_case(b"transfer-encoding")
        {
            has_body = true;
        } else {
            spoil(name);
        }
    }
}

/// Changes the word where it stands alone.
fn spoil(word: &mut [u8]) {
    if word.trim_ascii().eq_ignore_ascii_case(UPGRADE)
        && let Some(last) = word.iter_mut().rfind(|byte| !byte.is_ascii_whitespace())
    {
        *last = b'-';
    }
}

/// Whether the word is there at all. Looking for its rarest letter first is what costs least, since
/// every request is looked through.
fn mentions(bytes: &[u8]) -> bool {
    const RARE: usize = 2;
    bytes.iter().enumerate().any(|(at, byte)| {
        byte.eq_ignore_ascii_case(&UPGRADE[RARE])
            && at
                .checked_sub(RARE)
                .and_then(|begin| bytes.get(begin..begin + UPGRADE.len()))
                .is_some_and(|word| word.eq_ignore_ascii_case(UPGRADE))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    fn ignored(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        ignore(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_wish_is_spoilt_and_nothing_else_is_touched() {
        for (sent, seen) in [
            (
                "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
                "GET / HTTP/1.1\r\nConnection: Upgrad-, HTTP2-Settings\r\nUpgrad-: h2c\r\n\r\n",
            ),
            (
                "connection:keep-alive,UPGRADE \r\nupgrade:websocket\r\n",
                "connection:keep-alive,UPGRAD- \r\nupgrad-:websocket\r\n",
            ),
            (
                "GET /upgrade: HTTP/1.1\nUpgrade-Insecure-Requests: 1\nX: upgrade\nX-Upgrade: 1\n\n",
                "GET /upgrade: HTTP/1.1\nUpgrade-Insecure-Requests: 1\nX: upgrade\nX-Upgrade: 1\n\n",
            ),
            // The second of two requests in one packet, and what only looks like one.
            (
                "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nUpgrade: x\r\n\r\n",
                "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nUpgrad-: x\r\n\r\n",
            ),
            (
                "POST / HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 9\r\n\r\nUpgrade: y\r\n",
                "POST / HTTP/1.1\r\nUpgrad-: x\r\nContent-Length: 9\r\n\r\nUpgrade: y\r\n",
            ),
            ("", ""),
            ("upgrade", "upgrade"),
            ("upgrad", "upgrad"),
        ] {
            assert_eq!(ignored(sent), seen, "{sent:?}");
        }
    }
}
