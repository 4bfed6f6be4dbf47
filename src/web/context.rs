//! The facts about one request that are known before it is routed: its id, its beginning, its
//! sender.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use actix_web::dev::RequestHead;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};

use super::connection::{ConnectionState, ListenerAudience, ListenerInfo, ListenerProtocol};
use super::forwarded;
use super::line::HeaderLine;
use super::negotiate::{self, AcceptedCodings, Format};
use crate::settings::Network;

/// Carries the request's id in both directions.
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over from a client.
const LONGEST_ID: usize = 64;

/// The facts about a request that are known before its handler runs. The shortcut hands them over;
/// a handler of the route table finds them in the request's extensions, where the guard has left
/// them.
#[derive(Debug, Clone)]
pub(super) struct RequestContext {
    /// Names this request in its response, in error pages and in the log.
    pub(super) id: HeaderValue,
    /// The moment when the request's head had been read.
    pub(super) started: Instant,
    /// The sender, seen through trusted proxies; `None` where nobody knows.
    pub(super) client: Option<IpAddr>,
    /// True where it came inside TLS of our own.
    pub(super) encrypted: bool,
    /// The clients of the listener that it came by.
    pub(super) audience: ListenerAudience,
    /// The form in which it wants to hear of an error.
    pub(super) format: Format,
    /// The encodings it takes.
    pub(super) encoding: AcceptedCodings,
    if_none_match: Option<HeaderValue>,
}

impl RequestContext {
    /// Reads the context off a request's head.
    pub(super) fn from_head(
        head: &RequestHead,
        trusted: &[Network],
        reception: ListenerInfo,
    ) -> RequestContext {
        RequestContext {
            id: taken_over(&head.headers).unwrap_or_else(fresh_id),
            started: Instant::now(),
            client: forwarded::client_address(head, trusted),
            encrypted: reception.manner == ListenerProtocol::Tls,
            audience: reception.audience,
            format: negotiate::choose_format(head.uri.path(), &head.headers),
            encoding: AcceptedCodings::read(&head.headers),
            if_none_match: head.headers.get(header::IF_NONE_MATCH).cloned(),
        }
    }

    /// Makes the context of what could not be read as a request.
    pub(super) fn of_unread(connection: &ConnectionState) -> RequestContext {
        RequestContext {
            id: fresh_id(),
            started: connection.reading_since().unwrap_or_else(Instant::now),
            client: connection.peer().map(|peer| peer.ip()),
            encrypted: connection.reception().manner == ListenerProtocol::Tls,
            audience: connection.reception().audience,
            format: Format::Json,
            encoding: AcceptedCodings::read(&HeaderMap::new()),
            if_none_match: None,
        }
    }

    /// Returns the context that the guard left with this request.
    pub(super) fn from(request: &HttpRequest) -> RequestContext {
        request
            .extensions()
            .get::<RequestContext>()
            .cloned()
            .expect("the guard wraps every route")
    }

    /// Returns the id as text.
    pub(super) fn id(&self) -> &str {
        self.id
            .to_str()
            .expect("ids hold letters, digits and a few signs only")
    }

    /// Returns whether the client already has what this tag names: weak comparison with each member
    /// of `If-None-Match`, or `*` (RFC 9110, 13.1.2).
    pub(super) fn has_etag(&self, etag: impl AsRef<[u8]>) -> bool {
        let etag = etag.as_ref();
        let list = self
            .if_none_match
            .as_ref()
            .and_then(|value| value.to_str().ok());
        list.is_some_and(|list| {
            list.split(',').map(str::trim).any(|member| {
                member == "*" || member.strip_prefix("W/").unwrap_or(member).as_bytes() == etag
            })
        })
    }
}

/// Returns the client's own id, where it is short and plain enough to stand in a log line.
fn taken_over(headers: &HeaderMap) -> Option<HeaderValue> {
    let value = headers.get(X_REQUEST_ID)?;
    let sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    let bytes = value.as_bytes();
    (!bytes.is_empty() && bytes.len() <= LONGEST_ID && bytes.iter().all(sane))
        .then(|| value.clone())
}

/// Unique in this process and unlike those of any other: a counter stepped by a golden-ratio
/// increment from a random start. An id is a name, not a secret.
fn fresh_id() -> HeaderValue {
    static NEXT: LazyLock<AtomicU64> =
        LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one(std::process::id())));
    let number = NEXT.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    HeaderLine::new().push_hexadecimal(number).header_value()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn a_sane_id_is_taken_over_and_any_other_replaced() {
        let id = |value: &str| {
            let request = TestRequest::default().insert_header((X_REQUEST_ID, value));
            RequestContext::from_head(request.to_request().head(), &[], ListenerInfo::OPEN)
                .id()
                .to_owned()
        };
        assert_eq!(id("req-42_a.b:c"), "req-42_a.b:c");
        for strange in ["", "a b", "a\"b", &"x".repeat(65)] {
            assert_ne!(id(strange), strange);
            assert_eq!(id(strange).len(), 16);
        }
        assert_ne!(id(""), id(""));
    }

    #[test]
    fn if_none_match_compares_weakly_and_member_by_member() {
        let has = |value: &str| {
            let request = TestRequest::default().insert_header((header::IF_NONE_MATCH, value));
            RequestContext::from_head(request.to_request().head(), &[], ListenerInfo::OPEN)
                .has_etag("\"abc-json\"")
        };
        for value in ["\"abc-json\"", "W/\"abc-json\"", "\"x\", \"abc-json\"", "*"] {
            assert!(has(value), "{value}");
        }
        for value in ["\"abc-csv\"", "abc-json", "", "\"abc-json"] {
            assert!(!has(value), "{value}");
        }
    }
}
