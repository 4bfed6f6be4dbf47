//! A contact with the database: what it tells about how the database is.

use std::fmt;
use std::sync::Arc;

use crate::error::RequestError;

/// The reason why a database is away, or seems to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AwayCause {
    /// The word for it, as in [`Health::class`](super::Health::class).
    pub(super) class: &'static str,
    /// The words for logs; never a password.
    pub(super) words: Arc<str>,
}

impl AwayCause {
    pub(super) fn new(class: &'static str, words: impl Into<Arc<str>>) -> AwayCause {
        AwayCause {
            class,
            words: words.into(),
        }
    }
}

impl fmt::Display for AwayCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// The knowledge that a contact with the database brings about it.
#[derive(Debug, Clone)]
pub(super) enum ContactResult {
    /// It answered; an error of a statement is an answer too.
    Answered,
    /// It is there and lets nobody in for now: it takes no more connections, while those that are
    /// open are served, or somebody else has locked the file.
    Full(AwayCause),
    /// It cannot be reached, or does not let us in.
    Away(AwayCause),
    /// Something broke that may concern one connection alone, as when somebody ended it.
    Doubtful(AwayCause),
    /// Nothing: a slow statement, a fault of ours, all connections at work.
    Nothing,
}

impl ContactResult {
    /// Returns what the end of work on a sound connection tells.
    pub(super) fn from_end(end: Option<&RequestError>) -> ContactResult {
        match end {
            None
            | Some(
                RequestError::Refused { .. }
                | RequestError::Failed { .. }
                | RequestError::BadQuery { .. }
                | RequestError::TooLarge { .. },
            ) => ContactResult::Answered,
            Some(_) => ContactResult::Nothing,
        }
    }
}
