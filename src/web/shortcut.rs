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
use actix_web::{Error, web};

use super::connection::{Audience, Connection, Reception};
use super::context::Context;
use super::redirect::Redirect;
use super::{Site, errors, guard, limits, pages, pieces};

type Answer = Pin<Box<dyn Future<Output = Result<Response<BoxBody>, Error>>>>;

/// The application with the shortcut before it.
pub struct Shortcut<F> {
    site: web::Data<Site>,
    table: F,
}

impl<F> Shortcut<F> {
    /// Puts the shortcut before `table`, which answers whatever is not plain.
    pub fn before(site: web::Data<Site>, table: F) -> Shortcut<F> {
        Shortcut { site, table }
    }
}

impl<F> ServiceFactory<Request> for Shortcut<F>
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
    type Service = Shortcut<F::Service>;
    type InitError = F::InitError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Service, F::InitError>>>>;

    fn new_service(&self, config: AppConfig) -> Self::Future {
        let (site, table) = (self.site.clone(), self.table.new_service(config));
        Box::pin(async move {
            let table = table.await?;
            Ok(Shortcut { site, table })
        })
    }
}

impl<S> Service<Request> for Shortcut<S>
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
        let connection = request.conn_data::<Rc<Connection>>();
        let work = connection.map(Connection::work);
        let reception = connection.map_or(Reception::OPEN, |connection| connection.reception());
        let head = request.head();
        let trusted = &self.site.app.settings.server.forwarded_allow_ips;
        let redirect = Redirect::of(head, reception.manner, trusted);
        // What is plain is for visitors: elsewhere the table says that there is no such page.
        let is_plain = reception.audience != Audience::Operators && Plain::of(head).is_some();
        if redirect.is_some() || is_plain {
            let answer = answer(self.site.clone(), request, reception, redirect);
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

async fn answer(
    site: web::Data<Site>,
    request: Request,
    reception: Reception,
    redirect: Option<Redirect>,
) -> Result<Response<BoxBody>, Error> {
    let head = request.head();
    let server = &site.app.settings.server;
    let context = Context::of(head, &server.forwarded_allow_ips, reception);
    let query_string = head.uri.query().unwrap_or_default();
    let mut response = if let Some(redirect) = redirect {
        redirect.answer(&site, &context, head)
    } else if let Err(error) = limits::check(head, server, reception) {
        errors::respond(&site, &context, &error)
    } else if let Some(Plain::Query(name)) = Plain::of(head) {
        let handler = pages::query(&site, head, &context, name, query_string);
        guard::bounded(&site, &context, handler).await
    } else {
        let handler = pages::home(&site, head, &context, query_string);
        guard::bounded(&site, &context, handler).await
    };
    response = pieces::within_budget(&site, &context, head, response);
    guard::finish(&site, &context, head, &mut response);
    Ok(response.into())
}

/// What a plain request asks for.
#[derive(Debug, PartialEq, Eq)]
enum Plain<'h> {
    Home,
    /// `/q/NAME`, with or without a suffix.
    Query(&'h str),
}

impl<'h> Plain<'h> {
    fn of(head: &'h RequestHead) -> Option<Plain<'h>> {
        let reads = head.method == Method::GET || head.method == Method::HEAD;
        if !reads || head.headers.contains_key(header::TRANSFER_ENCODING) {
            return None;
        }
        match head.uri.path() {
            "/" => Some(Plain::Home),
            path => {
                let name = path.strip_prefix("/q/")?;
                let named = !name.is_empty() && name.bytes().all(is_plain);
                named.then_some(Plain::Query(name))
            }
        }
    }
}

/// What stands for itself in a path and divides nothing.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn plain(request: TestRequest) -> Option<String> {
        let request = request.to_request();
        Plain::of(request.head()).map(|plain| format!("{plain:?}"))
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
