//! Settings that a role or a database brings into a session decide the rows as much as the statement
//! does: copies of sessions with other settings are never found, in Redis or in memory.

use serde_json::{Value, json};

use crate::end_to_end::start;
use crate::servers::{Redis, postgres, wait_until as until};
use crate::unslow::Unslow;

/// A setting that changes, and a query whose rows show it.
struct SettingCase {
    /// Statements of before; `R` is the role, `D` the database.
    before: &'static str,
    change: &'static str,
    query: &'static str,
    rows: [Value; 2],
}

fn cases() -> Vec<SettingCase> {
    vec![
        SettingCase {
            before: "create schema a; create schema b; grant usage on schema a, b to R; \
                     create table a.t as select 'a' as n; create table b.t as select 'b' as n; \
                     grant select on a.t, b.t to R; alter role R set search_path = a",
            change: "alter role R set search_path = b",
            query: "select n from t",
            rows: [json!("a"), json!("b")],
        },
        SettingCase {
            before: "select 1",
            change: "alter database D set IntervalStyle = 'iso_8601'",
            query: "select interval '1 day' as n",
            rows: [json!("1 day"), json!("P1D")],
        },
        SettingCase {
            before: "alter role R in database D set app.tenant = 'one'",
            change: "alter role R in database D set app.tenant = 'two'",
            query: "select current_setting('app.tenant', true) as n",
            rows: [json!("one"), json!("two")],
        },
        SettingCase {
            before: "select 1",
            change: "alter database D set app.tenant = 'new'",
            query: "select current_setting('app.tenant', true) as n",
            rows: [Value::Null, json!("new")],
        },
        SettingCase {
            before: "create role other_D; grant other_D to R",
            change: "alter role R set role = other_D",
            query: "select current_user like 'other%' as n",
            rows: [json!(false), json!(true)],
        },
    ]
}

fn row(unslow: &Unslow) -> Value {
    let answer = unslow.get("/q/shown.json");
    answer.json()["rows"][0]["n"].clone()
}

fn loads(unslow: &Unslow) -> u64 {
    unslow.numbers("shown")["loads"].as_u64().unwrap()
}

#[test]
fn what_a_role_or_a_database_brings_into_a_session_is_part_of_the_key() {
    std::thread::scope(|scope| {
        for case in cases() {
            scope.spawn(move || try_out(case));
        }
    });
}

/// Changes the setting under two instances that share a Redis.
fn try_out(case: SettingCase) {
    let server = postgres();
    let (redis, database) = (Redis::start(), server.database());
    let role = format!("role_{database}");
    let sql = |sql: &str| {
        let named = sql.replace("_D", &format!("_{database}"));
        let named = named.replace(" D ", &format!(" {database} "));
        let words = named.split_inclusive([' ', ';']).map(|word| {
            let name = word.trim_end_matches([' ', ';']);
            let rest = &word[name.len()..];
            if name == "R" {
                format!("{role}{rest}")
            } else {
                word.to_owned()
            }
        });
        server.psql(&database, &words.collect::<String>())
    };
    sql("create role R login");
    sql(case.before);
    let ini = format!(
        "[postgres]\nhost=127.0.0.1\nport={}\nuser={role}\ndatabase={database}\n\
             sslmode=disable\n[redis]\nurl={}\n",
        server.port(),
        redis.url()
    );
    let query = format!("-- ttl: 1h\n{}", case.query);
    let files = [("queries/shown.sql", query.as_str())];
    let [before, after] = case.rows;
    let first = start(&ini, &files);
    assert_eq!(row(&first), before, "{}", case.change);
    until("it is in Redis", || redis.entries().len() == 1);

    sql(case.change);
    let second = start(&ini, &files);
    assert_eq!(row(&second), after, "{}", case.change);
    assert_eq!(loads(&second), 1);
    until("so is the other", || redis.entries().len() == 2);
    // The first notices that new sessions are others than its own, and finds what the second has
    // loaded.
    until("the new setting is noticed", || row(&first) == after);
    assert_eq!(loads(&first), 1);
    let third = start(&ini, &files);
    assert_eq!((row(&third), loads(&third)), (after, 0));
}

#[test]
fn a_custom_setting_that_a_query_leaves_behind_reaches_no_other_query() {
    let database = postgres().database();
    let reader = "create function reads() returns text as \
         $$ select current_setting('other.tenant', true) $$ language sql";
    postgres().psql(&database, reader);
    let ini = format!(
        "[postgres]\nhost=127.0.0.1\nport={}\nuser=postgres\ndatabase={database}\n\
         sslmode=disable\n[database]\npool_size=1\n",
        postgres().port()
    );
    let files = [
        (
            "queries/sets.sql",
            "-- cache: off\nselect set_config('my.tenant', 'x', false) as n",
        ),
        (
            "queries/reads.sql",
            "-- cache: off\nselect current_setting('my.tenant', true) as n",
        ),
        (
            "queries/sets_other.sql",
            "-- cache: off\nselect set_config('other.tenant', 'x', false) as n",
        ),
        (
            "queries/reads_other.sql",
            "-- cache: off\nselect reads() as n",
        ),
    ];
    let unslow = start(&ini, &files);
    let rows = |path: &str| unslow.get(path).json()["rows"][0]["n"].clone();
    for _ in 0..3 {
        assert_eq!(rows("/q/reads.json"), Value::Null);
        assert_eq!(rows("/q/sets.json"), json!("x"));
    }
    // By a function, whose text no query shows.
    for _ in 0..3 {
        assert_eq!(rows("/q/reads_other.json"), Value::Null);
        assert_eq!(rows("/q/sets_other.json"), json!("x"));
    }
}
