//! Messages between the instances: purges, so that no memory keeps what is gone, and fills, so that
//! a request that waits for another instance's load is woken. A message that is lost costs
//! freshness for a few seconds and nothing else: `recheck` sees to that.
//!
//! A message is text: who says it, what it is (`hard`, `soft`, `fill`, `done`, `heard`), its
//! number, the query on its database, and the entry's digest or `*` for all. A purge that is to be
//! confirmed has a token after that, and the `heard` that confirms it has this token and the id of
//! the instance. A message of a kind that is not known is skipped, and so are words beyond those
//! that are known, so that versions can run side by side.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::chance;
use super::core::CacheCore;
use super::generations::NEVER_DRAWN;
use super::key::KeyDigest;
use super::link::RedisSubscription;
use super::purge_request::{PurgeKind, PurgeScope};
use super::recheck::force_check;
use super::redis::RedisTier;
use crate::defence::Defence;
use crate::stats::Fleet;

/// The time for which the connection may be silent before it is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(1);
/// The interval at which a Redis that does not answer is asked, as long as this connection holds.
const PROBE: Duration = Duration::from_secs(1);
/// The pause before a connection that failed is made again: at first, and at most.
const RETRY: Duration = Duration::from_millis(250);
const MAX_RETRY: Duration = Duration::from_secs(1);

/// A message, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct InstanceMessage<'a> {
    origin: &'a str,
    kind: MessageKind,
    number: u64,
    family: &'a str,
    /// `None`: all entries.
    digest: Option<KeyDigest>,
    /// The token with which a purge is to be confirmed.
    token: Option<&'a str>,
    /// The id of the instance that confirms one.
    id: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MessageKind {
    Purge(PurgeKind),
    /// An entry was stored.
    Fill,
    /// A load ended without a store.
    Done,
    /// A purge has taken effect.
    Heard,
}

/// Listens for ever, for what these parts share with others. To be run as a task of the engine
/// runtime, which ends with the cache.
pub(super) async fn listen_forever(redis: Arc<RedisTier>, cache: CacheCore) {
    let mut retry = RETRY;
    loop {
        if let Ok(subscription) = redis.subscribe_channel().await {
            retry = RETRY;
            receive_messages(subscription, &redis, &cache).await;
        }
        // Up to a quarter longer, so that a fleet does not come back in one moment.
        sleep(retry + chance::up_to(retry / 4)).await;
        retry = (retry * 2).min(MAX_RETRY);
    }
}

/// Waits until the connection ends.
async fn receive_messages(
    mut subscription: RedisSubscription,
    redis: &Arc<RedisTier>,
    cache: &CacheCore,
) {
    cache.trust.note_connected(cache.clock.now());
    let mut probe = Instant::now();
    loop {
        if probe <= Instant::now() {
            redis.probe_if_down().await;
            probe = Instant::now() + PROBE;
        }
        let heard = timeout(SILENCE, subscription.next()).await;
        match heard {
            Ok(Some(message)) => {
                redis.stats.tier_stats().count_fleet(Fleet::Messages);
                if let Ok(text) = std::str::from_utf8(&message) {
                    cache.handle_message(text, redis);
                }
            }
            Ok(None) => return cache.trust.note_disconnected(),
            Err(_) => {
                if !subscription.answers_ping().await {
                    return cache.trust.note_disconnected();
                }
            }
        }
    }
}

impl CacheCore {
    fn handle_message(&self, text: &str, redis: &Arc<RedisTier>) {
        let Some(message) = parse(text) else { return };
        if message.origin == redis.origin || Defence::Messages.is_off() {
            return;
        }
        let number = Some(message.number);
        match (message.kind, message.digest) {
            (MessageKind::Purge(kind), None) => {
                self.purge_here(PurgeScope::Query(message.family), kind, number);
            }
            (MessageKind::Purge(kind), Some(digest)) => {
                self.purge_digest(message.family, &digest, kind, number);
            }
            (MessageKind::Fill | MessageKind::Done, Some(digest)) => {
                self.flights.wake_entry(&digest);
                if let Some(copy) = self.memory.by_digest(&digest)
                    && copy.rank.order < message.number
                {
                    force_check(&copy);
                }
            }
            (MessageKind::Heard, _) => {
                if let (Some(token), Some(id)) = (message.token, message.id) {
                    self.note_confirmation(token, id, &redis.origin);
                }
            }
            (MessageKind::Fill | MessageKind::Done, None) => {}
        }
        if let (MessageKind::Purge(_), Some(token)) = (message.kind, message.token) {
            self.confirm_purge(redis, message.family, token);
        }
    }
}

fn parse(text: &str) -> Option<InstanceMessage<'_>> {
    let mut words = text.split(' ');
    let mut word = || words.next();
    let (origin, kind, number) = (word()?, word()?, word()?);
    let (family, digest) = (word()?, word()?);
    Some(InstanceMessage {
        origin,
        kind: match kind {
            "hard" => MessageKind::Purge(PurgeKind::Hard),
            "soft" => MessageKind::Purge(PurgeKind::Soft),
            "fill" => MessageKind::Fill,
            "done" => MessageKind::Done,
            "heard" => MessageKind::Heard,
            _ => return None,
        },
        number: number.parse().ok().filter(|it| *it < NEVER_DRAWN)?,
        family,
        digest: match digest {
            "*" => None,
            digest => Some(KeyDigest::from_hex(digest)?),
        },
        token: words.next(),
        id: words.next(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let digest = KeyDigest([0xab; 32]);
        let text = format!("me fill 7 unnamed:{{version}} {}", digest.hex_digits());
        assert_eq!(
            parse(&text),
            Some(InstanceMessage {
                origin: "me",
                kind: MessageKind::Fill,
                number: 7,
                family: "unnamed:{version}",
                digest: Some(digest),
                token: None,
                id: None,
            })
        );
        let heard = parse("me heard 0 version * you-7 it and more").unwrap();
        assert_eq!(
            (heard.kind, heard.token, heard.id),
            (MessageKind::Heard, Some("you-7"), Some("it"))
        );
        let purge = parse("me hard 7 version *").unwrap();
        assert_eq!(purge.kind, MessageKind::Purge(PurgeKind::Hard));
        assert_eq!(purge.digest, None);
    }

    #[test]
    fn what_is_no_message_is_skipped() {
        for text in [
            "",
            "me",
            "me hard",
            "me hard x version *",
            "me hard 7 version",
            "me hard 7 version zz",
            "me other 7 version *",
            "me hard -1 version *",
            "me hard 9007199254740991 version *",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
