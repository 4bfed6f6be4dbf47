//! Every type of PostgreSQL comes out as its own `row_to_json` writes it, seen through `psql`.

use crate::db_support::{LIMITS, json, postgres, run, run_with};
use crate::servers;

/// One column each.
const VALUES: &[&str] = &[
    "0.10::numeric as v",
    "12345678901234567890.123456789012345678901234567890::numeric as v",
    "'NaN'::numeric as v",
    "'infinity'::float8 as v",
    "'-infinity'::float8 as v",
    "'NaN'::float8 as v",
    "0.1::float8 as v",
    "1e23::float8 as v",
    "0.1::float4 as v",
    "(-9223372036854775807 - 1)::int8 as v",
    "true as v",
    "null::int as v",
    "'2026-01-02 03:04:05.678901+02'::timestamptz as v",
    "'2026-01-02 03:04:05'::timestamp as v",
    "'infinity'::timestamptz as v",
    "'2026-01-02'::date as v",
    "'infinity'::date as v",
    "'03:04:05.6'::time as v",
    "'1 year 2 mons 3 days 04:05:06'::interval as v",
    "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as v",
    "array[1, 2, null, 4] as v",
    "array[['a', 'b'], ['c', 'd \"x\"']] as v",
    "'{}'::text[] as v",
    "array['2026-01-02'::date] as v",
    "'{\"b\": [1, 2.50, null], \"a\": {\"x\": \"y\"}}'::jsonb as v",
    "'{\"b\" :  1,   \"b\": 2}'::json as v",
    "int4range(1, 10) as v",
    "tstzrange('2026-01-01 00:00+00', null) as v",
    "'{[1,3), [5,7)}'::int4multirange as v",
    "'\\xdeadbeef00'::bytea as v",
    "''::bytea as v",
    "'happy'::mood as v",
    "row(1, 'two', null)::pair as v",
    "array[row(1, 'two', '3')::pair] as v",
    "row(1, 'anonymous') as v",
    "'127.0.0.1/8'::inet as v",
    "'12.34'::money as v",
    "B'1010' as v",
    "'(1,2)'::point as v",
    "'a fat cat'::tsvector as v",
    "'<a>text</a>'::xml is not null as v",
    "'x'::char(3) as v",
    "E'quote \" backslash \\\\ tab \\t newline \\n cr \\r bell \\x07 del \\x7f slash / é 😀'::text as v",
    "'a \"name\" \\ x'::text as \"a \"\"quoted\"\" \\ name\"",
    "1 as t",
    "1 as _q",
    "1 as _unslow_",
    "1 as _unslow_row_",
    "1 as _unslow_rows_",
    "1 as _i",
    "1 as _v",
    "1 as \"Größe\"",
    "1",
    "row(1, 2, 3)::pair as _unslow_",
    "1 as t, 2 as _q, 3 as _unslow_, 4 as _i, 5 as _v, 6 as _u",
];

/// The statements that the test runs first.
const TYPES: &str = "create type mood as enum ('sad', 'happy'); \
                     create type pair as (a int, \"B\" text, c text)";

#[tokio::test(flavor = "multi_thread")]
async fn every_type_is_the_servers_own_json() {
    let (database, name) = postgres();
    let server = servers::postgres();
    server.psql(&name, TYPES);
    for value in VALUES {
        let sql = format!("select {value}");
        let rows = run(&database, &sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        let alias = "an_alias_that_no_column_has";
        let expected = server.psql(
            &name,
            &format!("select row_to_json({alias}) from ({sql}) {alias}"),
        );
        assert_eq!(json(&rows), expected, "{sql}");
        assert_eq!((rows.count, rows.truncated), (1, false), "{sql}");
        let empty = run(&database, &format!("{sql} where false")).await.unwrap();
        assert_eq!(empty.columns, rows.columns, "{sql}");
        assert_eq!(empty.count, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn line_breaks_of_json_become_spaces_and_less_than_signs_escapes() {
    let (database, _) = postgres();
    let rows = run(
        &database,
        "select E'{\\r\\n\"a\":\\n\"<b>\"}'::json as v, '<i>' as \"<c>\"",
    )
    .await
    .unwrap();
    assert_eq!(
        json(&rows),
        r#"{"v":{  "a": "\u003cb>"},"\u003cc>":"\u003ci>"}"#
    );
    assert_eq!(rows.columns, ["v", "<c>"]);
    let parsed: serde_json::Value = serde_json::from_slice(&rows.json).unwrap();
    assert_eq!(parsed["v"]["a"], "<b>");
}

/// A table with a row that `text` finds in one column only.
const FOUND_BY_TYPE: &str = "create extension citext; create type mood as enum ('sad', 'happy'); \
    create schema sales; create type sales.\"Kind\" as enum ('a,b', 'c'); \
    create domain even as int check (value % 2 = 0); \
    create table t (e citext, c char(5), m mood, k sales.\"Kind\", a inet, n numeric(12,2), i int); \
    insert into t values ('Ann@Example.com', 'ab', 'happy', 'a,b', '10.0.0.1/8', 1.50, 4); \
    grant usage on schema sales to public; grant select on t to public";

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_has_the_type_of_the_database_that_is_named() {
    let (database, name) = postgres();
    servers::postgres().psql(&name, FOUND_BY_TYPE);
    for (of, condition, value) in [
        ("citext", "e = :p", "ann@example.COM"),
        ("char(5)", "c = :p", "ab"),
        ("mood", "m = :p", "happy"),
        ("mood", "m > :p", "sad"),
        ("sales.\"Kind\"", "k = :p", "a,b"),
        ("inet", "a = :p", "10.0.0.1/8"),
        ("numeric(12,2)", "n = :p", "1.499"),
        ("even", "i = :p", "4"),
        ("double precision", "i = :p", "4.0"),
        ("integer[]", "i = any(:p)", "3,4"),
        ("citext[]", "e = any(:p)", "x,ANN@example.com"),
        ("sales.\"Kind\"[]", "k = any(:p)", r"c,a\,b"),
        ("inet[]", "a = any(:p)", "10.0.0.1/8"),
        ("text[]", "cardinality(:p) = 0", ""),
        ("text[]", "(:p)[1] = 'a\"b{}'", "a\"b{},null"),
        ("text[]", "(:p)[2] = 'null'", "a,null"),
    ] {
        let file = format!("-- param: p {of}\nselect i from t where {condition}");
        let rows = run_with(&database, &file, &[("p", value)], LIMITS).await;
        let rows = rows.unwrap_or_else(|error| panic!("{file} {value}: {error}"));
        assert_eq!(json(&rows), r#"{"i":4}"#, "{file} {value}");
    }
    for (of, value) in [
        ("mood", "x"),
        ("inet", "x"),
        ("numeric(3,2)", "100"),
        ("mood[]", "sad,x"),
    ] {
        let file = format!("-- param: p {of}\nselect i from t where :p is null");
        let error = run_with(&database, &file, &[("p", value)], LIMITS).await;
        let error = error.unwrap_err();
        assert_eq!(error.status(), 400, "{of} {value}: {error}");
    }
}
