//! `/metrics`, for Prometheus and whoever else scrapes: the numbers since the start, to those whom
//! the access rule lets in. It renders from memory alone, like `/stats`.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

use super::context::RequestContext;
use super::negotiate::{self, Format};
use super::site::Site;
use super::{body, errors};
use crate::stats::{ProcessNumbers, Window};
use crate::view::export::{self, MetricsDialect, MetricsInput, ReloadCounts};

/// Answers `GET /metrics`: in Prometheus' text format, or as OpenMetrics where `Accept` prefers
/// that.
pub(super) async fn answer_metrics(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let context = RequestContext::from(&request);
    let mut response = match site.access.check_operator(&request, &context).await {
        Ok(()) => render(&request, &site, &context),
        Err(error) => errors::respond_error(&site, &context, &error),
    };
    body::hide_from_robots(&mut response);
    response
}

fn render(request: &HttpRequest, site: &Site, context: &RequestContext) -> HttpResponse {
    let stand = site.app.standing.status_now();
    let metrics = MetricsInput {
        // Whatever the address asks for: counters that fall would be taken for a new start.
        snapshot: &site.app.take_snapshot(Window::Start),
        process: &ProcessNumbers::read_now(),
        reloads: ReloadCounts {
            all: stand.reloads,
            failed: stand.reload_failures,
            last_failed: stand.last_reload.is_some_and(|last| !last.ok),
            settings_since: stand.settings_since,
        },
        commit: option_env!("UNSLOW_COMMIT").filter(|commit| !commit.is_empty()),
    };
    let dialect = if negotiate::wants_open_metrics(request.headers()) {
        MetricsDialect::OpenMetrics
    } else {
        MetricsDialect::Text
    };
    let text = export::write_metrics(&metrics, dialect);
    let mut response = body::unkept_response(StatusCode::OK, Format::Text, text.into(), context);
    let content_type = HeaderValue::from_static(dialect.content_type());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    response
}
