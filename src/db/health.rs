//! How the database was at the last contact, and the one log line on each change of that.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::RequestError;

/// How the database is, from the last contact; asks nothing.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// `None` before the first contact.
    pub up: Option<bool>,
    /// Why it is down; for logs and pages under `debug`. `None` while it is up.
    pub last_error: Option<Arc<str>>,
}

/// Remembers it.
#[derive(Debug, Default)]
pub(super) struct HealthCell(Mutex<Health>);

impl HealthCell {
    pub(super) fn get(&self) -> Health {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The database answered (an error of the statement is an answer too).
    pub(super) fn up(&self, name: &str) {
        let mut health = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if health.up == Some(true) {
            return;
        }
        let again = health.up.is_some();
        *health = Health {
            up: Some(true),
            last_error: None,
        };
        drop(health);
        if again {
            tracing::info!(database = name, "the database is back");
        } else {
            tracing::info!(database = name, "the database answers");
        }
    }

    /// The database did not answer. A cause that changes while it stays down is remembered and
    /// not logged again.
    pub(super) fn down(&self, name: &str, cause: &Arc<str>) {
        let mut health = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let news = health.up != Some(false);
        *health = Health {
            up: Some(false),
            last_error: Some(Arc::clone(cause)),
        };
        drop(health);
        if news {
            tracing::warn!(database = name, cause = %cause, "the database is unavailable");
        }
    }

    /// Draws the conclusion from how a run ended: `None` is well.
    pub(super) fn observe(&self, name: &str, end: Option<&RequestError>) {
        match end {
            None
            | Some(
                RequestError::Refused { .. }
                | RequestError::Failed { .. }
                | RequestError::BadQuery { .. }
                | RequestError::TooLarge { .. },
            ) => self.up(name),
            Some(RequestError::Unavailable { detail }) => self.down(name, detail),
            // A slow statement says nothing about the database, nor does a fault of ours.
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_unknown_before_the_first_contact_and_then_follows_the_last() {
        let cell = HealthCell::default();
        assert_eq!(cell.get().up, None);
        cell.observe(
            "x",
            Some(&RequestError::Unavailable {
                detail: "refused".into(),
            }),
        );
        assert_eq!(cell.get().up, Some(false));
        assert_eq!(cell.get().last_error.as_deref(), Some("refused"));
        cell.observe("x", None);
        assert_eq!(cell.get().up, Some(true));
        assert_eq!(cell.get().last_error, None);
    }

    #[test]
    fn a_failed_statement_is_an_answer_and_a_slow_one_is_no_news() {
        let cell = HealthCell::default();
        let slow = RequestError::Timeout {
            limit: std::time::Duration::from_secs(1),
        };
        cell.observe("x", Some(&slow));
        assert_eq!(cell.get().up, None);
        let failed = RequestError::Failed {
            sqlstate: "22012".into(),
            detail: "division by zero".into(),
        };
        cell.observe("x", Some(&failed));
        assert_eq!(cell.get().up, Some(true));
    }
}
