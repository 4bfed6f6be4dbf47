//! The reports of the instances that share this Redis: each keeps its own there for a few seconds,
//! and reads the others'. To the cache a report is bytes; what is in it, and when it is made, is
//! for others. No name is ever searched for: the index holds the ids of those that reported of
//! late, by the server's clock.

use std::time::Duration;

use bytes::Bytes;
use deadpool_redis::redis::{Value, pipe};

use super::answers::{reply_text, whole_number};
use super::core::Cache;
use super::key::{SystemTag, name_prefix};
use super::redis::{RedisChannel, RedisTier};
use super::script_call::script_command;
use super::scripts::REPORT;

/// The time for which a report is kept, and its writer taken for alive.
pub const REPORT_LIFE: Duration = Duration::from_secs(15);

/// So many instances are read at most.
const MOST: usize = 100;
/// A stored report of more bytes is not read.
const LONGEST: usize = 1 << 20;
/// The same of what comes out of it.
const LONGEST_PLAIN: usize = 2 << 20;
/// The bytes of all reports that are read in one turn.
const LONGEST_TOGETHER: usize = 32 << 20;
/// So many are asked for at once, so that a turn of a large fleet is a few short ones.
const AT_ONCE: usize = 4;

/// The bytes with which a zstd frame begins; JSON does not.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The other instances that are there.
#[derive(Debug, Default)]
pub struct InstanceList {
    /// Their ids, each with how long ago it reported.
    pub others: Vec<(String, Duration)>,
    /// The number of others that are not named here.
    pub beyond: u64,
}

/// The result of writing a report.
#[derive(Debug)]
pub enum ReportResult {
    /// It is kept.
    Kept(InstanceList),
    /// Redis answers, and does not take it: this user may not, or it is full, or a replica.
    Refused,
    /// Redis does not answer, or there is none.
    Away,
}

/// The names in Redis. All have one hash tag, which no query can have, so that a script may touch
/// them together on a cluster and no query's names are among them.
struct ReportNames(String);

impl ReportNames {
    fn index_name(&self) -> String {
        format!("{}:{{/stats}}:instances", self.0)
    }

    fn report_name(&self, id: &str) -> String {
        format!("{}:{{/stats}}:report:{id}", self.0)
    }
}

impl Cache {
    /// Keeps this instance's report in Redis for [`REPORT_LIFE`], in place of the one before, among
    /// those of its database, and says who else is there. One that is dropped half-way may have
    /// been kept.
    pub async fn store_report(&self, system: &SystemTag, id: &str, report: &[u8]) -> ReportResult {
        match &self.inner.redis {
            Some(redis) => redis.write_report(system, id, report).await,
            None => ReportResult::Away,
        }
    }

    /// Gives each of these reports to `take`: `None` for one that cannot be read or is too large.
    /// Those that are gone by now are passed over. Returns whether Redis answered to the end.
    /// Cancel-safe.
    pub async fn read_reports(
        &self,
        system: &SystemTag,
        ids: &[String],
        mut take: impl FnMut(&str, Option<Bytes>),
    ) -> bool {
        let Some(redis) = &self.inner.redis else {
            return false;
        };
        let mut together = 0;
        for some in ids.chunks(AT_ONCE) {
            let Some(values) = redis.fetch_reports(system, some).await else {
                return false;
            };
            for (id, value) in some.iter().zip(values) {
                if matches!(&value, Value::BulkString(bytes) if bytes.is_empty()) {
                    continue;
                }
                let left = LONGEST_PLAIN.min(LONGEST_TOGETHER - together);
                let report = plain_bytes(value, left);
                together += report.as_ref().map_or(0, Bytes::len);
                take(id, report);
            }
        }
        true
    }

    /// Takes this instance's report away. Within the deadline of Redis; that it is away is no
    /// matter, because reports end by themselves.
    pub async fn withdraw_report(&self, system: &SystemTag, id: &str) {
        if let Some(redis) = &self.inner.redis {
            redis.withdraw_report(system, id).await;
        }
    }
}

impl RedisTier {
    fn report_names(&self, system: &SystemTag) -> ReportNames {
        ReportNames(format!("{}:{system}", name_prefix(&self.namespace)))
    }

    async fn write_report(&self, system: &SystemTag, id: &str, report: &[u8]) -> ReportResult {
        let names = self.report_names(system);
        let (index, own) = (names.index_name(), names.report_name(id));
        let stored = zstd::bulk::compress(report, 1).unwrap_or_default();
        let mut eval = script_command(REPORT, &[&index, &own]);
        let life = u64::try_from(REPORT_LIFE.as_millis()).unwrap_or(u64::MAX);
        eval.arg(id).arg(&stored[..]).arg(life).arg(MOST + 1);
        let mut ask = pipe();
        ask.add_command(eval);
        let Some(mut answers) = self.try_run(RedisChannel::Large, &ask).await else {
            // It is there where it only complains: it is full, or a replica.
            return match self.redis_state().up {
                Some(true) => ReportResult::Refused,
                _ => ReportResult::Away,
            };
        };
        match answers.pop() {
            Some(Value::Array(said)) => ReportResult::Kept(read_list(said, id)),
            _ => ReportResult::Refused,
        }
    }

