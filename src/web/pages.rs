//! The pages of the queries: `/`, `/q`, `/q/NAME`, and the data behind them.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::RequestHead;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::access::{AccessRule, ReadAdmission};
use super::context::RequestContext;
use super::negotiate::{self, Format};
use super::parameters::{parse_pairs, require_utf8, without_tracking};
use super::sample_check::catalog_stands_in;
use super::site::Site;
use super::wanted::WantedForm;
use super::{aside, body, data, errors, excerpt, pieces};
use crate::cache::Reply;
use crate::error::RequestError;
use crate::query::{ParamDefault, Query};
use crate::view;

/// [`answer_home`], from the route table.
pub(super) async fn routed_home(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let (head, query_string) = (request.head(), request.query_string());
    answer_home(&site, head, &RequestContext::from(&request), query_string).await
}

/// [`answer_query`], from the route table.
pub(super) async fn routed_query(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    let name = request.match_info().query("name");
    let context = RequestContext::from(&request);
    let (head, query_string) = (request.head(), request.query_string());
    answer_query(&site, head, &context, name, query_string).await
}

/// Answers `GET /`: the home query's first row in the form of the original page.
pub(super) async fn answer_home(
    site: &Site,
    head: &RequestHead,
    context: &RequestContext,
    query_string: &str,
) -> HttpResponse {
    let name = &site.app.settings.server.home;
    let query = match find(site, head, context, name).await {
        Ok((query, _)) => query,
        Err(error) => return errors::respond_error(site, context, &error),
    };
    if query.is_hidden && catalog_stands_in(site, query).await {
        return list_queries(site, head, context).await;
    }
    let query_string = without_tracking(query, query_string);
    let given = parse_pairs(&query_string);
    let outcome = ask_query(site, query, &query_string, &given).await;
    let shown = outcome.and_then(|reply| Ok((home_outline(site, query, &given, &reply)?, reply)));
    match shown {
        Ok((outline, reply)) => {
            // One measurement, so that the page does not name two times for one response.
            let provenance = page_provenance(&reply, context.started.elapsed());
            let race = site.race.panel_at(context.started, || {
                let pace = site.app.stats.query_stats(query.index).copy_speedup();
                view::SpeedComparison::new(&pace.copy, &pace.load)
            });
            let page = outline.fill_page(provenance.elapsed, Some(&provenance), &race);
            let response =
                body::unkept_response(StatusCode::OK, Format::Html, page.into(), context);
            with_provenance(site, response, &reply, context)
        }
        Err(error) if query.is_hidden && error.is_unknown_function() => {
            // `unslow install` creates the function, as `check --online` says.
            site.stand_in.note_missing(true, context.started);
            list_queries(site, head, context).await
        }
        Err(error) => {
            let said = errors::log_and_describe(site, context, Some(query), &error);
            let page = view::HomePage {
                elapsed: context.started.elapsed(),
                failure: Some(said.page_failure(context)),
                ..bare_home(site, query, &given)
            };
            let markup = view::render_home(&site.page_frame(), &page);
            let mut response = body::page_response(said.status, markup, context);
            errors::finish(&mut response, &error);
            response
        }
    }
}

/// Returns the query of this name, for who may read it. Who may read none is not told which there
/// are.
async fn find<'s>(
    site: &'s Site,
    head: &RequestHead,
    context: &RequestContext,
    name: &str,
) -> Result<(&'s Arc<Query>, ReadAdmission), RequestError> {
    let query = site.app.find_query(name);
    let known = query.as_ref().ok().map(AsRef::as_ref);
    let admission = site.access.may_read(head, context, known).await?;
    Ok((query?, admission))
}

/// Returns the home page without an answer.
fn bare_home<'p>(
    site: &'p Site,
    query: &'p Query,
    given: &'p [(String, String)],
) -> view::HomePage<'p> {
    let shows_host = site.app.settings.server.show_host;
    view::HomePage {
        query: site.query_info(query),
        host: shows_host.then(|| site.app.db.host()),
        given,
        sections: Vec::new(),
        provenance: None,
        elapsed: Duration::ZERO,
        failure: None,
    }
}

