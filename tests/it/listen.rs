//! The messages of the database: what `NOTIFY unslow` and `unslow_watch()` make stale, and what is
//! done about messages that were missed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use unslow::app::listen::{ListenMonitor, TagIndex, follow_messages};
use unslow::db::Database;
use unslow::query::{Catalog, DatabaseKind};
use unslow::settings::DatabaseTarget;

use crate::db_support::{on_postgres, open, postgres as new_database};
use crate::end_to_end::start;
use crate::faults::without_redis;
use crate::servers::{self, Postgres, until, wait_until};

/// A follower of one database, and what it has expired so far.
struct Follower {
    state: Arc<ListenMonitor>,
    expired: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Follower {
    /// Starts with the queries `a` (tags `orders` and `items`), `b` (tag `orders`) and `c` (none).
    /// It listens when this returns, and has expired what it must at first.
    async fn start(database: Database) -> Follower {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("a", "-- notify: orders, items\nselect 1"),
            ("b", "-- notify: orders\nselect 1"),
            ("c", "select 1"),
        ] {
            std::fs::write(folder.path().join(format!("{name}.sql")), text).unwrap();
        }
        let catalog = Catalog::load(DatabaseKind::Postgres, Some(folder.path())).unwrap();
        let tags = TagIndex::collect(&catalog);
        let state = Arc::new(ListenMonitor::default());
        let expired = Arc::new(Mutex::new(Vec::new()));
        let (told, noted) = (Arc::clone(&state), Arc::clone(&expired));
        let task = tokio::spawn(async move {
            let expire = |query: Arc<str>, _: Duration| {
                noted.lock().unwrap().push(query.to_string());
                std::future::ready(())
            };
            follow_messages(&database, &tags, &told, expire).await;
        });
        let follower = Follower {
            state,
            expired,
            task,
        };
        follower.expires("ab").await;
        follower
    }

    /// Waits until these have been expired since the last time, in this order.
    async fn expires(&self, queries: &str) {
        until(&format!("{queries} are expired"), || {
            self.so_far().len() >= queries.len()
        })
        .await;
        assert_eq!(self.so_far(), queries);
        self.expired.lock().unwrap().clear();
    }

    fn so_far(&self) -> String {
        self.expired.lock().unwrap().concat()
    }
}

