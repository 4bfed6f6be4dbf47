//! `/metrics`: what promtool and a real Prometheus make of it, and who gets it.

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::signal::Signal;

use crate::monitoring;
use crate::servers::prometheus::promtool;
use crate::servers::{Prometheus, Redis, wait_until};
use crate::unslow::{Unslow, command};

const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The `Accept` of Prometheus 2.42.
const ASKS: &str = "application/openmetrics-text;version=1.0.0,\
                    application/openmetrics-text;version=0.0.1;q=0.75,\
                    text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// Two answers of the demo's query: a miss and a hit.
fn ask(unslow: &Unslow) {
    for _ in 0..2 {
        assert_eq!(unslow.get("/q/version.json").status, 200);
    }
}

#[test]
fn promtool_finds_nothing_to_complain_of() {
    let redis = Redis::start();
    let unslow = Unslow::start(&["--demo-delay", "1ms", "--redis-url", &redis.url()]);
    ask(&unslow);
    let answer = unslow.get("/metrics");
    assert_eq!(answer.status, 200);
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(answer.header("content-type"), kind);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-robots-tag"), "noindex");
    assert!(answer.header("vary").contains("Accept"));
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str| promtool(folder.path(), &["check", "metrics"], text);
    let checked = check(&answer.text());
    assert!(checked.status.success(), "{checked:?}");
    assert!(!check("# TYPE a counter\na 1\n").status.success());
}

/// Reads what OpenMetrics 1.0 demands and a lenient reader lets pass.
fn strictly_read(text: &str) -> BTreeMap<String, String> {
    let body = text.strip_suffix("# EOF\n").expect("the end is marked");
    assert!(!body.contains("# EOF") && body.ends_with('\n'));
    let (mut families, mut samples) = (BTreeSet::new(), BTreeMap::new());
    let (mut family, mut kind) = ("", "");
    for line in body.lines() {
        let words: Vec<_> = line.splitn(4, ' ').collect();
        match *words {
            ["#", "HELP", name, _] => {
                assert!(families.insert(name.to_owned()), "{name} twice");
                family = name;
            }
            ["#", "TYPE", name, word] => {
                assert_eq!(name, family);
                kind = word;
            }
            ["#", "UNIT", name, unit] => {
                assert_eq!(name, family);
                assert!(name.ends_with(&format!("_{unit}")), "{line}");
            }
            _ => {
                assert!(!line.starts_with('#') && !line.is_empty(), "{line}");
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                let suffix = name.strip_prefix(family).expect("a sample of its family");
                let allowed: &[&str] = match kind {
                    "counter" => &["_total", "_created"],
                    "gauge" => &[""],
                    "info" => &["_info"],
                    "histogram" => &["_bucket", "_sum", "_count", "_created"],
                    other => panic!("{other}"),
                };
                assert!(allowed.contains(&suffix), "{line}");
                let number: f64 = value.parse().unwrap();
                assert!(
                    number.is_finite() && (kind != "counter" || number >= 0.0),
                    "{line}"
                );
                let twice = samples.insert(series.to_owned(), value.to_owned());
                assert_eq!(twice, None, "{line}");
            }
        }
    }
    samples
}

