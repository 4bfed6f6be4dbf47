//! `/stats` in each of its forms: which one is given, under which headers, and that they agree.

use crate::unslow::Unslow;

const HTML: &str = "text/html; charset=utf-8";
const CSV: &str = "text/csv; charset=utf-8; header=present";
const TEXT: &str = "text/plain; charset=utf-8";

#[test]
fn the_suffix_or_accept_chooses_the_form_and_nobody_is_refused_for_it() {
    let unslow = Unslow::demo();
    for (path, accept, expected) in [
        ("/stats", "*/*", HTML),
        ("/stats", "text/html,*/*;q=0.8", HTML),
        ("/stats", "application/json", "application/json"),
        ("/stats", "text/csv", CSV),
        ("/stats", "text/plain", TEXT),
        ("/stats", "image/png", HTML),
        ("/stats", "application/x-ndjson", HTML),
        ("/stats.json", "text/html", "application/json"),
        ("/stats.csv", "application/json", CSV),
        ("/stats.txt", "application/json", TEXT),
        ("/stats.txt?window=5m", "*/*", TEXT),
    ] {
        let answer = unslow.get_with(path, &[("Accept", accept)]);
        assert_eq!(answer.status, 200, "{path} {accept}");
        assert_eq!(answer.header("content-type"), expected, "{path} {accept}");
        assert!(answer.header("vary").contains("Accept"));
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-robots-tag"), "noindex");
        assert_eq!(answer.header("x-frame-options"), "DENY");
    }
}

#[test]
fn an_unknown_form_window_or_order_is_a_400_that_lists_the_known_ones() {
    let unslow = Unslow::demo();
    for (path, known) in [
        ("/stats.xml", "/stats.json, /stats.csv, /stats.txt"),
        ("/stats.html", "/stats.json, /stats.csv, /stats.txt"),
        ("/stats.csv?window=2m", "1m, 5m, 1h, start"),
        ("/stats.txt?sort=color", "sort is one of"),
        ("/stats?windows=1m", "window, sort"),
    ] {
        let answer = unslow.get_with(path, &[("Accept", "application/json")]);
        assert_eq!(answer.status, 400, "{path}");
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(known), "{path}: {error}");
    }
}

#[test]
fn who_may_not_see_it_does_not_learn_which_forms_there_are() {
    let unslow = Unslow::demo();
    for path in ["/stats.csv", "/stats.txt", "/stats.xml", "/stats?window=2m"] {
        let answer = unslow.get_with(path, &[("X-Forwarded-For", "192.0.2.1")]);
        assert_eq!(answer.status, 403, "{path}");
        assert!(!answer.text().contains("stats.csv"), "{}", answer.text());
    }
}

/// The counts of the query `version` are read from each form.
#[test]
fn the_forms_of_a_running_server_agree() {
    let unslow = Unslow::start(&["--demo-delay", "1ms"]);
    for _ in 0..5 {
        assert_eq!(unslow.get("/q/version.json").status, 200);
    }
    let json = unslow.numbers("version");
    let csv = unslow.get("/stats.csv").text();
    let mut lines = csv.lines();
    let head: Vec<_> = lines.next().unwrap().split(',').collect();
    let row = lines
        .find(|line| line.starts_with("query,version,"))
        .unwrap();
    let row: Vec<_> = row.split(',').collect();
    let text = unslow.get("/stats.txt").text();
    let metrics = unslow.get("/metrics").text();
    for (name, metric) in [
        ("requests", Some("unslow_requests_total{query=\"version\"}")),
        (
            "hit_memory",
            Some("unslow_hits_total{query=\"version\",tier=\"memory\"}"),
        ),
        ("miss", None),
        (
            "error",
            Some("unslow_request_errors_total{query=\"version\"}"),
        ),
        (
            "loads",
            Some("unslow_load_duration_seconds_count{query=\"version\"}"),
        ),
        (
            "served_bytes",
            Some("unslow_served_bytes_total{query=\"version\"}"),
        ),
    ] {
        let number = json[name].to_string();
        let column = head.iter().position(|column| *column == name).unwrap();
        assert_eq!(row[column], number, "{name}");
        assert!(
            text.contains(&format!("\nqueries.version.{name}: {number}\n")),
            "{name}: {text}"
        );
        if let Some(metric) = metric {
            assert!(
                metrics.contains(&format!("\n{metric} {number}\n")),
                "{metric}: {metrics}"
            );
        }
    }
    assert_eq!(json["requests"], 5);
    assert!(text.contains("\nprocess.resident_bytes: "), "{text}");
    assert!(text.contains("\ndaemon.reloads: 0\n"), "{text}");
}
