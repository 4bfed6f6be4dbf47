//! The same numbers in every form, and the forms kept.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::stats::StatsSnapshot;

/// What `/metrics` says, by name and labels.
fn scraped(snapshot: &StatsSnapshot, dialect: MetricsDialect) -> BTreeMap<String, f64> {
    let process = samples::process();
    let all = MetricsInput {
        snapshot,
        process: &process,
        reloads: ReloadCounts {
            all: 5,
            failed: 2,
            last_failed: true,
            settings_since: 1_700_000_007,
        },
        commit: Some("abc123"),
    };
    let text = write_metrics(&all, dialect);
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let mut found = BTreeMap::new();
    for sample in samples {
        let (name, value) = sample.rsplit_once(' ').unwrap();
        let twice = found.insert(name.to_owned(), value.parse().unwrap());
        assert_eq!(twice, None, "{name}");
    }
    found
}

/// The rows of the CSV, by their first two cells.
fn rows(snapshot: &StatsSnapshot) -> BTreeMap<(String, String), BTreeMap<String, String>> {
    let text = write_csv(snapshot);
    let mut lines = text.split_terminator("\r\n").map(|line| line.split(','));
    let head: Vec<_> = lines.next().unwrap().map(str::to_owned).collect();
    lines
        .map(|cells| {
            let cells: Vec<_> = cells.map(str::to_owned).collect();
            assert_eq!(cells.len(), head.len());
            let row = head.iter().cloned().zip(cells.iter().cloned()).collect();
            ((cells[0].clone(), cells[1].clone()), row)
        })
        .collect()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

#[test]
fn every_number_is_the_same_in_json_csv_and_lines() {
    let snapshot = samples::snapshot();
    let json = serde_json::to_value(&snapshot).unwrap();
    let text = write_lines(&json);
    let line = |key: &str| {
        let start = format!("{key}: ");
        let found = text.lines().find_map(|line| line.strip_prefix(&start));
        found.unwrap_or_else(|| panic!("no {key} in {text}"))
    };
    let rows = rows(&snapshot);
    assert_eq!(rows.len(), 3);
    for (scope, query, place) in [
        ("query", "revenue", "/queries/0"),
        ("removed", "a-b_c", "/queries/1"),
        ("total", "", "/total"),
    ] {
        let row = &rows[&(scope.to_owned(), query.to_owned())];
        let key = if scope == "total" {
            "total".to_owned()
        } else {
            format!("queries.{query}")
        };
        for (column, pointer) in COLUMNS {
            let value = json.pointer(&format!("{place}{pointer}"));
            let value = value.unwrap_or_else(|| panic!("the JSON has no {place}{pointer}"));
            let (in_csv, in_lines) = match value {
                Value::Null => (String::new(), "n/a".to_owned()),
                value => (value.to_string(), value.to_string()),
            };
            assert_eq!(row[column], in_csv, "{column}");
            assert_eq!(
                line(&format!("{key}{}", pointer.replace('/', "."))),
                in_lines
            );
        }
    }
    assert_eq!(
        rows[&("query".to_owned(), "revenue".to_owned())]["ttl_seconds"],
        "10.5"
    );
    assert_eq!(line("redis.info.used_memory"), "3145728");
    assert_eq!(line("memory.evictions.size"), "75");
    assert_eq!(line("queries.revenue.loads_by_trigger.request"), "2");
    assert!(!text.contains("series") && json.get("series").is_some());
    // What somebody wrote stays within its line and steers no terminal.
    assert_eq!(line("instances.each.1.name"), r"web-2:78\u{1b}[1m");
}

/// How a number is called in JSON, and in metrics, where `Q` stands for the labels of a query.
const SAME: [(&str, &str); 23] = [
    ("requests", "unslow_requests_total{Q}"),
    ("hit_memory", "unslow_hits_total{Q,tier=\"memory\"}"),
    ("hit_redis", "unslow_hits_total{Q,tier=\"redis\"}"),
    (
        "stale_revalidating",
        "unslow_stale_served_total{Q,reason=\"revalidating\"}",
    ),
    (
        "stale_load_error",
        "unslow_stale_served_total{Q,reason=\"load_error\"}",
    ),
    ("coalesced", "unslow_coalesced_total{Q}"),
    ("miss", "unslow_misses_total{Q}"),
    ("bypass", "unslow_bypassed_total{Q}"),
    ("error", "unslow_request_errors_total{Q}"),
    (
        "loads_by_trigger/request",
        "unslow_loads_total{Q,trigger=\"request\"}",
    ),
    (
        "loads_by_trigger/refresh",
        "unslow_loads_total{Q,trigger=\"refresh\"}",
    ),
    (
        "load_errors_by_class/failed",
        "unslow_load_errors_total{Q,class=\"failed\"}",
    ),
    (
        "load_errors_by_class/timeout",
        "unslow_load_errors_total{Q,class=\"timeout\"}",
    ),
    (
        "load/count",
        "unslow_load_duration_seconds_bucket{Q,le=\"+Inf\"}",
    ),
    ("load/count", "unslow_load_duration_seconds_count{Q}"),
    ("load_seconds", "unslow_load_seconds_total{Q}"),
    ("load_seconds", "unslow_load_duration_seconds_sum{Q}"),
    ("time_saved_seconds", "unslow_time_saved_seconds_total{Q}"),
    (
        "coalesced_saved_seconds",
        "unslow_coalesced_time_saved_seconds_total{Q}",
    ),
    ("refused_values", "unslow_refused_values_total{Q}"),
    ("served_bytes", "unslow_served_bytes_total{Q}"),
    ("compressions", "unslow_compressions_total{Q}"),
    ("loads_not_tried", "unslow_loads_not_tried_total{Q}"),
];

#[test]
fn every_number_of_a_query_is_the_same_in_json_and_metrics() {
    let snapshot = samples::snapshot();
    let json = serde_json::to_value(&snapshot).unwrap();
    for dialect in [MetricsDialect::Text, MetricsDialect::OpenMetrics] {
        let metrics = scraped(&snapshot, dialect);
        for (place, query) in ["revenue", "a-b_c"].into_iter().enumerate() {
            for (name, metric) in SAME {
                let metric = metric.replace('Q', &format!("query=\"{query}\""));
                let value = json.pointer(&format!("/queries/{place}/{name}"));
                let value = value.and_then(Value::as_f64).unwrap();
                let Some(found) = metrics.get(&metric) else {
                    panic!("no {metric} in {:?}", metrics.keys());
                };
                assert!(close(*found, value), "{metric}: {found} {value}");
            }
        }
        for (outcome, count) in [
            ("hit", ["hit_memory", "hit_redis"].as_slice()),
            ("stale", &["stale"]),
            ("coalesced", &["coalesced"]),
            ("miss", &["miss"]),
            ("bypass", &["bypass"]),
            ("error", &["error"]),
        ] {
            let name = format!("unslow_request_duration_seconds_count{{outcome=\"{outcome}\"}}");
            let counts = count
                .iter()
                .map(|name| json["total"][name].as_f64().unwrap());
            assert!(close(metrics[&name], counts.sum()), "{name}");
        }
    }
}

#[test]
fn every_other_number_is_the_same_in_json_and_metrics() {
    let snapshot = samples::snapshot();
    let json = serde_json::to_value(&snapshot).unwrap();
    let metrics = scraped(&snapshot, MetricsDialect::Text);
    for (pointer, metric) in [
        ("/total/loads_in_flight", "unslow_loads_in_flight"),
        ("/memory/entries", "unslow_memory_entries"),
        ("/memory/bytes", "unslow_memory_bytes"),
        ("/memory/max_bytes", "unslow_memory_max_bytes"),
        (
            "/memory/evictions/size",
            "unslow_evictions_total{cause=\"size\"}",
        ),
        ("/redis/reads", "unslow_redis_reads_total"),
        ("/redis/writes", "unslow_redis_writes_total"),
        ("/redis/written_bytes", "unslow_redis_written_bytes_total"),
        (
            "/redis/errors/connect",
            "unslow_redis_errors_total{class=\"connect\"}",
        ),
        (
            "/redis/info/evicted_keys",
            "unslow_redis_evicted_keys_total",
        ),
        (
            "/redis/info/keyspace_hits",
            "unslow_redis_keyspace_hits_total",
        ),
        (
            "/redis/info/keyspace_misses",
            "unslow_redis_keyspace_misses_total",
        ),
        ("/redis/info/used_memory", "unslow_redis_memory_used_bytes"),
        ("/redis/info/maxmemory", "unslow_redis_memory_max_bytes"),
    ] {
        let value = json.pointer(pointer).and_then(Value::as_f64).unwrap();
        assert!(close(metrics[metric], value), "{metric}");
    }
    for (pool, of) in [("database", &json["database"]), ("redis", &json["redis"])] {
        for (name, metric) in [
            ("used", "unslow_pool_connections{P,state=\"used\"}"),
            ("idle", "unslow_pool_connections{P,state=\"idle\"}"),
            ("max", "unslow_pool_max_connections{P}"),
            ("waiting", "unslow_pool_waiting{P}"),
            ("timeouts", "unslow_pool_timeouts_total{P}"),
            ("stuck", "unslow_pool_stuck_connections{P}"),
        ] {
            let metric = metric.replace('P', &format!("pool=\"{pool}\""));
            assert!(
                close(metrics[&metric], of["pool"][name].as_f64().unwrap()),
                "{metric}"
            );
        }
    }
    for (metric, value) in [
        (
            "unslow_breaker_state{target=\"redis\",state=\"half-open\"}",
            1.0,
        ),
        (
            "unslow_breaker_state{target=\"redis\",state=\"closed\"}",
            0.0,
        ),
        (
            "unslow_breaker_state{target=\"database\",state=\"closed\"}",
            1.0,
        ),
        ("unslow_redis_up", 0.0),
        ("unslow_database_up", 1.0),
        ("unslow_config_reloads_total", 5.0),
        ("unslow_config_reload_failures_total", 2.0),
        ("unslow_config_last_reload_successful", 0.0),
        (
            "unslow_config_last_reload_success_timestamp_seconds",
            1_700_000_007.0,
        ),
        (
            "unslow_build_info{version=\"1.2.3\",commit=\"abc123\"}",
            1.0,
        ),
        ("process_cpu_seconds_total", 1.25),
        ("process_resident_memory_bytes", 20_971_520.0),
        ("process_virtual_memory_bytes", 41_943_040.0),
        ("process_open_fds", 33.0),
        ("process_max_fds", 1024.0),
        ("process_start_time_seconds", 1_700_000_000.25),
    ] {
        assert!(close(metrics[metric], value), "{metric}");
    }
}

#[test]
fn what_is_not_there_is_left_out_and_what_has_not_counted_is_zero() {
    let stats = crate::stats::Stats::new(["new"].into_iter());
    let snapshot = stats.take_snapshot(crate::stats::Window::Start);
    let metrics = scraped(&snapshot, MetricsDialect::Text);
    for zero in [
        "unslow_requests_total{query=\"new\"}",
        "unslow_hits_total{query=\"new\",tier=\"redis\"}",
        "unslow_load_duration_seconds_bucket{query=\"new\",le=\"0.000512\"}",
        "unslow_request_duration_seconds_count{outcome=\"error\"}",
        "unslow_evictions_total{cause=\"size\"}",
    ] {
        assert!(close(metrics[zero], 0.0), "{zero}");
    }
    for absent in ["unslow_redis", "database_up", "half-open"] {
        assert!(
            !metrics.keys().any(|name| name.contains(absent)),
            "{absent}"
        );
    }
    let rows = rows(&snapshot);
    let row = &rows[&("query".to_owned(), "new".to_owned())];
    assert_eq!(
        (row["hit_ratio"].as_str(), row["requests"].as_str()),
        ("", "0")
    );
}

#[test]
fn columns_are_only_appended() {
    let text = write_csv(&StatsSnapshot::default());
    let head = "scope,query,window,ttl_seconds,requests,hit_memory,hit_redis,stale,\
        stale_revalidating,stale_load_error,coalesced,miss,bypass,error,loads,loads_in_flight,\
        load_errors,load_seconds,last_load_seconds,hit_ratio,offload,time_saved_seconds,\
        coalesced_saved_seconds,served_bytes,compressions,requests_per_second,loads_per_second,\
        hit_p50_seconds,hit_p95_seconds,hit_p99_seconds,coalesced_wait_p50_seconds,\
        coalesced_wait_p95_seconds,coalesced_wait_p99_seconds,load_p50_seconds,load_p95_seconds,\
        load_p99_seconds,load_count,refused_values,loads_not_tried";
    assert!(text.starts_with(head), "{text}");
    assert_eq!(
        text.lines().nth(1).unwrap().split(',').next(),
        Some("total")
    );
}
