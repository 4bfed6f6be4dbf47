//! The sending of a response's body: a large one goes out in pieces, and each within the budget
//! over all that waits to be sent ([`UnsentBudget`]). The response's headers and its line in the
//! access log are not made here.
//!
//! [`UnsentBudget`]: crate::app::UnsentBudget

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{self, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::RequestHead;
use bytes::Bytes;

use super::context::RequestContext;
use super::errors;
use super::site::Site;
use crate::app::{HeldBody, NoRoom};
use crate::error::RequestError;

/// The bytes of a body that are handed over at once. The connection copies what it is handed, so
/// that a client which does not read costs this much memory and not the whole body.
const PIECE: usize = 64 << 10;

/// A body of so many bytes is always sent. Errors have to be, so that a client which is refused
/// hears why; a connection has buffers of this size anyway.
const SMALL: u64 = 8 << 10;

/// Returns the response with a large body in pieces, or a 503 where what waits to be sent to other
/// clients leaves no room for it.
pub(super) fn within_budget(
    site: &Site,
    context: &RequestContext,
    head: &RequestHead,
    response: HttpResponse,
) -> HttpResponse {
    let BodySize::Sized(length) = response.body().size() else {
        return response;
    };
    if length <= SMALL {
        return response;
    }
    let may_overdraw = !response.status().is_success() || is_for_operators(head);
    if length <= PIECE as u64 {
        // The connection's own buffer holds it, and counts it once its client keeps it waiting.
        let fits = may_overdraw || !site.app.unsent.is_full();
        return if fits {
            response
        } else {
            refuse_pieces(site, context)
        };
    }
    let budget = &site.app.unsent;
    let mut is_refused = false;
    let response = response.map_body(|_, body| {
        let left = match body.try_into_bytes() {
            Ok(left) => left,
            // It is made while it is sent.
            Err(body) => return body,
        };
        let counted = if may_overdraw {
            Ok(budget.overdraw_body(&left))
        } else {
            budget.hold_body(&left)
        };
        counted.map_or_else(
            |NoRoom| {
                is_refused = true;
                BoxBody::new(())
            },
            |held| BoxBody::new(BodyPieces { left, _held: held }),
        )
    });
    if is_refused {
        refuse_pieces(site, context)
    } else {
        response
    }
}

/// Refuses a page before it is made of so many bytes of rows, where there is no room for it.
///
/// # Errors
/// There is none.
pub(super) fn require_room(site: &Site, rows: usize) -> Result<(), RequestError> {
    if rows > PIECE && site.app.unsent.is_full() {
        site.app.unsent.count_refusal();
        return Err(RequestError::NoRoom);
    }
    Ok(())
}

fn refuse_pieces(site: &Site, context: &RequestContext) -> HttpResponse {
    site.app.unsent.count_refusal();
    errors::respond_error(site, context, &RequestError::NoRoom)
}

/// Operators have to see what goes on when visitors are refused.
fn is_for_operators(head: &RequestHead) -> bool {
    let path = head.uri.path();
    path.starts_with("/stats") || path == "/metrics"
}

/// A body that goes out piece by piece, and is counted until the last one is handed over.
struct BodyPieces {
    left: Bytes,
    _held: HeldBody,
}

impl MessageBody for BodyPieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.left.len() as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let piece = PIECE.min(self.left.len());
        let next = (piece > 0).then(|| Ok(self.left.split_to(piece)));
        Poll::Ready(next)
    }
}
