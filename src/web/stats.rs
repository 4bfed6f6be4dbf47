//! `/stats` as a page and as JSON, for those whom the access rule lets in. It renders from memory
//! alone, so it works with Redis and the database down.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use time::OffsetDateTime;

use super::context::Context;
use super::negotiate::Format;
use super::{Site, body, errors};
use crate::app::Stand;
use crate::logging::{self, Lost};
use crate::stats::Snapshot;
use crate::view;

/// `GET /stats`: a page, or JSON where `Accept` asks for it.
pub(super) async fn page(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let context = Context::from(&request);
    if context.format != Format::Html {
        return json(request, site).await;
    }
    if let Err(error) = site.access.check(&request, &context).await {
        return errors::respond(&site, &context, &error);
    }
    let snapshot = site.app.stats.snapshot();
    let rows = snapshot.queries.iter().map(|query| view::StatsRow {
        query: &query.query,
        removed: query.removed,
        numbers: &query.numbers,
        last_load: query.numbers.last_load_seconds.map(Duration::from_secs_f64),
    });
    let stand = site.app.standing.now();
    let last = stand.last_reload.as_ref().filter(|reload| !reload.ok);
    let page = view::StatsPage {
        instance: None,
        generated_at: OffsetDateTime::now_utc(),
        uptime: Duration::from_secs_f64(snapshot.uptime_seconds),
        total: &snapshot.total,
        queries: rows.collect(),
        memory: (snapshot.memory.max_bytes > 0).then_some(view::MemoryTier {
            entries: snapshot.memory.entries,
            bytes: snapshot.memory.bytes,
            max_bytes: snapshot.memory.max_bytes,
        }),
        redis: snapshot.redis.as_ref().map(|redis| view::RedisTier {
            up: redis.up,
            breaker: redis.breaker,
            last_error: redis.last_error,
        }),
        database_up: site.app.db.health().up,
        not_reloaded: last.map(|reload| view::NotReloaded {
            at: &reload.at,
            message: &reload.message,
        }),
    };
    let frame = view::Frame {
        version: Some(env!("CARGO_PKG_VERSION")),
        ..site.frame()
    };
    body::page(StatusCode::OK, view::stats(&frame, &page), &context)
}

/// What `/stats.json` shows: the counters, and beside them what the process counts for itself.
#[derive(Serialize)]
struct Everything {
    #[serde(flatten)]
    snapshot: Snapshot,
    logs: Logs,
    daemon: Stand,
}

#[derive(Serialize)]
struct Logs {
    lost: Lost,
}

/// `GET /stats.json`
pub(super) async fn json(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let context = Context::from(&request);
    if let Err(error) = site.access.check(&request, &context).await {
        return errors::respond(&site, &context, &error);
    }
    let everything = Everything {
        snapshot: site.app.stats.snapshot(),
        logs: Logs {
            lost: logging::lost(),
        },
        daemon: site.app.standing.now(),
    };
    match serde_json::to_string(&everything) {
        Ok(json) => body::unkept(StatusCode::OK, Format::Json, json.into(), &context),
        Err(error) => {
            let error = crate::error::RequestError::Internal {
                detail: error.to_string().into(),
            };
            errors::respond(&site, &context, &error)
        }
    }
}
