//! The same queries give the same bytes on both databases.

use sqlx::Connection;
use unslow::db::Limits;
use unslow::settings::DatabaseTarget;

use crate::db_support::{LIMITS, json, on_postgres, open, run_with, writer};
use crate::servers;

/// Understood by both.
pub(crate) const TABLE: &str = "
create table sale (
    id integer primary key,
    region text,
    paid boolean,
    total bigint,
    share double precision,
    day date,
    code text
);
insert into sale values
    (1, 'eu', true, 9223372036854775807, 0.1, '2026-01-01', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
    (2, 'us', false, -9223372036854775807, 1e300, '2026-02-28', ''),
    (3, 'a \"quoted\" \\ <b>&amp;</b> / é 😀 '' x', null, 0, -1.5e-7, '1999-12-31', 'x'),
    (4, null, true, 42, 100000000000000000000.0, null, null),
    (5, 'tab	line
break', false, -1, 0.25, '2024-02-29', '\u{1}\u{7f}');
";

/// A query file and its parameters.
pub(crate) const CORPUS: &[(&str, &[(&str, &str)])] = &[
    ("select * from sale order by id", &[]),
    ("select id, paid from sale where paid order by id desc", &[]),
    (
        "select region as t, total as _q, id as _unslow_ from sale order by id limit 2",
        &[],
    ),
    (
        "select count(*) as n, max(day) as last, sum(share) as s from sale where id < 3",
        &[],
    ),
    (
        "with big as (select * from sale where total > 40) select id from big order by id",
        &[],
    ),
    ("values (1, 'a'), (2, null)", &[]),
    (
        "select 1 as \"a \"\"b\"\" \\ <c>\", null as \"\u{e9}\"",
        &[],
    ),
    ("select id, region from sale where false", &[]),
    (
        "select id from sale where region = 'none'; -- a remark\n",
        &[],
    ),
    (
        "-- param: r text\nselect id, region from sale where region = :r",
        &[("r", "a \"quoted\" \\ <b>&amp;</b> / é 😀 ' x")],
    ),
    (
        "-- param: r text\nselect :r as r",
        &[("r", "'; drop table sale; --\u{7f}\u{1}\r\n\t")],
    ),
    (
        "-- param: r text = null\nselect id from sale where region = :r or :r is null order by id",
        &[],
    ),
    (
        "-- param: n integer\nselect id, :n as n from sale where id >= :n order by id",
        &[("n", "3")],
    ),
    (
        "-- param: n bigint\nselect id, :n as n from sale where total = :n",
        &[("n", "9223372036854775807")],
    ),
    (
        "-- param: x number\nselect id from sale where share < :x and share > -1 order by id",
        &[("x", "0.5")],
    ),
    (
        "-- param: x number\nselect id from sale where id = :x",
        &[("x", "2")],
    ),
    (
        "-- param: b boolean\nselect id, paid from sale where paid = :b order by id",
        &[("b", "false")],
    ),
    (
        "-- param: d date\nselect id, day from sale where day >= :d order by day",
        &[("d", "2026-01-01")],
    ),
    (
        "-- param: m timestamp\nselect id from sale where day < :m order by id",
        &[("m", "2026-01-02T00:00:00Z")],
    ),
    (
        "-- param: u uuid\nselect id from sale where code = cast(:u as text)",
        &[("u", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")],
    ),
    (
        "-- param: n integer\nselect id from sale order by id limit :n",
        &[("n", "2")],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_corpus_is_byte_identical() {
    let server = servers::postgres();
    let name = server.database();
    server.psql(&name, TABLE);
    server.psql(&name, "grant select on sale to master");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sale.db");
    let mut writer = writer(&path).await;
    sqlx::raw_sql(TABLE).execute(&mut writer).await.unwrap();
    writer.close().await.unwrap();

    let postgres = open(DatabaseTarget::Postgres(on_postgres(server.port(), &name)));
    let sqlite = open(DatabaseTarget::SqliteFile(path));
    for (text, parameters) in CORPUS {
        let one = run_with(&postgres, text, parameters, LIMITS)
            .await
            .unwrap_or_else(|error| panic!("PostgreSQL: {text}: {error}"));
        let other = run_with(&sqlite, text, parameters, LIMITS)
            .await
            .unwrap_or_else(|error| panic!("SQLite: {text}: {error}"));
        assert_eq!(json(&one), json(&other), "{text}");
        assert_eq!(one.columns, other.columns, "{text}");
        assert_eq!(
            (one.count, one.truncated),
            (other.count, other.truncated),
            "{text}"
        );
    }
}

/// Numbers from every part of the range, and those around which the two forms change.
#[tokio::test(flavor = "multi_thread")]
async fn floating_point_numbers_have_the_same_digits() {
    let mut numbers = vec![
        0.0,
        1e14,
        1e15,
        1e16,
        1e21,
        1e22,
        1e23,
        1e-4,
        1e-5,
        0.1 + 0.2,
    ];
    numbers.extend([f64::MAX, f64::MIN_POSITIVE, 5e-324, 123_456_789_012_345.67]);
    numbers.extend((-320..308).map(|power| format!("1e{power}").parse::<f64>().unwrap()));
    numbers.extend((0..1074).map(|power| 2f64.powi(power - 537)));
    // A fixed sequence, so that a failure can be repeated.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    while numbers.len() < 20_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let any = f64::from_bits(state);
        // Integers of this size lie near the halfway points.
        #[allow(clippy::cast_precision_loss, reason = "that is the point")]
        let whole = (state >> 4) as f64;
        numbers.extend([any, whole].into_iter().filter(|number| number.is_finite()));
    }
    let (postgres, _) = crate::db_support::postgres();
    let values: Vec<_> = numbers
        .iter()
        .map(|number| format!("({number:e})"))
        .collect();
    let list = format!(
        "select column1::float8 as v from (values {}) as x",
        values.join(", ")
    );
    let limits = Limits {
        max_rows: u64::MAX,
        ..LIMITS
    };
    let one = run_with(&postgres, &list, &[], limits).await.unwrap();

    // Bound, because SQLite's own reader of numbers is not exact in the last digit.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers.db");
    let mut writer = writer(&path).await;
    sqlx::raw_sql("create table number (v real); begin")
        .execute(&mut writer)
        .await
        .unwrap();
    for number in &numbers {
        let insert = sqlx::query("insert into number values (?)").bind(number);
        insert.execute(&mut writer).await.unwrap();
    }
    sqlx::raw_sql("commit").execute(&mut writer).await.unwrap();
    writer.close().await.unwrap();
    let sqlite = open(DatabaseTarget::SqliteFile(path));
    let other = run_with(&sqlite, "select v from number order by rowid", &[], limits)
        .await
        .unwrap();

    assert_eq!(
        (one.count, other.count),
        (numbers.len() as u64, numbers.len() as u64)
    );
    let both = json(&one).split(',').zip(json(&other).split(','));
    for (number, (one, other)) in numbers.iter().zip(both) {
        assert_eq!(one, other, "{number:e}");
    }
}
