//! The questions to Redis around a load: may it run, here is what it brought, it failed, it still
//! runs. The scripts say in their heads what they do.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{Value, pipe};

use super::super::answers::{
    PrepareReply, PrepareVerdict, RedisLookup, read_entry, reply_text, stored_of, tombstone_of,
    whole_number,
};
use super::super::entry::Entry;
use super::super::envelope;
use super::super::flight::FailureBackoff;
use super::super::generations::QueryEpochs;
use super::super::key::Key;
use super::super::redis::{RedisChannel, RedisTier};
use super::super::script_call::{all_names, script_command, whole_millis};
use super::super::scripts::{PREPARE, RELEASE, RENEW, STORE};
use crate::defence::Defence;
use crate::stats::Refused;

/// The time for which a lease lives that is not renewed.
const LEASE: Duration = Duration::from_millis(2500);
/// The time for which a note is kept after it has ceased to hold, so that the next failure waits
/// longer.
const NOTE_KEPT: Duration = Duration::from_secs(30);

/// The question before a load.
pub(in crate::cache) struct PrepareRequest<'a> {
    /// An entry with a higher order number is to be brought instead.
    pub(in crate::cache) seen: u64,
    /// The token of the lease, where one is wanted.
    pub(in crate::cache) token: Option<&'a str>,
    /// The load runs whatever a note says.
    pub(in crate::cache) anyway: bool,
}

/// An entry that Redis is to keep.
#[derive(Clone, Copy)]
enum StoreOffer<'a> {
    /// One that was loaded, under this lease if one is held.
    Loaded { lease: Option<&'a str> },
    /// The one that stands there, to be kept for another time.
    Same,
}

impl<'a> StoreOffer<'a> {
    fn lease(self) -> Option<&'a str> {
        match self {
            StoreOffer::Loaded { lease } => lease,
            StoreOffer::Same => None,
        }
    }
}

impl RedisTier {
    /// Returns the pre-load script. `None` when Redis does not answer as it should: the load then
    /// goes on without it. Cancel-safe; a lease taken by it runs out.
    pub(in crate::cache) async fn prepare_load(
        &self,
        key: &Key,
        generations: &Arc<QueryEpochs>,
        sequence: u64,
        question: &PrepareRequest<'_>,
    ) -> Option<PrepareReply> {
        let names = key.redis_names();
        let last = self.max_entry.saturating_add(envelope::OVERHEAD);
        let mut eval = script_command(PREPARE, &all_names(&names));
        eval.arg(envelope::VERSION)
            .arg(question.seen)
            .arg(last)
            .arg(question.token.unwrap_or_default())
            .arg(whole_millis(LEASE))
            .arg(u8::from(question.anyway));
        let asked = self.clock.now();
        let mut answer = self
            .ask_array(RedisChannel::Quick, &eval)
            .await?
            .into_iter();
        let verdict = reply_text(&answer.next()?)?;
        let stored = stored_of(&mut answer)?;
        let tombstone = tombstone_of(&mut answer)?;
        let order = whole_number(&answer.next()?)?;
        let mut more = || answer.next().unwrap_or(Value::Nil);
        let verdict = match verdict.as_str() {
            "found" => {
                let (value, left) = (more(), more());
                let reading = self.envelope_reading(key, generations, sequence, asked);
                let found = read_entry(value, &left, &reading).unwrap_or_else(|reason| {
                    self.stats.tier_stats().count_rejected(reason);
                    None
                });
                PrepareVerdict::Found(found.map(Box::new), order)
            }
            "busy" => PrepareVerdict::Busy { standing: order },
            other => {
                let (_, _, note, left) = (more(), more(), more(), more());
                let words =
                    reply_text(&note).and_then(|note| Some(note.splitn(3, ' ').nth(2)?.to_owned()));
                if other == "noted" {
                    PrepareVerdict::Noted(words?, Duration::from_micros(whole_number(&left)?))
                } else {
                    PrepareVerdict::Load { order, note: words }
                }
            }
        };
        Some(PrepareReply {
            stored,
            tombstone,
            verdict,
        })
    }