/// Returns the home page but for its times: made on first use, then kept with the entry. The links
/// of a page with parameters repeat them as they were written, so its outline is not kept: one
/// entry answers several ways to write them.
fn home_outline(
    site: &Site,
    query: &Query,
    given: &[(String, String)],
    reply: &Reply,
) -> Result<view::HomeOutline, RequestError> {
    let entry = &reply.entry;
    if given.is_empty()
        && let Some(kept) = entry.kept_body(data::OUTLINE)
    {
        return Ok(view::HomeOutline::from_bytes(kept));
    }
    let page = view::HomePage {
        sections: excerpt::first_row(entry)?,
        // One of several is enough here, whichever it is.
        provenance: Some(page_provenance(reply, Duration::ZERO)),
        ..bare_home(site, query, given)
    };
    let made = view::HomeOutline::render(&site.page_frame(), &page);
    if !given.is_empty() {
        return Ok(made);
    }
    let kept = entry.derived_body(data::OUTLINE, |_| made.into_bytes());
    Ok(view::HomeOutline::from_bytes(kept))
}

/// Answers `GET /q`: the catalog, as a page or as JSON. Who brings no token is shown what is open.
pub(super) async fn answer_catalog(request: HttpRequest, site: web::Data<Site>) -> HttpResponse {
    list_queries(&site, request.head(), &RequestContext::from(&request)).await
}

/// Returns the list of the queries that may be read.
async fn list_queries(site: &Site, head: &RequestHead, context: &RequestContext) -> HttpResponse {
    let refused = site.access.may_read(head, context, None).await.err();
    let shows = |query: &Query| refused.is_none() || !site.access.is_protected(query);
    let queries: Vec<_> = site
        .app
        .catalog
        .listed_queries()
        .filter(|query| shows(query))
        .collect();
    if let Some(error) = &refused
        && (queries.is_empty() || AccessRule::brings_token(head))
    {
        return errors::respond_error(site, context, error);
    }
    if context.format == Format::Html {
        let infos = queries.into_iter().map(|query| site.query_info(query));
        let queries: Vec<_> = infos.collect();
        let markup = view::render_catalog(&site.page_frame(), &queries);
        return body::page_response(StatusCode::OK, markup, context);
    }
    let described = queries.into_iter().map(|query| describe_query(query));
    let queries: Vec<_> = described.collect();
    let json = serde_json::json!({ "ok": true, "queries": queries }).to_string();
    body::unkept_response(StatusCode::OK, Format::Json, json.into(), context)
}

/// Returns what `/q` says of a query as JSON.
fn describe_query(query: &Query) -> serde_json::Value {
    let params: Vec<_> = query
        .params
        .iter()
        .map(|param| {
            serde_json::json!({
                "name": param.name,
                "type": param.kind.name(),
                "required": param.default == ParamDefault::Required,
            })
        })
        .collect();
    serde_json::json!({
        "name": query.name,
        "title": query.title,
        "description": query.description,
        "url": format!("/q/{}", query.name),
        "params": params,
    })
}

/// Answers `GET /q/NAME[.json|.csv|.ndjson]`.
pub(super) async fn answer_query(
    site: &web::Data<Site>,
    head: &RequestHead,
    context: &RequestContext,
    name: &str,
    query_string: &str,
) -> HttpResponse {
    let (stem, suffix) = negotiate::split_suffix(name);
    let (query, admission) = match find(site, head, context, stem).await {
        Ok(found) => found,
        Err(error) => return errors::respond_error(site, context, &error),
    };
    let format = suffix.unwrap_or(context.format);
    if format == Format::Html {
        let query_string = without_tracking(query, query_string);
        let given = parse_pairs(&query_string);
        let outcome = ask_query(site, query, &query_string, &given).await;
        return query_page(site, context, query, given, outcome).await;
    }
    let mut given = parse_pairs(query_string);
    let wanted = match WantedForm::read(query, format, &mut given) {
        Ok(wanted) => wanted,
        Err(error) => return errors::respond_error(site, context, &error),
    };
    let response = match ask_query(site, query, query_string, &given).await {
        Ok(reply) => data::respond_data(site, context, query, &reply, wanted, admission).await,
        Err(error) => Err(error),
    };
    response.unwrap_or_else(|error| errors::respond_about(site, context, query, &error))
}

