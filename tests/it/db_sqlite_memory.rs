//! The memory of the real program while results of SQLite are loaded: one takes its size and as much
//! again, several have a bound in common, and a row of several large values is bounded as a whole.

use unslow::db::Limits;
use unslow::error::RequestError;
use unslow::settings::DatabaseTarget;

use crate::db_memory::{MAX, assert_one_bound, peak};
use crate::db_support::{LIMITS, open_with, run_with};
use crate::unslow::Unslow;

const QUERIES: [(&str, &str); 6] = [
    (
        "queries/small.sql",
        "-- param: n integer = 0\n-- max-rows: 100000\n\
         with recursive i(i) as (select 1 union all select i + 1 from i where i < 60000) \
         select printf('%.*c', 1000, 'x') as x, :n as n from i",
    ),
    (
        "queries/large.sql",
        "-- param: n integer = 0\n\
         with recursive i(i) as (select 1 union all select i + 1 from i where i < 4) \
         select replace(hex(zeroblob(7500000)), '0', 'x') as x, :n as n from i",
    ),
    (
        "queries/value.sql",
        "with recursive i(i) as (select 1 union all select i + 1 from i where i < 4) \
         select printf('%.*c', 60000000, 'x') as x from i",
    ),
    (
        "queries/row.sql",
        "-- param: n integer = 0\n\
         with recursive i(i) as (select 1 union all select i + 1 from i where i < 4) \
         select zeroblob(5000000) as a, zeroblob(5000001) as b, zeroblob(5000002) as c, \
         zeroblob(5000003) as d, :n as n from i",
    ),
    (
        "queries/escaped.sql",
        "select cast(zeroblob(12000000) as text) as x",
    ),
    ("queries/one.sql", "select 1 as a"),
];

fn start() -> Unslow {
    let unslow = Unslow::start_with(&["--queries", "queries"], &QUERIES, &[]);
    assert_eq!(unslow.get("/q/one.json").status, 200);
    unslow
}

#[test]
fn one_result_of_sqlite_takes_its_size_and_as_much_again() {
    for query in ["small", "large"] {
        let unslow = start();
        let before = peak(&unslow);
        let answer = unslow.get(&format!("/q/{query}.json"));
        let grown = peak(&unslow) - before;
        assert_eq!(answer.status, 200, "{query}");
        assert!(answer.body.len() as u64 > MAX * 7 / 8);
        assert!(grown < MAX * 9 / 4, "{query}: {grown} bytes");
    }
}

#[test]
fn a_row_of_sqlite_that_is_too_large_is_refused_with_memory_flat() {
    for query in ["value", "row", "escaped"] {
        let unslow = start();
        let before = peak(&unslow);
        let answer = unslow.get(&format!("/q/{query}.json"));
        let grown = peak(&unslow) - before;
        assert_eq!(answer.status, 503, "{query}");
        assert!(grown < MAX, "{query}: {grown} bytes");
    }
}

#[test]
fn several_results_of_sqlite_have_one_bound_in_common() {
    assert_one_bound(&start(), &["small", "large", "row"], 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_of_sqlite_takes_no_memory_that_others_have_and_finds_it_when_they_gave_it_back() {
    let max = 16 << 20;
    let database = open_with(DatabaseTarget::Demo, |settings| {
        settings.limits.max_result = max;
    });
    let limits = Limits {
        max_bytes: max,
        ..LIMITS
    };
    let large = "with recursive i(i) as (select 1 union all select i + 1 from i where i < 4) \
                 select printf('%.*c', 3900000, 'x') as x from i";
    let small = "select printf('%.*c', 100000, 'x') as x";
    let run = |sql| run_with(&database, sql, &[], limits);
    let (first, second) = (run(large).await.unwrap(), run(large).await.unwrap());
    let end = run(large).await;
    assert!(
        matches!(end, Err(RequestError::Busy { .. })),
        "{:?}",
        end.map(|rows| rows.count)
    );
    assert_eq!(run(small).await.unwrap().count, 1);
    drop(first);
    let third = run(large).await.unwrap();
    assert_eq!((second.count, third.count), (4, 4));
}

/// Statements that want more memory than there is before they have a row, each without an end. An
/// aggregate in JSON and the temporary tables of the demo know no bound on one value.
const KILLERS: [(&str, &str); 6] = [
    ("k1", "select json_group_array(s) as x from i"),
    ("k2", "select json_group_object(i, s) as x from i"),
    ("k3", "select s || i as x from i order by x"),
    ("k4", "select count(distinct s || i) as x from i"),
    ("k5", "select json_array(s, s, s, s, s) as x from i"),
    ("k6", "select length(json_group_array(s)) as x from i"),
];

#[test]
fn statements_of_sqlite_that_would_kill_end_and_leave_memory_flat() {
    let files = KILLERS.map(|(name, sql)| {
        let text = format!(
            "-- timeout: 20s\nwith recursive i(i, s) as (select 1, printf('%.*c', 500000, 'x') \
             union all select i + 1, s from i) {sql}"
        );
        (format!("queries/{name}.sql"), text)
    });
    let mut files: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    files.push(("queries/one.sql", "-- ttl: 1ms\nselect 1 as a"));
    let unslow = Unslow::start_with(&["--queries", "queries"], &files, &[]);
    assert_eq!(unslow.get("/q/one.json").status, 200);
    let before = peak(&unslow);
    let asked = KILLERS.map(|(name, _)| unslow.send("GET", &format!("/q/{name}.json"), &[]));
    for (asked, (name, _)) in asked.into_iter().zip(KILLERS) {
        let answer = asked.answer();
        assert!(
            [503, 504].contains(&answer.status),
            "{name}: {}",
            answer.status
        );
    }
    let grown = peak(&unslow) - before;
    assert!(grown < MAX * 8, "{grown} bytes");
    assert_eq!(unslow.get("/q/one.json").status, 200);
}
