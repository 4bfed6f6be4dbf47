//! The state that the requests on one connection share: how it is spoken on, and whether one of
//! them is being worked on. The server makes one of these for each connection and leaves it with
//! the connection's requests; the socket itself is the server's.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

/// The protocol of a listener's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerProtocol {
    /// Plain HTTP.
    Plain,
    /// HTTP inside TLS of our own.
    Tls,
    /// Plain HTTP, where every visitor is sent on to https.
    Redirect {
        /// The port that is listened on.
        from: u16,
        /// The port that speaks TLS.
        to: u16,
    },
}

/// The clients that a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerAudience {
    /// All clients: all routes are there.
    Everyone,
    /// Those who want pages and data: what is for operators has a listener of its own.
    Visitors,
    /// Operators alone.
    Operators,
}

/// The protocol of a listener's connections, and its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerInfo {
    /// The protocol.
    pub manner: ListenerProtocol,
    /// The clients.
    pub audience: ListenerAudience,
    /// The port that is listened on, where there is one.
    pub port: Option<u16>,
}

impl ListenerInfo {
    /// Everything, in plain HTTP.
    pub const OPEN: ListenerInfo = ListenerInfo {
        manner: ListenerProtocol::Plain,
        audience: ListenerAudience::Everyone,
        port: None,
    };
}

/// One connection, in the extensions of its requests as an `Rc`.
#[derive(Debug)]
pub struct ConnectionState {
    reception: ListenerInfo,
    peer: Option<SocketAddr>,
    at_work: Cell<u32>,
    answers: Cell<u64>,
    since: Cell<Option<Instant>>,
}

impl ConnectionState {
    /// A connection that has just been made.
    pub fn new(reception: ListenerInfo, peer: Option<SocketAddr>) -> Rc<ConnectionState> {
        Rc::new(ConnectionState {
            reception,
            peer,
            at_work: Cell::new(0),
            answers: Cell::new(0),
            since: Cell::new(None),
        })
    }

    /// Returns how it is served, and for whom.
    pub fn reception(&self) -> ListenerInfo {
        self.reception
    }

    /// Returns the other end; `None` where it has no address.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Notes that bytes came in. They are part of a head, unless a request is being worked on.
    pub fn note_received(&self) {
        if !self.is_at_work() && self.since.get().is_none() {
            self.since.set(Some(Instant::now()));
        }
    }

    /// Forgets what came in: it was no part of a request, but of a TLS handshake.
    pub fn forget_received(&self) {
        self.since.set(None);
    }

    /// Returns the moment since when a head is being read that is not complete; `None` where none
    /// is.
    pub fn reading_since(&self) -> Option<Instant> {
        self.since.get()
    }

    /// Returns whether a request is being worked on.
    pub fn is_at_work(&self) -> bool {
        self.at_work.get() > 0
    }

    /// Returns how many requests were, or are, worked on.
    pub fn answer_count(&self) -> u64 {
        self.answers.get()
    }

    /// A complete head has come: its request is worked on until the value is dropped.
    pub(super) fn begin_work(connection: &Rc<ConnectionState>) -> RequestWork {
        connection.since.set(None);
        connection.at_work.set(connection.at_work.get() + 1);
        connection.answers.set(connection.answers.get() + 1);
        RequestWork(Rc::clone(connection))
    }
}

/// A request that is being worked on.
#[derive(Debug)]
pub(super) struct RequestWork(Rc<ConnectionState>);

impl Drop for RequestWork {
    fn drop(&mut self) {
        self.0.at_work.set(self.0.at_work.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_is_a_head_unless_a_request_is_worked_on() {
        let connection = ConnectionState::new(ListenerInfo::OPEN, None);
        assert_eq!(connection.reading_since(), None);
        connection.note_received();
        let since = connection.reading_since();
        assert!(since.is_some());
        connection.note_received();
        assert_eq!(
            connection.reading_since(),
            since,
            "it began with its first byte"
        );
        let work = ConnectionState::begin_work(&connection);
        assert_eq!(connection.reading_since(), None);
        connection.note_received();
        assert_eq!(connection.reading_since(), None, "that is its body");
        drop(work);
        connection.note_received();
        assert!(connection.reading_since().is_some());
    }
}
