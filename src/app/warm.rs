//! Warm-up: the first load of a query, before anybody asks. It owns when that is tried again; how
//! it is done is `reload`'s.

use std::future::Future;
use std::time::Duration;

use tokio::time::sleep;

use crate::cache::RefreshResult;
use crate::error::RequestError;
use crate::query::Query;

/// The pause before a database that was away is tried again: at first, and, doubling, at most. It
/// may be away for as long as it likes: the first request when it is back should not wait.
const RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_secs(10);

/// Loads one query by `load`, over and over while the database is away. Any other failure is
/// logged and final. Gives the age of the copy that there is in the end. Must be called on the
/// engine runtime. Cancel-safe: dropped, it tries no more.
pub(super) async fn warm_query<F, Fut>(query: &Query, load: F) -> Option<Duration>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<RefreshResult, RequestError>>,
{
    let mut pause = RETRY;
    let name = query.name.as_str();
    loop {
        match load().await {
            Ok(RefreshResult::Loaded) => return Some(Duration::ZERO),
            Ok(RefreshResult::Recent { age }) => return Some(age),
            Err(error) => {
                let (RequestError::Unavailable { detail } | RequestError::Busy { detail }) =
                    error.cause()
                else {
                    tracing::warn!(
                        query = name,
                        at = query.locate_error(&error),
                        class = error.class(),
                        "the warm-up failed, the first request will load: {}",
                        error.log_message()
                    );
                    return None;
                };
                if pause == RETRY {
                    tracing::info!(query = name, cause = %detail, "the warm-up waits for the database");
                }
                sleep(pause).await;
                pause = (pause * 2).min(MAX_RETRY);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use tokio::time::Instant;

    use super::*;
    use crate::query::DatabaseKind;

    /// Warms by loads that end so, the last one over and over; gives what came of it, and how
    /// many loads and seconds it took.
    async fn warmed(
        ends: Vec<Result<RefreshResult, RequestError>>,
    ) -> (Option<Duration>, usize, Duration) {
        let (ends, loads, began) = (RefCell::new(ends), Cell::new(0), Instant::now());
        let query = Query::parse(DatabaseKind::Sqlite, "q", "select 1").expect("it is one");
        let age = warm_query(&query, || async {
            loads.set(loads.get() + 1);
            let mut ends = ends.borrow_mut();
            if ends.len() > 1 {
                ends.remove(0)
            } else {
                ends[0].clone()
            }
        })
        .await;
        (age, loads.get(), began.elapsed())
    }

    fn away() -> Result<RefreshResult, RequestError> {
        Err(RequestError::Unavailable {
            detail: "played by the test".into(),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_is_loaded_once_or_taken_from_where_it_is() {
        let age = Duration::from_secs(3);
        let of = async |end| warmed(vec![Ok(end)]).await;
        assert_eq!(
            of(RefreshResult::Loaded).await,
            (Some(Duration::ZERO), 1, Duration::ZERO)
        );
        assert_eq!(
            of(RefreshResult::Recent { age }).await,
            (Some(age), 1, Duration::ZERO)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_is_waited_for_however_long() {
        // Every other attempt comes while the cache still remembers the one before.
        let remembered = || {
            away().map_err(|error| RequestError::Again {
                cause: error.into(),
                wait: RETRY,
            })
        };
        let mut ends: Vec<_> = (0..500).flat_map(|_| [away(), remembered()]).collect();
        ends.push(Ok(RefreshResult::Loaded));
        let (age, loads, time) = warmed(ends).await;
        assert_eq!((age, loads), (Some(Duration::ZERO), 1001));
        let first = [1, 2, 4, 8]
            .map(Duration::from_secs)
            .iter()
            .sum::<Duration>();
        let rest = 996 * MAX_RETRY;
        assert!(time >= first + rest && time < first + rest + Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_that_fails_is_not_tried_again() {
        let failed = Err(RequestError::Failed {
            sqlstate: "22012".into(),
            detail: "division by zero".into(),
            position: None,
        });
        let (age, loads, time) = warmed(vec![away(), failed, Ok(RefreshResult::Loaded)]).await;
        assert_eq!((age, loads, time), (None, 2, RETRY));
    }
}
