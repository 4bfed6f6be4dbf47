//! The confirmations of purges. An instance that hears of a purge for which a confirmation is asked
//! says so on the channel, after the purge has taken effect there. A purge depends on none of it:
//! where a message is lost, the copies of the instance in question count as stale within seconds
//! (`recheck`). Messages are `backplane`'s.

use std::sync::Arc;
use std::time::Duration;

use super::core::{Cache, CacheCore};
use super::purge_request::{PurgeKind, PurgeReach, PurgeScope};
use super::redis::{RedisChannel, RedisTier};

/// The extent to which a purge has taken effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeConfirmation {
    /// The place where it has taken effect.
    pub reach: PurgeReach,
    /// The ids of the other instances that have confirmed it.
    pub by: Vec<String>,
}

impl Cache {
    /// Names this instance to the others, which know it by this id from its reports.
    pub fn introduce_instance(&self, id: &str) {
        // Later caches of the process share the name of the first.
        let _ = self.inner.name.set(id.to_owned());
    }

    /// [`Cache::purge_scope`], and who has confirmed it of the other instances. Those in `known` are
    /// waited for, no longer than half a second.
    pub async fn purge_confirmed(
        &self,
        scope: PurgeScope<'_>,
        kind: PurgeKind,
        known: &[String],
    ) -> PurgeConfirmation {
        let awaited = self.inner.confirmations.await_purge();
        let token = self.inner.redis.as_ref().map(|redis| ConfirmToken {
            origin: &redis.origin,
            number: awaited.number,
        });
        let token = token.map(|token| token.to_string());
        let reach = self
            .purge_within(scope, kind, Duration::ZERO, token.as_deref())
            .await;
        let by = match reach {
            PurgeReach::Fleet if token.is_some() => awaited.confirmed_by(known).await,
            _ => Vec::new(),
        };
        PurgeConfirmation { reach, by }
    }
}

impl CacheCore {
    /// Takes over that another instance has confirmed a purge, if that was asked by `origin`.
    pub(super) fn note_confirmation(&self, token: &str, id: &str, origin: &str) {
        if let Some(token) = ConfirmToken::read(token).filter(|token| token.origin == origin) {
            self.confirmations.note_confirmation(token.number, id);
        }
    }

    /// Tells who asked for it that a purge has taken effect here. Returns at once.
    pub(super) fn confirm_purge(&self, redis: &Arc<RedisTier>, family: &str, token: &str) {
        let id = self.name.get().unwrap_or(&redis.origin);
        let message = redis.make_message("heard", &["0", family, "*", token, id]);
        let redis = Arc::clone(redis);
        self.engine
            .spawn(async move { redis.publish_message(&message).await });
    }
}

impl RedisTier {
    /// Says this on the channel. That nobody hears it is no failure.
    async fn publish_message(&self, message: &str) {
        let mut ask = deadpool_redis::redis::pipe();
        ask.cmd("PUBLISH").arg(self.channel_name()).arg(message);
        self.try_run(RedisChannel::Quick, &ask).await;
    }
}

/// The token in the message of a purge and in the messages that confirm it.
struct ConfirmToken<'a> {
    /// The process that asks.
    origin: &'a str,
    number: u64,
}

impl ConfirmToken<'_> {
    fn read(text: &str) -> Option<ConfirmToken<'_>> {
        let (origin, number) = text.rsplit_once('-')?;
        Some(ConfirmToken {
            origin,
            number: number.parse().ok()?,
        })
    }
}

impl std::fmt::Display for ConfirmToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.origin, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let token = ConfirmToken {
            origin: "abc",
            number: 7,
        };
        let text = token.to_string();
        let read = ConfirmToken::read(&text).map(|token| (token.origin, token.number));
        assert_eq!(read, Some(("abc", 7)));
        for text in ["", "abc", "abc-", "abc-x"] {
            assert!(ConfirmToken::read(text).is_none(), "{text}");
        }
    }
}
