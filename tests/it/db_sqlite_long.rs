//! Values of SQLite near the bound on one value: each function that makes a text or a blob gives what
//! SQLite gives without that bound, or an error that says that it is too large; never a null or a
//! shorter text.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection};
use unslow::db::Database;
use unslow::error::RequestError;
use unslow::settings::DatabaseTarget;

use crate::db_support::{LIMITS, json, open_with, run_with};

/// The bound on one value here.
const BOUND: usize = 64 << 10;

/// Expressions over a length `{n}` and a text `s` of that length.
const EXPRESSIONS: &[&str] = &[
    "printf('%.*c', {n}, 'x')",
    "printf('%*s', {n}, 'x')",
    "printf('%-{n}d', 5)",
    "printf('%s%s', s, s)",
    "printf('%Q', s)",
    "printf('%w', s)",
    "printf(s)",
    "format('%{n}s', 'a')",
    "format('%.{n}f', 0.5)",
    "format(s || '%s', s)",
    "s || s",
    "replace(s, '0', 'abc')",
    "hex(zeroblob({n}))",
    "hex(s)",
    "zeroblob({n})",
    "quote(s)",
    "quote(zeroblob({n}))",
    "unistr_quote(s)",
    "unistr(s)",
    "upper(s)",
    "lower(s)",
    "trim(s || ' ')",
    "substr(s || 'a', 2)",
    "concat(s, s)",
    "concat_ws('-', s, s)",
    "strftime(s, '2020-01-01')",
    "cast(zeroblob({n}) as text)",
    "iif(1, s, '')",
    "coalesce(nullif(s, ''), s)",
    "max(s, 'a')",
    "(select max(x) from (select s as x))",
    "(select group_concat(x, '-') from (select s as x union all select s))",
    "(select string_agg(x, '-') from (select s as x union all select s))",
    "(select json_group_array(x) from (select s as x union all select s))",
    "(select json_group_object(x, x) from (select s as x))",
    "(select group_concat(x, '-') over (rows unbounded preceding) from (select s as x))",
    "json_array(s, s)",
    "json_object('a', s)",
    "json_quote(s)",
    "json_set('{}', '$.a', s)",
    "json_insert('[]', '$[0]', s)",
    "json_replace('[1]', '$[0]', s)",
    "json_patch('{}', json_object('a', s))",
    "json_remove(json_array(s, 1), '$[1]')",
    "json_extract(json_array(s), '$[0]')",
    "json_array(s) ->> 0",
    "json(json_array(s))",
    "json_pretty(json_array(s))",
    "jsonb_array(s)",
    "json(jsonb_array(s))",
];

/// Returns a statement that shows enough of an expression's value.
fn statement(expression: &str, n: usize) -> String {
    let e = expression.replace("{n}", &n.to_string());
    format!(
        "with t(s) as materialized (select substr(hex(zeroblob({n} / 2 + 1)), 1, {n})), \
         v(e) as materialized (select {e} from t) \
         select typeof(e) as kind, length(e) as length, hex(substr(e, 1, 9)) as head, \
         hex(substr(e, -9)) as tail from v"
    )
}

struct Pair {
    bounded: Database,
    plain: SqliteConnection,
}

impl Pair {
    async fn new() -> Pair {
        let bounded = open_with(DatabaseTarget::Demo, |settings| {
            settings.limits.max_result = BOUND as u64;
        });
        let plain = SqliteConnectOptions::new()
            .filename(":memory:")
            .disable_statement_logging();
        let plain = plain.connect().await.unwrap();
        Pair { bounded, plain }
    }

    async fn plain(&mut self, sql: &str) -> String {
        let sql = format!(
            "select json_object('kind', kind, 'length', length, 'head', head, 'tail', tail) from ({sql})"
        );
        let row = sqlx::query(AssertSqlSafe(sql))
            .fetch_one(&mut self.plain)
            .await
            .unwrap();
        row.get(0)
    }

    /// Returns whether the value was made; an error says that it is too large.
    async fn agrees(&mut self, expression: &str, n: usize) -> bool {
        let sql = statement(expression, n);
        match run_with(&self.bounded, &sql, &[], LIMITS).await {
            Ok(rows) => {
                assert_eq!(json(&rows), self.plain(&sql).await, "{expression} of {n}");
                true
            }
            Err(RequestError::TooLarge { .. }) => false,
            Err(error) => panic!("{expression} of {n}: {error}"),
        }
    }
}

