//! `POST /q/NAME/compare`: what a comparison has to know of a query, and under it one address for
//! each way to its answer: `/cache`, `/database`, `/redis`, `/memory`. Each request is one run.
//!
//! The answer says how long unslow itself took. It is as long as the query's own answer in JSON,
//! so that who measures the whole request measures what a visitor waits for; but it is filled with
//! spaces: who may compare a query need not be who may read it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context as TaskContext, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::action::{self, ActionRefusal, object_members};
use super::context::RequestContext;
use super::negotiate::Format;
use super::site::Site;
use super::{body, data, errors};
use crate::app::{AnswerSource, NoAnswer};
use crate::cache::{NoCopy, Reply};
use crate::error::RequestError;
use crate::outcome::{BypassReason, Outcome, Tier};

const WAYS: [(&str, AnswerSource); 4] = [
    ("cache", AnswerSource::Cache),
    ("database", AnswerSource::Database),
    ("redis", AnswerSource::Tier(Tier::Redis)),
    ("memory", AnswerSource::Tier(Tier::Memory)),
];

pub(super) fn compare_routes(config: &mut web::ServiceConfig) {
    config.service(action::post_resource(
        "/q/{name}/compare",
        describe_comparison,
    ));
    for (word, via) in WAYS {
        let path = format!("/q/{{name}}/compare/{word}");
        let post = move |request, site, body| run(via, request, site, body);
        config.service(action::post_resource(&path, post));
    }
}

/// Returns what is to be known before the first run.
async fn describe_comparison(
    request: HttpRequest,
    site: web::Data<Site>,
    body: web::Payload,
) -> HttpResponse {
    let context = context_of(&request);
    let (query, given) = match action::read(&request, &site, &context, body).await {
        Ok(read) => read,
        Err(refusal) => return refuse_run(&site, &context, &refusal),
    };
    // Said before anything is run; nobody is asked for it.
    if let Err(error) = query.read_arguments(&given) {
        return refuse_run(&site, &context, &error.into());
    }
    let json = json!({
        "ok": true,
        "query": query.name,
        "database": site.app.db.kind().name(),
        "database_version": site.app.database_version().await,
        "cached": query.policy.cached,
        "loads_at_once": site.app.loads_to_compare(query),
        "unslow": env!("CARGO_PKG_VERSION"),
    });
    let json = json.to_string().into();
    body::unkept_response(StatusCode::OK, Format::Json, json, &context)
}

async fn run(
    via: AnswerSource,
    request: HttpRequest,
    site: web::Data<Site>,
    body: web::Payload,
) -> HttpResponse {
    let context = context_of(&request);
    match answer_run(via, &request, &site, &context, body).await {
        Ok(reply) => measured_response(&site, via, &reply),
        Err(refusal) => refuse_run(&site, &context, &refusal),
    }
}

async fn answer_run(
    via: AnswerSource,
    request: &HttpRequest,
    site: &Site,
    context: &RequestContext,
    body: web::Payload,
) -> Result<Reply, ActionRefusal> {
    let (query, given) = action::read(request, site, context, body).await?;
    let arguments = query.read_arguments(&given)?;
    let answered = site.app.answer_via(via, query, arguments).await;
    answered.map_err(|none| match none {
        NoAnswer::Failed(error) => ActionRefusal {
            more: object_members(json!({ "class": error.class() })),
            error,
        },
        NoAnswer::CacheOff => no_copy("off", "the query says `cache: off`"),
        NoAnswer::NoCopy(none) => no_copy(
            none.name(),
            match none {
                NoCopy::Off => "there is no such tier",
                NoCopy::Down => "this tier does not answer",
                NoCopy::Absent => "this tier has no copy",
            },
        ),
    })
}

/// Makes the answer that says that there is none this way, and that nothing has failed.
fn no_copy(reason: &str, message: &str) -> ActionRefusal {
    ActionRefusal {
        error: RequestError::Rejected {
            status: 409,
            message: message.to_owned(),
        },
        more: object_members(json!({ "reason": reason })),
    }
}

/// Scripts ask, whatever they accept.
fn context_of(request: &HttpRequest) -> RequestContext {
    let mut context = RequestContext::from(request);
    context.format = Format::Json;
    context
}

fn refuse_run(site: &Site, context: &RequestContext, refusal: &ActionRefusal) -> HttpResponse {
    errors::respond_with(site, context, &refusal.error, refusal.more.clone())
}

/// Returns how long it took in here and how it ended, at the length of the answer itself. It is
/// never compressed, so that its length is what it is.
fn measured_response(site: &Site, via: AnswerSource, reply: &Reply) -> HttpResponse {
    let bytes = reply.entry.body.len();
    let mut said = Map::new();
    said.insert("ok".to_owned(), Value::Bool(true));
    let micros = data::time_spent(reply).as_secs_f64() * 1e6;
    said.insert("microseconds".to_owned(), json!(micros));
    said.insert("bytes".to_owned(), json!(bytes));
    said.insert("loaded".to_owned(), json!(has_loaded(via, reply.outcome)));
    said.insert("stored".to_owned(), json!(reply.stored));
    let head = Bytes::from(Value::Object(said).to_string());
    let filled = FilledBody {
        spaces: bytes.saturating_sub(head.len()),
        head,
    };
    let mut response = HttpResponse::Ok().body(BoxBody::new(filled));
    data::tell_log(site, &mut response, reply);
    let headers = response.headers_mut();
    let json = HeaderValue::from_static(Format::Json.content_type());
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns whether this request itself had the database run the query.
fn has_loaded(via: AnswerSource, outcome: Outcome) -> bool {
    let too_large = Outcome::Bypass(BypassReason::TooLarge);
    via == AnswerSource::Database || outcome == Outcome::Miss || outcome == too_large
}

/// The spaces that are handed over at once.
static SPACES: LazyLock<Bytes> = LazyLock::new(|| vec![b' '; 64 << 10].into());

/// A body that ends in so many spaces.
struct FilledBody {
    head: Bytes,
    spaces: usize,
}

impl MessageBody for FilledBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized((self.head.len() + self.spaces) as u64)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        if !self.head.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.head))));
        }
        let piece = SPACES.len().min(self.spaces);
        self.spaces -= piece;
        Poll::Ready((piece > 0).then(|| Ok(SPACES.slice(..piece))))
    }
}
