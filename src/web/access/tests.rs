//! The two rules, row by row, with a clock that stands still but for what is waited for.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::net::SocketAddr;

use actix_web::test::TestRequest;
use tokio::time::Instant;

use super::super::connection::ListenerInfo;
use super::*;
use crate::query::DatabaseKind;
use crate::settings::Secret;

const FAR: &str = "192.0.2.1";
const ADMIN: (&str, &str) = ("authorization", "Bearer admin-token");
const READER: (&str, &str) = ("authorization", "Bearer access-token");
const WRONG: (&str, &str) = ("authorization", "Bearer guess");
/// `anybody:access-token`
const BASIC: (&str, &str) = ("authorization", "Basic YW55Ym9keTphY2Nlc3MtdG9rZW4=");

/// Which of the settings of this rule there are.
#[derive(Clone, Copy, PartialEq)]
enum Has {
    Nothing,
    Token,
    List,
    Both,
}

fn settings(admin: Has, reader: Has) -> Settings {
    let mut settings = Settings::from_flags(&[]).unwrap();
    let (token, list) = (
        |has| matches!(has, Has::Token | Has::Both),
        |has| matches!(has, Has::List | Has::Both),
    );
    let secret = |text: &str| Some(Secret::new(text.to_owned()));
    let network = |text: &str| vec![Network::parse(text).unwrap()];
    if token(admin) {
        settings.admin_token = secret("admin-token");
    }
    if list(admin) {
        settings.stats_allow = network("198.51.100.0/24");
    }
    if token(reader) {
        settings.access.token = secret("access-token");
    }
    if list(reader) {
        settings.access.allow = network("203.0.113.0/24");
    }
    settings
}

/// Runs it under a clock that passes only while everybody waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build();
    runtime.unwrap().block_on(future)
}

fn request(peer: &str, headers: &[(&str, &str)]) -> HttpRequest {
    let mut request = TestRequest::default();
    if !peer.is_empty() {
        request = request.peer_addr(SocketAddr::new(peer.parse().unwrap(), 1));
    }
    let with = |request: TestRequest, header: &(&str, &str)| request.append_header(*header);
    headers.iter().fold(request, with).to_http_request()
}

fn context(rule: &AccessRule, request: &HttpRequest) -> RequestContext {
    RequestContext::from_head(request.head(), &rule.proxies, ListenerInfo::OPEN)
}

/// The status for an operator: 200, or what he is refused with.
fn operator(rule: &AccessRule, peer: &str, headers: &[(&str, &str)]) -> u16 {
    let request = request(peer, headers);
    let context = context(rule, &request);
    at_once(rule.check_operator(&request, &context)).map_or_else(|error| error.status(), |()| 200)
}

fn read(
    rule: &AccessRule,
    query: Option<&Query>,
    (peer, headers): (&str, &[(&str, &str)]),
) -> Result<ReadAdmission, u16> {
    let request = request(peer, headers);
    let context = context(rule, &request);
    at_once(rule.may_read(request.head(), &context, query)).map_err(|error| error.status())
}

fn query(header: &str) -> Query {
    Query::parse(DatabaseKind::Sqlite, "q", &format!("{header}select 1")).unwrap()
}

#[test]
fn what_is_for_operators_is_open_to_this_machine_the_list_and_the_token() {
    let here = ("host", "localhost:8000");
    for has in [Has::Nothing, Has::Token, Has::List, Has::Both] {
        let rule = AccessRule::new(&settings(has, Has::Both));
        let token = matches!(has, Has::Token | Has::Both);
        let list = matches!(has, Has::List | Has::Both);
        let refused = if token { 401 } else { 403 };
        assert_eq!(operator(&rule, "127.0.0.1", &[here]), 200);
        assert_eq!(operator(&rule, "::1", &[here]), 200);
        for (peer, headers) in [
            (FAR, &[here][..]),
            ("127.0.0.1", &[("host", "rebound.example")]),
            ("127.0.0.1", &[here, ("x-forwarded-for", FAR)]),
            ("127.0.0.1", &[here, ("x-forwarded-for", "127.0.0.1")]),
            ("127.0.0.1", &[here, ("via", "1.1 proxy")]),
            ("", &[here]),
            ("203.0.113.7", &[]),
        ] {
            assert_eq!(
                operator(&rule, peer, headers),
                refused,
                "{peer} {headers:?}"
            );
        }
        let listed = if list { 200 } else { refused };
        assert_eq!(operator(&rule, "198.51.100.7", &[]), listed);
        let by_proxy = [("x-forwarded-for", "198.51.100.7")];
        assert_eq!(operator(&rule, "127.0.0.1", &by_proxy), listed);
        assert_eq!(operator(&rule, "", &by_proxy), listed);
        assert_eq!(
            operator(&rule, FAR, &by_proxy),
            refused,
            "a stranger's word"
        );
        let known = if token { 200 } else { refused };
        assert_eq!(operator(&rule, FAR, &[ADMIN]), known);
        assert_eq!(operator(&rule, "", &[ADMIN]), known);
        assert_eq!(
            operator(&rule, FAR, &[READER]),
            refused,
            "it is for queries"
        );
    }
}

