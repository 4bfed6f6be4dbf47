//! The cost of rendering the pages, for those who change them: `cargo bench --bench page`. `cargo
//! bench --bench page`. The statistics page with 200 queries, three instances and full drawings,
//! whole and as the part that its script asks for; the home page, which is filled for every
//! request.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use unslow::outcome::{Outcome, Tier};
use unslow::stats::{
    HotKey, InstanceSnapshot, InstanceTotals, Percentiles, QuerySnapshot, RedisInfo, RedisSnapshot,
    SeriesPoint, SlowLoad, SnapshotSeries, StatsSnapshot, SummaryNumbers,
};
use unslow::view;

const QUERIES: u64 = 200;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let assets = view::AssetUrls {
        style: "/static/style-0123abcd.css".to_owned(),
        favicon: "/static/favicon-0123abcd.svg".to_owned(),
    };
    let frame = view::PageFrame {
        assets: &assets,
        version: Some("0.1.0"),
        here: view::PagesHere::All,
    };
    let snapshot = snapshot();
    let page = view::StatsPage {
        snapshot: &snapshot,
        sort: view::StatsSort::default(),
        refresh: None,
        not_reloaded: None,
        evicted: None,
        script: "/static/stats-0123abcd.js",
        here: view::PagesHere::All,
        of_late: None,
        lines_lost: 0,
    };
    criterion.bench_function("the page /stats, 200 queries", |b| {
        b.iter(|| view::render_stats(&frame, black_box(&page)).into_string());
    });
    criterion.bench_function("the part of /stats that changes", |b| {
        b.iter(|| view::render_live(black_box(&page)).into_string());
    });
    let (outline, answer) = (outline(&frame), answer());
    let race = view::ComparisonPanel::new(view::SpeedComparison::new(&times(1), &times(20_000)));
    criterion.bench_function("the page / from its outline", |b| {
        b.iter(|| outline.fill_page(answer.elapsed, Some(black_box(&answer)), &race));
    });
    criterion.final_summary();
}

fn outline(frame: &view::PageFrame<'_>) -> view::HomeOutline {
    let page = view::HomePage {
        given: &[],
        query: view::QueryInfo {
            name: "version",
            title: "Database version",
            description: Some("Asks the database for its version, and takes its time."),
            params: &[],
            ttl: Some(Duration::from_secs(10)),
        },
        host: Some("localhost"),
        sections: vec![(
            "database_version".to_owned(),
            view::TableCell::Text("SQLite 3.50".to_owned()),
        )],
        provenance: Some(answer()),
        elapsed: Duration::ZERO,
        failure: None,
    };
    view::HomeOutline::render(frame, &page)
}

fn answer() -> view::Provenance {
    view::Provenance {
        outcome: Outcome::Hit(Tier::Memory),
        age: Duration::from_secs(3),
        ttl: Duration::from_secs(10),
        ttl_left: Duration::from_secs(7),
        load_time: Duration::from_secs(5),
        elapsed: Duration::from_micros(30),
        stored: true,
    }
}

fn snapshot() -> StatsSnapshot {
    let query = |n: u64| QuerySnapshot {
        query: format!("a_query_of_some_length_{n}"),
        ttl_seconds: Some(30.0),
        numbers: numbers(n * 7919 % 10_007),
        ..QuerySnapshot::default()
    };
    let sum = |n: u64| (format!("a_query_of_some_length_{n}"), numbers(n));
    let instance = |n: u64| {
        let mut one = InstanceSnapshot {
            uptime_seconds: 100_000.0,
            numbers: numbers(n),
            ..InstanceSnapshot::default()
        };
        one.instance.id = format!("web-{n}");
        one
    };
    StatsSnapshot {
        total: numbers(1_000_000),
        queries: (0..QUERIES).map(query).collect(),
        series: series(),
        slowest: (0..20).map(|_| SlowLoad::default()).collect(),
        hottest: (0..20).map(|_| HotKey::default()).collect(),
        redis: Some(RedisSnapshot {
            info: Some(RedisInfo::default()),
            ..RedisSnapshot::default()
        }),
        instances: InstanceTotals {
            alone_because: None,
            each: (0..3).map(instance).collect(),
            total: numbers(3_000_000),
            queries: (0..QUERIES).map(sum).collect::<BTreeMap<_, _>>(),
            ..InstanceTotals::default()
        },
        ..StatsSnapshot::default()
    }
}

fn series() -> SnapshotSeries {
    let point = SeriesPoint {
        hit_ratio: Some(0.93),
        requests_per_second: 812.0,
        loads_per_second: 3.2,
        time_saved_seconds: 401.7,
        hit_p95_seconds: Some(0.000_4),
        load_p95_seconds: Some(2.1),
    };
    SnapshotSeries {
        step_seconds: 5,
        ends_at: 1_795_417_200.0,
        points: vec![Some(point); SnapshotSeries::POINTS],
    }
}

fn numbers(n: u64) -> SummaryNumbers {
    SummaryNumbers {
        requests: n * 1_204,
        hit_memory: n * 1_100,
        hit_redis: n * 61,
        stale: n * 13,
        loads: n * 17,
        load_errors: n / 100,
        hit_ratio: Some(0.948),
        served_bytes: n * 81_204,
        requests_per_second: Some(12.4),
        loads_per_second: Some(0.12),
        hit: times(1),
        load: times(20_000),
        ..SummaryNumbers::default()
    }
}

fn times(factor: u32) -> Percentiles {
    let time = |micros: f64| Some(micros * f64::from(factor) / 1e6);
    Percentiles {
        count: 12_040,
        p50_seconds: time(210.0),
        p95_seconds: time(480.0),
        p99_seconds: time(1_204.0),
    }
}
