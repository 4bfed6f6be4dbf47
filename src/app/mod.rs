//! The application: the one place that sees both database and cache. It owns the way from a
//! query and its arguments to a [`Reply`], and the body's form. It knows no HTTP and no markup.
//! Loads that nobody asks for begin in `reload`; `warm` and `schedule` say when. What follows
//! an App under other settings is made in `renew`. Numbers are put together in `snapshot`, those of
//! other instances in `fleet`.

mod aside;
mod compare;
mod contact;
mod engine;
mod fleet;
pub mod format;
mod home;
mod keys;
pub mod listen;
mod probe;
mod purge;
mod reload;
mod renew;
mod schedule;
mod snapshot;
mod standing;
mod unsent;
mod warm;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::cache::{Cache, Loaded, Lookup, Policy, Reply};
use crate::db::{Database, Limits};
use crate::error::{RequestError, StartupError};
use crate::outcome::BypassReason;
use crate::query::{Arguments, Catalog, DatabaseKind, Query};
use crate::settings::{DatabaseTarget, Settings};
use crate::stats::Stats;

pub use aside::SideWork;
pub use compare::{NoAnswer, Via};
pub use engine::Engine;
use fleet::{Fleet, Source};
pub use home::{catalog, require};
use keys::base_of;
use keys::ring::{KeyRing, KeySet};
use listen::Follower;
pub use purge::PurgeDone;
use reload::Schedules;
use renew::Authorities;
pub use standing::{LastReload, Stand, Standing};
pub use unsent::{HeldBody, HeldBuffer, NoRoom, UnsentBudget};

/// How much longer than its load's own deadline a request waits for it: letting the crowd loose
/// on the database just as the answer arrives would be the worst moment.
const PATIENCE_MARGIN: Duration = Duration::from_secs(3);

/// Everything that answers take: with other settings, [`App::renew`] makes the next one over the
/// same engine runtime, counters and memory tier. What it does by itself ends when it is dropped;
/// loads that it began go on and are stored.
#[derive(Debug)]
pub struct App {
    /// The named queries.
    pub catalog: Catalog,
    /// Where they run.
    pub db: Arc<Database>,
    /// Both tiers and the flights.
    pub cache: Cache,
    /// Every counter.
    pub stats: Arc<Stats>,
    /// What was configured; of what only a restart changes, what is in force.
    pub settings: Settings,
    /// When this process began to serve.
    pub started: Instant,
    /// Which generation serves, and how the last reload went: the same for all Apps of a process.
    pub standing: Arc<Standing>,
    /// Work beside the workers: the same for all Apps of a process.
    pub side_work: Arc<SideWork>,
    /// What waits to be sent: the same for all Apps of a process.
    pub unsent: Arc<UnsentBudget>,
    /// Whether the database's messages are heard; `None` where nothing is to be heard.
    pub listening: Option<Arc<listen::Listening>>,
    keys: Arc<KeyRing>,
    schedules: Arc<Schedules>,
    follower: Option<Arc<Follower>>,
    authorities: Authorities,
    /// The same for all Apps of a process.
    fleet: Arc<Fleet>,
    source: Arc<Source>,
    /// What it does by itself, on the engine runtime.
    tasks: JoinSet<()>,
    // The last field, so that it is dropped last: the others have tasks on it.
    engine: Arc<Engine>,
}

/// What an App is made of, before it begins to do anything.
struct Parts {
    catalog: Catalog,
    db: Arc<Database>,
    cache: Cache,
    stats: Arc<Stats>,
    settings: Settings,
    authorities: Authorities,
    engine: Arc<Engine>,
}

impl App {
    /// Loads the catalog and prepares database and cache; waits for neither, so that it starts
    /// while they are away, and tries both in the background, so that this is said.
    ///
    /// # Errors
    /// A query file that is not acceptable, a home query that does not exist, settings that the
    /// drivers do not take, or a system that gives no threads.
    pub fn open(settings: Settings) -> Result<App, StartupError> {
        App::opened(settings, false)
    }

