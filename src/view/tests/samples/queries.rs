//! Home, the catalog and the page of a query.

use std::time::Duration;

use maud::PreEscaped;

use super::super::super::frame::PageFrame;
use super::super::super::home::{HomeOutline, HomePage};
use super::super::super::query::QueryPage;
use super::super::super::query_info::QueryInfo;
use super::super::super::race::{ComparisonPanel, SpeedComparison};
use super::super::super::table::{ResultTable, TableCell};
use super::super::super::{render_catalog, render_home, render_query};
use super::{Pages, World, answer};
use crate::outcome::{BypassReason, Outcome, StaleReason, Tier};
use crate::query::{DatabaseKind, Query};

impl World<'_> {
    pub(super) fn home(&self, frame: PageFrame<'_>, pages: &mut Pages) {
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
            let page = HomePage {
                query: info,
                host: Some(&host),
                given: &[],
                sections: vec![
                    (
                        "database_version".to_owned(),
                        TableCell::Text(version.clone()),
                    ),
                    (text("not_known"), TableCell::Null),
                ],
                provenance: Some(answer),
                elapsed: answer.elapsed,
                failure: None,
            };
            let outline = HomeOutline::render(&frame, &page);
            let whole =
                outline.fill_page(answer.elapsed, Some(&answer), &ComparisonPanel::new(pace()));
            let whole = PreEscaped(String::from_utf8(whole).unwrap());
            pages.push((format!("home-{name}"), whole));
        }
        let message = text("we're currently experiencing technical difficulties");
        let page = HomePage {
            query: info,
            host: Some(&host),
            given: &[],
            sections: Vec::new(),
            provenance: None,
            elapsed: Duration::from_micros(2_002_310),
            failure: Some(Self::failure(503, &message, &id)),
        };
        pages.push(("home-error".to_owned(), render_home(&frame, &page)));
    }

    pub(super) fn catalog(&self, frame: PageFrame<'_>, pages: &mut Pages) {
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
        pages.push(("catalog".to_owned(), render_catalog(&frame, &all)));
        pages.push(("catalog-empty".to_owned(), render_catalog(&frame, &[])));
    }

    pub(super) fn query(&self, frame: PageFrame<'_>, pages: &mut Pages) {
        let text = self.text;
        let id = text("b7c1f0e2a94d");
        let given = vec![
            ("region".to_owned(), text("mars & co")),
            ("top".to_owned(), text("7")),
        ];
        let page = |table: Option<ResultTable>, outcome: Option<Outcome>, failure| QueryPage {
            query: self.info(),
            given: &given,
            table,
            provenance: outcome.map(answer),
            failure,
        };
        let mut draw = |name: &str, page: QueryPage<'_>| {
            pages.push((format!("query-{name}"), render_query(&frame, &page)));
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
        let given_wrong = vec![
            ("region".to_owned(), "eu".to_owned()),
            ("top".to_owned(), text("7x")),
        ];
        let wrong = refusal(&given_wrong);
        let failure = Some(Self::failure(400, &wrong, &id));
        let refused = QueryPage {
            given: &given_wrong,
            ..page(None, None, failure)
        };
        draw("refused", refused);
        let given_unknown = vec![(text("regoin"), "eu".to_owned())];
        let unknown = refusal(&given_unknown);
        let failure = Some(Self::failure(400, &unknown, &id));
        let refused = QueryPage {
            given: &given_unknown,
            ..page(None, None, failure)
        };
        draw("unknown", refused);
        let slow = text("the query took too long");
        draw(
            "late",
            page(None, None, Some(Self::failure(504, &slow, &id))),
        );
    }

    fn table(&self, rows: usize, truncated: bool) -> ResultTable {
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
                TableCell::Text(text(["eu", "us", "apac"][n % 3])),
                TableCell::Text(text("Lindström & Søn")),
                TableCell::Number((120 * (n + 3) * (n + 1)).to_string()),
                TableCell::Number(format!("{}.{:02}", 18_230 * (n + 1), n * 7)),
                TableCell::Text(text("2026-03-14T09:26:53+00:00")),
                note.map_or(TableCell::Null, TableCell::Text),
                TableCell::Json(text(r#"["new","paid"]"#)),
            ]
        };
        ResultTable {
            columns: columns.iter().map(|column| text(column)).collect(),
            rows: (0..rows).map(row).collect(),
            truncated,
            ..ResultTable::default()
        }
    }
}

/// What the server says of these parameters.
fn refusal(given: &[(String, String)]) -> String {
    let text = "-- param: since date = 2026-01-01\n-- param: region text = any : eu, us, any\n\
                -- param: top integer = 10 : 1..100\nselect :since, :region, :top";
    let query = Query::parse(DatabaseKind::Sqlite, "revenue", text).unwrap();
    query
        .read_arguments(given)
        .unwrap_err()
        .public_message(false)
}

/// What loads and copies took.
fn pace() -> SpeedComparison {
    SpeedComparison {
        load: Some((Duration::from_micros(5_021_480), 12)),
        copy: Some((Duration::from_micros(184), 1_204)),
    }
}
