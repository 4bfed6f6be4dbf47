//! The start of an application: what it is made of, and which of its tasks begin. An application
//! under other settings is made in `renew`.

use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use super::ca_files::CaFiles;
use super::core::{App, AppParts};
use super::engine::Engine;
use super::fleet::{FleetReporter, ReportSource};
use super::home::{open_catalog, query_names, require_home};
use super::keys::base_of;
use super::keys::ring::KeyRing;
use super::{contact, follow, reload, snapshot};
use crate::cache::Cache;
use crate::db::Database;
use crate::error::StartupError;
use crate::settings::Settings;
use crate::stats::Stats;

impl App {
    /// Loads the catalog and prepares database and cache; waits for neither, so that it starts
    /// while they are away, and tries both in the background, so that this is said.
    ///
    /// # Errors
    /// A query file that is not acceptable, a home query that does not exist, settings that the
    /// drivers do not take, or a system that gives no threads.
    pub fn open(settings: Settings) -> Result<App, StartupError> {
        App::open_parts(settings, false)
    }

    /// Returns the same, for one job: it does nothing by itself, so no query is loaded that nobody
    /// asked for, and no messages are heard.
    ///
    /// # Errors
    /// As [`App::open`].
    pub fn open_idle(settings: Settings) -> Result<App, StartupError> {
        App::open_parts(settings, true)
    }

    fn open_parts(settings: Settings, is_idle: bool) -> Result<App, StartupError> {
        let engine = Arc::new(Engine::start()?);
        // Pools spawn their keepers on the runtime they are made on.
        let context = engine.handle().enter();
        let ca_files = CaFiles::read(&settings);
        let catalog = open_catalog(&settings)?;
        require_home(&catalog, &settings)?;
        let db = Arc::new(Database::open(&settings)?);
        let stats = Arc::new(Stats::new(query_names(&catalog)));
        let cache = Cache::open(&settings, engine.handle().clone(), Arc::clone(&stats))?;
        drop(context);
        let parts = AppParts {
            catalog,
            db,
            cache,
            stats,
            settings,
            ca_files,
            engine,
        };
        Ok(if is_idle {
            App::at_rest(parts, None)
        } else {
            App::begin_tasks(parts, None)
        })
    }

    /// Makes an App that does nothing by itself yet.
    fn at_rest(parts: AppParts, before: Option<&App>) -> App {
        let AppParts {
            catalog,
            db,
            cache,
            stats,
            settings,
            ca_files,
            engine,
        } = parts;
        catalog.iter().for_each(|query| db.expect_query(query));
        let bases = catalog.iter().map(|query| base_of(query, &db, &settings));
        let keys = KeyRing::new(bases, &db, &cache, engine.handle());
        let source = Arc::new(ReportSource {
            stats: Arc::clone(&stats),
            keys: Arc::clone(&keys),
            cache: cache.clone(),
        });
        let standing = before.map_or_else(Arc::default, |before| Arc::clone(&before.standing));
        let unsent = before.map_or_else(Arc::default, |before| Arc::clone(&before.unsent));
        let side_work = before.map_or_else(Arc::default, |before| Arc::clone(&before.side_work));
        unsent.set_max(settings.server.max_unsent);
        let fleet =
            before.map_or_else(|| FleetReporter::new(&standing), |it| Arc::clone(&it.fleet));
        fleet.add_source(&source);
        let app = App {
            keys,
            catalog,
            db,
            cache,
            stats,
            settings,
            ca_files,
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
        app.cache.install_gauges(&app.stats);
        app
    }

    /// Begins what it does by itself; what goes on from the one before, it takes over.
    pub(super) fn begin_tasks(parts: AppParts, before: Option<&App>) -> App {
        let mut app = App::at_rest(parts, before);
        if before.is_none() {
            let db = Arc::clone(&app.db);
            let greeting = async move { db.connect_eagerly().await };
            app.tasks.spawn_on(greeting, app.engine.handle());
            app.fleet.begin_reports(app.engine.handle());
        }
        snapshot::begin_slots(&mut app);
        contact::begin_contacts(&mut app);
        app.follower = follow::start(&app, before);
        app.listening = app.follower.as_ref().map(|follower| follower.monitor());
        app.schedules = reload::start(&mut app, before);
        app
    }
}
