//! Every page in its main states. Each text that comes from outside goes through a function, so
//! that a test can put a payload in its place.

use std::time::Duration;

use maud::Markup;
use time::OffsetDateTime;

use super::super::*;
use crate::outcome::{BypassReason, Outcome, StaleReason, Tier};
use crate::query::{Allowed, ParamDefault, ParamType, Value};
use crate::stats::Numbers;

pub(super) fn assets() -> Assets {
    Assets {
        style: "style.css".to_owned(),
        favicon: "favicon.svg".to_owned(),
    }
}

/// All pages by a name, with every outside text replaced by what `text` makes of it.
pub(super) fn pages(text: impl Fn(&str) -> String) -> Vec<(String, Markup)> {
    let assets = assets();
    let frame = Frame {
        assets: &assets,
        version: Some("0.1.0"),
    };
    let world = World::new(&text);
    let mut pages = Vec::new();
    world.home(frame, &mut pages);
    world.catalog(frame, &mut pages);
    world.query(frame, &mut pages);
    world.stats(frame, &mut pages);
    world.errors(frame, &mut pages);
    pages
}

type Pages = Vec<(String, Markup)>;

/// The texts that come from outside.
struct World<'a> {
    text: &'a dyn Fn(&str) -> String,
    title: String,
    description: String,
    name: String,
    params: Vec<Param>,
}

pub(super) fn answer(outcome: Outcome) -> Provenance {
    let loaded = matches!(outcome, Outcome::Miss | Outcome::Bypass(_));
    let stale = matches!(outcome, Outcome::Stale(_));
    Provenance {
        outcome,
        age: Duration::from_millis(match (loaded, stale) {
            (true, _) => 0,
            (_, true) => 12_400,
            _ => 2_760,
        }),
        ttl: Duration::from_secs(10),
        ttl_left: Duration::from_millis(match (loaded, stale) {
            (true, _) => 9_820,
            (_, true) => 0,
            _ => 7_060,
        }),
        load_time: Duration::from_micros(5_021_480),
        elapsed: match outcome {
            Outcome::Coalesced => Duration::from_millis(3_120),
            _ if loaded => Duration::from_micros(5_024_620),
            Outcome::Hit(Tier::Redis) => Duration::from_micros(900),
            _ => Duration::from_micros(184),
        },
        stored: !matches!(outcome, Outcome::Bypass(_)),
    }
}

impl<'a> World<'a> {
    fn new(text: &'a dyn Fn(&str) -> String) -> World<'a> {
        World {
            text,
            title: text("Revenue by region"),
            description: text(
                "Paid orders since a day, by region, from the generated shop of the demo.",
            ),
            name: text("revenue"),
            params: params(text),
        }
    }

    fn info(&self) -> QueryInfo<'_> {
        QueryInfo {
            name: &self.name,
            title: &self.title,
            description: Some(&self.description),
            params: &self.params,
            ttl: Some(Duration::from_secs(30)),
        }
    }

    fn failure<'b>(status: u16, message: &'b str, id: &'b str) -> Failure<'b> {
        let retry_after = (status == 503).then_some(Duration::from_secs(2));
        Failure {
            status,
            message,
            id,
            retry_after,
        }
    }

    fn home(&self, frame: Frame<'_>, pages: &mut Pages) {
        let text = self.text;
        let (host, id) = (
            text("unslow.c1x2y3z4.eu-west-1.rds.amazonaws.com"),
            text("b7c1f0e2a94d"),
        );
        let version =
            text("PostgreSQL 16.4 on x86_64-pc-linux-gnu, compiled by gcc (GCC) 7.3.1, 64-bit");
        let title = text("Database version");
        let lead = text("Asked from a function that takes five seconds to answer.");
        let info = QueryInfo {
            title: &title,
            description: Some(&lead),
            params: &[],
            ttl: Some(Duration::from_secs(10)),
            ..self.info()
        };
        let outcomes = [
            ("memory", Outcome::Hit(Tier::Memory)),
            ("redis", Outcome::Hit(Tier::Redis)),
            ("miss", Outcome::Miss),
            ("stale", Outcome::Stale(StaleReason::Revalidating)),
            ("stale-error", Outcome::Stale(StaleReason::LoadError)),
            ("coalesced", Outcome::Coalesced),
            ("bypass", Outcome::Bypass(BypassReason::CacheOff)),
        ];
        for (name, outcome) in outcomes {
            let answer = answer(outcome);
            let page = Home {
                query: info,
                host: Some(&host),
                sections: vec![
                    ("database_version".to_owned(), Cell::Text(version.clone())),
                    (text("not_known"), Cell::Null),
                ],
                provenance: Some(answer),
                elapsed: answer.elapsed,
                failure: None,
            };
            pages.push((format!("home-{name}"), super::super::home(&frame, &page)));
        }
        let message = text("we're currently experiencing technical difficulties");
        let page = Home {
            query: info,
            host: Some(&host),
            sections: Vec::new(),
            provenance: None,
            elapsed: Duration::from_micros(2_002_310),
            failure: Some(Self::failure(503, &message, &id)),
        };
        pages.push(("home-error".to_owned(), super::super::home(&frame, &page)));
    }

