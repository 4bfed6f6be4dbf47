//! A connection of PostgreSQL comes back from a run as it went: settings, role, locks, prepared
//! statements, cursors, the seed of random numbers. Each check runs on the very same backend.

use unslow::db::Database;
use unslow::settings::DatabaseTarget;

use crate::db_support::{json, on_postgres, open_with, run};
use crate::servers::{self, PgBouncer};

/// A database whose loads all run on one connection, for a user of this name.
fn on_one_connection(port: u16, database: &str, user: &str) -> Database {
    let mut target = on_postgres(port, database);
    user.clone_into(&mut target.user);
    open_with(DatabaseTarget::Postgres(target), |settings| {
        settings.limits.pool_size = 1;
    })
}

/// The state of a session, as one row: everything in it is to be the same after any run.
const STATE: &str = "select pg_backend_pid() as pid, session_user::text as login, \
     current_user::text as role, current_schemas(true)::text as schemas, \
     (select json_object_agg(name, setting order by name) from pg_settings) as settings, \
     (select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'advisory') as locks, \
     (select count(*) from pg_prepared_statements where name <> '') as prepared, \
     (select count(*) from pg_cursors where name <> '') as cursors, \
     (select count(*) from pg_listening_channels()) as channels, \
     (select count(*) from pg_class where relpersistence = 't') as temporary";

/// The backend, and its state.
async fn state(database: &Database) -> (i64, serde_json::Value) {
    let rows = run(database, STATE).await.unwrap();
    let mut state: serde_json::Value = serde_json::from_slice(&rows.json).unwrap();
    let pid = state["pid"].take();
    (pid.as_i64().unwrap(), state)
}

