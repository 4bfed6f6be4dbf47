//! A comparison: one query, answered through the database or through one tier alone. It owns which
//! way is taken and what is said of the query beforehand. The right to ask is decided in `web`, the
//! reading of one tier in `cache`.

use std::sync::Arc;
use std::time::Duration;

use super::answer::load;
use super::core::App;
use crate::cache::{Lookup, NoCopy, Reply};
use crate::db::{Database, Limits};
use crate::error::RequestError;
use crate::outcome::{BypassReason, Tier};
use crate::query::{Arguments, DatabaseKind, Query};

/// The way by which a query is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerSource {
    /// The place where there is a copy; where there is none, as any request.
    Cache,
    /// A load, past the cache, of which nothing is stored.
    Database,
    /// The copy that this tier has.
    Tier(Tier),
}

/// The reason why a comparison got no answer this way.
#[derive(Debug, Clone)]
pub enum NoAnswer {
    /// The query says `cache: off`: there is nothing but the database.
    CacheOff,
    /// The tier has no copy.
    NoCopy(NoCopy),
    /// The error that any request would get.
    Failed(RequestError),
}

impl From<RequestError> for NoAnswer {
    fn from(error: RequestError) -> NoAnswer {
        NoAnswer::Failed(error)
    }
}

/// The query that asks the database for its own version. No query is called so by chance: loads are
/// bounded by name.
const VERSION: &str = "unslow-compare-database-version";
/// The time for which that may take.
const QUICK: Duration = Duration::from_secs(5);

impl App {
    /// Answers a query by one way alone. A load goes through the same bounds as any other, so that
    /// visitors keep their share.
    ///
    /// Cancel-safe: a load that was begun goes on without its caller.
    ///
    /// # Errors
    /// There is no answer this way.
    pub async fn answer_via(
        &self,
        via: AnswerSource,
        query: &Arc<Query>,
        arguments: Arguments,
    ) -> Result<Reply, NoAnswer> {
        if via != AnswerSource::Database && !query.policy.cached {
            return Err(NoAnswer::CacheOff);
        }
        let limits = Limits::for_query(query, &self.settings.limits);
        let set = self.keys.find().await;
        let lookup = Lookup {
            key: &set.make_key(query, &arguments),
            policy: self.entry_policy(query),
            patience: self.request_patience(limits),
            stats: self.stats.query_stats(query.index),
        };
        let (of, run) = (Arc::clone(set), Arc::clone(query));
        let load = move |waited| async move { load(&of, &run, &arguments, limits, waited).await };
        match via {
            AnswerSource::Cache => Ok(self.cache.have_copy(lookup, load).await?),
            AnswerSource::Database => {
                let why = BypassReason::Compare;
                Ok(self.cache.load_bypassing(lookup, why, load).await?)
            }
            AnswerSource::Tier(tier) => {
                let read = self.cache.read_alone(tier, lookup).await;
                read.map_err(NoAnswer::NoCopy)
            }
        }
    }

    /// Returns how many loads of this query a comparison may ask for at once, so that as many more
    /// are left to visitors; at least 1.
    pub fn loads_to_compare(&self, query: &Query) -> usize {
        (self.db.gate_state_of(query).max / 2).max(1)
    }

    /// Returns the version number that the database gives itself, from a statement that it is asked
    /// now; `None` where it does not answer soon.
    pub async fn database_version(&self) -> Option<String> {
        let db = Arc::clone(&self.db);
        let asked = self
            .engine
            .handle()
            .spawn(async move { database_version(&db).await });
        tokio::time::timeout(QUICK, asked).await.ok()?.ok()?
    }
}

async fn database_version(db: &Database) -> Option<String> {
    let sql = match db.kind() {
        DatabaseKind::Postgres => "select current_setting('server_version') as version",
        DatabaseKind::Sqlite => "select sqlite_version() as version",
    };
    let query = Query::parse(db.kind(), VERSION, sql).ok()?;
    let limits = Limits {
        timeout: QUICK,
        max_rows: 1,
        max_bytes: 4096,
    };
    let rows = db.run(&query, &Arguments(Vec::new()), limits).await.ok()?;
    let row: serde_json::Value = serde_json::from_slice(&rows.json).ok()?;
    // Behind the number stands who packed it.
    let number = row["version"].as_str()?.split(' ').next()?;
    Some(number.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::settings::Settings;
    use crate::stats::Window;

    fn app(more: &[&str]) -> App {
        let flags = [&["--demo-delay", "0s"], more].concat();
        App::open_idle(Settings::from_flags(&flags).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn each_way_answers_alone_and_the_others_are_left_as_they_were() {
        let app = app(&[]);
        let query = app.find_query("version").unwrap();
        let via = |via| app.answer_via(via, query, query.read_arguments(&[]).unwrap());
        let memory = AnswerSource::Tier(Tier::Memory);
        let none = |end: Result<Reply, NoAnswer>| match end {
            Err(NoAnswer::NoCopy(none)) => none,
            other => panic!("{other:?}"),
        };
        via(AnswerSource::Database).await.unwrap();
        assert_eq!(none(via(memory).await), NoCopy::Absent, "nothing is stored");
        let filled = via(AnswerSource::Cache).await.unwrap();
        let copy = via(memory).await.unwrap();
        assert!(Arc::ptr_eq(&copy.entry, &filled.entry));
        via(AnswerSource::Database).await.unwrap();
        let again = via(memory).await.unwrap();
        assert!(Arc::ptr_eq(&again.entry, &filled.entry), "not replaced");
        assert_eq!(
            none(via(AnswerSource::Tier(Tier::Redis)).await),
            NoCopy::Off
        );
        let total = app.stats.take_snapshot(Window::Start).total;
        assert_eq!((total.loads, total.miss, total.bypass), (3, 1, 4));
    }

    #[test]
    fn an_idle_app_does_nothing_by_itself() {
        assert!(app(&[]).tasks.is_empty());
        let settings = Settings::from_flags(&["--demo-delay", "0s"]).unwrap();
        assert!(!App::open(settings).unwrap().tasks.is_empty());
    }

    #[tokio::test]
    async fn a_comparison_leaves_loads_to_visitors_and_knows_the_databases_version() {
        for (pool, loads) in [("1", 1), ("8", 2), ("20", 5)] {
            let app = app(&["--pool-size", pool]);
            let query = app.find_query("version").unwrap();
            assert_eq!(app.loads_to_compare(query), loads);
        }
        let version = app(&[]).database_version().await.unwrap();
        assert!(version.starts_with("3."), "{version}");
    }
}
