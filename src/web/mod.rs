//! HTTP: the route table and what every route shares. It maps requests to [`App::answer`] and
//! answers and errors to responses. It owns no markup (that is `view`) and no caching.

mod access;
mod action;
mod aside;
mod assets;
mod audience;
mod body;
mod compare;
mod connection;
mod context;
mod cors;
mod data;
mod encoding;
mod errors;
mod eviction;
mod excerpt;
mod forwarded;
mod freshness;
mod guard;
mod health;
mod hosts;
mod limits;
mod line;
mod metrics;
mod negotiate;
mod openapi;
mod pages;
mod parameters;
mod pieces;
mod purge;
mod race;
mod redirect;
mod refusal;
mod shortcut;
mod stand_in;
mod stats;
#[cfg(test)]
mod tests;
mod wanted;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, guard as route_guard, web};

use crate::app::{App, UnsentBudget};
use crate::cache::Reply;
use crate::logging::{AccessLog, LOG_EVERY, Throttles};
use crate::outcome::Outcome;
use crate::query::Query;
use crate::view::{self, Here};

pub use connection::{Audience, Connection, Manner, Reception};
pub use guard::around;
pub use refusal::{own_answer, told};
pub use shortcut::Shortcut;

use access::AccessRule;
use assets::Assets;
use cors::Cors;

/// What every request can reach.
#[derive(Debug)]
pub struct Site {
    app: Arc<App>,
    assets: Assets,
    openapi: OnceLock<openapi::Document>,
    access: AccessRule,
    cors: Option<Cors>,
    access_log: Option<AccessLog>,
    race: race::KeptRace,
    evictions: eviction::Watch,
    failures: errors::Failures,
    stand_in: stand_in::StandIn,
    /// Every response closes its connection.
    parting: AtomicBool,
    draining: AtomicBool,
}

impl Site {
    /// A site on this application.
    pub fn new(app: Arc<App>, access_log: Option<AccessLog>) -> Site {
        Site {
            assets: Assets::new(),
            openapi: OnceLock::new(),
            access: AccessRule::new(&app.settings),
            cors: Cors::new(&app.settings),
            app,
            access_log,
            race: race::KeptRace::default(),
            evictions: eviction::Watch::default(),
            failures: Throttles::new(LOG_EVERY),
            stand_in: stand_in::StandIn::default(),
            parting: AtomicBool::new(false),
            draining: AtomicBool::new(false),
        }
    }

    /// From now on `/readyz` says 503 and every response closes its connection, so that load
    /// balancers and keep-alive clients go elsewhere before the listeners close.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.part();
    }

    /// From now on every response closes its connection: others serve what comes next.
    pub fn part(&self) {
        self.parting.store(true, Ordering::Relaxed);
    }

    /// The budget over all that waits to be sent.
    pub fn unsent(&self) -> &Arc<UnsentBudget> {
        &self.app.unsent
    }

    /// What stands around every page of queries. The version is for those who may see `/stats`
    /// alone.
    fn frame(&self) -> view::Frame<'_> {
        view::Frame {
            assets: &self.assets.urls,
            version: None,
            here: if self.app.settings.stats_bind.is_empty() {
                Here::All
            } else {
                Here::Queries
            },
        }
    }

    /// Which pages there are where this request came in.
    fn here(&self, context: &context::Context) -> Here {
        match context.audience {
            Audience::Operators => Here::Operators,
            Audience::Everyone | Audience::Visitors => self.frame().here,
        }
    }

    /// What pages say about a query.
    fn info<'q>(&self, query: &'q Query) -> view::QueryInfo<'q> {
        view::QueryInfo::new(query, self.app.settings.cache.ttl)
    }

    /// Counts a body that came from the cache.
    fn count_served(&self, query: &Query, reply: &Reply, bytes: usize) {
        if matches!(reply.outcome, Outcome::Hit(_) | Outcome::Stale(_)) {
            self.app.stats.query(query.index).served(bytes as u64);
        }
    }

    fn is_parting(&self) -> bool {
        self.parting.load(Ordering::Relaxed)
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// The route table. Which of it a listener has is decided in `audience`, by the path.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(read_only("/").get(pages::routed_home))
        .service(read_only("/q").get(pages::catalog))
        .service(read_only("/q/{name}").get(pages::routed_query))
        .configure(purge::routes)
        .configure(compare::routes)
        .service(read_only("/stats").get(stats::page))
        .service(read_only("/stats.{suffix}").get(stats::suffixed))
        .service(read_only("/metrics").get(metrics::metrics))
        .service(read_only("/openapi.json").get(openapi::openapi))
        .service(read_only("/healthz").get(health::healthz))
        .service(read_only("/readyz").get(health::readyz))
        .service(read_only("/static/{file}").get(assets::file))
        .default_service(web::to(errors::not_found));
}

/// A resource that answers GET and HEAD with one handler, OPTIONS with what it allows, and
/// anything else with 405.
struct ReadOnly(&'static str);

fn read_only(path: &'static str) -> ReadOnly {
    ReadOnly(path)
}

impl ReadOnly {
    fn get<F, R>(self, handler: F) -> actix_web::Resource
    where
        F: Fn(HttpRequest, web::Data<Site>) -> R + Clone + 'static,
        R: Future<Output = HttpResponse> + 'static,
    {
        let reads = route_guard::Any(route_guard::Get()).or(route_guard::Head());
        let bounded = move |request: HttpRequest, site: web::Data<Site>| {
            let context = context::Context::from(&request);
            let handler = handler(request, site.clone());
            async move { guard::bounded(&site, &context, handler).await }
        };
        web::resource(self.0)
            .guard(audience::guard(self.0))
            .route(web::route().guard(reads).to(bounded))
            .route(web::method(Method::OPTIONS).to(allowed))
            .default_service(web::to(errors::method_not_allowed))
    }
}

/// The methods of a [`ReadOnly`] resource, for `Allow`.
const READ_METHODS: &str = "GET, HEAD, OPTIONS";

async fn allowed(_: HttpRequest) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ALLOW, READ_METHODS))
        .finish()
}