/// Every setting that this user may set, with another value that it may have.
async fn other_values(database: &Database) -> Vec<(String, String)> {
    let sql = "select name, case vartype \
         when 'bool' then case setting when 'on' then 'off' else 'on' end \
         when 'enum' then coalesce((select v from unnest(enumvals) v where v <> setting \
             and v not in ('default', 'disabled', 'error', 'serializable', 'xml') limit 1), setting) \
         when 'integer' then case when setting::numeric + 1 <= max_val::numeric \
             then (setting::numeric + 1)::text else min_val end \
         when 'real' then case when setting::numeric + 0.5 <= max_val::numeric \
             then (setting::numeric + 0.5)::text else min_val end \
         else case name when 'TimeZone' then 'Asia/Tokyo' when 'DateStyle' then 'German' \
             when 'client_encoding' then 'LATIN1' when 'search_path' then 'other' \
             when 'IntervalStyle' then 'sql_standard' else 'other' end end as other \
         from pg_settings where context in ('user', 'superuser') order by name";
    let rows = run(database, sql).await.unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&format!("[{}]", json(&rows))).unwrap();
    let text = |row: &serde_json::Value, name| row[name].as_str().unwrap_or("").to_owned();
    rows.iter()
        .map(|row| (text(row, "name"), text(row, "other")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_setting_that_a_query_can_set_outlives_it() {
    let server = servers::postgres();
    for user in ["master", "postgres"] {
        let database = on_one_connection(server.port(), &server.database(), user);
        let (mut pid, before) = state(&database).await;
        let (mut taken, mut closed) = (0, 0);
        for (name, other) in other_values(&database).await {
            let sql = format!("select set_config('{name}', '{other}', false) as a");
            // Some need a value of their own, or a right; what is refused is set by nobody.
            let set = run(&database, &sql).await.is_ok();
            taken += usize::from(set);
            let (same, after) = state(&database).await;
            closed += usize::from(std::mem::replace(&mut pid, same) != same);
            assert_eq!(after, before, "{user}: {name} = {other}");
        }
        assert!(taken > 100, "only {taken} settings could be set by {user}");
        // Such as a time after which the server itself ends the session.
        assert!(closed < 5, "{closed} connections were closed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_that_a_query_leaves_reaches_the_next() {
    let server = servers::postgres();
    let name = server.database();
    server.psql(
        &name,
        "drop role if exists lodger; create role lodger; grant lodger to master; \
         create function does(text) returns int language plpgsql as \
         'begin execute $1; return 1; end'; \
         create function sets() returns int language plpgsql as \
         'begin set search_path = other; perform set_config(''role'', ''lodger'', false); \
         return 1; end'",
    );
    let database = on_one_connection(server.port(), &name, "master");
    // The language brings settings of its own when it is first used.
    run(&database, "select does('select 1') as a")
        .await
        .unwrap();
    let before = state(&database).await;
    let leave = [
        "select set_config('role', 'lodger', false) as a",
        "select sets() as a",
        "select does('set session authorization master') as a",
        "select does('set local role lodger') as a",
        "select pg_advisory_lock(1)::text as a",
        "select pg_advisory_lock_shared(1, 2)::text as a from generate_series(1, 3)",
        "select pg_advisory_lock(3)::text as a, 1 / (random() * 0)::int as b",
        "select does('prepare left_over as select 1') as a",
        "select does('listen left_over') as a",
        "select does('declare left_over cursor with hold for select 1') as a",
        "select does('create temporary table left_over (a int)') as a",
        "select does('load ''plpgsql''') as a",
    ];
    for sql in leave {
        // Some are refused in a transaction that only reads; that is right as well.
        let _ = run(&database, sql).await;
        assert_eq!(state(&database).await, before, "{sql}");
    }
    // Random numbers do not follow from what another query asked for.
    let sql = "select random()::text as a from (select setseed(0.5)) s";
    let seeded = run(&database, sql).await.unwrap();
    assert_eq!(json(&run(&database, sql).await.unwrap()), json(&seeded));
    let draw = "select random()::text as a";
    let after_seed = run(&database, draw).await.unwrap();
    run(&database, sql).await.unwrap();
    assert_ne!(
        json(&run(&database, draw).await.unwrap()),
        json(&after_seed)
    );
    assert_eq!(
        state(&database).await,
        before,
        "the same backend to the end"
    );
}

/// The end of a run has to reach the backend of its transaction, also behind a pooler.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_on_the_connections_of_a_pooler() {
    let server = servers::postgres();
    let name = server.database();
    server.psql(
        &name,
        "create function does(text) returns int language plpgsql as \
         'begin execute $1; return 1; end'",
    );
    let pgbouncer = PgBouncer::start(server, 3);
    let target = DatabaseTarget::Postgres(on_postgres(pgbouncer.port(), &name));
    let database = open_with(target, |settings| settings.limits.pool_size = 16);
    let dirty = [
        "select pg_advisory_lock(7)::text as a where pg_try_advisory_lock(8) is not null",
        "select set_config('search_path', 'other', false) as a, pg_sleep(0.01)::text as b",
        "select does('prepare left_over as select 1') as a",
    ];
    for _ in 0..5 {
        let ends = futures_util::future::join_all(
            (0..12).map(|number| run(&database, dirty[number % dirty.len()])),
        )
        .await;
        // Waiting for the lock would mean that one of before still holds it; three backends may
        // each have one transaction.
        for end in ends {
            assert!(end.is_ok(), "{end:?}");
        }
    }
    servers::until("all have ended", || database.pool_state().used == 0).await;
    let locks = "select count(*) from pg_locks l join pg_database d on d.oid = l.database \
                 where locktype = 'advisory' and datname = current_database()";
    assert_eq!(server.psql(&name, locks), "0");
    for _ in 0..9 {
        let left = run(
            &database,
            "select count(*) as a, current_setting('search_path') as b \
             from pg_prepared_statements where name = 'left_over'",
        );
        let left = left.await.unwrap();
        assert_eq!(json(&left), r#"{"a":0,"b":"\"$user\", public"}"#);
    }
}
