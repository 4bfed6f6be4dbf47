//! The keys that hold: those of the database that answers now. Each database that was spoken to has
//! keys of its own, so copies of one are never found under the keys of another. It owns when the
//! keys change and what is done before the database has answered; `db` says which database it is.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::runtime::Handle;

use super::QueryKeys;
use crate::cache::{Cache, Key, KeyBase, SystemTag};
use crate::db::{Database, DatabaseSystem};
use crate::query::{Arguments, Query};

/// The keys of all queries, for each database that was spoken to.
pub(in crate::app) struct KeyRing {
    engine: Handle,
    /// The keys while it is not known which database it is. Nothing is ever stored under them.
    unknown: Arc<KeySet>,
    /// The place of the set that holds: 0 is `unknown`, each next is one further.
    current: AtomicUsize,
    /// The database's [`Database::system_version`] for which it holds.
    version: AtomicU64,
    /// Held while `current` is changed.
    changing: Mutex<()>,
}

/// The keys of all queries on one database.
pub(in crate::app) struct KeySet {
    db: Arc<Database>,
    /// The place where it is remembered that this database was there.
    cache: Cache,
    /// The keys of each query, in the order of the catalog.
    each: Vec<QueryKeys>,
    /// `None`: it is not known which it is.
    system: Option<DatabaseSystem>,
    tag: SystemTag,
    /// Redis keeps that this database was there.
    is_recorded: AtomicBool,
    next: OnceLock<Arc<KeySet>>,
}

impl KeyRing {
    /// `bases` are those of the catalog's queries, in its order.
    pub(in crate::app) fn new(
        bases: impl Iterator<Item = KeyBase>,
        db: &Arc<Database>,
        cache: &Cache,
        engine: &Handle,
    ) -> Arc<KeyRing> {
        let ring = KeyRing {
            unknown: Arc::new(KeySet::without_system(bases, db, cache)),
            engine: engine.clone(),
            current: AtomicUsize::new(0),
            version: AtomicU64::new(0),
            changing: Mutex::new(()),
        };
        ring.follow_system();
        Arc::new(ring)
    }

    /// Returns the database whose keys these are.
    pub(in crate::app) fn db(&self) -> &Arc<Database> {
        &self.unknown.db
    }

    /// Returns the keys that hold, where it is known which database it is. Takes no lock.
    pub(in crate::app) fn known_keys(&self) -> Option<&Arc<KeySet>> {
        if self.db().system_version() != self.version.load(Ordering::Acquire) {
            self.follow_system();
        }
        let place = self.current.load(Ordering::Acquire);
        (place > 0).then(|| self.set(place))
    }

    /// Returns the keys that hold. Where the database has not said yet which it is, it is asked,
    /// within the time that connecting may take. Where it is away, the one database that Redis has
    /// ever seen under its configured name is taken for it; if there were several, none is, and
    /// nothing is found under these keys. Cancel-safe.
    pub(in crate::app) async fn find(&self) -> &Arc<KeySet> {
        if let Some(known) = self.known_keys() {
            return known;
        }
        let db = Arc::clone(self.db());
        let asked = self.engine.spawn(async move { db.find_system().await });
        // That it panicked would be the same as no answer.
        let _ = asked.await;
        if let Some(known) = self.known_keys() {
            return known;
        }
        let recorded = self.unknown.cache.systems_of(self.db().identity()).await;
        if let Some([only]) = recorded.as_deref() {
            self.suppose_system(&DatabaseSystem::from_word(only));
        }
        self.known_keys().unwrap_or(&self.unknown)
    }

    /// Takes over what the database says now.
    fn follow_system(&self) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        // First the number: a change in between is then followed by the next look.
        let version = self.db().system_version();
        if let Some(system) = self.db().database_system() {
            self.take(&system);
        }
        self.version.store(version, Ordering::Release);
    }

    /// Takes this one, unless the database has said meanwhile which it is.
    fn suppose_system(&self, system: &DatabaseSystem) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.db().system_version() == 0 {
            self.take(system);
        }
    }

    fn take(&self, system: &DatabaseSystem) {
        let (mut place, mut set) = (0, &self.unknown);
        while set.system.as_ref() != Some(system) {
            place += 1;
            set = set
                .next
                .get_or_init(|| Arc::new(self.unknown.for_system(system)));
        }
        let before = self.current.swap(place, Ordering::AcqRel);
        if before > 0 && before != place {
            let old = self.set(before).system.as_ref().map(DatabaseSystem::name);
            let what = if old == Some(system.name()) {
                "the settings of the database's sessions are others than before (ALTER ROLE or ALTER \
                 DATABASE … SET, say)"
            } else {
                "the database is another one than before"
            };
            tracing::warn!("{what}: copies of before are not served");
        }
    }

    fn set(&self, place: usize) -> &Arc<KeySet> {
        let mut set = &self.unknown;
        for _ in 0..place {
            set = set
                .next
                .get()
                .expect("a set is there before its place is told");
        }
        set
    }
}

