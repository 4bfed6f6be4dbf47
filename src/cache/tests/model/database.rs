//! The database of the model: each load says what it is, takes as long and ends as the case wants,
//! and is recorded.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::super::super::lookup::LoadedValue;
use super::fleet::State;
use super::record::{Load, Pen, Process, is_quick};
use super::steps::Ending;
use crate::error::RequestError;

/// When a load is given up.
pub(super) const LOAD_DEADLINE: Duration = Duration::from_secs(5);

type Loading = Pin<Box<dyn Future<Output = Result<LoadedValue, RequestError>> + Send>>;

/// What loads do from now on.
pub(super) struct Database(Mutex<(Duration, Ending)>);

impl Default for Database {
    fn default() -> Database {
        Database(Mutex::new((Duration::from_millis(700), Ending::Well)))
    }
}

impl Database {
    pub(super) fn will(&self, millis: u64, end: Ending) {
        let plan = (Duration::from_millis(millis), end);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = plan;
    }

    /// A load of this entry by this process.
    pub(super) fn load(
        self: &Arc<Self>,
        pen: &Pen,
        by: Process,
        key: usize,
        mut state: watch::Receiver<State>,
    ) -> impl FnOnce(Duration) -> Loading + Send + 'static {
        let (database, pen) = (Arc::clone(self), pen.clone());
        move |_| {
            Box::pin(async move {
                if runs(&mut state).await == State::Ended {
                    return Err(away());
                }
                let plan = *database.0.lock().unwrap_or_else(PoisonError::into_inner);
                let number = {
                    let mut record = pen.write();
                    record.loads.push(Load {
                        by,
                        key,
                        begin: Instant::now(),
                        end: None,
                    });
                    record.loads.len() - 1
                };
                let (take, end) = match plan {
                    (_, Ending::Deadline) => (LOAD_DEADLINE, Ending::Deadline),
                    (take, end) if is_quick(key) => (take / 10, end),
                    plan => plan,
                };
                tokio::select! {
                    biased;
                    _ = state.wait_for(|state| *state == State::Ended) => return Err(away()),
                    () = sleep(take) => {}
                }
                if runs(&mut state).await == State::Ended {
                    return Err(away());
                }
                pen.write().loads[number].end = Some((Instant::now(), end));
                ending(end, key, number)
            })
        }
    }
}

/// Until the process runs, or has ended.
async fn runs(state: &mut watch::Receiver<State>) -> State {
    let state = state.wait_for(|state| *state != State::Stopped).await;
    state.map_or(State::Ended, |state| *state)
}

fn ending(end: Ending, key: usize, number: usize) -> Result<LoadedValue, RequestError> {
    match end {
        Ending::Well => Ok(LoadedValue {
            body: format!("model({key},{number})").into(),
            head: Bytes::new(),
            rows: 1,
            is_foreign: false,
        }),
        Ending::Failed => Err(RequestError::Failed {
            sqlstate: "22012".into(),
            detail: "played".into(),
            position: None,
        }),
        Ending::Away => Err(away()),
        // Without a word on standard error.
        Ending::Panic => std::panic::resume_unwind(Box::new("played")),
        Ending::Deadline => Err(RequestError::Timeout {
            limit: LOAD_DEADLINE,
        }),
    }
}

fn away() -> RequestError {
    RequestError::Unavailable {
        detail: "played".into(),
    }
}

/// The entry and the load that the first body in `bytes` says it is of; bytes around it do not
/// matter, so that an envelope will do.
pub(super) fn parse(bytes: &[u8]) -> (usize, usize) {
    let text = String::from_utf8_lossy(bytes);
    let body = text
        .split_once("model(")
        .and_then(|(_, body)| body.split_once(')'));
    let numbers = body.and_then(|(body, _)| body.split_once(','));
    let number = |digits: &str| digits.parse().expect("a body of the model");
    let (key, load) = numbers.expect("a body of the model");
    (number(key), number(load))
}
