//! `/healthz` and `/readyz`, for load balancers and supervisors. Neither asks database or Redis
//! anything: were they part of it, every instance would leave the balancer just when stale
//! copies are needed.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::Site;
use super::negotiate::Format;

/// `GET /healthz`: 200 while the process serves.
pub(super) async fn healthz(_: HttpRequest, _: web::Data<Site>) -> HttpResponse {
    response(StatusCode::OK, &json!({ "ok": true }))
}

/// `GET /readyz`: 503 while draining, else 200; the body says from memory how database and Redis
/// were when they were last asked.
pub(super) async fn readyz(_: HttpRequest, site: web::Data<Site>) -> HttpResponse {
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
    response(
        status,
        &json!({
            "ok": !draining,
            "state": if draining { "draining" } else { "serving" },
            "database": word(site.app.db.health().up),
            "redis": redis,
        }),
    )
}

fn response(status: StatusCode, body: &serde_json::Value) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, Format::Json.content_type()))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body.to_string())
}