fn on(server: &Postgres) -> Database {
    open(DatabaseTarget::Postgres(on_postgres(
        server.port(),
        "postgres",
    )))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_change_a_watched_table_expires_the_queries_with_its_tag() {
    let (database, name) = new_database();
    database.install().await.unwrap();
    let sql = |sql: &str| servers::postgres().psql(&name, sql);
    sql("create table orders (n integer); create table items (n integer)");
    sql("select unslow_watch('orders'), unslow_watch('items')");
    let follower = Follower::start(database).await;
    for change in [
        "insert into orders values (1)",
        "update orders set n = 2",
        "delete from orders",
        "truncate orders",
        "notify unslow, 'orders'",
    ] {
        sql(change);
        follower.expires("ab").await;
    }
    sql("insert into items values (1)");
    follower.expires("a").await;
    // A change that is undone, or concerns nobody, is none.
    sql("begin; insert into orders values (1); rollback");
    sql("notify unslow, 'nobody'; notify unslow; notify other, 'orders'");
    sql("select unslow_unwatch('orders')");
    sql("insert into orders values (1)");
    sql("update items set n = 2");
    follower.expires("a").await;
    let state = follower.state.state();
    assert!(state.listening && state.last_error.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_messages_is_taken_together() {
    const MESSAGES: u64 = 400;
    let (database, name) = new_database();
    let follower = Follower::start(database).await;
    let burst = format!(
        "do $$ begin for i in 1..{MESSAGES} loop notify unslow, 'items'; commit; end loop; end $$"
    );
    servers::postgres().psql(&name, &burst);
    until("all are heard", || {
        follower.state.state().messages == MESSAGES
    })
    .await;
    until("they are acted on", || !follower.so_far().is_empty()).await;
    let expired = follower.so_far();
    assert!(expired.chars().all(|query| query == 'a'));
    assert!(expired.len() as u64 <= MESSAGES / 4, "{}", expired.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_ended_is_made_again_and_everything_tagged_is_expired() {
    let (database, name) = new_database();
    let server = servers::postgres();
    let follower = Follower::start(database).await;
    let before = follower.state.state().since;
    server.end_sessions(&name);
    follower.expires("ab").await;
    let state = follower.state.state();
    assert!(state.listening && state.since > before);
    assert_eq!(
        state.last_error.map(|error| error.class()),
        Some("unavailable")
    );
    server.psql(&name, "notify unslow, 'items'");
    follower.expires("a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_noticed_and_listened_to_again() {
    let server = Postgres::start();
    let follower = Follower::start(on(&server)).await;
    server.stop();
    until("the silence is noticed", || {
        !follower.state.state().listening
    })
    .await;
    server.cont();
    follower.expires("ab").await;
    server.psql("postgres", "notify unslow, 'items'");
    follower.expires("a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_away_is_listened_to_again() {
    let mut server = Postgres::start();
    let follower = Follower::start(on(&server)).await;
    server.kill();
    until("the end is noticed", || !follower.state.state().listening).await;
    server.start_again();
    follower.expires("ab").await;
    server.psql("postgres", "notify unslow, 'orders'");
    follower.expires("ab").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_watched_once_by_any_name_and_under_the_tag_that_was_given_last() {
    let (database, name) = new_database();
    database.install().await.unwrap();
    database.install().await.unwrap();
    let server = servers::postgres();
    let sql = |sql: &str| server.psql(&name, sql);
    sql("create schema \"My Shop\"; create table \"My Shop\".\"it's\" (n integer)");
    sql("create table \"My Shop\".orders (n integer)");
    let mut listener = database.open_listener().await.unwrap().unwrap();
    let watched = "select count(*) from pg_trigger where tgname = 'unslow_watch'";

    sql("select unslow_watch('\"My Shop\".orders')");
    // A trigger that is there is let alone: its table is not waited for.
    let oid = sql("select oid from pg_trigger where tgname = 'unslow_watch'");
    sql("set search_path to \"My Shop\"; select public.unslow_watch('orders')");
    assert_eq!(
        sql("select oid from pg_trigger where tgname = 'unslow_watch'"),
        oid
    );
    sql("insert into \"My Shop\".orders values (1)");
    assert_eq!(listener.next().await.unwrap(), "orders");

    sql("select unslow_watch('\"My Shop\".orders', 'my.shop-1')");
    sql("delete from \"My Shop\".orders");
    assert_eq!(listener.next().await.unwrap(), "my.shop-1");
    assert_eq!(sql(watched), "1");

    sql("select unslow_watch('\"My Shop\".\"it''s\"', 'its')");
    sql("set search_path to pg_catalog; truncate \"My Shop\".\"it's\"");
    assert_eq!(listener.next().await.unwrap(), "its");
    for _ in 0..2 {
        sql("select unslow_unwatch('\"My Shop\".\"it''s\"')");
    }
    assert_eq!(sql(watched), "1");

    let refused = "do $$ begin perform unslow_watch('\"My Shop\".\"it''s\"'); \
                   exception when raise_exception then raise notice 'refused'; return; end $$";
    sql(refused);
    assert_eq!(sql(watched), "1", "its name cannot be a tag");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_write_to_a_watched_table_may_go_on_writing() {
    let (database, name) = new_database();
    database.install().await.unwrap();
    let server = servers::postgres();
    let sql = |sql: &str| server.psql(&name, sql);
    sql("create table orders (n integer); select unslow_watch('orders')");
    sql(
        "create role writer; grant insert on orders to writer; revoke all on schema public from public",
    );
    let mut listener = database.open_listener().await.unwrap().unwrap();
    sql("grant usage on schema public to writer; set role writer; insert into orders values (1)");
    assert_eq!(listener.next().await.unwrap(), "orders");
    sql("drop owned by writer; drop role writer");
}

const TAGGED: (&str, &str) = (
    "queries/total.sql",
    "-- ttl: 1h\n-- notify: orders\nselect count(*) as total from orders",
);

fn listeners(server: &Postgres, database: &str) -> String {
    let sql = format!(
        "select count(*) from pg_stat_activity where datname = '{database}' and query like 'LISTEN%'"
    );
    server.psql("postgres", &sql)
}

#[test]
fn the_server_listens_where_a_query_wants_it_and_only_there() {
    let server = servers::postgres();
    let database = server.database();
    server.psql(&database, "create table orders (n integer)");
    let ini = without_redis(server, &database, "");
    let plain = start(&ini, &[("queries/one.sql", "select 1 as a")]);
    assert_eq!(plain.get("/q/one.json").status, 200);
    let unslow = start(&ini, &[TAGGED]);
    wait_until("it listens", || {
        unslow
            .log()
            .contains("listening to the database's messages")
    });
    assert_eq!(listeners(server, &database), "1");
    assert!(!plain.log().contains("listening"), "{}", plain.log());
    assert!(!unslow.log().contains("no effect"), "{}", unslow.log());
    unslow.signal(nix::sys::signal::Signal::SIGTERM);
    wait_until("it has gone", || listeners(server, &database) == "0");
    assert!(!unslow.log().contains("panicked"), "{}", unslow.log());
    assert!(unslow.wait().success());
}

#[test]
fn an_update_of_a_watched_table_is_seen_long_before_the_ttl_is_over() {
    let server = servers::postgres();
    let database = server.database();
    let sql = |sql: &str| server.psql(&database, sql);
    sql("create table orders (n integer); grant select on orders to public");
    let ini = without_redis(server, &database, "");
    assert!(
        crate::end_to_end::one_off(&ini, &["install"])
            .status
            .success()
    );
    sql("select unslow_watch('orders')");
    let instances = [start(&ini, &[TAGGED]), start(&ini, &[TAGGED])];
    let total = |instance: usize| {
        let answer = instances[instance].get("/q/total.json");
        answer.json()["rows"][0]["total"].as_u64()
    };
    for (instance, unslow) in instances.iter().enumerate() {
        wait_until("it listens", || {
            unslow
                .log()
                .contains("listening to the database's messages")
        });
        wait_until("it is loaded", || total(instance) == Some(0));
    }
    for n in 1..4 {
        sql("insert into orders values (1)");
        for instance in 0..instances.len() {
            wait_until("the new one is seen", || total(instance) == Some(n));
        }
    }
}
