//! The wire on which requests come in turns: the HTTP library gets the next ones when those before
//! are answered and their answers have gone out. It would read a hundred kilobytes of requests
//! ahead, and keep each of them in some three kilobytes, however little its client reads. Where a
//! request ends is not known here.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::{RequestExtent, RequestFraming};
use super::wire::ConnectionWire;
use crate::defence::Defence;
use crate::web::ConnectionState;

/// The number of requests that came together and are handed on together, so that their answers go
/// out together.
const TOGETHER: usize = 16;

/// A wire that hands on no more than the requests whose turn it is.
pub(super) struct PipelineGate {
    wire: ConnectionWire,
    framing: RequestFraming,
    /// Bytes that came in and are not handed on yet: at most as many as are read at once.
    kept: BytesMut,
    /// `kept` can only be handed on with what follows it.
    is_short: bool,
    /// The end of a request was handed on that the library has not looked at yet.
    is_handed: bool,
}

impl PipelineGate {
    pub(super) fn new(wire: ConnectionWire) -> PipelineGate {
        PipelineGate {
            wire,
            framing: RequestFraming::default(),
            kept: BytesMut::new(),
            is_short: false,
            is_handed: false,
        }
    }

    pub(super) fn connection(&self) -> &Rc<ConnectionState> {
        self.wire.connection()
    }

    /// Returns whether requests have to wait for answers. A body never does: its answer waits for
    /// it.
    fn is_closed(&self) -> bool {
        let is_owed = self.connection().is_at_work() || self.wire.is_waiting();
        self.is_handed || (is_owed && !self.framing.is_in_body())
    }

    /// Hands on nothing. The end of input is seen, as long as nothing is kept before it.
    fn poll_closed(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.kept.is_empty() {
            let before = buffer.filled().len();
            let read = Pin::new(&mut self.wire).poll_read(context, buffer);
            self.is_handed &= read.is_ready();
            ready!(read)?;
            if buffer.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            self.kept.extend_from_slice(&buffer.filled()[before..]);
            buffer.set_filled(before);
        }
        if std::mem::take(&mut self.is_handed) {
            // The library looks at what it has now. What is written later wakes the task too.
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Returns how many of these bytes are handed on: the next request as far as it goes, and
    /// those behind it that are whole and simple.
    fn admit_bytes(&mut self, bytes: &mut [u8]) -> usize {
        self.is_short = false;
        let (mut admitted, mut requests) = (0, 0);
        while admitted < bytes.len() && requests < TOGETHER {
            let before = self.framing;
            match self.framing.advance(&mut bytes[admitted..]) {
                RequestExtent::Whole { bytes, is_simple } if requests == 0 || is_simple => {
                    admitted += bytes;
                    requests += 1;
                    if !is_simple {
                        break;
                    }
                }
                RequestExtent::Part { bytes: some } if requests == 0 => {
                    self.is_short = some < bytes.len();
                    return some;
                }
                RequestExtent::Whole { .. } | RequestExtent::Part { .. } => {
                    self.framing = before;
                    break;
                }
            }
        }
        self.is_handed = requests > 0;
        admitted
    }

    /// Keeps what stands behind `admitted` in the bytes that were offered, of which the first
    /// `from_kept` had been kept before.
    fn keep_rest(&mut self, offered: &[u8], from_kept: usize, admitted: usize) {
        if from_kept == offered.len() {
            self.kept.advance(admitted);
        } else {
            // All that was kept is among them.
            self.kept.clear();
            self.kept.extend_from_slice(&offered[admitted..]);
        }
        if self.kept.is_empty() {
            self.kept = BytesMut::new();
        }
    }
}

impl AsyncRead for PipelineGate {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if Defence::Pipeline.is_off() {
            return Pin::new(&mut this.wire).poll_read(context, buffer);
        }
        if this.is_closed() {
            return this.poll_closed(context, buffer);
        }
        let before = buffer.filled().len();
        loop {
            let from_kept = this.kept.len().min(buffer.remaining());
            buffer.put_slice(&this.kept[..from_kept]);
            if from_kept == 0 || this.is_short {
                let read = Pin::new(&mut this.wire).poll_read(context, buffer);
                if !matches!(read, Poll::Ready(Ok(()))) {
                    buffer.set_filled(before);
                    return read;
                }
            } else {
                this.connection().note_received();
            }
            let offered = &mut buffer.filled_mut()[before..];
            if offered.len() == from_kept && (from_kept == 0 || this.is_short) {
                // The end of input, within a head if anything was kept.
                buffer.set_filled(before);
                return Poll::Ready(Ok(()));
            }
            let is_all = from_kept == this.kept.len() || offered.len() > from_kept;
            let admitted = this.admit_bytes(offered);
            this.is_short &= is_all;
            if from_kept > 0 || admitted < offered.len() {
                this.keep_rest(offered, from_kept, admitted);
            }
            buffer.set_filled(before + admitted);
            if admitted > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for PipelineGate {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.wire).poll_write(context, bytes);
        if wrote.is_ready() && !this.kept.is_empty() {
            // It may be the turn of what is kept.
            context.waker().wake_by_ref();
        }
        wrote
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_shutdown(context)
    }
}
