//! The routes that a listener has. Where `[stats] bind` gives operators an address of their own,
//! their routes are found there and nowhere else, and those of visitors are not found there. The
//! right to use a route is `access`'s business, on every listener.

use actix_web::guard::GuardContext;

use super::connection::ListenerAudience;
use super::context::RequestContext;

/// The clients that a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RouteAudience {
    /// Health checks, and what pages are made of.
    Anyone,
    Visitors,
    Operators,
}

impl RouteAudience {
    /// Returns the clients that a pattern of the route table is for.
    fn from_pattern(pattern: &str) -> RouteAudience {
        // Also `/stats.json`.
        let is = |path: &str| {
            let rest = pattern.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/']))
        };
        if is("/healthz") || is("/readyz") || is("/static") {
            RouteAudience::Anyone
        } else if is("/stats") || is("/metrics") || pattern.starts_with("/q/{name}/") {
            RouteAudience::Operators
        } else {
            RouteAudience::Visitors
        }
    }

    fn is_for(self, audience: ListenerAudience) -> bool {
        match audience {
            ListenerAudience::Everyone => true,
            ListenerAudience::Visitors => self != RouteAudience::Operators,
            ListenerAudience::Operators => self != RouteAudience::Visitors,
        }
    }
}

/// Makes the guard of a resource of the route table: whether it is there on the listener that a
/// request came by. The pattern decides, not the request's path, which can be written in several
/// ways.
pub(super) fn route_guard(pattern: &str) -> impl Fn(&GuardContext<'_>) -> bool + use<> {
    let route = RouteAudience::from_pattern(pattern);
    move |request| {
        let data = request.req_data();
        let context = data.get::<RequestContext>();
        context.is_some_and(|context| route.is_for(context.audience))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_operators_is_known_by_its_pattern() {
        for pattern in [
            "/stats",
            "/stats.json",
            "/stats.csv",
            "/stats.txt",
            "/stats/x",
            "/metrics",
            "/q/{name}/refresh",
            "/q/{name}/purge",
            "/q/{name}/compare",
        ] {
            assert_eq!(
                RouteAudience::from_pattern(pattern),
                RouteAudience::Operators,
                "{pattern}"
            );
        }
        for pattern in ["/", "/q", "/q/{name}", "/openapi.json", "/statistics"] {
            assert_eq!(
                RouteAudience::from_pattern(pattern),
                RouteAudience::Visitors,
                "{pattern}"
            );
        }
        for pattern in ["/healthz", "/readyz", "/static/{file}"] {
            assert_eq!(
                RouteAudience::from_pattern(pattern),
                RouteAudience::Anyone,
                "{pattern}"
            );
        }
    }

    #[test]
    fn each_route_is_on_the_listeners_of_those_it_is_for() {
        for (route, visitors, operators) in [
            (RouteAudience::Anyone, true, true),
            (RouteAudience::Visitors, true, false),
            (RouteAudience::Operators, false, true),
        ] {
            assert!(route.is_for(ListenerAudience::Everyone));
            assert_eq!(route.is_for(ListenerAudience::Visitors), visitors);
            assert_eq!(route.is_for(ListenerAudience::Operators), operators);
        }
    }
}
