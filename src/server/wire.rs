//! The socket of one connection, with a bound on every wait for its client that actix has none
//! for: a head on a connection that had requests before, and a client that does not read. It
//! counts itself as open as long as it lives. What is said on it is not known here.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep_until};
use tokio_rustls::server::TlsStream;

use super::door::Visitor;
use super::sockets::system::Socket;
use crate::web::Connection;

/// How long a client may keep the server waiting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From the first byte of a request's head to its last.
    pub(super) head: Duration,
    /// While there is something to send and it takes none of it.
    pub(super) stall: Duration,
}

/// A socket that gives up on clients that keep it waiting: reading or writing then fails with
/// `TimedOut`, which ends the connection.
pub(super) struct Timed {
    socket: Socket,
    connection: Rc<Connection>,
    patience: Patience,
    head: Alarm,
    stall: Alarm,
    stalled_since: Option<Instant>,
    _visitor: Visitor,
}

impl Timed {
    pub(super) fn new(
        socket: Socket,
        connection: Rc<Connection>,
        patience: Patience,
        visitor: Visitor,
    ) -> Timed {
        Timed {
            socket,
            connection,
            patience,
            head: Alarm(None),
            stall: Alarm(None),
            stalled_since: None,
            _visitor: visitor,
        }
    }
}

/// A timer that is set once and then only looked at: its deadline moves with every request, and
/// setting it each time would cost more than ringing early now and then does.
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready once it is `deadline` or later; else the task is woken then, or before.
    fn poll(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        let deadline = deadline.into();
        let timer = self
            .0
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            ready!(timer.as_mut().poll(context));
            if timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}

fn timed_out<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let read = Pin::new(&mut this.socket).poll_read(context, buffer);
        if read.is_ready() {
            this.connection.received();
        } else if let Some(since) = this.connection.reading_since() {
            let deadline = since + this.patience.head;
            if this.head.poll(deadline, context).is_ready() {
                return timed_out();
            }
        }
        read
    }
}

impl Timed {
    /// Passes on how writing went, unless it has not gone on for too long.
    fn written(
        &mut self,
        context: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if wrote.is_ready() {
            self.stalled_since = None;
            return wrote;
        }
        let since = *self.stalled_since.get_or_insert_with(Instant::now);
        let deadline = since + self.patience.stall;
        if self.stall.poll(deadline, context).is_ready() {
            return timed_out();
        }
        Poll::Pending
    }
}

impl AsyncWrite for Timed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.written(context, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write_vectored(context, parts);
        self.written(context, wrote)
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

/// What HTTP is spoken on.
pub(super) enum Wire {
    Plain(Timed),
    Tls(Box<TlsStream<Timed>>),
}

impl Wire {
    pub(super) fn connection(&self) -> &Rc<Connection> {
        match self {
            Wire::Plain(timed) => &timed.connection,
            Wire::Tls(stream) => &stream.get_ref().0.connection,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(timed) => Pin::new(timed).poll_read(context, buffer),
            Wire::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(timed) => Pin::new(timed).poll_write(context, bytes),
            Wire::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(timed) => Pin::new(timed).poll_flush(context),
            Wire::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(timed) => Pin::new(timed).poll_shutdown(context),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
