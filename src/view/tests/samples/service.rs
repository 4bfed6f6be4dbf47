//! Statistics and error pages.

use super::super::super::{ErrorPage, Frame, NotReloaded, StatsPage, StatsSort};
use super::super::super::{error, stats};
use super::{Pages, World};
use crate::stats::{
    DatabaseSnapshot, Instance, MemorySnapshot, Numbers, QuerySnapshot, RedisSnapshot, Snapshot,
};

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
        let row = |query: &str, numbers: &Numbers| QuerySnapshot {
            query: query.to_owned(),
            numbers: numbers.clone(),
            ..QuerySnapshot::default()
        };
        let gone = QuerySnapshot {
            removed: true,
            ..row("gone", &quiet)
        };
        let snapshot = Snapshot {
            generated_at: 1_795_417_200.0,
            uptime_seconds: 187_245.0,
            instance: Instance {
                name: instance,
                ..Instance::default()
            },
            total: good.clone(),
            queries: vec![row(&self.name, &quiet), row("version", &good), gone],
            memory: MemorySnapshot {
                entries: 1_204,
                bytes: 18_874_368,
                max_bytes: 67_108_864,
                ..MemorySnapshot::default()
            },
            redis: Some(RedisSnapshot {
                up: Some(true),
                breaker: "closed".to_owned(),
                ..RedisSnapshot::default()
            }),
            database: database(Some(true)),
            ..Snapshot::default()
        };
        let good_page = stats(&frame, &page(&snapshot, None));
        pages.push(("stats".to_owned(), good_page));
        let worse = Snapshot {
            total: bad.clone(),
            queries: vec![row(&self.name, &bad), row("version", &quiet)],
            redis: Some(RedisSnapshot {
                up: Some(false),
                breaker,
                last_error: Some(class),
                ..RedisSnapshot::default()
            }),
            database: database(Some(false)),
            ..snapshot
        };
        let refused = NotReloaded {
            at: "2026-11-23T05:06:40.123Z",
            message: &refusal,
        };
        let worse_page = stats(&frame, &page(&worse, Some(refused)));
        pages.push(("stats-worse".to_owned(), worse_page));
        let new_page = stats(&frame, &page(&Snapshot::default(), None));
        pages.push(("stats-new".to_owned(), new_page));
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

fn database(up: Option<bool>) -> DatabaseSnapshot {
    DatabaseSnapshot {
        up,
        ..DatabaseSnapshot::default()
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
        last_load_seconds: Some(5.021_48),
        hit_ratio: Some(0.988),
        time_saved_seconds: 6_371_904.0,
        ..Numbers::default()
    }
}

fn page<'a>(snapshot: &'a Snapshot, not_reloaded: Option<NotReloaded<'a>>) -> StatsPage<'a> {
    StatsPage {
        snapshot,
        sort: StatsSort::default(),
        refresh: None,
        not_reloaded,
    }
}