/// Returns the query's page: its form and its table, or its form and the error.
async fn query_page(
    site: &web::Data<Site>,
    context: &RequestContext,
    query: &Arc<Query>,
    given: Vec<(String, String)>,
    outcome: Result<Reply, RequestError>,
) -> HttpResponse {
    let most = site.app.settings.server.page_rows;
    let shown = async {
        let reply = outcome?;
        let bytes = excerpt::result_size(&reply.entry, most);
        pieces::require_room(site, bytes)?;
        let page = AnswerPage {
            context: context.clone(),
            query: Arc::clone(query),
            given: given.clone(),
            reply: reply.clone(),
        };
        let body = aside::run(site, bytes, move |site| page.render(site)).await??;
        Ok((body, reply))
    };
    match shown.await {
        Ok((page, reply)) => {
            let response = page.into_response(StatusCode::OK);
            with_provenance(site, response, &reply, context)
        }
        Err(error) => {
            let said = errors::log_and_describe(site, context, Some(query), &error);
            // A visitor who follows a link to a query that needs parameters has made no mistake:
            // the page asks for them, with the status that scripts go by.
            let asks = given.is_empty() && matches!(error, RequestError::BadParameter(_));
            let page = view::QueryPage {
                query: site.query_info(query),
                given: &given,
                table: None,
                provenance: None,
                failure: (!asks).then(|| said.page_failure(context)),
            };
            let markup = view::render_query(&site.page_frame(), &page);
            let mut response = body::page_response(said.status, markup, context);
            errors::finish(&mut response, &error);
            response
        }
    }
}

/// The parts of a page with an answer: it may be made elsewhere.
struct AnswerPage {
    context: RequestContext,
    query: Arc<Query>,
    given: Vec<(String, String)>,
    reply: Reply,
}

impl AnswerPage {
    fn render(self, site: &Site) -> Result<body::EncodedBody, RequestError> {
        let most = site.app.settings.server.page_rows;
        let page = view::QueryPage {
            query: site.query_info(&self.query),
            given: &self.given,
            table: Some(excerpt::excerpt_table(&self.reply.entry, most)?),
            provenance: Some(page_provenance(&self.reply, self.context.started.elapsed())),
            failure: None,
        };
        let markup = view::render_query(&site.page_frame(), &page);
        Ok(body::EncodedBody::new(
            Format::Html,
            markup.into_string().into(),
            &self.context,
        ))
    }
}

/// Returns the answer to a query with the parameters that were given.
async fn ask_query(
    site: &Site,
    query: &Arc<Query>,
    query_string: &str,
    given: &[(String, String)],
) -> Result<Reply, RequestError> {
    require_utf8(query_string)?;
    let arguments = query.read_arguments(given)?;
    site.app.answer_query(query, arguments).await
}

fn page_provenance(reply: &Reply, elapsed: Duration) -> view::Provenance {
    view::Provenance {
        outcome: reply.outcome,
        age: reply.age,
        ttl: reply.policy.ttl,
        ttl_left: reply.ttl_left,
        load_time: reply.entry.load_time,
        elapsed,
        stored: reply.stored,
    }
}

/// Pages say where they came from as data does; they have no age of their own.
fn with_provenance(
    site: &Site,
    mut response: HttpResponse,
    reply: &Reply,
    context: &RequestContext,
) -> HttpResponse {
    let elapsed = context.started.elapsed();
    let render = elapsed.saturating_sub(data::time_spent(reply));
    data::add_provenance(response.headers_mut(), reply);
    data::server_timing(response.headers_mut(), reply, render);
    data::tell_log(site, &mut response, reply);
    response
}
