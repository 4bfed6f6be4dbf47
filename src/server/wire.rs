//! The socket of one connection, with a bound on every wait for its client: for a head, for a next
//! request, and for a client that does not read or reads too slowly. It counts itself as open as
//! long as it lives, and what it holds while its client keeps it waiting. What is said on it is not
//! known here.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::door::ConnectionGuard;
use super::patience::{ClientPatience, CoarseAlarm, TakingPace};
use super::sockets::UNSENT;
use super::sockets::system::Socket;
use crate::app::HeldBuffer;
use crate::web::ConnectionState;

/// A socket that gives up on clients that keep it waiting: reading or writing then fails with
/// `TimedOut`, which ends the connection. One on which no request comes any more is at its end.
pub(super) struct TimedSocket {
    socket: Socket,
    connection: Rc<ConnectionState>,
    patience: ClientPatience,
    head: CoarseAlarm,
    stall: CoarseAlarm,
    idle: CoarseAlarm,
    pace: TakingPace,
    /// The moment when something was last sent, if nothing came in since.
    sent: Option<Instant>,
    unsent: HeldBuffer,
    _visitor: ConnectionGuard,
}

impl TimedSocket {
    pub(super) fn new(
        socket: Socket,
        connection: Rc<ConnectionState>,
        patience: ClientPatience,
        (visitor, unsent): (ConnectionGuard, HeldBuffer),
    ) -> TimedSocket {
        // The first head has its time from now on.
        connection.note_received();
        TimedSocket {
            socket,
            connection,
            patience,
            head: CoarseAlarm::default(),
            stall: CoarseAlarm::default(),
            idle: CoarseAlarm::default(),
            pace: TakingPace::default(),
            sent: None,
            unsent,
            _visitor: visitor,
        }
    }

    /// Returns the moment when it was last used, where no request is under way in any part.
    fn idle_since(&self) -> Option<Instant> {
        let connection = &self.connection;
        let is_used = connection.is_at_work() || self.pace.is_waiting();
        self.sent.filter(|_| !is_used)
    }

    /// Passes on how writing went, unless it has not gone on for too long.
    fn pass_written(
        &mut self,
        context: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let now = Instant::now();
        if let Poll::Ready(wrote) = wrote {
            if let Ok(bytes) = wrote {
                self.pace.note_taken(bytes, || now);
                self.sent = Some(now);
                // Only so that the task is woken at that time; then reading finds that it is over.
                if !self.patience.idle.is_zero() {
                    let _ = self
                        .idle
                        .poll(now + self.patience.idle, self.patience.idle, context);
                }
            }
            return Poll::Ready(wrote);
        }
        let answer = self.connection.answer_count();
        let deadline = self.pace.wait(answer, self.patience.stall, now);
        if self
            .stall
            .poll(deadline, self.patience.stall, context)
            .is_ready()
        {
            return timed_out();
        }
        Poll::Pending
    }
}

fn timed_out<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
}

impl AsyncRead for TimedSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let read = Pin::new(&mut this.socket).poll_read(context, buffer);
        if read.is_ready() {
            this.connection.note_received();
            this.sent = None;
        } else if this.pace.is_waiting() {
            // Bytes that came in already are looked at once the answer before them is sent.
        } else if let Some(since) = this.connection.reading_since() {
            let deadline = since + this.patience.head;
            if this
                .head
                .poll(deadline, this.patience.head, context)
                .is_ready()
            {
                return timed_out();
            }
        } else if let Some(since) = this.idle_since() {
            let deadline = since + this.patience.idle;
            if this
                .idle
                .poll(deadline, this.patience.idle, context)
                .is_ready()
            {
                // Nothing was read: that is the end.
                return Poll::Ready(Ok(()));
            }
        }
        read
    }
}

impl AsyncWrite for TimedSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.pass_written(context, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write_vectored(context, parts);
        self.pass_written(context, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket keeps nothing back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// The most that TLS holds encrypted of what could not be sent.
const ENCRYPTED: usize = 64 << 10;

/// The transport that HTTP is spoken on.
#[allow(
    clippy::large_enum_variant,
    reason = "the larger one is the usual one, and need not be allocated apart"
)]
pub(super) enum ConnectionWire {
    Plain(TimedSocket),
    Tls(Box<TlsStream<TimedSocket>>),
}

impl ConnectionWire {
    pub(super) fn connection(&self) -> &Rc<ConnectionState> {
        match self {
            ConnectionWire::Plain(timed) => &timed.connection,
            ConnectionWire::Tls(stream) => &stream.get_ref().0.connection,
        }
    }

    /// Returns whether there is something to send that the client does not take.
    pub(super) fn is_waiting(&self) -> bool {
        match self {
            ConnectionWire::Plain(timed) => timed.pace.is_waiting(),
            ConnectionWire::Tls(stream) => stream.get_ref().0.pace.is_waiting(),
        }
    }

    /// Counts what waits for the client: bytes that could not be written, with what the system and
    /// TLS hold before them; or nothing.
    fn hold_unsent(&mut self, waiting: Option<usize>) {
        let held = |before: usize| waiting.map_or(0, |bytes| bytes + before);
        match self {
            ConnectionWire::Plain(timed) => timed.unsent.set(held(UNSENT)),
            ConnectionWire::Tls(stream) => stream.get_mut().0.unsent.set(held(UNSENT + ENCRYPTED)),
        }
    }
}

impl AsyncRead for ConnectionWire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            ConnectionWire::Plain(timed) => Pin::new(timed).poll_read(context, buffer),
            ConnectionWire::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for ConnectionWire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = match this {
            ConnectionWire::Plain(timed) => Pin::new(timed).poll_write(context, bytes),
            ConnectionWire::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        this.hold_unsent(wrote.is_pending().then_some(bytes.len()));
        wrote
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            ConnectionWire::Plain(timed) => Pin::new(timed).poll_flush(context),
            ConnectionWire::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            ConnectionWire::Plain(timed) => Pin::new(timed).poll_shutdown(context),
            ConnectionWire::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
