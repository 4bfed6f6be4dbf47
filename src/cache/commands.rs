//! What the cache asks of Redis: the pipelines and scripts of the entry, its generations, its
//! lease. What comes back is taken apart in `answers`; whether they may be sent and what a
//! failure does is `redis`'s.

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_redis::redis::{Cmd, Pipeline, Value, pipe};

use super::answers::{
    Look, Prepared, Verdict, front, is_valid, parse_stored, parse_tombstone, stored_of, text,
    tombstone_of, usable, whole,
};
use super::envelope::{self, Reading};
use super::flight::Backoff;
use super::generations::Generations;
use super::key::{RedisNames, generations_name};
use super::purge::PurgeKind;
use super::redis::{RedisTier, Way};
use super::{Entry, Key};
use crate::defence::Defence;
use crate::stats::{Fleet, Refused};

macro_rules! script {
    ($name:literal) => {
        concat!(include_str!("scripts/common.lua"), include_str!($name))
    };
}

const PREPARE: &str = script!("scripts/prepare.lua");
const STORE: &str = script!("scripts/store.lua");
const RELEASE: &str = script!("scripts/release.lua");
const RENEW: &str = script!("scripts/renew.lua");
const PURGE: &str = script!("scripts/purge.lua");

/// How long a lease lives that is not renewed.
const LEASE: Duration = Duration::from_millis(2500);
/// How much longer than it holds a note is kept, so that the next failure waits longer.
const NOTE_KEPT: Duration = Duration::from_secs(30);

/// No generations and no tombstone are longer; what is, is somebody else's and is not fetched.
const LONGEST_NUMBERS: usize = 127;

/// What is asked before a load.
pub(super) struct Question<'a> {
    /// An entry with a higher order number makes the load needless.
    pub(super) seen: u64,
    /// The token of the lease, where one is wanted.
    pub(super) token: Option<&'a str>,
    /// Whatever a note says.
    pub(super) anyway: bool,
}

impl RedisTier {
    /// The copy stored for `key`, fresh or not; of one that cannot be used, its order number.
    /// `None` when Redis does not answer within the deadline. Cancel-safe.
    pub(super) async fn read(
        &self,
        key: &Key,
        generations: &Arc<Generations>,
        sequence: u64,
    ) -> Option<Look<Result<Entry, u64>>> {
        // What is longer than the bound is not fetched: one byte more tells that it is.
        let last = self.max_entry.saturating_add(envelope::OVERHEAD);
        // What is asked later is older still: an age counts from here, so that it is never less.
        let asked = self.clock.now();
        let [value, left, stored, tombstone] = self.look(key, last).await?;
        self.stats.tiers().redis_read();
        let front = front(&value);
        let reading = self.reading(key, generations, sequence, asked);
        let found = match usable(value, &left, &reading) {
            Ok(found) => found.map(Ok),
            Err(reason) => {
                self.stats.tiers().rejected(reason);
                front.map(|(_, order)| Err(order))
            }
        };
        let stored = parse_stored(&stored);
        let tombstone = parse_tombstone(&tombstone, stored.as_ref());
        let valid = |(hard, order)| is_valid(hard, order, stored.as_ref(), tombstone);
        Some(Look {
            found: found.filter(|_| front.is_some_and(valid)),
            stored,
            tombstone,
        })
    }

    /// The order number of the copy stored for `key`, without the copy. `None` when Redis does not
    /// answer within the deadline. Cancel-safe.
    pub(super) async fn front(&self, key: &Key) -> Option<Look<u64>> {
        let [value, _, stored, tombstone] = self.look(key, envelope::FRONT - 1).await?;
        self.stats.tiers().fleet(Fleet::Rechecks);
        let stored = parse_stored(&stored);
        let tombstone = parse_tombstone(&tombstone, stored.as_ref());
        let front = match &value {
            Value::BulkString(bytes) => envelope::front(bytes),
            _ => None,
        };
        let found =
            front.filter(|(hard, order)| is_valid(*hard, *order, stored.as_ref(), tombstone));
        Some(Look {
            stored,
            tombstone,
            found: found.map(|(_, order)| order),
        })
    }

