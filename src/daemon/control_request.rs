//! A request on the control socket while the master has it, and the wait for the next one.

use tokio::sync::{mpsc, oneshot};

use super::control::{DaemonAnswer, DaemonRequest};

/// A request on the control socket, and the place for its answer.
pub(super) type ControlRequest = (DaemonRequest, oneshot::Sender<DaemonAnswer>);

/// Returns the next request; none, for ever, where nobody can ask. Cancel-safe.
pub(super) async fn next_request(
    requests: &mut Option<mpsc::Receiver<ControlRequest>>,
) -> Option<ControlRequest> {
    match requests {
        Some(requests) => requests.recv().await,
        None => None,
    }
}
