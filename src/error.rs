//! The errors of the program, for the two readers that there are: the user who starts the program
//! ([`StartupError`]) and the client who asks it for something ([`RequestError`]). This file owns
//! what a client may be told: [`RequestError::public_message`] is the only way from an error to a
//! response, so SQL, hosts and paths cannot leak through a new format. The form of names and values
//! in messages is `text`'s.

pub(crate) mod advice;
mod lasting;
mod position;
pub(crate) mod refused_value;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::text::words;

pub use position::FilePosition;
pub use refused_value::RefusedValue;

/// The reason why the program does not start. It says what happened, where it stands, and what to
/// do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct StartupError {
    /// The fault, with the offending value (never a secret).
    pub what: String,
    /// The place: the flag, ini key, environment name, file and line, as far as they are known.
    pub place: Option<String>,
    /// The remedy.
    pub remedy: Option<String>,
}

impl StartupError {
    /// Makes an error that only says what happened; add to it with [`at`](Self::at_place) and
    /// [`remedy`](Self::remedy).
    pub fn new(what: impl Into<String>) -> Self {
        StartupError {
            what: what.into(),
            place: None,
            remedy: None,
        }
    }

    /// Says where the cause stands: a file and line, a flag, an ini key.
    #[must_use]
    pub fn at_place(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for StartupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.what)?;
        if let Some(remedy) = &self.remedy {
            write!(f, "\n  {remedy}")?;
        }
        Ok(())
    }
}

/// The reason why a request got no value. Cheap to clone, because every waiter of a failed load
/// gets the same one. `detail` is for the log and for pages under `debug`; whoever makes one keeps
/// passwords out of it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RequestError {
    /// A parameter is unknown, repeated, missing, mistyped, out of range or too long. The message
    /// names the parameter and is meant for the client.
    #[error("{0}")]
    BadParameter(String),
    /// There is no query of that name.
    #[error("there is no query named {0:?}")]
    UnknownQuery(String),
    /// The request itself is not acceptable (wrong method, too long, not allowed …). The message
    /// is meant for the client.
    #[error("{message}")]
    Rejected {
        /// The HTTP status, 400 to 499.
        status: u16,
        /// The fault of the request, in words for the client.
        message: String,
    },
    /// The client has brought too many wrong tokens; the one that it brings now was not looked at.
    #[error(
        "too many wrong tokens came from this address: wait {}",
        humantime(Duration::from_secs(.wait.as_secs() + 1))
    )]
    TooManyGuesses {
        /// The time for which the next one is not looked at either.
        wait: Duration,
    },
    /// The database would not run the statement because it is not a read (SQLSTATE 25006, 0A000).
    #[error("refused, it is not a read ({sqlstate}): {detail}")]
    Refused {
        /// The database's code for the refusal.
        sqlstate: String,
        /// The database's own words.
        detail: Arc<str>,
    },
    /// The query file asks for something that cannot be answered (two columns of one name). The
    /// message says how to mend it and holds no SQL, so it is shown to everybody.
    #[error("{message}")]
    BadQuery {
        /// The fault of the query, and the remedy.
        message: String,
    },
    /// The database ran the statement and reported an error.
    #[error("the query failed ({sqlstate}): {detail}")]
    Failed {
        /// The database's code for the error.
        sqlstate: String,
        /// The database's own words.
        detail: Arc<str>,
        /// The place in the query's file, where the database names one; boxed, for errors are
        /// small.
        position: Option<Box<FilePosition>>,
    },
    /// The database refused a value that the client sent (SQLSTATE class 22 and the like).
    #[error("{0}")]
    RefusedValue(Arc<RefusedValue>),
    /// The database cannot be reached, is full, or does not let us in.
    #[error("the database is unavailable: {detail}")]
    Unavailable {
        /// The true cause.
        detail: Arc<str>,
    },
    /// All the loads, connections or results that may be at once are at work. It says nothing about
    /// the database's health.
    #[error("too much is at work: {detail}")]
    Busy {
        /// The bound, and its setting.
        detail: Arc<str>,
    },
    /// The load was not tried: the database is known to be away, or too many loads wait for it.
    #[error("{cause}")]
    NotTried {
        /// The known cause.
        #[source]
        cause: Arc<RequestError>,
    },
    /// The load took longer than its limit.
    #[error("the query took longer than {}", humantime(*.limit))]
    Timeout {
        /// The limit that was passed.
        limit: Duration,
    },
    /// The result is larger than `max_result`.
    #[error(
        "the result, or a row of it, is larger than the {limit} bytes that [database] max_result allows (a row may take a quarter of it, or 8 MiB)"
    )]
    TooLarge {
        /// The bound, in bytes.
        limit: u64,
    },
    /// Loading failed a moment ago, and is not tried again yet.
    #[error("{cause}")]
    Again {
        /// The failure.
        #[source]
        cause: Arc<RequestError>,
        /// The time for which it is not tried again.
        wait: Duration,
    },
    /// So much waits to be sent to other clients that there is no memory for this answer.
    #[error("there is no memory for this answer: too much waits to be sent to other clients")]
    NoRoom,
    /// Stored copies were purged on this instance, and Redis, which does not answer, has not
    /// heard of it yet.
    #[error("{done} on this instance only; it will be applied in Redis when that is back")]
    OnThisInstanceOnly {
        /// The act: `purged` or `expired`.
        done: &'static str,
    },
    /// A fault of this program.
    #[error("internal error: {detail}")]
    Internal {
        /// The event.
        detail: Arc<str>,
    },
}