    async fn look(&self, key: &Key, last: usize) -> Option<[Value; 4]> {
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
        let answer = self.run(Way::Quick, &ask).await?;
        let [left, value, tombstone, stored] = <[Value; 4]>::try_from(answer).ok()?;
        Some([value, left, stored, tombstone])
    }

    /// The pre-load script. `None` when Redis does not answer as it should: the load then goes on
    /// without it. Cancel-safe; a lease taken by it runs out.
    pub(super) async fn prepare(
        &self,
        key: &Key,
        generations: &Arc<Generations>,
        sequence: u64,
        question: &Question<'_>,
    ) -> Option<Prepared> {
        let names = key.redis_names();
        let last = self.max_entry.saturating_add(envelope::OVERHEAD);
        let mut eval = script(PREPARE, &all(&names));
        eval.arg(envelope::VERSION)
            .arg(question.seen)
            .arg(last)
            .arg(question.token.unwrap_or_default())
            .arg(millis(LEASE))
            .arg(u8::from(question.anyway));
        let asked = self.clock.now();
        let mut answer = self.array(Way::Quick, &eval).await?.into_iter();
        let verdict = text(&answer.next()?)?;
        let stored = stored_of(&mut answer)?;
        let tombstone = tombstone_of(&mut answer)?;
        let order = whole(&answer.next()?)?;
        let mut more = || answer.next().unwrap_or(Value::Nil);
        let verdict = match verdict.as_str() {
            "found" => {
                let (value, left) = (more(), more());
                let reading = self.reading(key, generations, sequence, asked);
                let found = usable(value, &left, &reading).unwrap_or_else(|reason| {
                    self.stats.tiers().rejected(reason);
                    None
                });
                Verdict::Found(found.map(Box::new), order)
            }
            "busy" => Verdict::Busy,
            other => {
                let (_, _, note, left) = (more(), more(), more(), more());
                let words =
                    text(&note).and_then(|note| Some(note.splitn(3, ' ').nth(2)?.to_owned()));
                if other == "noted" {
                    Verdict::Noted(words?, Duration::from_micros(whole(&left)?))
                } else {
                    Verdict::Load { order, note: words }
                }
            }
        };
        Some(Prepared {
            stored,
            tombstone,
            verdict,
        })
    }

    /// Stores `entry` to be kept for `physical` from its load, and gives `lease` back. What Redis
    /// says of the query, and why the entry was refused if it was; `None` when Redis does not
    /// answer as it should.
    pub(super) async fn store(
        &self,
        entry: &Entry,
        physical: Duration,
        lease: Option<&str>,
    ) -> Option<(Look<()>, Option<Refused>)> {
        // Packing is work; not for a Redis that is away.
        if !self.lets_through() {
            return None;
        }
        let packed = envelope::encode(entry, physical);
        // Its life counts from its load, not from now.
        let left = physical.saturating_sub(entry.age(self.clock.now()));
        let key = &entry.key;
        let mut eval = script(STORE, &all(&key.redis_names()));
        eval.arg(envelope::VERSION)
            .arg(entry.rank.hard)
            .arg(entry.rank.order)
            .arg(lease.unwrap_or_default())
            .arg(&packed)
            .arg(millis(left).max(1))
            .arg(self.channel())
            .arg(self.message(
                "fill",
                &[
                    &entry.rank.order.to_string(),
                    key.query(),
                    &key.digest().hex(),
                ],
            ))
            .arg(u8::from(Defence::Fence.is_off()))
            .arg(u64::try_from(entry.load_time.as_micros()).unwrap_or(u64::MAX))
            .arg(millis(physical));
        let mut answer = self.array(Way::Large, &eval).await?.into_iter();
        let refused = match text(&answer.next()?)?.as_str() {
            "stored" => {
                self.stats.tiers().redis_wrote(packed.len() as u64);
                None
            }
            "lost" => Some(Refused::Lost),
            "older" => Some(Refused::Older),
            _ => Some(Refused::Purged),
        };
        if let Some(reason) = refused {
            self.stats.tiers().refused(reason);
        }
        let stored = stored_of(&mut answer);
        let look = Look {
            tombstone: stored
                .and_then(|_| tombstone_of(&mut answer))
                .unwrap_or_default(),
            stored,
            found: None,
        };
        Some((look, refused))
    }