    async fn fetch_reports(&self, system: &SystemTag, ids: &[String]) -> Option<Vec<Value>> {
        let names = self.report_names(system);
        let mut ask = pipe();
        for id in ids {
            // One byte more than is read tells that there is more.
            ask.cmd("GETRANGE")
                .arg(names.report_name(id))
                .arg(0)
                .arg(LONGEST);
        }
        self.try_run(RedisChannel::Large, &ask).await
    }

    async fn withdraw_report(&self, system: &SystemTag, id: &str) {
        let names = self.report_names(system);
        let mut ask = pipe();
        ask.cmd("DEL").arg(names.report_name(id));
        ask.cmd("ZREM").arg(names.index_name()).arg(id);
        self.try_run(RedisChannel::Large, &ask).await;
    }
}

fn read_list(said: Vec<Value>, own: &str) -> InstanceList {
    let mut said = said.into_iter();
    let all = said
        .next()
        .as_ref()
        .and_then(whole_number)
        .unwrap_or_default();
    let mut others = Vec::new();
    while let (Some(id), Some(age)) = (said.next(), said.next()) {
        if let (Some(id), Some(age)) = (reply_text(&id), whole_number(&age)) {
            others.push((id, Duration::from_millis(age)));
        }
    }
    others.retain(|(id, _)| id != own);
    others.truncate(MOST);
    let named = u64::try_from(others.len() + 1).unwrap_or(u64::MAX);
    InstanceList {
        others,
        beyond: all.saturating_sub(named),
    }
}

/// The bytes that were stored, of at most so many.
fn plain_bytes(value: Value, at_most: usize) -> Option<Bytes> {
    let Value::BulkString(stored) = value else {
        return None;
    };
    if stored.len() > LONGEST {
        return None;
    }
    let plain = if stored.starts_with(&ZSTD) {
        // A frame says how much comes out of it; one that does not say, none of us has written.
        let says = zstd::zstd_safe::get_frame_content_size(&stored).ok()??;
        let length = usize::try_from(says)
            .ok()
            .filter(|length| *length <= at_most)?;
        zstd::bulk::decompress(&stored, length).ok()?
    } else {
        stored
    };
    (plain.len() <= at_most).then(|| plain.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn bulk(bytes: &[u8]) -> Value {
        Value::BulkString(bytes.to_vec())
    }

    #[test]
    fn others_are_named_with_their_ages_and_those_beyond_are_counted() {
        let said = vec![
            Value::Int(4),
            bulk(b"b"),
            bulk(b"20"),
            bulk(b"me"),
            bulk(b"0"),
        ];
        let roll = read_list(said, "me");
        assert_eq!(roll.others, [("b".to_owned(), Duration::from_millis(20))]);
        assert_eq!(roll.beyond, 2);
        let many = (0..=MOST).flat_map(|n| [bulk(n.to_string().as_bytes()), bulk(b"1")]);
        let all = Value::Int(i64::try_from(MOST).unwrap() + 2);
        let roll = super::read_list(std::iter::once(all).chain(many).collect(), "me");
        assert_eq!((roll.others.len(), roll.beyond), (MOST, 1));
        assert!(super::read_list(Vec::new(), "me").others.is_empty());
    }

    #[test]
    fn what_is_stored_is_read_compressed_or_not_and_no_more_than_the_bound() {
        let text = b"{\"a\":1}".repeat(100);
        let stored = zstd::bulk::compress(&text, 1).unwrap();
        assert_eq!(plain_bytes(bulk(&text), 700).unwrap(), text);
        assert_eq!(plain_bytes(bulk(&stored), 700).unwrap(), text);
        assert_eq!(plain_bytes(bulk(&text), 699), None);
        assert_eq!(plain_bytes(bulk(&stored), 699), None);
        assert_eq!(
            plain_bytes(bulk(&vec![b'x'; LONGEST + 1]), LONGEST_PLAIN),
            None
        );
        assert_eq!(plain_bytes(bulk(&stored[..stored.len() - 1]), 700), None);
        assert_eq!(plain_bytes(bulk(&ZSTD), 700), None);
        assert_eq!(plain_bytes(Value::Nil, 700), None);
    }

    #[test]
    fn a_small_frame_that_says_it_is_huge_takes_no_memory() {
        let bomb = zstd::bulk::compress(&vec![0; LONGEST_PLAIN + 1], 19).unwrap();
        assert!(bomb.len() < LONGEST);
        assert_eq!(plain_bytes(bulk(&bomb), LONGEST_PLAIN), None);
    }
}
