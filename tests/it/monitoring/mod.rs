//! The files of `unslow init --monitoring`: Prometheus takes the configuration and the rules, the
//! rules fire when they should, and rules and dashboard name only what `/metrics` has.

mod promql;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use unslow::stats::{
    DatabaseSnapshot, ProcessNumbers, RedisInfo, RedisSnapshot, Stats, StatsSnapshot, Window,
};
use unslow::view::export::{MetricsDialect, MetricsInput, ReloadCounts, write_metrics};

use crate::servers::prometheus::promtool;
use crate::unslow::command;

/// The labels that Prometheus adds.
const ADDED: [&str; 2] = ["job", "instance"];

/// A folder with what is written.
fn written() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let run = command(&["init", "--monitoring", "."])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    let said = String::from_utf8(run.stdout).unwrap();
    assert_eq!(said.lines().count(), 3, "{said}");
    folder
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

/// The dashboard that is written.
fn dashboard() -> Value {
    serde_json::from_str(&read(written().path(), "unslow-dashboard.json")).unwrap()
}

/// The rules that are written.
pub(crate) fn rules() -> String {
    read(written().path(), "unslow-alerts.yml")
}

/// The expressions of the dashboard, as Grafana would send them.
pub(crate) fn dashboard_expressions() -> Vec<String> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    let expressions: Vec<_> = targets
        .flatten()
        .map(|target| target["expr"].as_str().unwrap())
        .map(|text| {
            text.replace("$__rate_interval", "5m")
                .replace("$__range", "1h")
        })
        .map(|text| text.replace("$instance", ".*").replace("$query", ".*"))
        .collect();
    assert!(expressions.len() > 30, "{expressions:?}");
    assert!(
        !expressions.iter().any(|text| text.contains('$')),
        "{expressions:?}"
    );
    expressions
}

/// The expressions of the rules: behind `expr:`, also over several lines.
fn rule_expressions() -> Vec<String> {
    let rules = rules();
    let mut parts = rules.split("\n        expr: ").skip(1);
    let expressions: Vec<_> = parts
        .by_ref()
        .map(|part| {
            let until_next_key = part.split("\n        for:").next().unwrap();
            until_next_key
                .trim_start_matches(">-")
                .trim()
                .replace('\n', " ")
        })
        .collect();
    assert_eq!(expressions.len(), rules.matches("- alert:").count());
    expressions
}

/// Every metric there is: of an instance with a Redis.
fn exported() -> String {
    let stats = Stats::new(["q"].into_iter());
    let mut snapshot = stats.take_snapshot(Window::Start);
    for query in &mut snapshot.queries {
        let word = |word: &str| [(word.to_owned(), 0)].into();
        query.numbers.loads_by_trigger = word("request");
        query.numbers.load_errors_by_class = word("failed");
    }
    snapshot.database = DatabaseSnapshot {
        breaker: "closed".to_owned(),
        up: Some(true),
        ..DatabaseSnapshot::default()
    };
    let zero = Some(0);
    snapshot.redis = Some(RedisSnapshot {
        up: Some(true),
        breaker: "closed".to_owned(),
        errors: [("connect".to_owned(), 0)].into(),
        info: Some(RedisInfo {
            used_memory: zero,
            maxmemory: zero,
            evicted_keys: zero,
            keyspace_hits: zero,
            keyspace_misses: zero,
            ..RedisInfo::default()
        }),
        ..RedisSnapshot::default()
    });
    text_of(&snapshot)
}

fn text_of(snapshot: &StatsSnapshot) -> String {
    let process = ProcessNumbers {
        cpu_seconds: Some(0.0),
        resident_bytes: Some(0),
        virtual_bytes: Some(0),
        open_fds: Some(0),
        max_fds: Some(0),
        started_at: Some(0.0),
    };
    let all = MetricsInput {
        snapshot,
        process: &process,
        reloads: ReloadCounts::default(),
        commit: None,
    };
    write_metrics(&all, MetricsDialect::Text)
}

/// The metrics in an exposition, with their labels.
fn names_in(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let names = promql::names(line.rsplit_once(' ').unwrap().0);
        let [(name, labels)] = names.metrics.try_into().unwrap();
        found.entry(name).or_default().extend(labels);
    }
    // Prometheus makes this one.
    found.insert("up".to_owned(), BTreeSet::new());
    found
}

