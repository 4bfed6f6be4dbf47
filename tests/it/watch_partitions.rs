//! `unslow_watch()` on partitioned tables and on tables that others inherit from: which changes
//! send the tag, which do not, and that `unslow_unwatch()` leaves nothing behind.

use std::time::Duration;

use unslow::db::Database;

use crate::db_support::postgres as new_database;
use crate::servers;

/// A database with the functions, and everything that it sends.
struct WatchedDatabase {
    database: Database,
    name: String,
}

impl WatchedDatabase {
    async fn create() -> WatchedDatabase {
        let (database, name) = new_database();
        database.install().await.unwrap();
        WatchedDatabase { database, name }
    }

    fn sql(&self, sql: &str) -> String {
        servers::postgres().psql(&self.name, sql)
    }

    /// Runs each statement and asserts the messages that it sends, with commas between them. A
    /// message of the test's own ends the statement's messages: those of one channel arrive in
    /// the order of their commits.
    async fn assert_sends(&self, changes: &[(&str, &str)]) {
        let mut listener = self.database.open_listener().await.unwrap().unwrap();
        for (change, messages) in changes {
            self.sql(change);
            self.sql("notify unslow, 'end'");
            let mut heard = Vec::new();
            loop {
                let next = tokio::time::timeout(Duration::from_secs(30), listener.next());
                match next.await.unwrap().unwrap() {
                    tag if tag == "end" => break,
                    tag => heard.push(tag),
                }
            }
            heard.sort();
            assert_eq!(heard.join(","), *messages, "{change}");
        }
    }

    fn triggers(&self) -> String {
        self.sql("select count(*) from pg_trigger where tgname like 'unslow%'")
    }

    /// Returns the error of a statement, which must fail.
    fn refusal(&self, statement: &str) -> String {
        let quoted = statement.replace('\'', "''");
        self.sql(&format!(
            "create or replace function refusal() returns text language plpgsql as $$ \
             begin execute '{quoted}'; return 'taken'; \
             exception when others then return sqlerrm; end $$; select refusal()"
        ))
    }
}

const ORDERS: &str = "create table orders (n integer, y integer) partition by range (n); \
    create table low partition of orders for values from (0) to (10); \
    create table high partition of orders for values from (10) to (20) partition by range (y); \
    create table high_1 partition of high for values from (0) to (10)";

#[tokio::test(flavor = "multi_thread")]
async fn writes_to_a_partition_are_seen_at_every_depth_and_in_later_partitions() {
    let watched = WatchedDatabase::create().await;
    watched.sql(ORDERS);
    watched.sql("select unslow_watch('orders')");
    watched
        .assert_sends(&[
            ("insert into orders values (1, 1), (11, 1)", "orders"),
            ("insert into low values (2, 1)", "orders"),
            (
                "insert into high_1 select 12, 1 from generate_series(1, 1000)",
                "orders",
            ),
            ("update high set y = 2", "orders"),
            ("delete from high_1", "orders"),
            ("truncate low", "orders"),
            ("truncate high_1", "orders"),
            ("truncate high", "orders"),
            ("truncate orders", "orders"),
            ("begin; insert into low values (1); rollback", ""),
            (
                "create table later partition of orders for values from (20) to (30)",
                "",
            ),
            ("insert into later values (21)", "orders"),
            ("truncate later", ""),
            ("select unslow_watch('orders')", ""),
            ("truncate later", "orders"),
            ("create table made (n integer, y integer)", ""),
            ("insert into made values (31)", ""),
            (
                "alter table orders attach partition made for values from (30) to (40)",
                "",
            ),
            ("update made set y = 1", "orders"),
            ("alter table orders detach partition made", ""),
            ("update made set y = 2", ""),
            ("alter table later rename to renamed", ""),
            ("insert into renamed values (22)", "orders"),
            ("drop table renamed", ""),
        ])
        .await;
    let before = watched.triggers();
    watched.sql("select unslow_watch('orders')");
    assert_eq!(watched.triggers(), before, "a repeated call adds nothing");
    watched.sql("select unslow_unwatch('orders')");
    assert_eq!(watched.triggers(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_may_have_a_tag_of_its_own_and_keeps_it() {
    let watched = WatchedDatabase::create().await;
    watched.sql(ORDERS);
    watched.sql("select unslow_watch('high', 'orders'), unslow_watch('low', 'low')");
    watched.sql("select unslow_watch('orders')");
    watched
        .assert_sends(&[
            ("insert into high_1 values (11, 1)", "orders"),
            ("insert into low values (1)", "low,orders"),
            ("select unslow_watch('high', 'high')", ""),
            ("insert into high_1 values (11, 1)", "high,orders"),
            ("truncate high_1", "high,orders"),
            // The trigger of the parent stays.
            ("select unslow_unwatch('high'), unslow_unwatch('low')", ""),
            ("insert into high_1 values (11, 1)", "orders"),
            ("truncate high_1", "orders"),
            ("truncate low", "orders"),
            ("select unslow_watch('high', 'orders')", ""),
            ("select unslow_watch('orders', 'all')", ""),
            ("insert into high_1 values (11, 1)", "all,orders"),
            ("select unslow_watch('orders')", ""),
            ("select unslow_unwatch('orders')", ""),
            ("insert into high_1 values (11, 1)", "orders"),
            ("truncate high_1", "orders"),
            ("insert into low values (1)", ""),
            ("select unslow_unwatch('high')", ""),
        ])
        .await;
    assert_eq!(watched.triggers(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_inherit_are_watched_where_they_exist() {
    let watched = WatchedDatabase::create().await;
    watched.sql("create table a (n integer); create table b (n integer)");
    watched.sql("create table child () inherits (a, b); create table below () inherits (child)");
    watched.sql("select unslow_watch('a', 't'), unslow_watch('b', 't')");
    watched
        .assert_sends(&[
            ("insert into below values (1)", "t"),
            ("truncate only child", "t"),
            ("create table later () inherits (a)", ""),
            ("insert into later values (1)", ""),
            ("select unslow_watch('a', 't')", ""),
            ("delete from later", "t"),
            ("select unslow_unwatch('a')", ""),
            ("insert into below values (1)", "t"),
            ("insert into later values (1)", ""),
            ("select unslow_unwatch('b')", ""),
            ("insert into below values (1)", ""),
        ])
        .await;
    assert_eq!(watched.triggers(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relation_that_cannot_be_watched_is_refused_in_words() {
    let watched = WatchedDatabase::create().await;
    watched.sql("create view v as select 1 as n; create materialized view m as select 1 as n");
    watched.sql("create foreign data wrapper w; create server s foreign data wrapper w");
    watched.sql("create foreign table f (n integer) server s; create sequence q");
    for (relation, words) in [
        ("v", "v is a view: its changes cannot be watched"),
        (
            "m",
            "m is a materialized view: its changes cannot be watched",
        ),
        ("f", "f is a foreign table: its changes cannot be watched"),
        ("q", "q is no table: its changes cannot be watched"),
    ] {
        let said = watched.refusal(&format!("select unslow_watch('{relation}')"));
        assert_eq!(said, words);
    }
    assert_eq!(watched.triggers(), "0");
}
