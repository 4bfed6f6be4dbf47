//! The shortcut of the requests that come in crowds: a plain GET or HEAD of `/` and of `/q/NAME`
//! goes to its handler past actix's router, middleware and extensions, which together cost more
//! than a hit does. It decides which requests are plain, and nothing else: whatever is not (another
//! method or path, an escape in the path, a body in chunks) goes on to the route table, and both
//! ways lead to the same handlers, limits and headers.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll};

use actix_http::Request;
use actix_web::body::BoxBody;
use actix_web::dev::{AppConfig, RequestHead, Response, Service, ServiceFactory, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::{Error, HttpResponse, web};

use super::connection::{ConnectionState, ListenerAudience, ListenerInfo};
use super::context::RequestContext;
use super::redirect::HttpsRedirect;
use super::site::Site;
use super::{errors, guard, limits, pages, pieces};

type Answer = Pin<Box<dyn Future<Output = Result<Response<BoxBody>, Error>>>>;

/// The application with the shortcut before it.
pub struct FastPath<F> {
    site: web::Data<Site>,
    table: F,
}

impl<F> FastPath<F> {
    /// Puts the shortcut before `table`, which answers whatever is not plain.
    pub fn before_table(site: web::Data<Site>, table: F) -> FastPath<F> {
        FastPath { site, table }
    }
}

impl<F> ServiceFactory<Request> for FastPath<F>
where
    F: ServiceFactory<
            Request,
            Config = AppConfig,
            Response = ServiceResponse<BoxBody>,
            Error = Error,
        >,
    F::Future: 'static,
    F::Service: 'static,
    <F::Service as Service<Request>>::Future: 'static,
{
    type Response = Response<BoxBody>;
    type Error = Error;
    type Config = AppConfig;
    type Service = FastPath<F::Service>;
    type InitError = F::InitError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Service, F::InitError>>>>;

    fn new_service(&self, config: AppConfig) -> Self::Future {
        let (site, table) = (self.site.clone(), self.table.new_service(config));
        Box::pin(async move {
            let table = table.await?;
            Ok(FastPath { site, table })
        })
    }
}

impl<S> Service<Request> for FastPath<S>
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error>,
    S::Future: 'static,
{
    type Response = Response<BoxBody>;
    type Error = Error;
    type Future = Answer;

    fn poll_ready(&self, context: &mut task::Context<'_>) -> Poll<Result<(), Error>> {
        self.table.poll_ready(context)
    }

    fn call(&self, request: Request) -> Answer {
        let connection = request.conn_data::<Rc<ConnectionState>>();
        let work = connection.map(ConnectionState::begin_work);
        let reception = connection.map_or(ListenerInfo::OPEN, |connection| connection.reception());
        let head = request.head();
        let trusted = &self.site.app.settings.server.forwarded_allow_ips;
        let redirect = HttpsRedirect::for_request(head, reception.manner, trusted);
        // A plain path is for visitors: elsewhere the table says that there is no such page.
        let is_plain =
            reception.audience != ListenerAudience::Operators && FastRoute::parse(head).is_some();
        if redirect.is_some() || is_plain {
            let answer = answer_request(
                self.site.clone(),
                request,
                reception,
                redirect,
                handle_plain,
            );
            Box::pin(async move {
                let answer = answer.await;
                drop(work);
                answer
            })
        } else {
            let answer = self.table.call(request);
            Box::pin(async move {
                let answer = answer.await.map(Response::from);
                drop(work);
                answer
            })
        }
    }
}

async fn answer_request(
    site: web::Data<Site>,
    request: Request,
    reception: ListenerInfo,
    redirect: Option<HttpsRedirect>,
    handle: impl AsyncFn(&web::Data<Site>, &RequestHead, &RequestContext) -> HttpResponse,
) -> Result<Response<BoxBody>, Error> {
    let head = request.head();
    let server = &site.app.settings.server;
    let context = RequestContext::from_head(head, &server.forwarded_allow_ips, reception);
    let mut response = if let Some(redirect) = redirect {
        redirect.redirect_response(&site, &context, head)
    } else if let Err(error) = limits::check_limits(head, server, reception) {
        errors::respond_error(&site, &context, &error)
    } else {
        guard::with_timeout(&site, &context, handle(&site, head, &context)).await
    };
    response = pieces::within_budget(&site, &context, head, response);
    guard::finish(&site, &context, head, &mut response);
    Ok(response.into())
}

/// Answers a plain request.
async fn handle_plain(
    site: &web::Data<Site>,
    head: &RequestHead,
    context: &RequestContext,
) -> HttpResponse {
    let query_string = head.uri.query().unwrap_or_default();
    match FastRoute::parse(head) {
        Some(FastRoute::Query(name)) => {
            pages::answer_query(site, head, context, name, query_string).await
        }
        _ => pages::answer_home(site, head, context, query_string).await,
    }
}

/// The thing that a plain request asks for.
#[derive(Debug, PartialEq, Eq)]
enum FastRoute<'h> {
    Home,
    /// `/q/NAME`, with or without a suffix.
    Query(&'h str),
}

impl<'h> FastRoute<'h> {
    fn parse(head: &'h RequestHead) -> Option<FastRoute<'h>> {
        let reads = head.method == Method::GET || head.method == Method::HEAD;
        if !reads || head.headers.contains_key(header::TRANSFER_ENCODING) {
            return None;
        }
        match head.uri.path() {
            "/" => Some(FastRoute::Home),
            path => {
                let name = path.strip_prefix("/q/")?;
                let named = !name.is_empty() && name.bytes().all(is_plain);
                named.then_some(FastRoute::Query(name))
            }
        }
    }
}

/// Returns what stands for itself in a path and divides nothing.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use actix_web::body::to_bytes;
    use actix_web::rt;
    use actix_web::test::TestRequest;

    use super::super::tests::site;
    use super::*;

    #[test]
    fn a_panic_on_the_shortcut_is_a_500_with_every_header_and_serving_goes_on() {
        rt::System::new().block_on(async {
            let site = site();
            let asked = || {
                let mut request = Request::new();
                request.head_mut().uri = "/q/version.json".parse().unwrap();
                request
            };
            let panics = async |_: &web::Data<Site>, _: &RequestHead, _: &RequestContext| {
                panic!("a bug at /secret")
            };
            let fallen =
                answer_request(site.clone(), asked(), ListenerInfo::OPEN, None, panics).await;
            let response = fallen.unwrap();
            assert_eq!(response.status(), 500);
            for (name, words) in [
                ("content-security-policy", "default-src 'none'"),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "same-origin"),
                ("x-frame-options", "DENY"),
                ("cache-control", "no-store"),
            ] {
                let value = response.headers().get(name).expect(name);
                assert!(value.to_str().unwrap().contains(words), "{name}");
            }
            let id = response.headers().get("x-request-id").unwrap().clone();
            let body = to_bytes(response.into_body()).await.unwrap();
            let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(
                (&json["ok"], &json["id"]),
                (&false.into(), &id.to_str().unwrap().into())
            );
            assert!(!json.to_string().contains("secret"), "{json}");
            let fine = async |_: &web::Data<Site>, _: &RequestHead, _: &RequestContext| {
                HttpResponse::Ok().finish()
            };
            let next = answer_request(site, asked(), ListenerInfo::OPEN, None, fine).await;
            assert_eq!(next.unwrap().status(), 200);
        });
    }

    fn plain(request: TestRequest) -> Option<String> {
        let request = request.to_request();
        FastRoute::parse(request.head()).map(|plain| format!("{plain:?}"))
    }

    #[test]
    fn the_home_page_and_named_queries_are_plain() {
        let query = |name: &str| Some(format!("Query({name:?})"));
        let get = |path: &str| plain(TestRequest::get().uri(path));
        assert_eq!(get("/?x=%20"), Some("Home".to_owned()));
        assert_eq!(get("/q/version"), query("version"));
        assert_eq!(get("/q/a_b-c.json?top=1"), query("a_b-c.json"));
        let head = TestRequest::default().method(Method::HEAD).uri("/");
        assert_eq!(plain(head), Some("Home".to_owned()));
    }

    #[test]
    fn everything_else_goes_on_to_the_route_table() {
        for path in ["/q", "/q/", "/q/a/b", "/q/a%2e", "/q/a+b", "/stats", "//"] {
            assert_eq!(plain(TestRequest::get().uri(path)), None, "{path}");
        }
        assert_eq!(plain(TestRequest::post().uri("/")), None);
        let chunked = (header::TRANSFER_ENCODING, "chunked");
        assert_eq!(
            plain(TestRequest::get().uri("/").insert_header(chunked)),
            None
        );
    }
}
