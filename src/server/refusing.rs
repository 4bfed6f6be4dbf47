//! The wire that HTTP is spoken on, with our words in place of the HTTP library's own refusals.
//! What such a refusal looks like, and what is said instead, is `web`'s.
//!
//! The library ends a connection right after a refusal. So what looks like one is held back: if
//! more is written or read, it was part of a body and goes out as it is; if the connection ends, it
//! is the refusal.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::SystemTime;

use actix_web::http::header::HttpDate;
use actix_web::web;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pipeline::PipelineGate;
use crate::web::{Site, own_answer, refusal_bytes};

/// A wire on which nobody is refused without words.
pub(super) struct RefusalStream {
    wire: PipelineGate,
    site: web::Data<Site>,
    /// The bytes that were taken from the library and are not sent yet.
    held: Vec<u8>,
    /// True where `held` are our words already.
    is_told: bool,
}

impl RefusalStream {
    pub(super) fn new(wire: PipelineGate, site: web::Data<Site>) -> RefusalStream {
        RefusalStream {
            wire,
            site,
            held: Vec::new(),
            is_told: false,
        }
    }

    pub(super) fn pipeline_gate(&self) -> &PipelineGate {
        &self.wire
    }

    /// Sends what was held back, as far as it goes.
    fn poll_held(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let sent = ready!(Pin::new(&mut self.wire).poll_write(context, &self.held))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.held.drain(..sent);
        }
        Poll::Ready(Ok(()))
    }

    /// Puts our words in the place of what was held back, as nothing came behind it.
    fn send_refusal(&mut self) {
        if !self.held.is_empty() && !self.is_told {
            self.held = refusal_bytes(&self.site, self.wire.connection(), &self.held);
            self.is_told = true;
        }
    }
}

impl AsyncRead for RefusalStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.held.is_empty() {
            // Reading does not wait for it: the task is woken when it can go on.
            if let Poll::Ready(Err(error)) = this.poll_held(context) {
                return Poll::Ready(Err(error));
            }
        }
        match Pin::new(&mut this.wire).poll_read(context, buffer) {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::TimedOut => {
                // The library, for which the input ends here, would say nothing.
                this.held = too_late().into_bytes();
                Poll::Ready(Ok(()))
            }
            read => read,
        }
    }
}

/// Returns the library's refusal of a head that does not come in time.
fn too_late() -> String {
    let date = HttpDate::from(SystemTime::now());
    format!(
        "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\ndate: {date}\r\n\r\n"
    )
}

impl AsyncWrite for RefusalStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.held.is_empty() {
            ready!(this.poll_held(context))?;
        }
        let before = bytes.len() - own_answer(bytes);
        if before == bytes.len() || before > 0 {
            return Pin::new(&mut this.wire).poll_write(context, &bytes[..before]);
        }
        this.held.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.held.is_empty() {
            // Unless the connection ends now, the task reads next, which sends it.
            context.waker().wake_by_ref();
        }
        Pin::new(&mut this.wire).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.send_refusal();
        ready!(this.poll_held(context))?;
        Pin::new(&mut this.wire).poll_shutdown(context)
    }
}

impl Drop for RefusalStream {
    /// Sends what the library has left: after a request that it cannot read, it ends without a
    /// shutdown. A socket that has room for some hundred bytes takes them at once; one that has
    /// none loses them.
    fn drop(&mut self) {
        if self.held.is_empty() {
            return;
        }
        self.send_refusal();
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok(())) = self.poll_held(&mut context) {
            let _ = Pin::new(&mut self.wire).poll_flush(&mut context);
        }
    }
}