#[test]
fn whoever_asks_as_prometheus_does_gets_open_metrics_with_the_same_numbers() {
    let unslow = Unslow::start(&["--demo-delay", "1ms"]);
    ask(&unslow);
    let answer = unslow.get_with("/metrics", &[("Accept", ASKS)]);
    assert_eq!(answer.header("content-type"), OPEN);
    let samples = strictly_read(&answer.text());
    let text = unslow.get("/metrics").text();
    // The process goes on living meanwhile.
    let counted = samples
        .iter()
        .filter(|(name, _)| name.starts_with("unslow_"));
    for (name, value) in counted {
        assert!(
            text.contains(&format!("{name} {value}\n")),
            "{name} {value}"
        );
    }
    assert_eq!(samples["unslow_requests_total{query=\"version\"}"], "2");
    let edges = |name: &str| {
        let start = format!("{name}_bucket{{query=\"version\",le=\"");
        let all = samples.iter().filter_map(|(series, value)| {
            let edge = series.strip_prefix(&start)?.trim_end_matches("\"}");
            Some((edge.parse::<f64>().unwrap(), value.parse::<u64>().unwrap()))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all
    };
    let edges = edges("unslow_load_duration_seconds");
    assert_eq!(edges.len(), 18);
    assert!(
        edges.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1),
        "{edges:?}"
    );
    assert_eq!(edges.last(), Some(&(f64::INFINITY, 1)));
}

#[test]
fn a_real_prometheus_scrapes_it_and_evaluates_dashboard_and_rules() {
    let redis = Redis::start();
    let unslow = Unslow::start(&["--demo-delay", "1ms", "--redis-url", &redis.url()]);
    ask(&unslow);
    let prometheus = Prometheus::scraping(unslow.address(), "", &monitoring::rules());
    wait_until("it is scraped", || prometheus.value("up") == Some(1.0));
    let requests = "unslow_requests_total{query=\"version\"}";
    wait_until("its numbers are there", || {
        prometheus.value(requests) == Some(2.0)
    });
    // The unit is in OpenMetrics alone, so this is what it was read as.
    let told = prometheus.api("targets/metadata", &[("metric", "unslow_served_bytes")]);
    assert_eq!(told["data"][0]["unit"], "bytes", "{told}");
    assert_eq!(told["data"][0]["type"], "counter", "{told}");
    for expression in monitoring::dashboard_expressions() {
        prometheus.query(&expression);
    }
    let used = "unslow_redis_memory_used_bytes > 0";
    wait_until("Redis has been asked how it is", || {
        prometheus.value(used).is_some()
    });
    let missing = monitoring::missing_in(&unslow.get("/metrics").text());
    assert_eq!(missing, [""; 0]);
    let evaluated = || {
        let rules = prometheus.api("rules", &[]);
        let rules = rules["data"]["groups"][0]["rules"].clone();
        let rules = rules.as_array().unwrap().clone();
        assert!(
            rules.iter().all(|rule| rule["health"] != "err"),
            "{rules:?}"
        );
        assert_eq!(rules.len(), 10);
        rules.iter().all(|rule| rule["health"] == "ok")
    };
    wait_until("the rules are evaluated", evaluated);
    drop(unslow);
    wait_until("its end is seen", || prometheus.value("up") == Some(0.0));
}

#[test]
fn it_is_for_those_who_may_see_the_numbers() {
    let files = [("token", "s3cret\n")];
    let unslow = Unslow::start_with(&["--admin-token-file", "token"], &files, &[]);
    let from_elsewhere = ("X-Forwarded-For", "192.0.2.1");
    let refused = unslow.get_with("/metrics", &[from_elsewhere]);
    assert_eq!(refused.status, 401);
    assert!(!refused.text().contains("unslow_requests"));
    let token = ("Authorization", "Bearer s3cret");
    assert_eq!(
        unslow.get_with("/metrics", &[from_elsewhere, token]).status,
        200
    );
    assert_eq!(unslow.request("POST", "/metrics", &[]).status, 405);
    let head = unslow.request("HEAD", "/metrics", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn prometheus_gets_in_with_the_token_and_not_without() {
    let files = [("token", "s3cret\n")];
    // Not by a name of this machine's own: loopback alone does not do then.
    let args = ["--bind", "127.0.0.2:0", "--admin-token-file", "token"];
    let unslow = Unslow::start_with(&args, &files, &[]);
    assert!(unslow.address().starts_with("127.0.0.2:"));
    let with = |more: &str| Prometheus::scraping(unslow.address(), more, "groups: []\n");
    let right = with("    authorization:\n      credentials: s3cret\n");
    wait_until("it is let in", || right.value("up") == Some(1.0));
    let without = with("");
    wait_until("it is refused", || without.value("up") == Some(0.0));
    let targets = without.api("targets", &[]);
    let error = &targets["data"]["activeTargets"][0]["lastError"];
    assert!(error.as_str().unwrap().contains("401"), "{error}");
}

#[test]
fn counters_outlive_reloads_which_are_counted_too() {
    let folder = tempfile::tempdir().unwrap();
    let (ini, extra) = (
        folder.path().join("app.ini"),
        folder.path().join("queries/extra.sql"),
    );
    std::fs::create_dir(folder.path().join("queries")).unwrap();
    std::fs::write(&ini, "").unwrap();
    std::fs::write(&extra, "select 1 as one").unwrap();
    let unslow = Unslow::start(&["--config", ini.to_str().unwrap()]);
    assert_eq!(unslow.get("/q/extra.json").status, 200);
    let metric = |name: &str| {
        let text = unslow.get("/metrics").text();
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    let since = "unslow_config_last_reload_success_timestamp_seconds";
    let started = metric(since).unwrap();
    assert_eq!(metric("unslow_config_reloads_total"), Some(0.0));
    assert_eq!(metric("unslow_config_last_reload_successful"), Some(1.0));

    std::fs::remove_file(&extra).unwrap();
    unslow.signal(Signal::SIGHUP);
    wait_until("it has reloaded", || {
        metric("unslow_config_reloads_total") == Some(1.0)
    });
    assert_eq!(metric("unslow_config_reload_failures_total"), Some(0.0));
    assert!(metric(since).unwrap() >= started);
    wait_until("it serves the new catalog", || {
        unslow.get("/q/extra.json").status == 404
    });
    assert_eq!(metric("unslow_requests_total{query=\"extra\"}"), Some(1.0));
    let csv = unslow.get("/stats.csv").text();
    assert!(csv.contains("\r\nremoved,extra,start,"), "{csv}");

    std::fs::write(&ini, "[server]\nno_such_key = 1\n").unwrap();
    unslow.signal(Signal::SIGHUP);
    let failed = || metric("unslow_config_reload_failures_total") == Some(1.0);
    wait_until("it has refused", failed);
    assert_eq!(metric("unslow_config_reloads_total"), Some(2.0));
    assert_eq!(metric("unslow_config_last_reload_successful"), Some(0.0));
    let url = ["stats", "--url", &unslow.url];
    let shown = command(&url).output().unwrap();
    let page = String::from_utf8(shown.stdout).unwrap();
    assert!(page.contains("Reload      tried at"), "{page}");
}
