//! What the keys of one query are made from: whatever changes its answers. What a key is, is
//! `cache`'s.

use crate::cache::{Key, KeyBase};
use crate::db::{Database, Limits};
use crate::query::{Arguments, Query};
use crate::settings::{self, Settings};

/// What the keys of one query are made from.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) base: KeyBase,
    /// The only key of a query without parameters.
    pub(super) plain: Key,
}

impl Keys {
    pub(super) fn of(query: &Query, db: &Database, settings: &Settings) -> Keys {
        // Where there is no Redis yet, as if there were one with the usual namespace: copies are
        // found again when a reload brings it.
        let namespace = settings
            .redis
            .as_ref()
            .map_or(settings::Redis::NAMESPACE, |redis| &redis.namespace);
        // The bound on rows changes the answer as much as the statement does.
        let max_rows = Limits::of(query, &settings.limits).max_rows;
        let statement = &query.statement(db.kind()).sql;
        let sql = format!("{statement}\nlimit {max_rows}");
        let base = KeyBase::new(namespace, &query.name, &sql, db.identity());
        let plain = base.key(Arguments(Vec::new()).canonical());
        Keys { base, plain }
    }
}
