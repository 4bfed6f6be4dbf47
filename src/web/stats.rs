//! `/stats`, for those whom the access rule lets in: which numbers are asked for, and in which
//! form. It renders from memory alone, so it works with Redis and the database down.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use url::form_urlencoded;

use super::context::RequestContext;
use super::negotiate::Format;
use super::parameters::is_tracking;
use super::site::Site;
use super::{body, errors};
use crate::app::StatusSnapshot;
use crate::error::RequestError;
use crate::logging::{self, LostLines};
use crate::stats::{ProcessNumbers, StatsSnapshot, SummaryNumbers, Window};
use crate::view::{self, StatsSort, export};

/// The seconds between two reloads that a page without script may ask of its browser.
const REFRESH: std::ops::RangeInclusive<u32> = 1..=3600;

/// The things that the address asks for.
#[derive(Debug, Clone, Copy, Default)]
struct StatsQuery {
    window: Window,
    sort: StatsSort,
    refresh: Option<u32>,
    /// Only what changes with time, as the page's script asks for it: `part=numbers`. It is a
    /// parameter and no header, so that whoever debugs it can open the same address.
    part: bool,
}

impl StatsQuery {
    /// Reads `window`, `sort`, `refresh` and `part`.
    ///
    /// # Errors
    /// What is unknown or given twice, with what is known.
    fn read(request: &HttpRequest, format: Format) -> Result<StatsQuery, RequestError> {
        let mut asked = StatsQuery::default();
        let mut seen = Vec::new();
        for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
            if format == Format::Html && is_tracking(&name) {
                continue;
            }
            if seen.contains(&name) {
                return Err(bad_request(format!("{name} is given twice")));
            }
            match &*name {
                "window" => {
                    let known = || join_names(Window::ALL.map(Window::name));
                    asked.window = Window::from_name(&value)
                        .ok_or_else(|| bad_request(format!("window is one of {}", known())))?;
                }
                "sort" => {
                    let known = || StatsSort::all_names().collect::<Vec<_>>().join(", ");
                    asked.sort = StatsSort::from_name(&value).ok_or_else(|| {
                        let turned = "with a - before it, the other way round";
                        bad_request(format!("sort is one of {}; {turned}", known()))
                    })?;
                }
                "refresh" => {
                    let seconds = value.parse().ok().filter(|s| REFRESH.contains(s));
                    let (from, to) = (REFRESH.start(), REFRESH.end());
                    asked.refresh = Some(seconds.ok_or_else(|| {
                        bad_request(format!(
                            "refresh is a number of seconds from {from} to {to}"
                        ))
                    })?);
                }
                "part" if value == view::PART => asked.part = true,
                "part" => return Err(bad_request(format!("part is {}", view::PART))),
                _ => {
                    return Err(bad_request(
                        "known are window, sort, refresh and part".to_owned(),
                    ));
                }
            }
            seen.push(name);
        }
        Ok(asked)
    }
}

fn bad_request(message: String) -> RequestError {
    RequestError::Rejected {
        status: 400,
        message,
    }
}

fn join_names<const N: usize>(names: [&'static str; N]) -> String {
    names.join(", ")
}

/// Answers `GET /stats`: a page, or another form where `Accept` asks for it.
pub(super) async fn answer_page(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let format = RequestContext::from(&request).format;
    answer_stats(&request, &site, Some(format)).await
}

/// Answers `GET /stats.json`, `.csv`, `.txt`
pub(super) async fn answer_suffixed(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let format = Format::of_suffix(&Format::OF_STATS, request.match_info().query("suffix"));
    answer_stats(&request, &site, format).await
}

/// Returns an answer in that form; `None` is a form that there is not.
async fn answer_stats(request: &HttpRequest, site: &Site, format: Option<Format>) -> HttpResponse {
    let context = RequestContext::from(request);
    let answer = async {
        site.access.check_operator(request, &context).await?;
        let format = format.ok_or_else(|| {
            let [_, known @ ..] = Format::OF_STATS.map(|form| format!("/stats.{}", form.suffix()));
            bad_request(format!("known are /stats, {}", known.join(", ")))
        })?;
        let asked = StatsQuery::read(request, format)?;
        render(site, asked, format, &context)
    };
    let mut response = match answer.await {
        Ok(response) => response,
        Err(error) => errors::respond_error(site, &context, &error),
    };
    body::hide_from_robots(&mut response);
    response
}

fn render(
    site: &Site,
    asked: StatsQuery,
    format: Format,
    context: &RequestContext,
) -> Result<HttpResponse, RequestError> {
    let snapshot = site.app.take_snapshot(asked.window);
    let text = match format {
        Format::Html => return Ok(stats_page(site, asked, &snapshot, context)),
        Format::Csv => export::write_csv(&snapshot),
        Format::Text => {
            let document = serde_json::to_value(stats_document(site, snapshot));
            export::write_lines(&document.map_err(unwritable_error)?)
        }
        Format::Json | Format::Ndjson => {
            serde_json::to_string(&stats_document(site, snapshot)).map_err(unwritable_error)?
        }
    };
    Ok(body::unkept_response(
        StatusCode::OK,
        format,
        text.into(),
        context,
    ))
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn unwritable_error(error: serde_json::Error) -> RequestError {
    RequestError::Internal {
        detail: error.to_string().into(),
    }
}

fn stats_document(site: &Site, snapshot: StatsSnapshot) -> StatsDocument {
    StatsDocument {
        snapshot,
        logs: LogCounts {
            lost: logging::lost_lines(),
        },
        daemon: site.app.standing.status_now(),
        process: ProcessNumbers::read_now(),
    }
}

fn stats_page(
    site: &Site,
    asked: StatsQuery,
    snapshot: &StatsSnapshot,
    context: &RequestContext,
) -> HttpResponse {
    let (stand, lines) = (site.app.standing.status_now(), logging::lost_lines());
    let (seconds, of_late) = site.app.stats.window_total(Window::FiveMinutes);
    let last = stand.last_reload.as_ref().filter(|reload| !reload.ok);
    let page = view::StatsPage {
        snapshot,
        sort: asked.sort,
        refresh: asked.refresh,
        not_reloaded: last.map(|reload| view::NotReloaded {
            at: &reload.at,
            message: &reload.message,
        }),
        evicted: site.evictions.count_evictions(snapshot, context.started),
        script: &site.assets.stats_script,
        here: site.pages_here(context),
        of_late: Some(SummaryNumbers::from_tally(&of_late, seconds)),
        lines_lost: lines.error + lines.access + lines.syslog,
    };
    let frame = view::PageFrame {
        version: Some(env!("CARGO_PKG_VERSION")),
        here: site.pages_here(context),
        ..site.page_frame()
    };
    let markup = if asked.part {
        view::render_live(&page)
    } else {
        view::render_stats(&frame, &page)
    };
    body::page_response(StatusCode::OK, markup, context)
}

/// The numbers that `/stats.json` and `/stats.txt` show, and beside them those that the process
/// counts for itself.
#[derive(Serialize)]
struct StatsDocument {
    #[serde(flatten)]
    snapshot: StatsSnapshot,
    logs: LogCounts,
    daemon: StatusSnapshot,
    process: ProcessNumbers,
}

#[derive(Serialize)]
struct LogCounts {
    lost: LostLines,
}
