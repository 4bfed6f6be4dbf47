//! A database that is changed by others while it is asked: its columns, its locks, the password of
//! our role. It owns what such a change costs; a server that is away or moves is in `faults`.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use nix::sys::signal::Signal;

use crate::end_to_end::{File, start};
use crate::faults::{ECHO, Session, echo, without_redis};
use crate::servers::{Postgres, UntilDropped, postgres, wait_until as until};

/// All columns that there are; each number is a load of its own.
const WIDE: File<'_> = (
    "queries/wide.sql",
    "-- param: n integer\nselect *, :n as n from wide",
);

/// Changes of the table in their order, and what columns `b` and `c` hold after each.
const CHANGES: [(&str, [&str; 2]); 6] = [
    ("add b integer default 5", ["5", "null"]),
    (
        "add c text default substr(clock_timestamp()::text || 'x', 1000) || 'x'",
        ["5", "\"x\""],
    ),
    (
        "alter c drop default, alter c type integer using 6",
        ["5", "6"],
    ),
    (
        "alter b drop default, alter b type text using 'five'",
        ["\"five\"", "6"],
    ),
    ("drop b", ["null", "6"]),
    ("drop c", ["null", "null"]),
];

#[test]
fn columns_that_come_change_and_go_under_load_cost_no_error_and_are_seen() {
    let server = postgres();
    let database = server.database();
    server.psql(
        &database,
        "create table wide (a integer); insert into wide values (7); \
         grant select on wide to master",
    );
    let unslow = start(&without_redis(server, &database, ""), &[WIDE]);
    let (asked, over) = (AtomicU32::new(0), AtomicBool::new(false));
    // One row of a load of its own, which has what no change takes away.
    let row = || {
        let n = asked.fetch_add(1, Ordering::Relaxed);
        let answer = unslow.get(&format!("/q/wide.json?n={n}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let row = answer.json()["rows"][0].clone();
        assert_eq!((&row["a"], &row["n"]), (&7.into(), &n.into()), "{row}");
        row
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        row();
                    }
                })
            })
            .collect();
        let _end = UntilDropped(&over);
        for _ in 0..4 {
            for (change, expected) in CHANGES {
                let before = asked.load(Ordering::Relaxed);
                server.psql(&database, &format!("alter table wide {change}"));
                // A load that began after the change has its rows.
                let now = row();
                let held = ["b", "c"].map(|name| now[name].to_string());
                assert_eq!(held, expected, "{change}");
                until("requests go on", || {
                    clients.iter().any(thread::ScopedJoinHandle::is_finished)
                        || asked.load(Ordering::Relaxed) > before + 8
                });
            }
        }
    });
    let numbers = unslow.numbers("wide");
    assert_eq!(numbers["error"], 0, "{numbers}");
    assert_eq!(numbers["loads"], asked.load(Ordering::Relaxed), "{numbers}");
}

/// Takes lock 1, waits until somebody waits for it who has lock 2, and asks for lock 2. A
/// deadlock is so closed by this side, whose own check finds it.
const CROSSED: &str = "create function crossed() returns integer language plpgsql as $$ begin \
     perform pg_advisory_xact_lock(1); \
     while exists (select from pg_locks where locktype = 'advisory' and objid = 2 and granted \
             and database = (select oid from pg_database where datname = current_database())) \
         and not exists (select from pg_locks where locktype = 'advisory' and objid = 1 \
             and not granted \
             and database = (select oid from pg_database where datname = current_database())) \
     loop perform pg_sleep(0.01); end loop; \
     perform pg_advisory_xact_lock(2); return 1; end $$";

#[test]
fn a_load_that_a_deadlock_ended_is_run_again() {
    // The session that waits first does not look for a deadlock in the time of the test.
    let server = Postgres::with(&["deadlock_timeout=600s"], false);
    let database = server.database();
    server.psql(&database, CROSSED);
    let mut other = Session::open(&server, &database).unwrap();
    // Sessions that begin from here on look at once.
    server.psql(&database, "alter role master set deadlock_timeout = '10ms'");
    let query = (
        "queries/crossed.sql",
        "-- timeout: 1m\nselect crossed() as n",
    );
    let unslow = start(&without_redis(&server, &database, ""), &[query]);
    other.run("begin; select pg_advisory_xact_lock(2)");
    let answer = thread::scope(|scope| {
        let client = scope.spawn(|| unslow.get("/q/crossed.json"));
        until("the load has lock 1", || {
            let held = "select count(*) from pg_locks \
                 where locktype = 'advisory' and objid = 1 and granted";
            client.is_finished() || server.psql(&database, held) == "1"
        });
        other.run("select pg_advisory_xact_lock(1); commit");
        client.join().unwrap()
    });
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["rows"][0]["n"], 1);
    until("the deadlock is counted", || {
        let sql = format!("select deadlocks from pg_stat_database where datname = '{database}'");
        server.psql(&database, &sql) == "1"
    });
    let numbers = unslow.numbers("crossed");
    assert_eq!(
        (&numbers["loads"], &numbers["error"]),
        (&1.into(), &0.into())
    );
}

/// Copies that are old at once, and are served while the database refuses us.
const BRIEF: File<'_> = (
    "queries/brief.sql",
    "-- ttl: 1ms\n-- param: n integer\nselect :n as n",
);

#[test]
fn a_password_that_changes_under_load_costs_no_copy_and_a_reload_brings_the_new_one() {
    let server = Postgres::start();
    let ini =
        without_redis(&server, "postgres", "").replace("password=secret", "password_file=password");
    let unslow = start(&ini, &[("password", "secret"), ECHO, BRIEF]);
    let with_copy = || {
        let answer = unslow.get("/q/brief.json?n=1");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["rows"][0]["n"], 1);
    };
    with_copy();
    let (asked, over) = (AtomicU32::new(0), AtomicBool::new(false));
    let cold = || echo(&unslow, asked.fetch_add(1, Ordering::Relaxed)).status;
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    with_copy();
                    cold();
                }
            });
        }
        let _end = UntilDropped(&over);
        for new in ["first-of-the-new", "second-of-the-new"] {
            until("a cold key is answered", || cold() == 200);
            server.psql("postgres", &format!("alter role master password '{new}'"));
            server.end_sessions("postgres");
            until("the old password is refused", || cold() == 503);
            until("it is down", || {
                unslow.get("/readyz").json()["database"] == "down"
            });
            std::fs::write(unslow.folder().join("password"), new).unwrap();
            unslow.signal(Signal::SIGHUP);
            until("the new password is used", || cold() == 200);
            until("it is up", || {
                unslow.get("/readyz").json()["database"] == "up"
            });
        }
    });
    let log = unslow.log();
    assert!(log.contains("password authentication failed"), "{log}");
    assert!(!log.contains("of-the-new"), "{log}");
}