    /// The same, for one job: it does nothing by itself, so no query is loaded that nobody asked
    /// for, and no messages are heard.
    ///
    /// # Errors
    /// As [`App::open`].
    pub fn open_idle(settings: Settings) -> Result<App, StartupError> {
        App::opened(settings, true)
    }

    fn opened(settings: Settings, is_idle: bool) -> Result<App, StartupError> {
        let engine = Arc::new(Engine::start()?);
        // Pools spawn their keepers on the runtime they are made on.
        let context = engine.handle().enter();
        let authorities = Authorities::of(&settings);
        let catalog = catalog(&settings)?;
        require(&catalog, &settings)?;
        let db = Arc::new(Database::open(&settings)?);
        let stats = Arc::new(Stats::new(names(&catalog)));
        let cache = Cache::open(&settings, engine.handle().clone(), Arc::clone(&stats))?;
        drop(context);
        let parts = Parts {
            catalog,
            db,
            cache,
            stats,
            settings,
            authorities,
            engine,
        };
        Ok(if is_idle {
            App::at_rest(parts, None)
        } else {
            App::begin(parts, None)
        })
    }

    /// Before it does anything by itself.
    fn at_rest(parts: Parts, before: Option<&App>) -> App {
        let Parts {
            catalog,
            db,
            cache,
            stats,
            settings,
            authorities,
            engine,
        } = parts;
        catalog.iter().for_each(|query| db.expect(query));
        let bases = catalog.iter().map(|query| base_of(query, &db, &settings));
        let keys = KeyRing::new(bases, &db, &cache, engine.handle());
        let source = Arc::new(Source {
            stats: Arc::clone(&stats),
            keys: Arc::clone(&keys),
            cache: cache.clone(),
        });
        let standing = before.map_or_else(Arc::default, |before| Arc::clone(&before.standing));
        let unsent = before.map_or_else(Arc::default, |before| Arc::clone(&before.unsent));
        let side_work = before.map_or_else(Arc::default, |before| Arc::clone(&before.side_work));
        unsent.set_max(settings.server.max_unsent);
        let fleet = before.map_or_else(|| Fleet::new(&standing), |it| Arc::clone(&it.fleet));
        fleet.is_fed_by(&source);
        let app = App {
            keys,
            catalog,
            db,
            cache,
            stats,
            settings,
            authorities,
            started: before.map_or_else(Instant::now, |before| before.started),
            standing,
            unsent,
            side_work,
            fleet,
            source,
            listening: None,
            schedules: Arc::default(),
            follower: None,
            tasks: JoinSet::new(),
            engine,
        };
        app.cache.is_measured_by(&app.stats);
        app
    }

    /// Begins what it does by itself; what goes on from the one before, it takes over.
    fn begin(parts: Parts, before: Option<&App>) -> App {
        let mut app = App::at_rest(parts, before);
        if before.is_none() {
            let db = Arc::clone(&app.db);
            let greeting = async move { db.greet().await };
            app.tasks.spawn_on(greeting, app.engine.handle());
            app.fleet.begin(app.engine.handle());
        }
        snapshot::begin(&mut app);
        contact::begin(&mut app);
        app.follower = listen::start(&app, before);
        app.listening = app.follower.as_ref().map(|follower| follower.listening());
        app.schedules = reload::start(&mut app, before);
        app
    }

    /// Tells the other instances that this one ends, as far as that takes no time worth the name.
    pub async fn leave(&self) {
        self.fleet.leave().await;
    }

    /// The runtime that outlives every generation of workers.
    pub fn engine(&self) -> &Handle {
        self.engine.handle()
    }

    /// Returns what has no effect in the settings and in the query files, one sentence each.
    pub fn notes(&self) -> impl Iterator<Item = &String> {
        self.settings.notes.iter().chain(self.catalog.notes())
    }

