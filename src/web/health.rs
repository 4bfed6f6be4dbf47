//! `/healthz` and `/readyz`, for load balancers and supervisors. Neither asks database or Redis
//! anything: were they part of it, every instance would leave the balancer just when stale
//! copies are needed.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::body;
use super::context::RequestContext;
use super::negotiate::Format;
use super::site::Site;

/// Answers `GET /healthz`: 200 while the process serves.
pub(super) async fn answer_healthz(request: HttpRequest, _: web::Data<Site>) -> HttpResponse {
    health_response(&request, StatusCode::OK, &json!({ "ok": true }))
}

/// Answers `GET /readyz`: 503 while draining, else 200; the body says from memory how database and
/// Redis were when they were last asked.
pub(super) async fn answer_readyz(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let draining = site.is_draining();
    let status = if draining {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    let word = |up: Option<bool>| match up {
        None => "not asked yet",
        Some(true) => "up",
        Some(false) => "down",
    };
    let redis = match site.app.cache.redis_state() {
        None => "not configured",
        Some(state) => word(state.up),
    };
    health_response(
        &request,
        status,
        &json!({
            "ok": !draining,
            "state": if draining { "draining" } else { "serving" },
            "database": word(site.app.db.health().up),
            "redis": redis,
        }),
    )
}

fn health_response(
    request: &HttpRequest,
    status: StatusCode,
    body: &serde_json::Value,
) -> HttpResponse {
    let context = RequestContext::from(request);
    body::unkept_response(status, Format::Json, body.to_string().into(), &context)
}
