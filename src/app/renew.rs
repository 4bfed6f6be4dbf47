//! The App that follows another under other settings: what both share, what is made anew, and what
//! has to be proved before the one before may go. Who serves with which is not known here.

use std::sync::Arc;

use tokio::task::JoinError;

use super::ca_files::CaFiles;
use super::core::{App, AppParts};
use super::home::{open_catalog, query_names, require_home};
use crate::cache::{self, Cache};
use crate::db::Database;
use crate::error::StartupError;
use crate::settings::{self, DatabaseTarget, Settings};
use crate::stats::Stats;

const REMEDY: &str = "until it can be reached, everything stays as it was before the reload";

impl App {
    /// Returns the App for other settings, over the same engine runtime, counters and memory tier;
    /// the catalog is read anew. This one serves on, unchanged, until it is dropped; loads are
    /// shared by both. What only a restart changes ([`settings::restart_only`]) stays as it is.
    ///
    /// Database and Redis go on with their connections where nothing about them has changed. New
    /// ones must answer, which takes them a few seconds at most. Cancel-safe: nothing has begun
    /// until it returns.
    ///
    /// # Errors
    /// As those of [`App::open`]; and a changed database or Redis that does not answer.
    pub async fn reconfigure(&self, mut settings: Settings) -> Result<App, StartupError> {
        settings::keep_restart_only(&self.settings, &mut settings);
        let ca_files = CaFiles::read(&settings);
        let catalog = open_catalog(&settings)?;
        require_home(&catalog, &settings)?;
        let db = self.database_for(&settings, &ca_files).await?;
        self.probe_queries(&catalog, &db).await?;
        let stats = Arc::new(self.stats.reconfigured(query_names(&catalog)));
        let cache = self.cache_for(&settings, &ca_files, &stats).await?;
        let parts = AppParts {
            catalog,
            db,
            cache,
            stats,
            settings,
            ca_files,
            engine: Arc::clone(&self.engine),
        };
        Ok(App::begin_tasks(parts, Some(self)))
    }

    async fn database_for(
        &self,
        settings: &Settings,
        ca_files: &CaFiles,
    ) -> Result<Arc<Database>, StartupError> {
        let same = Database::is_same(&self.settings, settings)
            && self.ca_files.database == ca_files.database;
        if same {
            return Ok(Arc::clone(&self.db));
        }
        let db = {
            let _context = self.engine.handle().enter();
            Arc::new(Database::open(settings)?)
        };
        let asked = Arc::clone(&db);
        let answer = self
            .engine
            .handle()
            .spawn(async move { asked.check_load().await });
        let problem = match answer.await {
            Ok(Ok(())) => return Ok(db),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        let place = match settings.database {
            DatabaseTarget::Postgres(_) => "[postgres]",
            DatabaseTarget::Demo | DatabaseTarget::SqliteFile(_) => "[postgres] url",
        };
        Err(unreachable_error("database", &problem, place))
    }

    async fn cache_for(
        &self,
        settings: &Settings,
        ca_files: &CaFiles,
        stats: &Arc<Stats>,
    ) -> Result<Cache, StartupError> {
        let same_redis =
            self.settings.redis == settings.redis && self.ca_files.redis == ca_files.redis;
        if same_redis && self.settings.cache.max_entry == settings.cache.max_entry {
            return Ok(self.cache.clone());
        }
        if let Some(redis) = settings.redis.clone().filter(|_| !same_redis) {
            let asked = async move { cache::ping_redis(&redis).await };
            let answer = self.engine.handle().spawn(asked).await;
            answer
                .unwrap_or_else(|error: JoinError| Err(error.to_string()))
                .map_err(|problem| unreachable_error("Redis", &problem, "[redis] url"))?;
        }
        self.cache
            .reconfigured(&settings.cache, settings.redis.as_ref(), stats)
    }
}

fn unreachable_error(what: &str, problem: &str, place: &str) -> StartupError {
    StartupError::new(format!("the new {what} does not answer: {problem}"))
        .at_place(place)
        .with_remedy(REMEDY)
}

#[cfg(test)]
mod tests;
