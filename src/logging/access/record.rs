//! A request as the access log describes it.

use std::net::IpAddr;
use std::time::Duration;

use crate::outcome::Outcome;

/// The headers of a request or of its answer.
pub trait LoggedHeaders {
    /// Returns the first header of this name, which is in lower case; `None` also where it is no
    /// text.
    fn header(&self, name: &str) -> Option<&str>;
}

/// One request, as the access log tells it.
#[derive(Clone, Copy)]
pub struct AccessRecord<'a> {
    /// The client's address; `None` on a Unix socket.
    pub client: Option<IpAddr>,
    /// The method.
    pub method: &'a str,
    /// The path, without the query string.
    pub path: &'a str,
    /// True where there was a query string; it is written as `?…`, for it may hold anything.
    pub has_query: bool,
    /// The protocol, `HTTP/1.1`.
    pub version: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// The time from the request's head to the end of the answer.
    pub duration: Duration,
    /// The header of this name; what stands in it after a `?` is left out.
    pub referer: Option<&'a str>,
    /// The header of this name.
    pub user_agent: Option<&'a str>,
    /// The id that the answer carries too.
    pub request_id: &'a str,
    /// The way in which a query was answered; `None` for what is not a query.
    pub outcome: Option<Outcome>,
    /// The request's headers, for lines that show some; those that carry secrets never are.
    pub request_headers: &'a dyn LoggedHeaders,
    /// The answer's headers, as those of the request.
    pub response_headers: &'a dyn LoggedHeaders,
}
