//! Answers of Redis, taken apart: generations, tombstones, envelopes, and the verdict of the
//! pre-load script. generations, tombstones, envelopes, and the verdict of the pre-load script.
//! What is asked is `commands`'.

use std::time::Duration;

use bytes::Bytes;
use deadpool_redis::redis::Value;

use super::entry::Entry;
use super::envelope::{self, EnvelopeReading};
use super::generations::{NEVER_DRAWN, RedisEpochs};
use super::link::reply_class;
use crate::stats::{RedisError, Rejected};

/// The numbers of the latest purges of one entry alone; 0: none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tombstone {
    pub(super) hard: u64,
    pub(super) soft: u64,
}

/// An entry as Redis has it.
pub(super) struct RedisLookup<T> {
    /// The query's generations; `None`: there are none.
    pub(super) stored: Option<RedisEpochs>,
    pub(super) tombstone: Tombstone,
    /// The entry, or its front, as far as it may be used.
    pub(super) found: Option<T>,
}

/// The answer before a load.
pub(super) struct PrepareReply {
    pub(super) stored: RedisEpochs,
    pub(super) tombstone: Tombstone,
    pub(super) verdict: PrepareVerdict,
}

/// The next step for a key.
pub(super) enum PrepareVerdict {
    /// There is a newer entry, of this order number; `None` where it cannot be used.
    Found(Option<Box<Entry>>, u64),
    /// It is not to be loaded for so long, for what these words say.
    Noted(String, Duration),
    /// Another instance loads it; the order number of the entry that stands there meanwhile, 0:
    /// none.
    Busy { standing: u64 },
    /// Load it, under this order number; with the words of a note whose time is over.
    Load { order: u64, note: Option<String> },
}

/// Returns what an error reply means. A wrong type is somebody else's value under our name, no
/// failure.
pub(super) fn reply_failure(value: &Value) -> Option<RedisError> {
    let Value::ServerError(error) = value else {
        return None;
    };
    match error.code() {
        "WRONGTYPE" => None,
        // A server that does not know the client yet takes no long command, and does not say NOAUTH
        // to one.
        "ERR"
            if error
                .details()
                .is_some_and(|said| said.contains("unauthenticated ")) =>
        {
            Some(RedisError::Auth)
        }
        // How older servers report what went wrong inside a script.
        "ERR"
            if error
                .details()
                .is_some_and(|said| said.contains("-READONLY ")) =>
        {
            Some(RedisError::ReadOnly)
        }
        "ERR" if error.details().is_some_and(|said| said.contains("-OOM ")) => {
            Some(RedisError::OutOfMemory)
        }
        code => Some(reply_class(code)),
    }
}

/// Returns the same of commands that may be refused: what is left is what Redis suffers from,
/// whoever asks.
pub(super) fn reply_trouble(value: &Value) -> Option<RedisError> {
    reply_failure(value).filter(|error| !matches!(error, RedisError::Denied | RedisError::Other))
}

/// Returns whether an envelope with these numbers may be used at all.
pub(super) fn is_valid(
    hard: u64,
    order: u64,
    stored: Option<&RedisEpochs>,
    tombstone: Tombstone,
) -> bool {
    stored.is_some_and(|stored| stored.hard == hard && order <= stored.last)
        && order > tombstone.hard
}

/// Returns the hard generation and the order number of the envelope in an answer.
pub(super) fn read_front(value: &Value) -> Option<(u64, u64)> {
    match value {
        Value::BulkString(bytes) => envelope::read_front(bytes),
        _ => None,
    }
}

/// Returns the entry in an answer; `None` where there is none.
pub(super) fn read_entry(
    value: Value,
    left: &Value,
    reading: &EnvelopeReading<'_>,
) -> Result<Option<Entry>, Rejected> {
    let bytes = match value {
        Value::BulkString(bytes) => Bytes::from(bytes),
        // Any other error here has been a failure already.
        Value::ServerError(_) => return Err(Rejected::WrongType),
        _ => return Err(Rejected::Damaged),
    };
    let left = match left {
        // Not there, or gone between the two commands.
        Value::Int(-2) => return Ok(None),
        Value::Int(left) => u64::try_from(*left).map_err(|_| Rejected::Expiry)?,
        _ => return Err(Rejected::Damaged),
    };
    envelope::decode(&bytes, Duration::from_millis(left), reading).map(Some)
}

pub(super) fn reply_text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

pub(super) fn whole_number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        _ => reply_text(value)?.parse().ok(),
    }
}

/// `HARD SOFT MADE LAST`, as the scripts write it.
pub(super) fn parse_stored(value: &Value) -> Option<RedisEpochs> {
    let text = reply_text(value)?;
    let mut parts = text.split(' ').map(|part| part.parse().ok());
    let mut next = || parts.next().flatten();
    let (hard, soft, made, last) = (next()?, next()?, next()?, next()?);
    (hard <= last && soft <= last && last < NEVER_DRAWN).then_some(RedisEpochs {
        hard,
        soft,
        made: made == 1,
        last,
    })
}

/// Reads a tombstone. A number that was never drawn for its query counts as none: it would hold
/// off every load to come.
pub(super) fn parse_tombstone(value: &Value, stored: Option<&RedisEpochs>) -> Tombstone {
    let last = stored.map_or(NEVER_DRAWN - 1, |stored| stored.last);
    let numbers = || {
        let text = reply_text(value)?;
        let (hard, soft) = text.split_once(' ')?;
        let number = |text: &str| text.parse().ok().filter(|number| *number <= last);
        Some(Tombstone {
            hard: number(hard)?,
            soft: number(soft)?,
        })
    };
    numbers().unwrap_or_default()
}

pub(super) fn stored_of(answer: &mut impl Iterator<Item = Value>) -> Option<RedisEpochs> {
    let mut next = || whole_number(&answer.next()?);
    Some(RedisEpochs {
        hard: next()?,
        soft: next()?,
        made: next()? == 1,
        last: next()?,
    })
}

pub(super) fn tombstone_of(answer: &mut impl Iterator<Item = Value>) -> Option<Tombstone> {
    let mut next = || whole_number(&answer.next()?);
    Some(Tombstone {
        hard: next()?,
        soft: next()?,
    })
}
