//! The reason why a page has no value, in the words that a client may read.

use std::time::Duration;

/// The reason why there is no value, in the words a client may read.
#[derive(Debug, Clone, Copy)]
pub struct PageFailure<'a> {
    /// The HTTP status of the answer.
    pub status: u16,
    /// `RequestError::public_message`, never its `Display`.
    pub message: &'a str,
    /// The request's id, which also stands in the log.
    pub id: &'a str,
    /// The moment when it is worth asking again.
    pub retry_after: Option<Duration>,
}
