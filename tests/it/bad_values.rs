//! Values of a visitor that only the database can refuse: a 400 that names the parameter, which
//! nobody need repeat, and which is in no number that an operator is called for.

use serde_json::json;

use crate::servers;
use crate::unslow::Unslow;

/// A query file's name and text, the parameters that are refused, and what the answer names.
type Case = (&'static str, &'static str, &'static str, &'static str);

const ON_POSTGRES: [Case; 16] = [
    (
        "declared",
        "-- param: t inet = ::1\nselect :t as a",
        "t=x",
        "parameter t",
    ),
    (
        "mood",
        "-- param: m mood_of_values\nselect :m as a",
        "m=x",
        "parameter m",
    ),
    (
        "numeric",
        "-- param: n numeric(3,2)\nselect :n as a",
        "n=100",
        "parameter n",
    ),
    (
        "moods",
        "-- param: m mood_of_values[]\nselect :m as a",
        "m=sad,x",
        "parameter m",
    ),
    (
        "division",
        "-- param: n integer = 1\nselect 1 / :n as a",
        "n=0",
        "parameter n",
    ),
    (
        "limit",
        "-- param: n integer = 1\nselect 1 as a limit :n",
        "n=-1",
        "parameter n",
    ),
    (
        "offset",
        "-- param: n integer = 1\nselect 1 as a offset :n",
        "n=-1",
        "parameter n",
    ),
    (
        "address",
        "-- param: t text\nselect :t::inet as a",
        "t=x",
        "parameter t",
    ),
    (
        "json",
        "-- param: t text\nselect :t::json as a",
        "t=%7B",
        "parameter t",
    ),
    (
        "regex",
        "-- param: t text\nselect 'a' ~ :t as a",
        "t=(",
        "parameter t",
    ),
    (
        "range",
        "-- param: n bigint\nselect :n::int as a",
        "n=3000000000",
        "parameter n",
    ),
    (
        "year",
        "-- param: t text\nselect :t::date as a",
        "t=2026-02-30",
        "parameter t",
    ),
    (
        "two",
        "-- param: a text\n-- param: b text\nselect :a::inet as a, :b as b",
        "a=x&b=y",
        "parameter a",
    ),
    (
        "sum",
        "-- param: a integer\n-- param: b integer\nselect :a / (:b - :a) as a",
        "a=2&b=2",
        "a parameter",
    ),
    (
        "domain",
        "-- param: n integer\nselect :n::positive as a",
        "n=-1",
        "parameter n",
    ),
    (
        "step",
        "-- param: n integer\nselect generate_series(1, 2, :n) as a",
        "n=0",
        "parameter n",
    ),
];

const ON_SQLITE: [Case; 3] = [
    (
        "overflow",
        "-- param: n bigint\nselect abs(:n) as a",
        "n=-9223372036854775808",
        "parameter n",
    ),
    (
        "json",
        "-- param: t text\nselect json(:t) as a",
        "t=%7B",
        "parameter t",
    ),
    (
        "limit",
        "-- param: t text\nselect 1 as a limit :t",
        "t=x",
        "parameter t",
    ),
];

/// Queries whose own fault it is, with their status.
const OWN_FAULTS: [(&str, &str, u16); 2] = [
    (
        "own",
        "select 1 / (i - 1) as a from generate_series(1, 1) i",
        503,
    ),
    (
        "own_default",
        "-- param: n integer = 0\nselect 1 / :n as a",
        503,
    ),
];

fn files(cases: &[Case]) -> Vec<(String, &'static str)> {
    let file = |(name, text, ..): &Case| (format!("queries/{name}.sql"), *text);
    cases.iter().map(file).collect()
}

fn start(arguments: &[&str], files: &[(String, &str)]) -> Unslow {
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), *text))
        .collect();
    Unslow::start_with(
        &[arguments, &["--queries", "queries"]].concat(),
        &files,
        &[],
    )
}

#[track_caller]
fn are_refused(unslow: &Unslow, cases: &[Case]) {
    for (name, _, given, named) in cases {
        // The second is answered from what is remembered of the first.
        for again in [false, true] {
            let answer = unslow.get(&format!("/q/{name}.json?{given}"));
            let text = answer.text();
            assert_eq!(answer.status, 400, "{name} {again}: {text}");
            assert!(!answer.headers.contains_key("retry-after"), "{name}");
            let said = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(said.contains(named), "{name}: {said}");
            assert!(!said.to_lowercase().contains("select"), "{name}: {said}");
        }
        let numbers = unslow.numbers(name);
        assert_eq!(numbers["refused_values"], json!(1), "{name}: {numbers}");
        assert_eq!(numbers["load_errors"], json!(0), "{name}: {numbers}");
        assert_eq!(numbers["error"], json!(0), "{name}: {numbers}");
    }
    let page = unslow.get("/stats").text();
    assert!(!page.contains("Problem"), "{page}");
    assert!(!unslow.log().contains("ERROR"), "{}", unslow.log());
}

#[test]
fn a_value_that_postgresql_refuses_is_a_400_that_names_it() {
    let server = servers::postgres();
    let name = server.database();
    server.psql(
        &name,
        "create domain positive as int check (value > 0); create type mood_of_values as enum ('sad')",
    );
    let url = format!(
        "postgres://postgres@127.0.0.1:{}/{name}?sslmode=disable",
        server.port()
    );
    let mut all = files(&ON_POSTGRES);
    all.extend(OWN_FAULTS.map(|(name, text, _)| (format!("queries/{name}.sql"), text)));
    let unslow = start(&["--database-url", &url], &all);
    are_refused(&unslow, &ON_POSTGRES);
    // A value of another key is served, and one that was refused is refused as a page, too.
    assert_eq!(unslow.get("/q/division.json?n=2").status, 200);
    assert_eq!(unslow.get("/q/division?n=0").status, 400);
    for (name, _, status) in OWN_FAULTS {
        let answer = unslow.get(&format!("/q/{name}.json"));
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        assert_eq!(unslow.numbers(name)["load_errors"], json!(1), "{name}");
    }
}

#[test]
fn a_value_that_sqlite_refuses_is_a_400_that_names_it() {
    let unslow = start(&[], &files(&ON_SQLITE));
    are_refused(&unslow, &ON_SQLITE);
}

#[test]
fn a_character_that_the_encoding_lacks_is_a_400() {
    let server = servers::postgres();
    server.psql(
        "postgres",
        "create database latin owner master encoding 'LATIN1' template template0",
    );
    let url = format!(
        "postgres://postgres@127.0.0.1:{}/latin?sslmode=disable",
        server.port()
    );
    let cases: [Case; 1] = [(
        "letter",
        "-- param: t text\nselect :t as a",
        "t=%E2%82%AC",
        "parameter t",
    )];
    let unslow = start(&["--database-url", &url], &files(&cases));
    are_refused(&unslow, &cases);
}
