//! A note of one instance about a load that failed, so that the others do not repeat it at once:
//! the class of the error, without what the database said. the class of the error, without what the
//! database said. It is about the statement and not about a connection: that another instance is
//! cut off from the database says nothing about this one.

use std::sync::Arc;

use super::flight::{FailureBackoff, TOO_LARGE_FOR};
use crate::error::{RefusedValue, RequestError};

/// The content of a note.
#[derive(Debug)]
pub(super) enum SharedFailure {
    /// The load fails so, and has done so many times in a row.
    Failed(RequestError, u32),
    /// The load brings more than may be stored, so no instance waits for it.
    TooLarge,
}

/// The words for an entry that is too large to store.
pub(super) const TOO_LARGE: &str = "large";

/// Returns how long that is taken for true.
pub(super) fn too_large() -> FailureBackoff {
    FailureBackoff {
        wait: TOO_LARGE_FOR,
        failures: 0,
    }
}

/// Returns the words for an error; `None` for one that says nothing about other instances.
pub(super) fn encode_error(error: &RequestError) -> Option<String> {
    Some(match error {
        RequestError::Refused { sqlstate, .. } => format!("refused {sqlstate}"),
        RequestError::Failed { sqlstate, .. } => format!("failed {sqlstate}"),
        RequestError::RefusedValue(value) => format!("refused-value {}", value.sqlstate),
        RequestError::TooLarge { limit } => format!("too-large {limit}"),
        RequestError::Timeout { limit } => format!("timeout {}", limit.as_millis()),
        _ => return None,
    })
}

/// Returns what `words` (after how often in a row) say; `None` when they are not ours.
pub(super) fn read(words: &str) -> Option<SharedFailure> {
    let (failures, words) = words.split_once(' ')?;
    if words == TOO_LARGE {
        return Some(SharedFailure::TooLarge);
    }
    let (class, value) = words.split_once(' ')?;
    let detail = || "it failed on another instance a moment ago; its log says why".into();
    let sqlstate = || (value.len() == 5).then(|| value.to_owned());
    let error = match class {
        "refused" => RequestError::Refused {
            sqlstate: sqlstate()?,
            detail: detail(),
        },
        "failed" => RequestError::Failed {
            sqlstate: sqlstate()?,
            detail: detail(),
            position: None,
        },
        "refused-value" => RequestError::RefusedValue(Arc::new(RefusedValue {
            parameter: None,
            sqlstate: sqlstate()?,
            detail: detail(),
            position: None,
        })),
        "too-large" => RequestError::TooLarge {
            limit: value.parse().ok()?,
        },
        "timeout" => RequestError::Timeout {
            limit: std::time::Duration::from_millis(value.parse().ok()?),
        },
        _ => return None,
    };
    Some(SharedFailure::Failed(error, failures.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use super::*;

    #[test]
    fn an_error_of_the_statement_is_noted_and_read_as_the_same_class() {
        let detail: std::sync::Arc<str> = "secret".into();
        for error in [
            RequestError::Refused {
                sqlstate: "25006".into(),
                detail: detail.clone(),
            },
            RequestError::Failed {
                sqlstate: "22012".into(),
                detail: detail.clone(),
                position: None,
            },
            RequestError::RefusedValue(Arc::new(RefusedValue {
                parameter: Some("secret".into()),
                sqlstate: "22012".into(),
                detail: detail.clone(),
                position: None,
            })),
            RequestError::TooLarge { limit: 7 },
            RequestError::Timeout {
                limit: Duration::from_secs(30),
            },
        ] {
            let noted = format!("3 {}", encode_error(&error).unwrap());
            assert!(!noted.contains("secret"), "{noted}");
            let Some(SharedFailure::Failed(read, 3)) = read(&noted) else {
                panic!("{noted} is not read");
            };
            assert_eq!(read.class(), error.class());
            assert_eq!(read.status(), error.status());
        }
        assert!(encode_error(&RequestError::Unavailable { detail }).is_none());
        assert!(matches!(read("0 large"), Some(SharedFailure::TooLarge)));
    }

    #[test]
    fn what_is_not_ours_says_nothing() {
        for words in [
            "",
            "x",
            "1",
            "1 ",
            "1 failed",
            "x failed 22012",
            "1 timeout x",
            "1 odd 1",
        ] {
            assert!(read(words).is_none(), "{words}");
        }
    }
}
