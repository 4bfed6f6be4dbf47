//! The facts about a load: its cause, its end, and the key of its value.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::counter::{Counter, CounterPart};
use super::tiers::words;
use crate::error::RequestError;

words! {
    /// The cause of a load.
    Trigger {
        /// A request that had no copy to answer with.
        Request => "request",
        /// A request that was answered with a copy: a stale one, or one that is due soon.
        Refresh => "refresh",
        /// The warm-up.
        Warm => "warm",
        /// The schedule.
        Schedule => "schedule",
        /// An operator.
        Admin => "admin",
    }
}

words! {
    /// The failure of a load.
    LoadError {
        /// It took longer than its limit.
        Timeout => "timeout",
        /// The database was not reached, or full.
        Unavailable => "unavailable",
        /// The statement is no read.
        Refused => "refused",
        /// The database reported an error.
        Failed => "failed",
        /// The query cannot be answered as it is written.
        BadQuery => "bad_query",
        /// The result was larger than the bound.
        TooLarge => "too_large",
        /// The database refused a value that the client sent; no failure of a load.
        RefusedValue => "refused_value",
        /// A fault of this program; also a load that its end, or a panic, cut short.
        Internal => "internal",
    }
}

impl Trigger {
    pub(super) fn counter(self) -> Counter {
        match self {
            Trigger::Request => Counter::LoadsRequest,
            Trigger::Refresh => Counter::LoadsRefresh,
            Trigger::Warm => Counter::LoadsWarm,
            Trigger::Schedule => Counter::LoadsSchedule,
            Trigger::Admin => Counter::LoadsAdmin,
        }
    }
}

impl LoadError {
    /// Returns the classes of `load_errors`: those that say something about query or database.
    pub(super) fn failure_classes() -> impl Iterator<Item = LoadError> {
        let all = LoadError::ALL.into_iter();
        all.filter(|class| class.counter().part() == CounterPart::LoadError)
    }

    /// Returns the class of an error that a load ended with.
    pub fn from_error(error: &RequestError) -> LoadError {
        match error {
            RequestError::Timeout { .. } => LoadError::Timeout,
            RequestError::Unavailable { .. } | RequestError::Busy { .. } => LoadError::Unavailable,
            RequestError::Refused { .. } => LoadError::Refused,
            RequestError::Failed { .. } => LoadError::Failed,
            RequestError::BadQuery { .. } => LoadError::BadQuery,
            RequestError::TooLarge { .. } => LoadError::TooLarge,
            RequestError::RefusedValue(_) => LoadError::RefusedValue,
            // No load ends with any other.
            _ => LoadError::Internal,
        }
    }

    pub(super) fn counter(self) -> Counter {
        match self {
            LoadError::Timeout => Counter::LoadErrorsTimeout,
            LoadError::Unavailable => Counter::LoadErrorsUnavailable,
            LoadError::Refused => Counter::LoadErrorsRefused,
            LoadError::Failed => Counter::LoadErrorsFailed,
            LoadError::BadQuery => Counter::LoadErrorsBadQuery,
            LoadError::TooLarge => Counter::LoadErrorsTooLarge,
            LoadError::RefusedValue => Counter::RefusedValues,
            LoadError::Internal => Counter::LoadErrorsInternal,
        }
    }
}

/// The key of an entry, as far as it matters here.
#[derive(Clone, Copy)]
pub struct KeyId<'a> {
    /// Differs between all keys, and covers the query's name.
    pub digest: &'a [u8; 16],
    /// The parameters; kept only where the query says `show-params`.
    pub canonical: &'a Bytes,
}

/// Shows nothing of the contents.
impl fmt::Debug for KeyId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyId").finish_non_exhaustive()
    }
}

/// An answer that is too large to be kept.
#[derive(Debug, Clone, Copy)]
pub struct NotKept {
    /// Its size.
    pub bytes: u64,
    /// The bound.
    pub limit: u64,
    /// The setting that says so, by its place in the ini file.
    pub setting: &'static str,
    /// The moment when it was loaded.
    pub at: Instant,
}

/// A load that has ended.
#[derive(Debug, Clone, Copy)]
pub struct LoadEnd<'a> {
    /// The key of the value that it was to bring.
    pub key: KeyId<'a>,
    /// The cause that began it.
    pub trigger: Trigger,
    /// The time for which it took.
    pub elapsed: Duration,
    /// The failure; `None`: it succeeded.
    pub error: Option<LoadError>,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::error::RefusedValue;
    use crate::stats::counter::Family;

    #[test]
    fn each_word_is_the_label_of_its_counter() {
        for trigger in Trigger::ALL {
            let family = trigger.counter().family();
            assert_eq!(family, (Family::Loads, trigger.name()));
        }
        for error in LoadError::failure_classes() {
            let family = error.counter().family();
            assert_eq!(family, (Family::LoadErrors, error.name()));
        }
    }

    #[test]
    fn a_class_has_the_word_that_errors_have() {
        let detail: std::sync::Arc<str> = "detail".into();
        let sqlstate = || "22012".to_owned();
        for error in [
            RequestError::Timeout {
                limit: Duration::ZERO,
            },
            RequestError::Unavailable {
                detail: detail.clone(),
            },
            RequestError::Refused {
                sqlstate: sqlstate(),
                detail: detail.clone(),
            },
            RequestError::Failed {
                sqlstate: sqlstate(),
                detail: detail.clone(),
                position: None,
            },
            RequestError::BadQuery {
                message: String::new(),
            },
            RequestError::TooLarge { limit: 1 },
            RequestError::RefusedValue(Arc::new(RefusedValue {
                parameter: None,
                sqlstate: sqlstate(),
                detail: detail.clone(),
                position: None,
            })),
            RequestError::Internal { detail },
        ] {
            assert_eq!(LoadError::from_error(&error).name(), error.class());
        }
    }
}