    fn catalog(&self, frame: Frame<'_>, pages: &mut Pages) {
        let version = QueryInfo {
            name: "version",
            title: "Database version",
            params: &[],
            ttl: Some(Duration::from_secs(10)),
            ..self.info()
        };
        let live = QueryInfo {
            name: "now",
            description: None,
            ttl: None,
            params: &[],
            ..self.info()
        };
        let all = [self.info(), version, live];
        pages.push(("catalog".to_owned(), super::super::catalog(&frame, &all)));
        pages.push((
            "catalog-empty".to_owned(),
            super::super::catalog(&frame, &[]),
        ));
    }

    fn query(&self, frame: Frame<'_>, pages: &mut Pages) {
        let text = self.text;
        let id = text("b7c1f0e2a94d");
        let given = vec![
            ("region".to_owned(), text("mars")),
            ("top".to_owned(), text("7")),
        ];
        let query_string = text("?region=any&top=7");
        let page = |table: Option<Table>, outcome: Option<Outcome>, failure| QueryPage {
            query: self.info(),
            given: &given,
            table,
            provenance: outcome.map(answer),
            failure,
            query_string: &query_string,
        };
        let mut draw = |name: &str, page: QueryPage<'_>| {
            pages.push((format!("query-{name}"), super::super::query(&frame, &page)));
        };
        draw(
            "rows",
            page(
                Some(self.table(9, true)),
                Some(Outcome::Hit(Tier::Memory)),
                None,
            ),
        );
        draw(
            "no-rows",
            page(Some(self.table(0, false)), Some(Outcome::Miss), None),
        );
        draw("ask", page(None, None, None));
        let wrong = text("must be a whole number from 1 to 100");
        let wrong = format!("parameter \"top\" {wrong}");
        draw(
            "refused",
            page(None, None, Some(Self::failure(400, &wrong, &id))),
        );
        let unknown = text("there is no such parameter");
        draw(
            "unknown",
            page(None, None, Some(Self::failure(400, &unknown, &id))),
        );
        let slow = text("the query took too long");
        draw(
            "late",
            page(None, None, Some(Self::failure(504, &slow, &id))),
        );
    }

    fn table(&self, rows: usize, truncated: bool) -> Table {
        let text = self.text;
        let columns = [
            "region",
            "customer",
            "orders",
            "revenue",
            "last_order",
            "note",
            "tags",
        ];
        let row = |n: usize| {
            let note = (n == 2).then(|| {
                text("A long remark that somebody wrote about this region: it should wrap in its column, keep the table readable and never push the page sideways.")
            });
            vec![
                Cell::Text(text(["eu", "us", "apac"][n % 3])),
                Cell::Text(text("Lindström & Søn")),
                Cell::Number((120 * (n + 3) * (n + 1)).to_string()),
                Cell::Number(format!("{}.{:02}", 18_230 * (n + 1), n * 7)),
                Cell::Text(text("2026-03-14T09:26:53+00:00")),
                note.map_or(Cell::Null, Cell::Text),
                Cell::Json(text(r#"["new","paid"]"#)),
            ]
        };
        Table {
            columns: columns.iter().map(|column| text(column)).collect(),
            rows: (0..rows).map(row).collect(),
            truncated,
        }
    }

    fn stats(&self, frame: Frame<'_>, pages: &mut Pages) {
        let text = self.text;
        let (instance, breaker, class) =
            (text("web-1:4711"), text("open for 12 s"), text("timeout"));
        let (good, quiet) = (numbers(1), Numbers::default());
        let bad = Numbers {
            load_errors: 30,
            hit_ratio: Some(0.41),
            ..numbers(3)
        };
        let row = |query, numbers, last_load| StatsRow {
            query,
            numbers,
            last_load,
        };
        let last = Some(Duration::from_micros(5_021_480));
        let page = StatsPage {
            instance: Some(&instance),
            generated_at: OffsetDateTime::from_unix_timestamp(1_795_417_200).unwrap(),
            uptime: Duration::from_secs(187_245),
            total: &good,
            queries: vec![row(&self.name, &quiet, None), row("version", &good, last)],
            memory: Some(MemoryTier {
                entries: 1_204,
                bytes: 18_874_368,
                max_bytes: 67_108_864,
            }),
            redis: Some(RedisTier {
                up: true,
                breaker: "closed",
                last_error: None,
            }),
            database_up: Some(true),
        };
        pages.push(("stats".to_owned(), super::super::stats(&frame, &page)));
        let worse = StatsPage {
            total: &bad,
            queries: vec![row(&self.name, &bad, last), row("version", &quiet, None)],
            redis: Some(RedisTier {
                up: false,
                breaker: &breaker,
                last_error: Some(&class),
            }),
            database_up: Some(false),
            ..page
        };
        pages.push((
            "stats-worse".to_owned(),
            super::super::stats(&frame, &worse),
        ));
        let new = StatsPage {
            instance: None,
            uptime: Duration::ZERO,
            total: &quiet,
            queries: Vec::new(),
            memory: None,
            redis: None,
            database_up: None,
            ..worse
        };
        pages.push(("stats-new".to_owned(), super::super::stats(&frame, &new)));
    }

    fn errors(&self, frame: Frame<'_>, pages: &mut Pages) {
        let id = (self.text)("b7c1f0e2a94d");
        let cases = [
            (
                403,
                "statistics are open to this machine only; [stats] allow or [admin] token_file opens them",
            ),
            (404, "there is no query named \"revenues\""),
            (405, "this page is read with GET"),
            (413, "the request's body is larger than 64 KiB"),
            (431, "a header is too long"),
            (500, "we're currently experiencing technical difficulties"),
            (503, "we're currently experiencing technical difficulties"),
            (504, "the query took too long"),
        ];
        for (status, message) in cases {
            let message = (self.text)(message);
            let page = ErrorPage {
                failure: Self::failure(status, &message, &id),
                suggestion: (status == 404).then_some(self.name.as_str()),
            };
            pages.push((
                format!("error-{status}"),
                super::super::error(&frame, &page),
            ));
        }
    }
}

fn numbers(factor: u64) -> Numbers {
    Numbers {
        requests: 1_284_310 * factor,
        hit_memory: 1_190_004 * factor,
        hit_redis: 61_200 * factor,
        stale: 18_400 * factor,
        coalesced: 9_120 * factor,
        miss: 5_586 * factor,
        loads: 24_061 * factor,
        load_errors: 3 * factor,
        load_seconds: 120_713.0,
        hit_ratio: Some(0.988),
        time_saved_seconds: 6_371_904.0,
        ..Numbers::default()
    }
}

/// One parameter of each type and kind of default.
fn params(text: &dyn Fn(&str) -> String) -> Vec<Param> {
    let param = |name: &str, kind, default, allowed| Param {
        name: name.to_owned(),
        kind,
        default,
        allowed,
    };
    let word = |value: &str| Value::Text(text(value));
    vec![
        param(
            "since",
            ParamType::Date,
            ParamDefault::Value(Value::Date(text("2026-01-01"))),
            Allowed::Anything,
        ),
        param(
            "region",
            ParamType::Text,
            ParamDefault::Value(word("any")),
            Allowed::List(vec![word("eu"), word("us"), word("any")]),
        ),
        param(
            "top",
            ParamType::Integer,
            ParamDefault::Value(Value::Integer(10)),
            Allowed::Range(Value::Integer(1), Value::Integer(100)),
        ),
        param(
            "paid",
            ParamType::Boolean,
            ParamDefault::Value(Value::Null),
            Allowed::Anything,
        ),
        param(
            "until",
            ParamType::Timestamp,
            ParamDefault::Value(Value::Null),
            Allowed::Anything,
        ),
        param(
            "customer",
            ParamType::Uuid,
            ParamDefault::Value(Value::Null),
            Allowed::Anything,
        ),
        param(
            "order",
            ParamType::Bigint,
            ParamDefault::Value(Value::Null),
            Allowed::Anything,
        ),
        param(
            "name",
            ParamType::Text,
            ParamDefault::Value(word("Ångström")),
            Allowed::Anything,
        ),
    ]
}