/// Returns the names in dashboard and rules that are not in an exposition.
pub(crate) fn missing_in(text: &str) -> Vec<String> {
    let exported = names_in(text);
    let expressions = dashboard_expressions()
        .into_iter()
        .chain(rule_expressions());
    let unknown = expressions.map(|expression| unknown(&expression, &exported));
    unknown.flatten().collect()
}

/// Returns the names in an expression that there are not.
fn unknown(expression: &str, exported: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let names = promql::names(expression);
    let mut unknown = Vec::new();
    let mut there: BTreeSet<String> = ADDED.map(str::to_owned).into();
    for (metric, labels) in &names.metrics {
        let Some(its) = exported.get(metric) else {
            unknown.push(metric.clone());
            continue;
        };
        let missing = labels.iter().filter(|label| !its.contains(*label));
        let missing = missing.filter(|label| !ADDED.contains(&label.as_str()));
        unknown.extend(missing.map(|label| format!("{metric}{{{label}}}")));
        there.extend(its.iter().cloned());
    }
    unknown.extend(names.grouping.difference(&there).cloned());
    unknown
}

#[test]
fn prometheus_takes_the_configuration_and_the_rules() {
    let folder = written();
    for (what, file) in [("config", "prometheus.yml"), ("rules", "unslow-alerts.yml")] {
        let checked = promtool(folder.path(), &["check", what, file], "");
        assert!(checked.status.success(), "{checked:?}");
    }
}

#[test]
fn the_rules_fire_when_something_is_wrong_and_only_then() {
    let folder = written();
    let test = folder.path().join("test.yml");
    fs::write(&test, include_str!("alerts.yml")).unwrap();
    let tested = promtool(folder.path(), &["test", "rules", "test.yml"], "");
    assert!(tested.status.success(), "{tested:?}");
    // And the histories are not such that nothing could fail.
    let rules = folder.path().join("unslow-alerts.yml");
    let blunt = fs::read_to_string(&rules)
        .unwrap()
        .replace("> 0.01", "> 0.1");
    fs::write(&rules, blunt).unwrap();
    let tested = promtool(folder.path(), &["test", "rules", "test.yml"], "");
    assert!(!tested.status.success(), "{tested:?}");
}

#[test]
fn each_rule_says_how_bad_it_is_and_what_to_do() {
    for rule in rules().split("- alert:").skip(1) {
        for words in ["for: ", "severity: ", "summary: ", "description: >-"] {
            assert!(rule.contains(words), "{words}: {rule}");
        }
    }
}

#[test]
fn dashboard_and_rules_name_only_metrics_and_labels_that_there_are() {
    let text = exported();
    assert_eq!(missing_in(&text), [""; 0]);
    let exported = names_in(&text);
    for wrong in [
        "rate(unslow_request_total[5m])",
        "unslow_hits_total{level=\"memory\"}",
        "sum by (tier) (unslow_requests_total)",
    ] {
        assert_eq!(unknown(wrong, &exported).len(), 1, "{wrong}");
    }
}

#[test]
fn the_dashboard_can_be_imported_and_its_variables_exist() {
    let dashboard = dashboard();
    assert_eq!(dashboard["__inputs"][0]["name"], "DS_PROMETHEUS");
    assert_eq!(dashboard["id"], Value::Null);
    let exported = names_in(&exported());
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let mut names = BTreeSet::new();
    for variable in variables {
        names.insert(variable["name"].as_str().unwrap());
        let query = variable["query"]["query"].as_str().unwrap();
        let inside = query
            .strip_prefix("label_values(")
            .unwrap()
            .trim_end_matches(')');
        let (series, label) = inside.rsplit_once(", ").unwrap();
        let counted = format!("count by ({label}) ({series})");
        assert!(unknown(&counted, &exported).is_empty(), "{query}");
    }
    assert_eq!(names, BTreeSet::from(["instance", "query"]));
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${DS_PROMETHEUS}");
        assert!(!panel["description"].as_str().unwrap().is_empty());
        let at = &panel["gridPos"];
        assert!(at["x"].as_u64().unwrap() + at["w"].as_u64().unwrap() <= 24);
    }
}