    /// The query of that name.
    ///
    /// # Errors
    /// [`RequestError::UnknownQuery`].
    pub fn query(&self, name: &str) -> Result<&Arc<Query>, RequestError> {
        self.catalog
            .get(name)
            .ok_or_else(|| RequestError::UnknownQuery(name.to_owned()))
    }

    /// Answers a query, from the cache or by a load. The load runs on the engine runtime, so
    /// dropping this future abandons nobody who waits for the same one, and what it brings is
    /// stored.
    ///
    /// # Errors
    /// Whatever kept the query from being loaded, when no stored copy could stand in.
    pub async fn answer(
        &self,
        query: &Arc<Query>,
        arguments: Arguments,
    ) -> Result<Reply, RequestError> {
        let limits = Limits::of(query, &self.settings.limits);
        let set = match self.keys.known() {
            Some(known) => known,
            None => self.keys.find().await,
        };
        let keys = set.keys(query.index);
        let made = (!arguments.0.is_empty()).then(|| keys.base.key(arguments.canonical()));
        let lookup = Lookup {
            key: made.as_ref().unwrap_or(&keys.plain),
            policy: self.policy(query),
            patience: self.patience(limits),
            stats: self.stats.query(query.index),
        };
        let (of, run) = (Arc::clone(set), Arc::clone(query));
        let newcomer = self.schedules.read(query, &arguments);
        let load = move |waited| async move { load(&of, &run, &arguments, limits, waited).await };
        let answer = if query.policy.cached {
            self.cache.get_or_load(lookup, load).await
        } else {
            self.cache
                .bypass(lookup, BypassReason::CacheOff, load)
                .await
        };
        // What nobody keeps, or what fails, is not worth a schedule.
        if let (Some(newcomer), Ok(reply)) = (newcomer, &answer)
            && reply.stored
        {
            newcomer.begin(reply.age);
        }
        answer
    }

    /// How long a request waits for a load under these limits.
    fn patience(&self, limits: Limits) -> Duration {
        self.db.deadline(limits.timeout) + PATIENCE_MARGIN
    }

    /// How long entries of this query live: its file's word, else the settings'.
    pub fn policy(&self, query: &Query) -> Policy {
        let (own, defaults) = (&query.policy, &self.settings.cache);
        Policy {
            ttl: own.ttl.unwrap_or(defaults.ttl),
            stale_while_revalidate: own
                .stale_while_revalidate
                .unwrap_or(defaults.stale_while_revalidate),
            stale_if_error: own.stale_if_error.unwrap_or(defaults.stale_if_error),
        }
    }
}

fn names(catalog: &Catalog) -> impl Iterator<Item = &str> {
    catalog.iter().map(|query| query.name.as_str())
}

/// The kind of database the settings name.
pub fn database_kind(settings: &Settings) -> DatabaseKind {
    match settings.database {
        DatabaseTarget::Postgres(_) => DatabaseKind::Postgres,
        DatabaseTarget::Demo | DatabaseTarget::SqliteFile(_) => DatabaseKind::Sqlite,
    }
}

/// Loads what is to be stored under a key of this set, if it is of the set's database. The caller
/// has `waited` so long for the right to load.
async fn load(
    set: &KeySet,
    query: &Query,
    arguments: &Arguments,
    limits: Limits,
    waited: Duration,
) -> Result<Loaded, RequestError> {
    let turn = set.db().admit(query, waited).await;
    let turn = turn.map_err(|cause| RequestError::NotTried {
        cause: Arc::new(cause),
    })?;
    let rows = set
        .db()
        .run_admitted(query, arguments, limits, turn)
        .await?;
    let is_foreign = !set.is_of(rows.system.as_ref());
    if !is_foreign {
        set.record().await;
    }
    Ok(Loaded {
        head: format::columns_to_json(&rows.columns)?.into(),
        rows: rows.count,
        is_foreign,
        body: format::json(rows.json, rows.truncated).into(),
    })
}