#[test]
fn a_text_is_what_sqlite_makes_or_too_large_and_never_a_null_instead() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut pair = runtime.block_on(Pair::new());
    for expression in EXPRESSIONS {
        for n in [0, 1, 1000] {
            assert!(
                runtime.block_on(pair.agrees(expression, n)),
                "{expression} of {n}"
            );
        }
        let made = runtime.block_on(pair.agrees(expression, BOUND * 2));
        assert!(!made, "{expression} is over the bound");
    }
    // Around each length at which a text made of one, two or three of another passes the bound.
    let near = |part: usize| (BOUND / part - 40)..(BOUND / part + 40);
    let lengths = prop_oneof![near(1), near(2), near(3), 0..BOUND];
    let pair = std::cell::RefCell::new(pair);
    let mut runner = TestRunner::new(Config {
        cases: 600,
        failure_persistence: None,
        ..Config::default()
    });
    let drawn = (0..EXPRESSIONS.len(), lengths);
    runner
        .run(&drawn, |(at, n)| {
            runtime.block_on(pair.borrow_mut().agrees(EXPRESSIONS[at], n));
            Ok(())
        })
        .unwrap();
}

/// Calls of the functions that are passed on, with the forms that their arguments may have.
const CALLS: &[&str] = &[
    "printf('')",
    "printf(null)",
    "printf(null, 1)",
    "printf('%s', null)",
    "printf('%s')",
    "printf('%d %i %u %x %X %o', 1, -2, 3, 255, 255, 8)",
    "printf('%d', '12abc')",
    "printf('%d', 1e30)",
    "printf('%,d %+d %05d %-5d|', 1234567, 5, 42, 7)",
    "printf('%f %e %g %.2f %!.20f', 1.5, 1.5, 1.5, 2.345, 0.1)",
    "printf('%s|%10s|%-10s|%.2s', 'a', 'b', 'c', 'def')",
    "printf('%c%c', 'xyz', 65)",
    "printf('%q %Q %w', 'it''s', null, 'a\"b')",
    "printf('%%')",
    "printf('%y', 1)",
    "printf('%n', 1)",
    "printf('%p %z', 1, 'a')",
    "printf(12)",
    "printf(x'25642121', 7)",
    "printf('%s', x'414243')",
    "printf('äö%5s', 'ü')",
    "printf('%!5s|', 'ü')",
    "typeof(printf(''))",
    "typeof(format('%s', ''))",
    "format('%s %s', 1, 2, 3)",
    "format('a', zeroblob(10))",
];

#[tokio::test(flavor = "multi_thread")]
async fn texts_by_a_format_are_sqlites_own() {
    let mut pair = Pair::new().await;
    for call in CALLS {
        let sql = format!("select typeof({call}) as kind, {call} as length, 1 as head, 1 as tail");
        let rows = run_with(&pair.bounded, &sql, &[], LIMITS).await.unwrap();
        assert_eq!(json(&rows), pair.plain(&sql).await, "{call}");
    }
    let error = run_with(
        &pair.bounded,
        "select printf() as a, format() as b",
        &[],
        LIMITS,
    )
    .await;
    assert_eq!(json(&error.unwrap()), r#"{"a":null,"b":null}"#);
    // Where SQLite itself gives a null.
    for call in [
        "printf('%.*c', 2000000000, 'x')",
        "format('%2000000000d', 1)",
    ] {
        let sql = format!("select {call} as a");
        let end = run_with(&pair.bounded, &sql, &[], LIMITS).await;
        assert!(
            matches!(end, Err(RequestError::TooLarge { .. })),
            "{call}: {:?}",
            end.map(|rows| json(&rows).len())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_schema_uses_a_format_is_read_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let options = SqliteConnectOptions::new().filename(&path);
    let options = options
        .create_if_missing(true)
        .pragma("encoding", "'UTF-16le'");
    let mut connection = options.connect().await.unwrap();
    let schema = "create table t(a integer, code text as (printf('%05d', a)), \
                  check (length(printf('%d', a)) < 9)); \
                  create index by_code on t(format('%x', a)); \
                  create view v as select printf('ä-%s', code) as name from t; \
                  insert into t values (7), (255)";
    sqlx::raw_sql(schema)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let database = open_with(DatabaseTarget::SqliteFile(path), |_| {});
    let sql = "select code, name, a from t join v on name like '%' || code \
               where format('%x', a) = 'ff'";
    let rows = run_with(&database, sql, &[], LIMITS).await.unwrap();
    assert_eq!(json(&rows), r#"{"code":"00255","name":"ä-00255","a":255}"#);
}
