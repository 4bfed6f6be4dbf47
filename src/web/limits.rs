//! The refusal of a request by its head alone, before any route is looked for: the host that it
//! asks for, the length of its parts, and the time that a handler waits for its body.

use std::time::Duration;

use actix_web::dev::RequestHead;
use actix_web::http::header;

use super::connection::ListenerInfo;
use super::hosts;
use crate::error::RequestError;
use crate::settings::ServerSettings;

/// The most time for a request's body; the rest of `request_timeout` is for the work.
const BODY: Duration = Duration::from_secs(30);

/// Returns how long a handler waits for its request's body.
pub(super) fn body_timeout(server: &ServerSettings) -> Duration {
    BODY.min(server.request_timeout / 2)
}

/// Refuses a request whose head or announced body is over a limit, or that asks for a host which is
/// not answered to.
///
/// # Errors
/// 413, 414, 421 or 431 with words.
pub(super) fn check_limits(
    head: &RequestHead,
    server: &ServerSettings,
    reception: ListenerInfo,
) -> Result<(), RequestError> {
    hosts::check_host(head, server, reception)?;
    within_limits(head, server)
}

/// Refuses a request whose head or announced body is over a limit.
///
/// # Errors
/// 413, 414 or 431 with words.
pub(super) fn within_limits(
    head: &RequestHead,
    server: &ServerSettings,
) -> Result<(), RequestError> {
    let too_much = |status, message: String| Err(RequestError::Rejected { status, message });
    // Method, target, version and the two spaces between them.
    let line = head.method.as_str().len()
        + head
            .uri
            .path_and_query()
            .map_or(0, |target| target.as_str().len())
        + " HTTP/1.1 ".len();
    if line > server.limit_request_line {
        let limit = server.limit_request_line;
        return too_much(
            414,
            format!("the request line is longer than {limit} bytes"),
        );
    }
    let headers = &head.headers;
    if headers.len() > server.limit_request_fields {
        let limit = server.limit_request_fields;
        return too_much(
            431,
            format!("the request has more than {limit} header fields"),
        );
    }
    for (name, value) in headers {
        if name.as_str().len() + ": ".len() + value.len() > server.limit_request_field_size {
            let limit = server.limit_request_field_size;
            return too_much(
                431,
                format!("the header field {name} is longer than {limit} bytes"),
            );
        }
    }
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    if length.and_then(|text| text.parse().ok()) > Some(server.limit_request_body) {
        let limit = server.limit_request_body;
        return too_much(
            413,
            format!("the request's body is longer than {limit} bytes"),
        );
    }
    Ok(())
}
