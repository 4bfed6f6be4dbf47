//! The refusals of the database, rows that it cuts off, and wrong requests of a client, each with
//! an answer of its own.

use crate::end_to_end::{original, start};
use crate::servers::{Redis, postgres};

#[test]
fn refusals_limits_and_failures_have_their_own_answers() {
    let redis = Redis::start();
    let database = postgres().database();
    postgres().psql(
        &database,
        "create table t (n integer); grant all on t to public",
    );
    postgres().psql(
        &database,
        "create function writes() returns integer as $$ insert into t values (1); select 1 $$ \
         language sql",
    );
    let ini = original(postgres(), &database, &redis)
        + "\n[database]\nmax_result = 64KiB\nmax_rows = 3\n";
    let queries = [
        (
            "queries/cte.sql",
            "with w as (insert into t values (1) returning n) select * from w",
        ),
        ("queries/function.sql", "select writes()"),
        (
            "queries/sleepy.sql",
            "-- timeout: 200ms\nselect pg_sleep(60)",
        ),
        ("queries/twice.sql", "select 1 as a, 2 as a"),
        ("queries/broken.sql", "select nothing_like_it from t"),
        (
            "queries/huge.sql",
            "-- max-rows: 1000000\nselect repeat('x', 1000) as x from generate_series(1, 1000)",
        ),
        (
            "queries/many.sql",
            "select n from generate_series(1, 10) as s(n)",
        ),
        ("queries/none.sql", "select n, 'x' as label from t"),
    ];
    let unslow = start(&ini, &queries);
    for (query, status, word) in [
        ("cte", 503, "0A000"),
        ("function", 503, "25006"),
        ("sleepy", 504, "too long"),
        ("twice", 500, "alias"),
        ("broken", 503, "technical difficulties"),
        ("huge", 503, "too large"),
    ] {
        let answer = unslow.get(&format!("/q/{query}.json"));
        let json = answer.json();
        assert_eq!(answer.status, status, "{query}: {json}");
        let message = json["error"].as_str().unwrap();
        assert!(message.contains(word), "{query}: {message}");
        assert!(!message.contains("nothing_like_it"), "{query}: {message}");
        assert_eq!(
            unslow.get(&format!("/q/{query}")).status,
            status,
            "{query} as a page"
        );
    }
    assert_eq!(postgres().psql(&database, "select count(*) from t"), "0");
    let many = unslow.get("/q/many.json").json();
    assert_eq!(many["rows"].as_array().unwrap().len(), 3);
    assert_eq!(many["truncated"], true);
    assert_eq!(
        unslow.get("/q/none.json").json()["rows"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    assert_eq!(unslow.get("/q/none.csv").text(), "n,label\r\n");
    assert!(unslow.get("/q/none").text().contains("label"));
}

#[test]
fn bad_parameters_are_refused_by_name() {
    let redis = Redis::start();
    let ini = original(postgres(), "postgres", &redis);
    let query = "-- param: day date\n-- param: region text = eu : eu, us\n\
                 -- param: top integer = 10 : 1..100\nselect :day, :region, :top";
    let unslow = start(
        &ini,
        &[("queries/q.sql", &query.replace(":day,", ":day as day,"))],
    );
    for (given, words) in [
        ("", &["day"][..]),
        ("day=nonsense", &["day", "date"]),
        ("day=2026-01-01&region=asia", &["region", "eu", "us"]),
        ("day=2026-01-01&top=1000", &["top", "1", "100"]),
        ("day=2026-01-01&top=x", &["top", "whole number"]),
        ("day=2026-01-01&day=2026-01-02", &["day"]),
        ("day=2026-01-01&regoin=eu", &["regoin", "region"]),
    ] {
        let answer = unslow.get(&format!("/q/q.json?{given}"));
        assert_eq!(answer.status, 400, "{given}: {}", answer.text());
        let json = answer.json();
        let message = json["error"].as_str().unwrap();
        for word in words {
            assert!(
                message.contains(word),
                "{given}: {word:?} is not in {message:?}"
            );
        }
        let page = unslow.get(&format!("/q/q?{given}"));
        assert_eq!(page.status, 400);
        assert!(
            page.text().contains("<form"),
            "the form is there to mend it"
        );
    }
    let long = format!("/q/q.json?day=2026-01-01&region={}", "x".repeat(9000));
    let unlimited = start(
        &(ini + "\n[server]\nlimit_request_line = 20000\n"),
        &[("queries/q.sql", query)],
    );
    let answer = unlimited.get(&long);
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("region"));
}
