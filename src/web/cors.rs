//! Pages of other sites that may read the data of queries (CORS): the headers of `/q` and
//! `/q/NAME`, and the answer to a browser that asks first. Nothing else is ever theirs, and nothing
//! goes with a browser's own credentials: a page that has a token says so itself.

use actix_web::HttpResponse;
use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

use crate::settings::{CorsOrigins, Settings};

/// The headers that scripts may read besides the usual ones.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Cache-Status, Age, ETag, Server-Timing, X-Request-Id, Retry-After, Unslow-Truncated",
);
/// The headers that a request may carry besides the usual ones.
const CARRIED: HeaderValue = HeaderValue::from_static("If-None-Match, X-Request-Id");
const CARRIED_WITH_TOKEN: HeaderValue =
    HeaderValue::from_static("If-None-Match, X-Request-Id, Authorization");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD");
/// The seconds for which a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const EVERYBODY: HeaderValue = HeaderValue::from_static("*");

/// The origins whose pages may read, as the settings say.
#[derive(Debug)]
pub(super) struct CorsPolicy {
    origins: CorsOrigins,
    carried: HeaderValue,
}

impl CorsPolicy {
    /// `None` where only pages of our own may, and nothing is to be done.
    pub(super) fn new(settings: &Settings) -> Option<CorsPolicy> {
        let origins = settings.server.cors_origins.clone();
        let named = match &origins {
            CorsOrigins::Any => false,
            CorsOrigins::These(these) if these.is_empty() => return None,
            CorsOrigins::These(_) => true,
        };
        let takes_token = named && settings.access.is_restricted();
        Some(CorsPolicy {
            origins,
            carried: if takes_token {
                CARRIED_WITH_TOKEN
            } else {
                CARRIED
            },
        })
    }

    /// Adds what a browser asks of this response before it hands it to another site's page.
    pub(super) fn finish(&self, head: &RequestHead, response: &mut HttpResponse) {
        let asks = head.method == Method::OPTIONS;
        let reads = asks || head.method == Method::GET || head.method == Method::HEAD;
        if !reads || !is_of_queries(head.uri.path()) {
            return;
        }
        let headers = response.headers_mut();
        let Some(origin) = self.admit_origin(&head.headers, headers) else {
            return;
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        if asks
            && head
                .headers
                .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, self.carried.clone());
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
    }

    /// Returns what to answer the origin of this request with, if it may read.
    fn admit_origin(&self, asked: &HeaderMap, answered: &mut HeaderMap) -> Option<HeaderValue> {
        let CorsOrigins::These(these) = &self.origins else {
            return Some(EVERYBODY);
        };
        // Also where it may not, or names none: caches must not hand one's answer to another.
        vary_by_origin(answered);
        let mut origins = asked.get_all(header::ORIGIN);
        let origin = origins.next().filter(|_| origins.next().is_none())?;
        let known = these.iter().any(|one| one.as_bytes() == origin.as_bytes());
        known.then(|| origin.clone())
    }
}

fn vary_by_origin(headers: &mut HeaderMap) {
    let before = headers
        .get(header::VARY)
        .and_then(|value| value.to_str().ok());
    let vary = match before {
        Some("Accept, Accept-Encoding") => {
            HeaderValue::from_static("Accept, Accept-Encoding, Origin")
        }
        Some(other) => HeaderValue::from_str(&format!("{other}, Origin"))
            .expect("made of a header's value and letters"),
        None => HeaderValue::from_static("Origin"),
    };
    headers.insert(header::VARY, vary);
}

/// Returns whether it is the path of the catalog or of a query, and not of what is done to one.
fn is_of_queries(path: &str) -> bool {
    let below = path.strip_prefix("/q/");
    path == "/q" || below.is_some_and(|name| !name.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_catalog_and_queries_are_read_by_other_sites() {
        for path in ["/q", "/q/a", "/q/a.json"] {
            assert!(is_of_queries(path), "{path}");
        }
        for path in [
            "/",
            "/stats",
            "/metrics",
            "/q/a/purge",
            "/qq",
            "/static/q",
            "/readyz",
        ] {
            assert!(!is_of_queries(path), "{path}");
        }
    }
}
