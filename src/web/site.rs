//! The state that every request can reach: the application, and what the web keeps beside it. The
//! work for a request is in the files of the routes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::access::AccessRule;
use super::assets::StaticAssets;
use super::connection::ListenerAudience;
use super::context::RequestContext;
use super::cors::CorsPolicy;
use super::eviction::EvictionWatch;
use super::openapi::Document;
use super::race::KeptRace;
use super::stand_in::StandIn;
use crate::app::{App, UnsentBudget};
use crate::cache::Reply;
use crate::logging::{AccessLog, LOG_EVERY, LogThrottles};
use crate::outcome::Outcome;
use crate::query::Query;
use crate::view::{self, PagesHere};

/// The lines that failing requests write: one for each query (by its index) and class in a while.
pub(super) type FailureThrottles = LogThrottles<(Option<usize>, &'static str)>;

/// The state that every request can reach.
#[derive(Debug)]
pub struct Site {
    pub(super) app: Arc<App>,
    pub(super) assets: StaticAssets,
    pub(super) openapi: OnceLock<Document>,
    pub(super) access: AccessRule,
    pub(super) cors: Option<CorsPolicy>,
    pub(super) access_log: Option<AccessLog>,
    pub(super) race: KeptRace,
    pub(super) evictions: EvictionWatch,
    pub(super) failures: FailureThrottles,
    pub(super) stand_in: StandIn,
    /// Every response closes its connection.
    pub(super) parting: AtomicBool,
    pub(super) draining: AtomicBool,
}

impl Site {
    /// Makes a site on this application.
    pub fn new(app: Arc<App>, access_log: Option<AccessLog>) -> Site {
        Site {
            assets: StaticAssets::new(),
            openapi: OnceLock::new(),
            access: AccessRule::new(&app.settings),
            cors: CorsPolicy::new(&app.settings),
            app,
            access_log,
            race: KeptRace::default(),
            evictions: EvictionWatch::default(),
            failures: LogThrottles::new(LOG_EVERY),
            stand_in: StandIn::default(),
            parting: AtomicBool::new(false),
            draining: AtomicBool::new(false),
        }
    }

    /// Lets `/readyz` say 503 and every response close its connection from now on, so that load
    /// balancers and keep-alive clients go elsewhere before the listeners close.
    pub fn fail_readiness(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.close_connections();
    }

    /// Lets every response close its connection from now on: others serve what comes next.
    pub fn close_connections(&self) {
        self.parting.store(true, Ordering::Relaxed);
    }

    /// Returns the budget over all that waits to be sent.
    pub fn unsent_budget(&self) -> &Arc<UnsentBudget> {
        &self.app.unsent
    }

    /// Returns what stands around every page of queries. The version is for those who may see
    /// `/stats` alone.
    pub(super) fn page_frame(&self) -> view::PageFrame<'_> {
        view::PageFrame {
            assets: &self.assets.urls,
            version: None,
            here: if self.app.settings.stats_bind.is_empty() {
                PagesHere::All
            } else {
                PagesHere::Queries
            },
        }
    }

    /// Returns which pages there are where this request came in.
    pub(super) fn pages_here(&self, context: &RequestContext) -> PagesHere {
        match context.audience {
            ListenerAudience::Operators => PagesHere::Operators,
            ListenerAudience::Everyone | ListenerAudience::Visitors => self.page_frame().here,
        }
    }

    /// Returns what pages say about a query.
    pub(super) fn query_info<'q>(&self, query: &'q Query) -> view::QueryInfo<'q> {
        view::QueryInfo::new(query, self.app.settings.cache.ttl)
    }

    /// Counts a body that came from the cache.
    pub(super) fn count_served(&self, query: &Query, reply: &Reply, bytes: usize) {
        if matches!(reply.outcome, Outcome::Hit(_) | Outcome::Stale(_)) {
            self.app
                .stats
                .query_stats(query.index)
                .count_served(bytes as u64);
        }
    }

    pub(super) fn is_parting(&self) -> bool {
        self.parting.load(Ordering::Relaxed)
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
