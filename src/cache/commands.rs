//! The commands that the cache sends to Redis: the pipelines and scripts of the entry and its
//! generations; those around a load are in `loads`. the pipelines and scripts of the entry and its
//! generations; those around a load are in `loads`. What comes back is taken apart in `answers`;
//! whether they may be sent and what a failure does is `redis`'s.

mod loads;

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_redis::redis::{Cmd, Pipeline, Value, pipe};

use super::answers::{
    RedisLookup, is_valid, parse_stored, parse_tombstone, read_entry, read_front, whole_number,
};
use super::entry::Entry;
use super::envelope::{self, EnvelopeReading};
use super::generations::QueryEpochs;
use super::key::{Key, generations_name};
use super::purge_request::PurgeKind;
use super::redis::{RedisChannel, RedisTier};
use super::script_call::{all_names, script_command, whole_millis};
use super::scripts::PURGE;
use crate::stats::Fleet;

pub(super) use loads::PrepareRequest;

/// No generations and no tombstone are longer; what is, is somebody else's and is not fetched.
const LONGEST_NUMBERS: usize = 127;

impl RedisTier {
    /// Returns the copy stored for `key`, fresh or not; of one that cannot be used, its order
    /// number. `None` when Redis does not answer within the deadline. Cancel-safe.
    pub(super) async fn read(
        &self,
        key: &Key,
        generations: &Arc<QueryEpochs>,
        sequence: u64,
    ) -> Option<RedisLookup<Result<Entry, u64>>> {
        // A value that is longer than the bound is not fetched: one byte more tells that it is.
        let last = self.max_entry.saturating_add(envelope::OVERHEAD);
        // A value that is asked for later is older still: an age counts from here, so that it is
        // never less.
        let asked = self.clock.now();
        let [value, left, stored, tombstone] = self.read_envelope(key, last).await?;
        self.stats.tier_stats().redis_read();
        let front = read_front(&value);
        let reading = self.envelope_reading(key, generations, sequence, asked);
        let found = match read_entry(value, &left, &reading) {
            Ok(found) => found.map(Ok),
            Err(reason) => {
                self.stats.tier_stats().count_rejected(reason);
                front.map(|(_, order)| Err(order))
            }
        };
        let stored = parse_stored(&stored);
        let tombstone = parse_tombstone(&tombstone, stored.as_ref());
        let valid = |(hard, order)| is_valid(hard, order, stored.as_ref(), tombstone);
        Some(RedisLookup {
            found: found.filter(|_| front.is_some_and(valid)),
            stored,
            tombstone,
        })
    }

    /// Returns the order number of the copy stored for `key`, without the copy. `None` when Redis
    /// does not answer within the deadline. Cancel-safe.
    pub(super) async fn read_version(&self, key: &Key) -> Option<RedisLookup<u64>> {
        let [value, _, stored, tombstone] = self.read_envelope(key, envelope::FRONT - 1).await?;
        self.stats.tier_stats().count_fleet(Fleet::Rechecks);
        let stored = parse_stored(&stored);
        let tombstone = parse_tombstone(&tombstone, stored.as_ref());
        let found = read_front(&value)
            .filter(|(hard, order)| is_valid(*hard, *order, stored.as_ref(), tombstone));
        Some(RedisLookup {
            stored,
            tombstone,
            found: found.map(|(_, order)| order),
        })
    }

    async fn read_envelope(&self, key: &Key, last: usize) -> Option<[Value; 4]> {
        let names = key.redis_names();
        let mut ask = pipe();
        // Another store may come between the two: a new entry with what was left of an old one is
        // held for older than it is, which does no harm; the other way about it would.
        ask.cmd("PTTL").arg(&names.entry);
        ask.cmd("GETRANGE").arg(&names.entry).arg(0).arg(last);
        // In this order, so that no tombstone is newer than the numbers that are read with it.
        for name in [&names.tombstone, &names.generations] {
            ask.cmd("GETRANGE").arg(name).arg(0).arg(LONGEST_NUMBERS);
        }
        let answer = self.run(RedisChannel::Quick, &ask).await?;
        let [left, value, tombstone, stored] = <[Value; 4]>::try_from(answer).ok()?;
        Some([value, left, stored, tombstone])
    }

    /// Purges in Redis and tells the other instances. The purge's number; `None` when Redis does
    /// not answer as it should. `life`: how long a copy of this entry may be about; `within`: a
    /// soft purge of the whole query by anybody in this last time will do; `token`: who hears of it
    /// is to confirm it with this.
    pub(super) async fn purge_stored(
        &self,
        family: &str,
        entry: Option<(&Key, Duration)>,
        kind: PurgeKind,
        within: Duration,
        token: Option<&str>,
    ) -> Option<u64> {
        let kind = match kind {
            PurgeKind::Soft => "soft",
            PurgeKind::Hard => "hard",
        };
        let generations = generations_name(&self.namespace, family);
        let names = entry.map(|(key, _)| key.redis_names());
        let keys = names.as_ref().map_or(vec![generations.as_str()], |names| {
            all_names(names).to_vec()
        });
        let (digest, life) = entry.map_or(("*".to_owned(), Duration::ZERO), |(key, life)| {
            (key.digest().hex_digits(), life)
        });
        let mut eval = script_command(PURGE, &keys);
        eval.arg(kind)
            .arg(self.channel_name())
            .arg(self.make_message(kind, &[]))
            .arg(match token {
                // Versions that know of no tokens read no further than the digest.
                Some(token) => format!("{family} {digest} {token}"),
                None => format!("{family} {digest}"),
            })
            .arg(whole_millis(life).max(1))
            .arg(u64::try_from(within.as_micros()).unwrap_or(u64::MAX));
        whole_number(&self.ask_one(RedisChannel::Quick, &eval).await?)
    }

    fn envelope_reading<'a>(
        &self,
        key: &'a Key,
        generations: &'a Arc<QueryEpochs>,
        sequence: u64,
        now: Instant,
    ) -> EnvelopeReading<'a> {
        EnvelopeReading {
            key,
            generations,
            sequence,
            max_entry: self.max_entry,
            now,
        }
    }

    async fn ask_one(&self, way: RedisChannel, command: &Cmd) -> Option<Value> {
        let mut ask = Pipeline::with_capacity(1);
        ask.add_command(command.clone());
        self.run(way, &ask).await?.pop()
    }

    async fn ask_array(&self, way: RedisChannel, command: &Cmd) -> Option<Vec<Value>> {
        match self.ask_one(way, command).await? {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }
}
