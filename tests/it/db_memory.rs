//! The memory of the real program while results are loaded: one of them takes its size and as much
//! again, several have a bound in common, and statements that would kill a server leave it flat.

use serde_json::json;

use crate::servers;
use crate::unslow::Unslow;

/// The bound on a result.
pub(crate) const MAX: u64 = 64 << 20;

/// Queries by size: many small rows, few large ones, and one that is over the bound on a row.
const QUERIES: [(&str, &str); 4] = [
    (
        "queries/small.sql",
        "-- param: n integer = 0\n-- max-rows: 100000\n\
         select repeat('x', 1000) as x, :n as n from generate_series(1, 60000)",
    ),
    (
        "queries/large.sql",
        "-- param: n integer = 0\n\
         select repeat('x', 15000000) as x, :n as n from generate_series(1, 4)",
    ),
    (
        "queries/row.sql",
        "select repeat('x', 60000000) as x from generate_series(1, 2)",
    ),
    ("queries/one.sql", "select 1 as a"),
];

/// Statements that want more than there is, each under two seconds.
const KILLERS: [(&str, &str); 4] = [
    ("k1", "select repeat('x', 1000000000) as x"),
    (
        "k2",
        "select count(*) as n from (select generate_series(1, 1000000000000)) s",
    ),
    (
        "k3",
        "select repeat('x', 1000) as x from (select generate_series(1, 1000000000000)) s",
    ),
    (
        "k4",
        "with recursive n(i) as (select 1::numeric union all select i + 1 from n) \
         select max(i) as i from n",
    ),
];

fn start(files: &[(&str, &str)]) -> Unslow {
    let server = servers::postgres();
    let url = format!(
        "postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable",
        server.port()
    );
    let arguments = ["--database-url", &url, "--queries", "queries"];
    Unslow::start_with(&arguments, files, &[])
}

/// The most that the program has had in memory, in bytes.
pub(crate) fn peak(unslow: &Unslow) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", unslow.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() * 1024
}

#[test]
fn one_result_takes_its_size_and_as_much_again() {
    for query in ["small", "large", "row"] {
        let unslow = start(&QUERIES);
        assert_eq!(unslow.get("/q/one.json").status, 200);
        let before = peak(&unslow);
        let answer = unslow.get(&format!("/q/{query}.json"));
        let grown = peak(&unslow) - before;
        if query == "row" {
            assert_eq!(answer.status, 503, "{}", answer.text());
            assert!(grown < MAX / 4, "{query}: {grown} bytes");
        } else {
            assert_eq!(answer.status, 200, "{query}");
            assert!(answer.body.len() as u64 > MAX * 7 / 8);
            // The bar is twice; the allocator may have something to itself.
            assert!(grown < MAX * 9 / 4, "{query}: {grown} bytes");
        }
    }
}

#[test]
fn several_results_have_one_bound_in_common() {
    let unslow = start(&QUERIES);
    assert_eq!(unslow.get("/q/one.json").status, 200);
    assert_one_bound(&unslow, &["small", "large"], 7);
}

/// Has results of these queries loaded at once, so many in all, and checks their memory.
#[track_caller]
pub(crate) fn assert_one_bound(unslow: &Unslow, queries: &[&str], count: usize) {
    let before = peak(unslow);
    let asked: Vec<_> = (1..=count)
        .map(|n| {
            let query = queries[n % queries.len()];
            unslow.send("GET", &format!("/q/{query}.json?n={n}"), &[])
        })
        .collect();
    // Those who wait do not read, so that what is loaded is what there is.
    servers::wait_until("every load has ended", || {
        queries.iter().all(|query| {
            let numbers = unslow.numbers(query);
            numbers["loads"].as_u64() > Some(2) && numbers["loads_in_flight"] == json!(0)
        })
    });
    let grown = peak(unslow) - before;
    for answer in asked {
        let status = answer.answer().status;
        assert!([200, 503].contains(&status), "{status}");
    }
    assert!(grown < MAX * 8, "{grown} bytes");
    assert_eq!(unslow.get("/q/one.json").status, 200);
}

#[test]
fn statements_that_would_kill_end_and_leave_memory_flat() {
    let mut files: Vec<_> = KILLERS
        .iter()
        .map(|(name, sql)| {
            let text = format!("-- timeout: 2s\n-- max-rows: 100000000\n{sql}");
            (format!("queries/{name}.sql"), text)
        })
        .collect();
    files.push((
        "queries/one.sql".to_owned(),
        "-- ttl: 1ms\nselect 1 as a".to_owned(),
    ));
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let unslow = start(&files);
    assert_eq!(unslow.get("/q/one.json").status, 200);
    let before = peak(&unslow);
    let asked: Vec<_> = KILLERS
        .iter()
        .map(|(name, _)| unslow.send("GET", &format!("/q/{name}.json"), &[]))
        .collect();
    for _ in 0..5 {
        assert_eq!(unslow.get("/q/one.json").status, 200);
    }
    for (asked, (name, sql)) in asked.into_iter().zip(KILLERS) {
        let answer = asked.answer();
        assert!(
            [503, 504].contains(&answer.status),
            "{name}: {}",
            answer.status
        );
        servers::wait_until("it has ended in the database, too", || {
            servers::postgres().running(&sql[..20].replace('\'', "''")) == 0
        });
    }
    let grown = peak(&unslow) - before;
    assert!(grown < MAX * 3 / 2, "{grown} bytes");
    assert_eq!(unslow.get("/q/one.json").status, 200);
}
