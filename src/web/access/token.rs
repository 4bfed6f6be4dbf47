//! Tokens: what of one is kept, how a request brings one, and whether it came so that others could
//! read it.

use std::fmt;
use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::dev::RequestHead;
use actix_web::http::header::{self, HeaderMap};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::super::context::RequestContext;
use super::super::forwarded;
use crate::settings::{Network, Secret};

/// The digest of a token: equal length makes the comparison's time constant.
#[derive(Clone, Copy)]
pub(super) struct TokenDigest([u8; 32]);

impl fmt::Debug for TokenDigest {
    /// Shows nothing: a short token could be guessed from its digest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl TokenDigest {
    pub(super) fn hash(token: &Secret) -> TokenDigest {
        TokenDigest(Sha256::digest(token.reveal().as_bytes()).into())
    }

    /// Compares all bytes whatever they are, so that time tells nothing.
    pub(super) fn is_of(&self, presented: &Secret) -> bool {
        let other = TokenDigest::hash(presented);
        let differences = self.0.iter().zip(other.0);
        black_box(differences.fold(0, |sum, (left, right)| sum | (left ^ right))) == 0
    }
}

/// Returns the token of `Authorization: Bearer`, or the password of `Basic`, so that a browser can
/// ask.
pub(super) fn presented_token(headers: &HeaderMap) -> Option<Secret> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Secret::new(credentials.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(credentials.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (_, password) = decoded.split_once(':')?;
    Some(Secret::new(password.to_owned()))
}

/// Returns whether it came over a network in plain HTTP. What a proxy of this machine hands over
/// did not, as far as anybody can tell here.
fn is_exposed(head: &RequestHead, context: &RequestContext, trusted: &[Network]) -> bool {
    let is_far = |peer: std::net::SocketAddr| !peer.ip().to_canonical().is_loopback();
    head.peer_addr.is_some_and(is_far) && !context.encrypted && !forwarded::is_https(head, trusted)
}

/// The pause between two log lines about it.
const SELDOM: Duration = Duration::from_hours(1);

/// Says in the log, now and then, that a right token could be read on its way.
pub(super) fn mind_the_wire(head: &RequestHead, context: &RequestContext, trusted: &[Network]) {
    static SAID: Mutex<Option<Instant>> = Mutex::new(None);
    if is_exposed(head, context, trusted) && is_due(&SAID, Instant::now()) {
        tracing::warn!(
            "a token came over the network in plain HTTP, where others can read it: serve TLS \
             ([tls] cert, key), or let a proxy do so that says X-Forwarded-Proto: https"
        );
    }
}

/// Returns whether it was not due for so long; then it is not due again for a while.
fn is_due(said: &Mutex<Option<Instant>>, now: Instant) -> bool {
    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
    let due = said.is_none_or(|last| now.saturating_duration_since(last) >= SELDOM);
    if due {
        *said = Some(now);
    }
    due
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use std::net::SocketAddr;

    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;

    use super::super::super::connection::{ListenerInfo, ListenerProtocol};
    use super::*;

    #[test]
    fn a_token_comes_as_bearer_or_as_the_password_of_basic() {
        let token = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            presented_token(&headers).map(|token| token.reveal().to_owned())
        };
        assert_eq!(token("Bearer s3cret").as_deref(), Some("s3cret"));
        assert_eq!(token("bearer  s3cret").as_deref(), Some("s3cret"));
        // "admin:s3:cret"
        assert_eq!(
            token("Basic YWRtaW46czM6Y3JldA==").as_deref(),
            Some("s3:cret")
        );
        for nonsense in ["Basic !", "Digest x", "Bearer", ""] {
            assert_eq!(token(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn tokens_are_the_same_only_when_all_bytes_are_and_are_not_shown() {
        let token = |text: &str| Secret::new(text.to_owned());
        let digest = TokenDigest::hash(&token("a"));
        assert!(digest.is_of(&token("a")));
        for other in ["b", "", "a ", "aa", "A"] {
            assert!(!digest.is_of(&token(other)), "{other:?}");
        }
        assert_eq!(format!("{digest:?}"), "***");
    }

    #[test]
    fn a_token_is_exposed_on_a_network_that_nothing_encrypts() {
        let trusted = [Network::parse("192.0.2.9").unwrap()];
        let exposed = |peer: Option<&str>, proto: Option<&str>, manner| {
            let mut request = TestRequest::default();
            if let Some(peer) = peer {
                request = request.peer_addr(SocketAddr::new(peer.parse().unwrap(), 1));
            }
            if let Some(proto) = proto {
                request = request.insert_header(("x-forwarded-proto", proto));
            }
            let request = request.to_request();
            let reception = ListenerInfo {
                manner,
                ..ListenerInfo::OPEN
            };
            let context = RequestContext::from_head(request.head(), &trusted, reception);
            is_exposed(request.head(), &context, &trusted)
        };
        assert!(exposed(Some("192.0.2.1"), None, ListenerProtocol::Plain));
        assert!(
            exposed(Some("192.0.2.1"), Some("https"), ListenerProtocol::Plain),
            "a stranger's word"
        );
        assert!(exposed(
            Some("192.0.2.9"),
            Some("http"),
            ListenerProtocol::Plain
        ));
        assert!(!exposed(
            Some("192.0.2.9"),
            Some("https"),
            ListenerProtocol::Plain
        ));
        assert!(!exposed(Some("192.0.2.1"), None, ListenerProtocol::Tls));
        assert!(!exposed(Some("127.0.0.1"), None, ListenerProtocol::Plain));
        assert!(!exposed(
            Some("::ffff:127.0.0.1"),
            None,
            ListenerProtocol::Plain
        ));
        assert!(
            !exposed(None, None, ListenerProtocol::Plain),
            "a unix socket"
        );
    }

    #[test]
    fn what_is_said_now_and_then_is_said_at_once_and_after_a_while() {
        let (said, now) = (Mutex::new(None), Instant::now());
        assert!(is_due(&said, now));
        assert!(!is_due(&said, now));
        assert!(!is_due(&said, now + SELDOM / 2));
        assert!(is_due(&said, now + SELDOM));
        assert!(!is_due(&said, now + SELDOM));
    }
}
