//! Which instances have confirmed a purge: one that hears of a purge for which that is asked says
//! so on the channel, after the purge has taken effect there. A purge depends on none of it: where
//! a word is lost, the copies of the instance in question count as stale within seconds
//! (`recheck`). Messages are `backplane`'s.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::generations::next_sequence;
use super::purge::{PurgeKind, Reach, Scope};
use super::redis::{RedisTier, Way};
use super::{Cache, Inner};

/// How long the answer to who purges waits for the other instances at most.
const CONFIRMED_WITHIN: Duration = Duration::from_millis(500);
/// So many are named for one purge at most, as in the list of instances.
const MOST: usize = 1000;
/// No id of an instance is longer.
const LONGEST: usize = 64;

/// How far a purge has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// Where it has taken effect.
    pub reach: Reach,
    /// The ids of the other instances that have confirmed it.
    pub by: Vec<String>,
}

/// The purges whose confirmations are waited for.
#[derive(Debug, Default)]
pub(super) struct Confirmations(Mutex<HashMap<u64, watch::Sender<Vec<String>>>>);

impl Confirmations {
    fn ask(self: &Arc<Self>) -> Awaited {
        let (number, names) = (next_sequence(), watch::Sender::default());
        let told = names.subscribe();
        self.lock().insert(number, names);
        Awaited {
            all: Arc::clone(self),
            number,
            told,
        }
    }

    /// The instance of this id has confirmed the purge of this number.
    fn note(&self, number: u64, id: &str) {
        if id.is_empty() || id.len() > LONGEST || !id.bytes().all(|it| it.is_ascii_alphanumeric()) {
            return;
        }
        if let Some(names) = self.lock().get(&number) {
            names.send_if_modified(|names| {
                let is_new = names.len() < MOST && names.iter().all(|known| known != id);
                if is_new {
                    names.push(id.to_owned());
                }
                is_new
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, watch::Sender<Vec<String>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A purge whose confirmations are waited for, until it is dropped.
struct Awaited {
    all: Arc<Confirmations>,
    number: u64,
    told: watch::Receiver<Vec<String>>,
}

impl Awaited {
    /// Returns who has confirmed it: as soon as all of `known` have, at the latest after
    /// [`CONFIRMED_WITHIN`]. Cancel-safe.
    async fn by(mut self, known: &[String]) -> Vec<String> {
        let all = |names: &Vec<String>| known.iter().all(|id| names.contains(id));
        let _ = timeout(CONFIRMED_WITHIN, self.told.wait_for(all)).await;
        self.told.borrow().clone()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.all.lock().remove(&self.number);
    }
}

impl Cache {
    /// Names this instance to the others, which know it by this id from its reports.
    pub fn introduce(&self, id: &str) {
        // Later caches of the process share the name of the first.
        let _ = self.inner.name.set(id.to_owned());
    }

    /// [`Cache::purge`], and who has confirmed it of the other instances. Those in `known` are
    /// waited for, no longer than half a second.
    pub async fn purge_confirmed(
        &self,
        scope: Scope<'_>,
        kind: PurgeKind,
        known: &[String],
    ) -> Confirmed {
        let awaited = self.inner.confirmations.ask();
        let token = self.inner.redis.as_ref().map(|redis| Token {
            origin: &redis.origin,
            number: awaited.number,
        });
        let token = token.map(|token| token.to_string());
        let reach = self
            .purge_within(scope, kind, Duration::ZERO, token.as_deref())
            .await;
        let by = match reach {
            Reach::Fleet if token.is_some() => awaited.by(known).await,
            _ => Vec::new(),
        };
        Confirmed { reach, by }
    }
}

impl Inner {
    /// Takes over that another instance has confirmed a purge, if that was asked by `origin`.
    pub(super) fn is_confirmed(&self, token: &str, id: &str, origin: &str) {
        if let Some(token) = Token::read(token).filter(|token| token.origin == origin) {
            self.confirmations.note(token.number, id);
        }
    }

    /// Tells who asked for it that a purge has taken effect here. Returns at once.
    pub(super) fn confirm(&self, redis: &Arc<RedisTier>, family: &str, token: &str) {
        let id = self.name.get().unwrap_or(&redis.origin);
        let message = redis.message("heard", &["0", family, "*", token, id]);
        let redis = Arc::clone(redis);
        self.engine
            .spawn(async move { redis.publish(&message).await });
    }
}

impl RedisTier {
    /// Says this on the channel. That nobody hears it is no failure.
    async fn publish(&self, message: &str) {
        let mut ask = deadpool_redis::redis::pipe();
        ask.cmd("PUBLISH").arg(self.channel()).arg(message);
        self.ask(Way::Quick, &ask).await;
    }
}

/// What stands in the message of a purge and in the words that confirm it.
struct Token<'a> {
    /// Which process asks.
    origin: &'a str,
    number: u64,
}

impl Token<'_> {
    fn read(text: &str) -> Option<Token<'_>> {
        let (origin, number) = text.rsplit_once('-')?;
        Some(Token {
            origin,
            number: number.parse().ok()?,
        })
    }
}

impl std::fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.origin, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_counts_once_for_the_purge_that_waits_for_it() {
        let all = Arc::new(Confirmations::default());
        let (one, other) = (all.ask(), all.ask());
        for id in ["a", "a", "b", "", "not an id", &"x".repeat(LONGEST + 1)] {
            all.note(one.number, id);
        }
        all.note(u64::MAX, "c");
        assert_eq!(*one.told.borrow(), ["a", "b"]);
        assert!(other.told.borrow().is_empty());
        drop((one, other));
        assert!(all.lock().is_empty());
    }

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let token = Token {
            origin: "abc",
            number: 7,
        };
        let text = token.to_string();
        let read = Token::read(&text).map(|token| (token.origin, token.number));
        assert_eq!(read, Some(("abc", 7)));
        for text in ["", "abc", "abc-", "abc-x"] {
            assert!(Token::read(text).is_none(), "{text}");
        }
    }
}