    /// Stores `entry` to be kept for `physical` from its load, and gives `lease` back. What Redis
    /// says of the query, and why the entry was refused if it was; `None` when Redis does not
    /// answer as it should.
    pub(in crate::cache) async fn store(
        &self,
        entry: &Entry,
        physical: Duration,
        lease: Option<&str>,
    ) -> Option<(RedisLookup<()>, Option<Refused>)> {
        let mut answer = self
            .store_entry(entry, physical, StoreOffer::Loaded { lease })
            .await?;
        let refused = match reply_text(&answer.next()?)?.as_str() {
            "stored" => None,
            "lost" => Some(Refused::Lost),
            "older" => Some(Refused::Older),
            _ => Some(Refused::Purged),
        };
        if let Some(reason) = refused {
            self.stats.tier_stats().count_refused(reason);
        }
        let stored = stored_of(&mut answer);
        let look = RedisLookup {
            tombstone: stored
                .and_then(|_| tombstone_of(&mut answer))
                .unwrap_or_default(),
            stored,
            found: None,
        };
        Some((look, refused))
    }

    /// Stores `entry` again, to be kept for `physical` from its load, where it still stands.
    pub(in crate::cache) async fn let_last(&self, entry: &Entry, physical: Duration) {
        self.store_entry(entry, physical, StoreOffer::Same).await;
    }

    /// Returns the answer of the script that stores.
    async fn store_entry(
        &self,
        entry: &Entry,
        physical: Duration,
        offer: StoreOffer<'_>,
    ) -> Option<std::vec::IntoIter<Value>> {
        // Packing is work; not for a Redis that is away.
        if !self.lets_through() {
            return None;
        }
        let packed = envelope::encode(entry, physical);
        // Its life counts from its load, not from now.
        let left = physical.saturating_sub(entry.age(self.clock.now()));
        let key = &entry.key;
        let mut eval = script_command(STORE, &all_names(&key.redis_names()));
        eval.arg(envelope::VERSION)
            .arg(entry.rank.hard)
            .arg(entry.rank.order)
            .arg(offer.lease().unwrap_or_default())
            .arg(&packed)
            .arg(whole_millis(left).max(1))
            .arg(self.channel_name())
            .arg(self.make_message(
                "fill",
                &[
                    &entry.rank.order.to_string(),
                    key.family(),
                    &key.digest().hex_digits(),
                ],
            ))
            .arg(u8::from(Defence::Fence.is_off()))
            .arg(u64::try_from(entry.load_time.as_micros()).unwrap_or(u64::MAX))
            .arg(whole_millis(physical))
            .arg(u8::from(matches!(offer, StoreOffer::Same)));
        let answer = self.ask_array(RedisChannel::Large, &eval).await?;
        if let Some("stored") = answer.first().and_then(reply_text).as_deref() {
            self.stats.tier_stats().redis_wrote(packed.len() as u64);
        }
        Some(answer.into_iter())
    }

    /// Gives a lease back without a store. `note` keeps the fleet from loading again at once.
    pub(in crate::cache) async fn release_lease(
        &self,
        key: &Key,
        hard: u64,
        lease: Option<&str>,
        note: Option<(&str, FailureBackoff)>,
    ) {
        let names = key.redis_names();
        let (words, wait, failures) = note.map_or(("", Duration::ZERO, 0), |(words, backoff)| {
            (words, backoff.wait, backoff.failures)
        });
        let words = match note {
            Some(_) => format!("{failures} {words}"),
            None => String::new(),
        };
        let mut eval = script_command(RELEASE, &[&names.lease, &names.note]);
        eval.arg(lease.unwrap_or_default())
            .arg(hard)
            .arg(words)
            .arg(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX))
            .arg(whole_millis(wait.saturating_add(NOTE_KEPT)))
            .arg(self.channel_name())
            .arg(self.make_message("done", &["0", key.family(), &key.digest().hex_digits()]));
        let mut release = pipe();
        release.add_command(eval);
        self.run(RedisChannel::Quick, &release).await;
    }

    /// Returns whether the lease is still held, and now for longer; `None` when Redis does not say.
    pub(in crate::cache) async fn renew_lease(&self, key: &Key, lease: &str) -> Option<bool> {
        let mut eval = script_command(RENEW, &[&key.redis_names().lease]);
        eval.arg(lease).arg(whole_millis(LEASE));
        match self.ask_one(RedisChannel::Quick, &eval).await? {
            Value::Int(held) => Some(held == 1),
            _ => None,
        }
    }
}