#[test]
fn queries_are_open_until_a_setting_says_who_may() {
    let plain = query("");
    for admin in [Has::Nothing, Has::Both] {
        let rule = AccessRule::new(&settings(admin, Has::Nothing));
        assert!(!rule.is_protected(&plain));
        for asked in [Some(&plain), None] {
            for headers in [&[][..], &[WRONG], &[ADMIN]] {
                assert_eq!(read(&rule, asked, (FAR, headers)), Ok(ReadAdmission::Open));
            }
        }
    }
}

#[test]
fn a_protected_query_takes_a_token_or_an_address_on_its_list() {
    let (plain, open, token) = (
        query(""),
        query("-- access: open\n"),
        query("-- access: token\n"),
    );
    for has in [Has::Token, Has::List, Has::Both] {
        for admin in [Has::Nothing, Has::Token] {
            let rule = AccessRule::new(&settings(admin, has));
            let takes_token = has != Has::List || admin == Has::Token;
            let refused = Err(if takes_token { 401 } else { 403 });
            assert!(rule.is_protected(&plain) && rule.is_protected(&token));
            assert!(!rule.is_protected(&open));
            assert_eq!(
                read(&rule, Some(&open), (FAR, &[WRONG])),
                Ok(ReadAdmission::Open)
            );
            let when = |known| {
                if known {
                    Ok(ReadAdmission::Personal)
                } else {
                    refused
                }
            };
            for asked in [Some(&plain), Some(&token), None] {
                let ask = |peer, headers| read(&rule, asked, (peer, headers));
                let (by_token, by_list) = (has != Has::List, has != Has::Token);
                assert_eq!(ask(FAR, &[]), refused);
                assert_eq!(
                    ask("127.0.0.1", &[("host", "localhost")]),
                    refused,
                    "not listed"
                );
                assert_eq!(ask("198.51.100.7", &[]), refused, "it is for operators");
                assert_eq!(ask(FAR, &[WRONG]), refused);
                assert_eq!(ask(FAR, &[READER]), when(by_token));
                assert_eq!(ask(FAR, &[BASIC]), when(by_token));
                assert_eq!(ask(FAR, &[ADMIN]), when(admin == Has::Token));
                assert_eq!(ask("203.0.113.7", &[]), when(by_list));
                assert_eq!(ask("203.0.113.7", &[WRONG]), when(by_list));
                assert_eq!(
                    ask("", &[("x-forwarded-for", "203.0.113.7")]),
                    when(by_list)
                );
            }
        }
    }
}

#[test]
fn a_wrong_token_is_answered_late_and_everything_else_at_once() {
    let rule = AccessRule::new(&settings(Has::Token, Has::Token));
    let time = |headers: &[(&str, &str)]| {
        let request = request(FAR, headers);
        let context = context(&rule, &request);
        at_once(async {
            let begun = Instant::now();
            let answer = rule.check_operator(&request, &context).await;
            (answer.is_ok(), begun.elapsed())
        })
    };
    assert_eq!(time(&[]), (false, Duration::ZERO));
    assert_eq!(
        time(&[("authorization", "Digest x")]),
        (false, Duration::ZERO)
    );
    assert_eq!(time(&[ADMIN]), (true, Duration::ZERO));
    let (let_in, waited) = time(&[WRONG]);
    assert!(!let_in && waited >= WRONG_TOKEN_DELAY, "{waited:?}");
}

#[test]
fn who_guesses_too_often_is_not_even_heard_and_everybody_else_is() {
    let rule = AccessRule::new(&settings(Has::Both, Has::Both));
    let guesses = (0..1000).map(|_| operator(&rule, FAR, &[WRONG]));
    let heard = guesses.take_while(|status| *status == 401).count();
    assert!((1..100).contains(&heard), "{heard}");
    let request = request(FAR, &[WRONG]);
    let refused = at_once(rule.check_operator(&request, &context(&rule, &request))).unwrap_err();
    assert_eq!(refused.status(), 429);
    assert!(refused.retry_after().unwrap() > Duration::ZERO);
    let words = refused.public_message(false);
    assert!(words.contains("too many wrong tokens"), "{words}");
    // Nor with the right one: else guessing would go on behind the refusals.
    assert_eq!(operator(&rule, FAR, &[ADMIN]), 429);
    let plain = query("");
    assert_eq!(read(&rule, Some(&plain), (FAR, &[READER])), Err(429));
    // Without one there is nothing to be guessed.
    assert_eq!(operator(&rule, FAR, &[]), 401);
    assert_eq!(
        operator(&rule, "127.0.0.1", &[("host", "localhost"), WRONG]),
        200
    );
    assert_eq!(operator(&rule, "198.51.100.7", &[WRONG]), 200);
    // Some may share its account; most do not.
    let others = (1..=20).map(|last| operator(&rule, &format!("192.0.2.{}", 100 + last), &[ADMIN]));
    assert!(others.filter(|status| *status == 200).count() >= 15);
}
