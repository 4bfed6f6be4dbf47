//! The parts that the keys of one query are made from: everything that decides its rows. The
//! database that they are of is `ring`'s; the making of a key, and its names in Redis, are
//! `cache`'s.

pub(super) mod ring;

use crate::cache::{Key, KeyBase};
use crate::db::{Database, Limits};
use crate::defence::Defence;
use crate::query::{Arguments, Query};
use crate::settings::{self, Settings};

/// The parts that the keys of one query are made from.
#[derive(Debug)]
pub(super) struct QueryKeys {
    pub(super) base: KeyBase,
    /// The only key of a query without parameters.
    pub(super) plain: Key,
}

impl QueryKeys {
    fn new(base: KeyBase) -> QueryKeys {
        let plain = base.make_key(Arguments(Vec::new()).canonical());
        QueryKeys { base, plain }
    }
}

/// Makes the base of a query's keys, for a database that has not said yet which one it is.
pub(super) fn base_of(query: &Query, db: &Database, settings: &Settings) -> KeyBase {
    // Where there is no Redis yet, as if there were one with the usual namespace: copies are
    // found again when a reload brings it.
    let namespace = settings
        .redis
        .as_ref()
        .map_or(settings::RedisSettings::NAMESPACE, |redis| &redis.namespace);
    let limits = Limits::for_query(query, &settings.limits);
    let asked = describe_statement(query, db, limits);
    KeyBase::new(namespace, &query.name, asked, db.identity())
}

/// Returns what is asked of the database beside the parameters' values: the session's settings that
/// decide the rows, the statement as it is sent, which parameter stands at each of its places, the
/// parameters in the order in which a key's values follow each other, and the bound on rows, which
/// decides the answer as much as the statement does. Each part is length-prefixed, so that no text
/// can take the place of another.
fn describe_statement(query: &Query, db: &Database, limits: Limits) -> Vec<u8> {
    let statement = query.statement_for(db.kind());
    let mut asked = KeyParts::default();
    asked.add(db.kind().name());
    asked.add(db.session_digest());
    asked.add(&statement.sql);
    asked.add(&limits.max_rows.to_string());
    if Defence::Key.is_off() {
        return asked.0;
    }
    let declared = 0..query.params.len();
    for places in [statement.order.clone(), declared.collect()] {
        asked.add(&places.len().to_string());
        for place in places {
            let param = &query.params[place];
            asked.add(&param.name);
            asked.add(&param.kind.name());
        }
    }
    asked.0
}

/// Texts one behind the other, each with its length before it.
#[derive(Default)]
struct KeyParts(Vec<u8>);

impl KeyParts {
    fn add(&mut self, part: &str) {
        self.0.extend_from_slice(&(part.len() as u64).to_le_bytes());
        self.0.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests;
