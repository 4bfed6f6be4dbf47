//! The answers of Redis about itself (`INFO`): the part that is kept, and the interval at which it
//! is asked. They are of use to people alone. Many providers refuse the command, which is no
//! failure.

use std::time::Duration;

use deadpool_redis::redis::{Value, pipe};

use super::redis::{RedisChannel, RedisTier};
use crate::stats::RedisInfo;

/// The time between two questions; a little less than two turns of the task that asks, so that it
/// is every second one.
const EVERY: Duration = Duration::from_secs(9);
/// The same where it was refused.
const EVERY_IF_REFUSED: Duration = Duration::from_mins(10);

/// The place where what is kept stands. Several at once are understood from Redis 7 on only.
const SECTIONS: [&str; 5] = ["server", "clients", "memory", "stats", "replication"];
/// No section is longer.
const LONGEST: usize = 64 << 10;
/// No word that is kept is longer.
const LONGEST_WORD: usize = 40;

impl RedisTier {
    /// Returns what it said of itself last, with its age; asks nothing. `None` before it was first
    /// asked.
    pub(super) fn server_info(&self) -> Option<RedisInfo> {
        let said = self.info.lock();
        let (at, info) = said.info.as_ref()?;
        let age = self.clock.now().saturating_duration_since(*at);
        Some(RedisInfo {
            age_seconds: age.as_secs_f64(),
            ..info.clone()
        })
    }

    /// Asks it, where that is due. What was said before stays when there is no answer. Cancel-safe.
    pub(super) async fn ask_info(&self) {
        let now = self.clock.now();
        if self.info.lock().next.is_some_and(|next| now < next) {
            return;
        }
        let mut ask = pipe();
        for section in SECTIONS {
            ask.cmd("INFO").arg(section);
        }
        let Some(answers) = self.try_run(RedisChannel::Quick, &ask).await else {
            return;
        };
        let info = parse(&answers);
        let mut said = self.info.lock();
        let refused = info == RedisInfo::default();
        if refused && !said.refused {
            tracing::info!("Redis does not answer INFO to this user: /stats shows nothing of it");
        }
        let pause = if refused { EVERY_IF_REFUSED } else { EVERY };
        said.info = Some((self.clock.now(), info));
        said.next = Some(now + pause);
        said.refused = refused;
    }
}

/// Returns what is kept of these answers; nothing of those that are errors.
fn parse(answers: &[Value]) -> RedisInfo {
    let mut info = RedisInfo::default();
    for answer in answers {
        let text = match answer {
            Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
            Value::VerbatimString { text, .. } => Some(text.as_str()),
            _ => None,
        };
        for line in text
            .filter(|text| text.len() <= LONGEST)
            .unwrap_or("")
            .lines()
        {
            if let Some((name, value)) = line.split_once(':') {
                info.keep_field(name, value.trim_end());
            }
        }
    }
    info
}

/// Returns a word as servers use them, so that it can be shown wherever.
fn server_word(value: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    let is_word = (1..=LONGEST_WORD).contains(&value.len()) && value.chars().all(plain);
    is_word.then(|| value.to_owned())
}

impl RedisInfo {
    fn keep_field(&mut self, name: &str, value: &str) {
        let text = match name {
            "redis_version" => &mut self.redis_version,
            "role" => &mut self.role,
            "maxmemory_policy" => &mut self.maxmemory_policy,
            _ => return self.keep_number(name, value),
        };
        *text = server_word(value);
    }

    fn keep_number(&mut self, name: &str, value: &str) {
        let number = match name {
            "uptime_in_seconds" => &mut self.uptime_in_seconds,
            "connected_clients" => &mut self.connected_clients,
            "used_memory" => &mut self.used_memory,
            "maxmemory" => &mut self.maxmemory,
            "evicted_keys" => &mut self.evicted_keys,
            "expired_keys" => &mut self.expired_keys,
            "keyspace_hits" => &mut self.keyspace_hits,
            "keyspace_misses" => &mut self.keyspace_misses,
            "rejected_connections" => &mut self.rejected_connections,
            _ => return,
        };
        *number = value.parse().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn only_what_is_on_the_list_is_kept() {
        let server = "# Server\r\nredis_version:7.2.4\r\nexecutable:/usr/bin/redis\r\n\
                      config_file:/etc/redis.conf\r\nuptime_in_seconds:12\r\n";
        let memory = "used_memory:1000\r\nused_memory_human:1K\r\nmaxmemory:0\r\n\
                      maxmemory_policy:noeviction\r\n";
        let replication = "role:slave\r\nmaster_host:10.0.0.7\r\n";
        let info = parse(&[bulk(server), bulk(memory), bulk(replication)]);
        let expected = RedisInfo {
            redis_version: Some("7.2.4".to_owned()),
            uptime_in_seconds: Some(12),
            used_memory: Some(1000),
            maxmemory: Some(0),
            maxmemory_policy: Some("noeviction".to_owned()),
            role: Some("slave".to_owned()),
            ..RedisInfo::default()
        };
        assert_eq!(info, expected);
    }

    #[test]
    fn what_is_no_such_word_or_number_is_not_kept() {
        let long = format!("redis_version:{}", "7".repeat(41));
        for odd in [
            "redis_version:<b>7</b>",
            "role:",
            "used_memory:-1",
            "used_memory:1e3",
            "maxmemory:99999999999999999999",
            "used_memory",
            &long,
        ] {
            assert_eq!(parse(&[bulk(odd)]), RedisInfo::default(), "{odd}");
        }
        let endless = "redis_version:7\r\n".repeat(LONGEST);
        assert_eq!(parse(&[bulk(&endless), Value::Nil]), RedisInfo::default());
    }
}
