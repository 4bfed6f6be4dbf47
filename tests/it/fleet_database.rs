//! The database under a fleet of three processes: away, it costs no answer that a copy can give;
//! when its tables change, every process hears of it.

use crate::end_to_end::{File, one_off};
use crate::fleet_support::{FACT, Fleet, SIZE, make_facts, settings, value};
use crate::servers::{Postgres, Redis, wait_until as until};

/// Old after a second, and then of use only where loading fails.
const AGEING: File<'_> = (
    "queries/ageing.sql",
    "-- ttl: 1s\n-- stale-while-revalidate: 0\n-- stale-if-error: 1d\nselect value from facts",
);

#[test]
fn without_a_database_the_stale_copy_is_served_and_marked_until_it_is_back() {
    let (mut server, redis) = (Postgres::start(), Redis::start());
    make_facts(&server, "postgres");
    let ini = settings(&server, "postgres", &redis, "");
    let fleet = [(); SIZE].map(|()| crate::end_to_end::start(&ini, &[AGEING]));
    let path = "/q/ageing.json";
    for unslow in &fleet {
        assert_eq!(value(&unslow.get(path)), "v1");
    }
    server.kill();
    for unslow in &fleet {
        until("the copy is stale, and said to be so", || {
            let answer = unslow.get(path);
            assert_eq!(value(&answer), "v1");
            let status = answer.header("cache-status");
            status.contains("hit") && status.ends_with("detail=stale-error")
        });
    }
    server.start_again();
    server.psql("postgres", "update facts set value = 'v2'");
    for unslow in &fleet {
        until("the new value is there", || {
            value(&unslow.get(path)) == "v2"
        });
        assert_eq!(unslow.numbers("ageing")["error"], 0);
    }
}

/// Waits until all have the first value in memory; then the table changes.
fn filled(queries: &[File<'_>]) -> Fleet {
    let fleet = Fleet::start(queries);
    until("all listen", || {
        let sql = format!(
            "select count(*) from pg_stat_activity where datname = '{}' and query ilike 'listen%'",
            fleet.database
        );
        fleet.psql(&sql) == SIZE.to_string()
    });
    for unslow in fleet.each() {
        until("it is in memory", || {
            let answer = unslow.get("/q/fact.json");
            assert_eq!(value(&answer), "v1");
            answer.header("cache-status").ends_with("detail=memory")
        });
    }
    fleet
}

#[test]
fn a_notification_makes_the_queries_of_its_tag_new_on_every_instance() {
    let plain = ("queries/plain.sql", "-- ttl: 1h\nselect value from facts");
    let fleet = filled(&[FACT, plain]);
    for unslow in fleet.each() {
        assert_eq!(value(&unslow.get("/q/plain.json")), "v1");
    }
    fleet.change("v2");
    fleet.psql("notify unslow, 'others'");
    fleet.psql("notify unslow, 'facts'");
    fleet.until_all_give("/q/fact.json", "v2");
    fleet.assert_all_give("/q/plain.json", "v1");
}

#[test]
fn a_change_of_a_watched_table_is_seen_on_every_instance() {
    let fleet = filled(&[FACT]);
    let ini = fleet.settings();
    let output = one_off(&ini, &["install"]);
    assert!(output.status.success(), "{output:?}");
    fleet.psql("select unslow_watch('facts')");
    for new in ["v2", "v3"] {
        fleet.change(new);
        fleet.until_all_give("/q/fact.json", new);
    }
}