    /// Gives a lease back without a store. `note` keeps the fleet from loading again at once.
    pub(super) async fn release(
        &self,
        key: &Key,
        hard: u64,
        lease: Option<&str>,
        note: Option<(&str, Backoff)>,
    ) {
        let names = key.redis_names();
        let (words, wait, failures) = note.map_or(("", Duration::ZERO, 0), |(words, backoff)| {
            (words, backoff.wait, backoff.failures)
        });
        let words = match note {
            Some(_) => format!("{failures} {words}"),
            None => String::new(),
        };
        let mut eval = script(RELEASE, &[&names.lease, &names.note]);
        eval.arg(lease.unwrap_or_default())
            .arg(hard)
            .arg(words)
            .arg(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX))
            .arg(millis(wait.saturating_add(NOTE_KEPT)))
            .arg(self.channel())
            .arg(self.message("done", &["0", key.query(), &key.digest().hex()]));
        let mut release = pipe();
        release.add_command(eval);
        self.run(Way::Quick, &release).await;
    }

    /// Whether the lease is still held, and now for longer; `None` when Redis does not say.
    pub(super) async fn renew(&self, key: &Key, lease: &str) -> Option<bool> {
        let mut eval = script(RENEW, &[&key.redis_names().lease]);
        eval.arg(lease).arg(millis(LEASE));
        match self.one(Way::Quick, &eval).await? {
            Value::Int(held) => Some(held == 1),
            _ => None,
        }
    }

    /// Purges in Redis and tells the other instances. The purge's number; `None` when Redis does
    /// not answer as it should. `life`: how long a copy of this entry may be about; `within`: a soft
    /// purge of the whole query by anybody in this last time will do.
    pub(super) async fn purge(
        &self,
        query: &str,
        entry: Option<(&Key, Duration)>,
        kind: PurgeKind,
        within: Duration,
    ) -> Option<u64> {
        let kind = match kind {
            PurgeKind::Soft => "soft",
            PurgeKind::Hard => "hard",
        };
        let generations = generations_name(&self.namespace, query);
        let names = entry.map(|(key, _)| key.redis_names());
        let keys = names
            .as_ref()
            .map_or(vec![generations.as_str()], |names| all(names).to_vec());
        let (digest, life) = entry.map_or(("*".to_owned(), Duration::ZERO), |(key, life)| {
            (key.digest().hex(), life)
        });
        let mut eval = script(PURGE, &keys);
        eval.arg(kind)
            .arg(self.channel())
            .arg(self.message(kind, &[]))
            .arg(format!("{query} {digest}"))
            .arg(millis(life).max(1))
            .arg(u64::try_from(within.as_micros()).unwrap_or(u64::MAX));
        whole(&self.one(Way::Quick, &eval).await?)
    }

    fn reading<'a>(
        &self,
        key: &'a Key,
        generations: &'a Arc<Generations>,
        sequence: u64,
        now: Instant,
    ) -> Reading<'a> {
        Reading {
            key,
            generations,
            sequence,
            max_entry: self.max_entry,
            now,
        }
    }

    async fn one(&self, way: Way, command: &Cmd) -> Option<Value> {
        let mut ask = Pipeline::with_capacity(1);
        ask.add_command(command.clone());
        self.run(way, &ask).await?.pop()
    }

    async fn array(&self, way: Way, command: &Cmd) -> Option<Vec<Value>> {
        match self.one(way, command).await? {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }
}

fn script(text: &str, keys: &[&str]) -> Cmd {
    let mut eval = Cmd::new();
    eval.arg("EVAL").arg(text).arg(keys.len()).arg(keys);
    eval
}

fn all(names: &RedisNames) -> [&str; 5] {
    let RedisNames {
        generations,
        entry,
        tombstone,
        lease,
        note,
    } = names;
    [generations, entry, tombstone, lease, note]
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