/// The words of a page when there is nothing that a visitor could do.
const DIFFICULTIES: &str = "we're currently experiencing technical difficulties";

/// The time after which an error that says nothing of it may have passed.
const RETRY_AFTER: Duration = Duration::from_secs(2);

impl RequestError {
    /// Returns the HTTP status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            RequestError::BadParameter(_) | RequestError::RefusedValue(_) => 400,
            RequestError::UnknownQuery(_) => 404,
            RequestError::Rejected { status, .. } => *status,
            RequestError::TooManyGuesses { .. } => 429,
            RequestError::Refused { .. }
            | RequestError::Failed { .. }
            | RequestError::Unavailable { .. }
            | RequestError::Busy { .. }
            | RequestError::TooLarge { .. }
            | RequestError::NoRoom
            | RequestError::OnThisInstanceOnly { .. } => 503,
            RequestError::Timeout { .. } => 504,
            // Its file has to be mended: asking again cannot help.
            RequestError::BadQuery { .. } | RequestError::Internal { .. } => 500,
            RequestError::Again { cause, .. } | RequestError::NotTried { cause } => cause.status(),
        }
    }

    /// Returns the words for the client. Without `debug` they never hold SQL, hosts, paths or what
    /// the database said; with it they hold the cause. Never a password.
    pub fn public_message(&self, debug: bool) -> String {
        match self {
            RequestError::RefusedValue(value) if debug => format!("{value}: {}", value.detail),
            RequestError::BadParameter(_)
            | RequestError::UnknownQuery(_)
            | RequestError::RefusedValue(_)
            | RequestError::Rejected { .. }
            | RequestError::TooManyGuesses { .. }
            | RequestError::BadQuery { .. }
            | RequestError::OnThisInstanceOnly { .. } => self.to_string(),
            RequestError::Again { cause, .. } | RequestError::NotTried { cause } => {
                cause.public_message(debug)
            }
            _ if debug => self.to_string(),
            RequestError::Refused { sqlstate, .. } => {
                format!("the database refused this query because it is not a read ({sqlstate})")
            }
            RequestError::Timeout { .. } => "the query took too long".to_owned(),
            RequestError::TooLarge { .. } => "the result is too large".to_owned(),
            RequestError::Busy { .. } => "too many queries are at work: try again soon".to_owned(),
            RequestError::NoRoom => "too many answers wait to be sent: try again soon".to_owned(),
            RequestError::Failed { .. }
            | RequestError::Unavailable { .. }
            | RequestError::Internal { .. } => DIFFICULTIES.to_owned(),
        }
    }

    /// Returns the words for the log: the cause, without values of parameters and columns, which
    /// PostgreSQL quotes in what it says of data.
    pub fn log_message(&self) -> String {
        match self {
            RequestError::BadParameter(_) => "a parameter is not what it should be".to_owned(),
            RequestError::Failed {
                sqlstate, detail, ..
            } => {
                let detail = words::without_values(sqlstate, detail);
                format!("the query failed ({sqlstate}): {detail}")
            }
            RequestError::RefusedValue(value) => {
                let detail = words::without_values(&value.sqlstate, &value.detail);
                format!("{value} ({}): {detail}", value.sqlstate)
            }
            RequestError::Again { cause, .. } | RequestError::NotTried { cause } => {
                cause.log_message()
            }
            _ => self.to_string(),
        }
    }

    /// Returns how loading failed, where this is the memory of it; else the error itself.
    pub fn cause(&self) -> &RequestError {
        match self {
            RequestError::Again { cause, .. } | RequestError::NotTried { cause } => cause.cause(),
            error => error,
        }
    }

    /// Returns the place in the query's file to which the database points.
    pub fn position(&self) -> Option<FilePosition> {
        match self.cause() {
            RequestError::Failed { position, .. } => position.as_deref().copied(),
            RequestError::RefusedValue(value) => value.position.as_deref().copied(),
            _ => None,
        }
    }

    /// Returns the same error with the place in the query's file where it arose.
    #[must_use]
    pub fn at_position(mut self, place: Option<FilePosition>) -> RequestError {
        if let RequestError::Failed { position, .. } = &mut self {
            *position = place.map(Box::new);
        }
        self
    }

    /// Returns whether the database has no function of a name that the statement calls.
    pub fn is_unknown_function(&self) -> bool {
        matches!(self.cause(), RequestError::Failed { sqlstate, .. } if sqlstate == "42883")
    }

    /// Returns the time after which it is worth asking again, for `Retry-After`; `None` where a
    /// repeat cannot help.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            error if error.is_lasting() => None,
            RequestError::Again { wait, cause } if matches!(cause.status(), 503 | 504) => {
                Some(*wait)
            }
            RequestError::TooManyGuesses { wait } => Some(*wait),
            _ => (self.status() == 503).then_some(RETRY_AFTER),
        }
    }

    /// Returns whether it lasts until somebody changes the query, the database or the settings.
    fn is_lasting(&self) -> bool {
        match self.cause() {
            RequestError::Refused { .. } | RequestError::TooLarge { .. } => true,
            RequestError::Failed { sqlstate, .. } => lasting::is_lasting(sqlstate),
            _ => false,
        }
    }

    /// Returns a short word for counters and logs.
    pub fn class(&self) -> &'static str {
        match self {
            RequestError::BadParameter(_) => "bad_parameter",
            RequestError::UnknownQuery(_) => "unknown_query",
            RequestError::Rejected { .. } | RequestError::TooManyGuesses { .. } => "rejected",
            RequestError::Refused { .. } => "refused",
            RequestError::BadQuery { .. } => "bad_query",
            RequestError::Failed { .. } => "failed",
            RequestError::RefusedValue(_) => "refused_value",
            RequestError::Unavailable { .. } => "unavailable",
            RequestError::Busy { .. } => "busy",
            RequestError::Timeout { .. } => "timeout",
            RequestError::TooLarge { .. } => "too_large",
            RequestError::NoRoom => "no_room",
            RequestError::OnThisInstanceOnly { .. } => "this_instance_only",
            RequestError::Internal { .. } => "internal",
            RequestError::Again { cause, .. } | RequestError::NotTried { cause } => cause.class(),
        }
    }
}

fn humantime(duration: Duration) -> String {
    crate::text::units::duration_text(duration)
}
