//! Wishes to speak another protocol on the same connection (`Upgrade`, RFC 9110, 7.8), as Java's
//! client has with every request. They are ignored: the request is answered in the protocol it came
//! in, and the connection is kept. The HTTP library has no such answer; it would repeat the wish
//! and close, and take everything behind it for another protocol. So it does not get to see it.

/// The header's name, and the word for it in `Connection`.
const UPGRADE: &[u8] = b"upgrade";

/// Spoils the wish in a line of a head whose first colon stands at `colon`: one letter of the word
/// is changed in its place, which makes it a word without a meaning.
pub(super) fn ignore_wish(line: &mut [u8], colon: usize) {
    let (name, value) = line.split_at_mut(colon);
    if name.eq_ignore_ascii_case(b"connection") {
        value[1..]
            .split_mut(|byte| *byte == b',')
            .for_each(spoil_word);
    } else {
        spoil_word(name);
    }
}

/// Changes the word where it stands alone.
fn spoil_word(word: &mut [u8]) {
    if word.trim_ascii().eq_ignore_ascii_case(UPGRADE)
        && let Some(last) = word.iter_mut().rfind(|byte| !byte.is_ascii_whitespace())
    {
        *last = b'-';
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    #[test]
    fn the_wish_is_spoilt_and_nothing_else_is_touched() {
        for (sent, seen) in [
            (
                "Connection: Upgrade, HTTP2-Settings",
                "Connection: Upgrad-, HTTP2-Settings",
            ),
            ("Upgrade: h2c", "Upgrad-: h2c"),
            (
                "connection:keep-alive,UPGRADE ",
                "connection:keep-alive,UPGRAD- ",
            ),
            ("upgrade:websocket", "upgrad-:websocket"),
            (
                "Upgrade-Insecure-Requests: 1",
                "Upgrade-Insecure-Requests: 1",
            ),
            ("X: upgrade", "X: upgrade"),
            ("X-Upgrade: 1", "X-Upgrade: 1"),
            ("Connection:", "Connection:"),
            (":", ":"),
        ] {
            let mut line = sent.as_bytes().to_vec();
            let colon = sent.find(':').unwrap();
            ignore_wish(&mut line, colon);
            assert_eq!(String::from_utf8(line).unwrap(), seen, "{sent:?}");
        }
    }
}
