//! HTTP: the route table and what every route shares. It maps requests to [`App::answer`](crate::app::App::answer_query) and
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
mod encoded_variants;
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
mod openapi_route;
mod pages;
mod parameters;
mod pieces;
mod purge;
mod race;
mod redirect;
mod refusal;
mod sample_check;
mod shortcut;
mod site;
mod stand_in;
mod static_files;
mod stats;
#[cfg(test)]
mod tests;
mod wanted;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, guard as route_guard, web};

pub use connection::{ConnectionState, ListenerAudience, ListenerInfo, ListenerProtocol};
pub use guard::wrap_routes;
pub use refusal::{own_answer, refusal_bytes};
pub use shortcut::FastPath;
pub use site::Site;

use errors::READ_METHODS;

/// The route table. Which of it a listener has is decided in `audience`, by the path.
pub fn all_routes(config: &mut web::ServiceConfig) {
    config
        .service(read_only("/").get(pages::routed_home))
        .service(read_only("/q").get(pages::answer_catalog))
        .service(read_only("/q/{name}").get(pages::routed_query))
        .configure(purge::purge_routes)
        .configure(compare::compare_routes)
        .service(read_only("/stats").get(stats::answer_page))
        .service(read_only("/stats.{suffix}").get(stats::answer_suffixed))
        .service(read_only("/metrics").get(metrics::answer_metrics))
        .service(read_only("/openapi.json").get(openapi_route::answer_openapi))
        .service(read_only("/healthz").get(health::answer_healthz))
        .service(read_only("/readyz").get(health::answer_readyz))
        .service(read_only("/static/{file}").get(static_files::answer_file))
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
            let context = context::RequestContext::from(&request);
            let handler = handler(request, site.clone());
            async move { guard::with_timeout(&site, &context, handler).await }
        };
        web::resource(self.0)
            .guard(audience::route_guard(self.0))
            .route(web::route().guard(reads).to(bounded))
            .route(web::method(Method::OPTIONS).to(allowed_methods))
            .default_service(web::to(errors::method_not_allowed))
    }
}

async fn allowed_methods(_: HttpRequest) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ALLOW, READ_METHODS))
        .finish()
}
