//! Statistics and error pages.

use std::time::Duration;

use time::OffsetDateTime;

use super::super::super::{
    ErrorPage, Frame, MemoryTier, NotReloaded, RedisTier, StatsPage, StatsRow,
};
use super::super::super::{error, stats};
use super::{Pages, World};
use crate::stats::Numbers;

impl World<'_> {
    pub(super) fn stats(&self, frame: Frame<'_>, pages: &mut Pages) {
        let text = self.text;
        let (instance, breaker, class) =
            (text("web-1:4711"), text("open for 12 s"), text("timeout"));
        let refusal = text("app.ini:7: [cache] ttl: \"ten\" is no duration\n  write 10s, 5m or 2h");
        let (good, quiet) = (numbers(1), Numbers::default());
        let bad = Numbers {
            load_errors: 30,
            hit_ratio: Some(0.41),
            ..numbers(3)
        };
        let row = |query, numbers, last_load| StatsRow {
            query,
            removed: false,
            numbers,
            last_load,
        };
        let gone = StatsRow {
            removed: true,
            ..row("gone", &quiet, None)
        };
        let last = Some(Duration::from_micros(5_021_480));
        let page = StatsPage {
            instance: Some(&instance),
            generated_at: OffsetDateTime::from_unix_timestamp(1_795_417_200).unwrap(),
            uptime: Duration::from_secs(187_245),
            total: &good,
            queries: vec![
                row(&self.name, &quiet, None),
                row("version", &good, last),
                gone,
            ],
            memory: Some(MemoryTier {
                entries: 1_204,
                bytes: 18_874_368,
                max_bytes: 67_108_864,
            }),
            redis: Some(RedisTier {
                up: Some(true),
                breaker: "closed",
                last_error: None,
            }),
            database_up: Some(true),
            not_reloaded: None,
        };
        pages.push(("stats".to_owned(), stats(&frame, &page)));
        let worse = StatsPage {
            total: &bad,
            queries: vec![row(&self.name, &bad, last), row("version", &quiet, None)],
            redis: Some(RedisTier {
                up: Some(false),
                breaker: &breaker,
                last_error: Some(&class),
            }),
            database_up: Some(false),
            not_reloaded: Some(NotReloaded {
                at: "2026-11-23T05:06:40.123Z",
                message: &refusal,
            }),
            ..page
        };
        pages.push(("stats-worse".to_owned(), stats(&frame, &worse)));
        let new = StatsPage {
            instance: None,
            uptime: Duration::ZERO,
            total: &quiet,
            queries: Vec::new(),
            memory: None,
            redis: None,
            database_up: None,
            not_reloaded: None,
            ..worse
        };
        pages.push(("stats-new".to_owned(), stats(&frame, &new)));
    }

    pub(super) fn errors(&self, frame: Frame<'_>, pages: &mut Pages) {
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
            pages.push((format!("error-{status}"), error(&frame, &page)));
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