impl KeySet {
    fn without_system(
        bases: impl Iterator<Item = KeyBase>,
        db: &Arc<Database>,
        cache: &Cache,
    ) -> KeySet {
        // No database says this of itself.
        let nobody = format!("unknown {}", db.identity());
        KeySet {
            db: Arc::clone(db),
            cache: cache.clone(),
            each: bases
                .map(|base| QueryKeys::new(base.for_system(&nobody)))
                .collect(),
            system: None,
            tag: SystemTag::for_system(&nobody),
            is_recorded: AtomicBool::new(false),
            next: OnceLock::new(),
        }
    }

    /// Makes the set for the database that says this of itself.
    fn for_system(&self, system: &DatabaseSystem) -> KeySet {
        let named = Some(system.name()).filter(|_| system.is_named());
        let keys = self.each.iter().map(|QueryKeys { base, .. }| {
            let base = named.map_or_else(|| base.without_system(), |name| base.for_system(name));
            QueryKeys::new(base.in_session(system.session_digest()))
        });
        KeySet {
            db: Arc::clone(&self.db),
            cache: self.cache.clone(),
            each: keys.collect(),
            system: Some(system.clone()),
            tag: named.map_or_else(SystemTag::default, SystemTag::for_system),
            is_recorded: AtomicBool::new(false),
            next: OnceLock::new(),
        }
    }

    /// Returns the database whose keys these are, if it is the one that answers.
    pub(in crate::app) fn db(&self) -> &Database {
        &self.db
    }

    /// Remembers in Redis that this database was there, unless that is done. Before anything of it
    /// is stored: instances that do not reach the database rely on it. Sessions of other settings
    /// are forgotten: this one began later, and they would be told apart by nobody.
    pub(in crate::app) async fn record(&self) {
        let Some(system) = &self.system else { return };
        if !self.is_recorded.load(Ordering::Relaxed) {
            let others = self.other_sessions(system).await;
            self.set_system(system, &others).await;
        }
    }

    /// Remembers it again, so that it is not forgotten while this instance runs. Sessions of other
    /// settings that were remembered meanwhile began later, and stay.
    pub(in crate::app) async fn record_again(&self) {
        let Some(system) = &self.system else { return };
        let others = self.other_sessions(system).await;
        if let Some(newer) = others.first() {
            let identity = self.db.identity();
            self.cache.record_system(identity, newer, &[]).await;
        } else {
            self.set_system(system, &[]).await;
        }
    }

    async fn set_system(&self, system: &DatabaseSystem, others: &[String]) {
        let (identity, word) = (self.db.identity(), system.to_word());
        let is_recorded = self.cache.record_system(identity, &word, others).await;
        self.is_recorded.store(is_recorded, Ordering::Relaxed);
    }

    /// Returns what Redis remembers of the same database with sessions of other settings.
    async fn other_sessions(&self, system: &DatabaseSystem) -> Vec<String> {
        let recorded = self.cache.systems_of(self.db.identity()).await;
        let mut others = recorded.unwrap_or_default();
        others.retain(|word| {
            let other = DatabaseSystem::from_word(word);
            other.name() == system.name() && other != *system
        });
        others
    }

    /// Returns the keys of the query at this place of the catalog.
    pub(in crate::app) fn query_keys(&self, query: usize) -> &QueryKeys {
        &self.each[query]
    }

    /// Makes the key of a call.
    pub(in crate::app) fn make_key(&self, query: &Query, arguments: &Arguments) -> Key {
        self.query_keys(query.index)
            .base
            .make_key(arguments.canonical())
    }

    /// Returns the family of the query of this name.
    pub(in crate::app) fn query_family(&self, query: &str) -> Option<&str> {
        let mut bases = self.each.iter().map(|keys| &keys.base);
        bases
            .find(|base| base.query() == query)
            .map(KeyBase::family)
    }

    /// Returns the database's tag in Redis.
    pub(in crate::app) fn system_tag(&self) -> &SystemTag {
        &self.tag
    }

    /// Returns whether it is known which database it is.
    pub(in crate::app) fn is_known(&self) -> bool {
        self.system.is_some()
    }

    /// Returns whether these are the keys of the database that said this of itself.
    pub(in crate::app) fn is_of(&self, system: Option<&DatabaseSystem>) -> bool {
        self.system.is_some() && self.system.as_ref() == system
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing").finish_non_exhaustive()
    }
}
