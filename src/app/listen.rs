//! Follows the messages of the database: `NOTIFY unslow, 'TAG'` makes stale what is stored of
//! every query with `-- notify: TAG`. It owns who is meant by a message, when the connection is
//! made again, and what is done about messages that were missed; the connection is `db`'s, the
//! copies are `cache`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::db::{Database, MessageListener};
use crate::error::RequestError;
use crate::query::Catalog;

/// Messages that come within this time after one are taken together, so that a burst makes a
/// query stale once.
const GATHER: Duration = Duration::from_millis(250);
/// The time for which a lost connection is not made again: at first, …
const BACKOFF: Duration = Duration::from_millis(500);
/// … and at most, doubling each time. A connection that lives this long begins anew.
const MAX_BACKOFF: Duration = Duration::from_secs(32);

/// The queries that each message concerns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagIndex(pub(super) BTreeMap<String, BTreeSet<Arc<str>>>);

impl TagIndex {
    /// Returns those of all queries.
    pub fn collect(catalog: &Catalog) -> TagIndex {
        let mut tags = TagIndex::default();
        for query in catalog.iter() {
            for tag in &query.policy.notify {
                let queries = tags.0.entry(tag.clone()).or_default();
                queries.insert(query.name.as_str().into());
            }
        }
        tags
    }

    fn tagged_queries(&self, tag: &str) -> impl Iterator<Item = Arc<str>> {
        self.0.get(tag).into_iter().flatten().cloned()
    }

    fn all_queries(&self) -> BTreeSet<Arc<str>> {
        self.0.values().flatten().cloned().collect()
    }
}

/// The state of listening to the database's messages.
#[derive(Debug, Clone)]
pub struct ListenState {
    /// There is a connection that listens.
    pub listening: bool,
    /// The moment since when it is so.
    pub since: Instant,
    /// The reason why there was none the latest time; its `class()` is a word for pages.
    pub last_error: Option<RequestError>,
    /// Messages heard since the start, also those that concern no query.
    pub messages: u64,
}

/// Remembers it.
#[derive(Debug)]
pub struct ListenMonitor(Mutex<ListenState>);

impl Default for ListenMonitor {
    /// Makes the state before the first connection.
    fn default() -> ListenMonitor {
        ListenMonitor(Mutex::new(ListenState {
            listening: false,
            since: Instant::now(),
            last_error: None,
            messages: 0,
        }))
    }
}

impl ListenMonitor {
    /// Returns the state from memory; asks nothing.
    pub fn state(&self) -> ListenState {
        self.lock().clone()
    }

    fn note_begin(&self) {
        let mut state = self.lock();
        state.listening = true;
        state.since = Instant::now();
        drop(state);
        tracing::info!("listening to the database's messages");
    }

    /// Says it once, however often the connection is tried in vain.
    fn note_end(&self, error: RequestError) {
        let mut state = self.lock();
        let news = state.listening || state.last_error.is_none();
        if news {
            state.listening = false;
            state.since = Instant::now();
        }
        let cause = error.to_string();
        state.last_error = Some(error);
        drop(state);
        if news {
            tracing::warn!(cause, "the database's messages are not heard");
        }
    }

    fn note_message(&self) {
        self.lock().messages += 1;
    }

    fn lock(&self) -> MutexGuard<'_, ListenState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that follows, and what it knows. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct NotificationListener {
    pub(super) listening: Arc<ListenMonitor>,
    pub(super) tags: TagIndex,
    pub(super) _task: JoinSet<()>,
}

impl NotificationListener {
    pub(super) fn monitor(&self) -> Arc<ListenMonitor> {
        Arc::clone(&self.listening)
    }
}

/// Hears messages for ever and calls `expire` with the name of each query that one concerns and
/// how long ago the latest was heard (zero: it may have been missed), one call at a time. Ends at
/// once where the database sends none.
///
/// Whenever there is a connection again, every tagged query is expired: messages may have been
/// missed. That goes for the first one too: what was loaded before it, and what Redis kept while
/// no instance ran, may be older than a message that nobody heard.
pub async fn follow_messages<E, F>(db: &Database, tags: &TagIndex, state: &ListenMonitor, expire: E)
where
    E: Fn(Arc<str>, Duration) -> F,
    F: Future<Output = ()>,
{
    let (mut recoveries, mut systems) = (db.watch_recoveries(), db.system_changes());
    let mut backoff = ListenBackoff::default();
    loop {
        recoveries.mark_unchanged();
        // Known before it is listened to: a change from here on may be one to another database.
        db.find_system().await;
        systems.mark_unchanged();
        match db.open_listener().await {
            None => return,
            Some(Ok(mut listener)) => {
                let began = Instant::now();
                for query in tags.all_queries() {
                    expire(query, Duration::ZERO).await;
                }
                state.note_begin();
                let end = tokio::select! {
                    end = receive_messages(&mut listener, tags, state, &expire) => end,
                    Ok(()) = systems.changed() => RequestError::Unavailable {
                        detail: "the database is another one than before".into(),
                    },
                };
                state.note_end(end);
                backoff.note_lifetime(began.elapsed());
            }
            Some(Err(error)) => state.note_end(error),
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next()) => {}
            // The database was away and is back: who reads gets fresh answers from now on.
            Ok(()) = recoveries.changed() => {}
        }
    }
}

/// Hears messages until the connection is gone.
async fn receive_messages<E, F>(
    listener: &mut MessageListener,
    tags: &TagIndex,
    state: &ListenMonitor,
    expire: &E,
) -> RequestError
where
    E: Fn(Arc<str>, Duration) -> F,
    F: Future<Output = ()>,
{
    loop {
        let mut next = listener.next().await;
        let end = tokio::time::Instant::now() + GATHER;
        let (mut concerned, mut heard) = (BTreeSet::new(), Instant::now());
        let lost = loop {
            match next {
                Ok(tag) => {
                    state.note_message();
                    heard = Instant::now();
                    concerned.extend(tags.tagged_queries(&tag));
                }
                Err(error) => break Some(error),
            }
            // Looked at here as well: messages that never stop would keep the timer from its turn.
            if tokio::time::Instant::now() >= end {
                break None;
            }
            match tokio::time::timeout_at(end, listener.next()).await {
                Ok(message) => next = message,
                Err(_) => break None,
            }
        };
        for query in concerned {
            expire(query, heard.elapsed()).await;
        }
        if let Some(error) = lost {
            return error;
        }
    }
}

/// The pauses between attempts.
#[derive(Default)]
struct ListenBackoff {
    /// The attempts that failed in a row.
    attempts: u32,
    random: RandomState,
}

impl ListenBackoff {
    /// Returns up to a quarter less than its due, so that a fleet does not come back in one moment.
    fn next(&mut self) -> Duration {
        let due = BACKOFF
            .saturating_mul(2_u32.saturating_pow(self.attempts))
            .min(MAX_BACKOFF);
        self.attempts = self.attempts.saturating_add(1);
        let part = self.random.hash_one((Instant::now(), self.attempts)) % 1000;
        due * 3 / 4 + due / 4000 * u32::try_from(part).expect("below a thousand")
    }

    /// A connection ended after so long. One that ends at once is no success.
    fn note_lifetime(&mut self, lived: Duration) {
        if lived >= MAX_BACKOFF {
            self.attempts = 0;
        }
    }
}

#[cfg(test)]
mod tests;
