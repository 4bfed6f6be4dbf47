//! The question to the database about the queries that a reload brings: their columns are asked
//! for, which runs none of them. A query that is not new is not asked about again, unless the
//! database was away when it was.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::App;
use super::standing::ProcessStatus;
use crate::db::Database;
use crate::error::{RequestError, StartupError};
use crate::query::{Catalog, Query};

/// The time for which a reload asks at most; what is not asked by then is taken.
const LONGEST: Duration = Duration::from_secs(5);

impl App {
    /// Asks the database about the queries of `catalog` that this App does not have as they are.
    /// A database that is away, or busy, says nothing against a query.
    ///
    /// # Errors
    /// The database refuses one.
    pub(super) async fn probe_queries(
        &self,
        catalog: &Catalog,
        db: &Arc<Database>,
    ) -> Result<(), StartupError> {
        let is_same_database = Arc::ptr_eq(&self.db, db);
        let is_known = |query: &Query| {
            let own = self.catalog.get(&query.name);
            let is_proven = !self.standing.is_unproven(&query.name);
            is_same_database && is_proven && own.is_some_and(|own| own.asks_the_same(query))
        };
        let new: Vec<Arc<Query>> = catalog
            .iter()
            .filter(|query| !query.is_embedded && !is_known(query))
            .cloned()
            .collect();
        let (db, standing) = (Arc::clone(db), Arc::clone(&self.standing));
        let asked = self
            .engine
            .handle()
            .spawn(async move { ask_database(&db, &new, &standing).await });
        asked.await.unwrap_or(Ok(()))
    }

    /// Asks the database whether it has no function of a name that this query calls. The query does
    /// not run.
    pub async fn lacks_function(&self, query: &Arc<Query>) -> bool {
        let (db, query) = (Arc::clone(&self.db), Arc::clone(query));
        let asked = self.engine.handle().spawn(async move {
            let end = db.column_names(&query, &query.some_arguments()).await;
            end.is_err_and(|error| error.is_unknown_function())
        });
        asked.await.unwrap_or(false)
    }
}

async fn ask_database(
    db: &Database,
    queries: &[Arc<Query>],
    standing: &ProcessStatus,
) -> Result<(), StartupError> {
    let deadline = Instant::now() + LONGEST;
    for (asked, query) in queries.iter().enumerate() {
        let answer = timeout_at(deadline, db.column_names(query, &query.some_arguments())).await;
        let error = match answer {
            Ok(Ok(_)) => {
                standing.set_proven(&query.name, true);
                continue;
            }
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
        let is_refused = matches!(
            error.as_ref().map(RequestError::cause),
            Some(
                RequestError::Failed { .. }
                    | RequestError::Refused { .. }
                    | RequestError::BadQuery { .. }
            )
        );
        if !is_refused {
            for query in &queries[asked..] {
                standing.set_proven(&query.name, false);
            }
            tracing::warn!(
                left = queries.len() - asked,
                "the database was not asked about all new queries: it is away or busy; \
                 the next reload asks about them"
            );
            return Ok(());
        }
        let at = error.as_ref().map(|error| query.locate_error(error));
        let said = error.map(|error| error.log_message()).unwrap_or_default();
        return Err(
            StartupError::new(format!("the database does not take this query: {said}"))
                .at_place(at.unwrap_or_default())
                .with_remedy(
                    "mend the query; until then everything stays as it was before the reload",
                ),
        );
    }
    Ok(())
}
