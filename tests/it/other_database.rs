//! Two databases that have the same name, one Redis and one namespace: which database it is
//! decides, at the start and while the program runs, in memory and in Redis.

use std::fmt::Write;

use crate::end_to_end::{File, one_off};
use crate::fleet_support::{make_facts, post, value};
use crate::servers::{Manner, Postgres, Redis, Relay, wait_until as until};
use crate::unslow::{Answer, Unslow};

/// One that is never old while a test runs.
const FACT: File<'_> = ("queries/fact.sql", "-- ttl: 1h\nselect value from facts");
/// One that is old at once.
const FLEETING: File<'_> = (
    "queries/fleeting.sql",
    "-- ttl: 1ms\n-- stale-while-revalidate: 0\n-- stale-if-error: 0\nselect value from facts",
);
const PATH: &str = "/q/fact.json";

/// Two clusters with the same database, user and tables, whose rows say which they are; a name
/// that leads to the first; and one Redis.
struct Namesakes {
    first: Postgres,
    second: Postgres,
    relay: Relay,
    redis: Redis,
}

impl Namesakes {
    fn start() -> Namesakes {
        let (first, second) = (Postgres::start(), Postgres::of_another_system());
        for (server, value) in [(&first, "first"), (&second, "second")] {
            make_facts(server, "postgres");
            server.psql("postgres", &format!("update facts set value = '{value}'"));
        }
        Namesakes {
            relay: Relay::to(first.port()),
            redis: Redis::start(),
            first,
            second,
        }
    }

    fn ini(&self) -> String {
        let mut ini = format!(
            "[postgres]\ndatabase=postgres\nhost=127.0.0.1\npassword=secret\nuser=master\nport={}\n",
            self.relay.port()
        );
        let _ = write!(ini, "[redis]\nurl={}\ntimeout = 20s\n", self.redis.url());
        ini
    }

    fn instance(&self) -> Unslow {
        crate::end_to_end::start(&self.ini(), &[FACT, FLEETING])
    }

    /// Lets the name lead to this server from now on, also for those who are connected.
    fn lead_to(&self, server: &Postgres) {
        self.relay.lead_to(server.port());
        self.relay.reset();
    }

    /// Nobody is reached by the name.
    fn lead_nowhere(&self) {
        self.relay.behave(Manner::Refuse);
        self.relay.reset();
    }
}

fn loads(unslow: &Unslow, query: &str) -> u64 {
    unslow.numbers(query)["loads"].as_u64().unwrap()
}

/// Returns whether this value is the answer; a load may fail just as a name moves.
fn gives(unslow: &Unslow, path: &str, expected: &str) -> bool {
    let answer = unslow.get(path);
    answer.status == 200 && value(&answer) == expected
}

fn tier(answer: &Answer) -> String {
    answer.header("cache-status").to_owned()
}

#[test]
fn two_databases_of_one_name_never_give_each_others_rows() {
    let both = Namesakes::start();
    let on_first = both.instance();
    assert_eq!(value(&on_first.get(PATH)), "first");
    until("it is in Redis", || both.redis.entries().len() == 1);
    both.relay.lead_to(both.second.port());
    let on_second = both.instance();
    assert_eq!(value(&on_second.get(PATH)), "second");
    until("so is the other", || both.redis.entries().len() == 2);
    assert_eq!(loads(&on_second, "fact"), 1);
    // Each finds its own again, and a new instance the one of its database.
    assert_eq!(value(&on_first.get(PATH)), "first");
    let also_on_second = both.instance();
    let answer = also_on_second.get(PATH);
    assert_eq!(value(&answer), "second");
    assert!(tier(&answer).ends_with("detail=redis"), "{answer:?}");
    assert_eq!(loads(&also_on_second, "fact"), 0);
    assert_eq!(loads(&on_first, "fact"), 1);
}

#[test]
fn who_is_answered_from_memory_alone_learns_that_the_name_leads_elsewhere() {
    let both = Namesakes::start();
    let unslow = both.instance();
    assert_eq!(value(&unslow.get(PATH)), "first");
    both.lead_to(&both.second);
    until("its own rows come", || gives(&unslow, PATH, "second"));
}

#[test]
fn a_name_that_begins_to_lead_elsewhere_brings_its_own_rows() {
    let both = Namesakes::start();
    let unslow = both.instance();
    for path in [PATH, "/q/fleeting.json"] {
        assert_eq!(value(&unslow.get(path)), "first");
    }
    until("it is in Redis", || !both.redis.entries().is_empty());
    both.lead_to(&both.second);
    // The copy of the first is fresh; the next load tells that the name leads elsewhere.
    until("it has noticed", || {
        gives(&unslow, "/q/fleeting.json", "second")
    });
    for _ in 0..3 {
        assert_eq!(value(&unslow.get(PATH)), "second");
    }
    assert_eq!(loads(&unslow, "fact"), 2);
    // And back: its copy is still there, and nothing of the second is.
    both.lead_to(&both.first);
    until("it has noticed", || {
        gives(&unslow, "/q/fleeting.json", "first")
    });
    assert_eq!(value(&unslow.get(PATH)), "first");
    assert_eq!(loads(&unslow, "fact"), 2);
}

#[test]
fn connections_that_still_lead_to_the_other_database_are_not_used() {
    let both = Namesakes::start();
    // More than one connection is open.
    let slow = "-- cache: off\nselect value from facts, pg_sleep(0.3)";
    let queries = [("queries/slow.sql", slow), ("queries/more.sql", slow)];
    let unslow = crate::end_to_end::start(&both.ini(), &queries);
    let asked: Vec<_> = (0..4)
        .map(|_| unslow.send("GET", "/q/slow.json", &[]))
        .collect();
    for asked in asked {
        assert_eq!(value(&asked.answer()), "first");
    }
    // They stay open and lead to the first; new ones lead to the second.
    both.relay.lead_to(both.second.port());
    until("a new connection is made", || {
        // One query alone has half of the connections at most.
        let asked: Vec<_> = ["/q/slow.json", "/q/more.json"]
            .repeat(4)
            .into_iter()
            .map(|path| unslow.send("GET", path, &[]))
            .collect();
        let values: Vec<_> = asked.into_iter().map(|it| value(&it.answer())).collect();
        values.contains(&"second".to_owned())
    });
    for _ in 0..20 {
        assert_eq!(value(&unslow.get("/q/slow.json")), "second");
    }
}

#[test]
fn a_standby_that_is_promoted_keeps_the_cache() {
    let (primary, redis) = (Postgres::start(), Redis::start());
    make_facts(&primary, "postgres");
    let standby = primary.standby();
    let both = Namesakes {
        relay: Relay::to(primary.port()),
        second: standby,
        first: primary,
        redis,
    };
    let unslow = both.instance();
    for path in [PATH, "/q/fleeting.json"] {
        assert_eq!(value(&unslow.get(path)), "v1");
    }
    until("both are in Redis", || !both.redis.entries().is_empty());
    until("the standby has it", || {
        both.second.psql("postgres", "select value from facts") == "v1"
    });
    both.second.promote();
    both.second
        .psql("postgres", "update facts set value = 'v2'");
    both.lead_to(&both.second);
    until("it speaks to the new primary", || {
        gives(&unslow, "/q/fleeting.json", "v2")
    });
    assert_eq!(value(&unslow.get(PATH)), "v1", "the copy is kept");
    assert_eq!(loads(&unslow, "fact"), 1);
    let other = both.instance();
    assert_eq!(value(&other.get(PATH)), "v1");
    assert_eq!(loads(&other, "fact"), 0);
}

#[test]
fn purges_and_reports_stay_with_their_database() {
    let both = Namesakes::start();
    let on_first = both.instance();
    assert_eq!(value(&on_first.get(PATH)), "first");
    both.relay.lead_to(both.second.port());
    let on_second = both.instance();
    assert_eq!(value(&on_second.get(PATH)), "second");
    until("both are in Redis", || both.redis.entries().len() == 2);
    for path in ["/q/fact/purge", "/q/fact/expire"] {
        post(&on_second, path);
    }
    assert_eq!(value(&on_second.get(PATH)), "second");
    assert_eq!(value(&on_first.get(PATH)), "first");
    assert_eq!(loads(&on_first, "fact"), 1, "its copy was not purged");
    // An instance that reads from Redis has no copy in memory that could hide it.
    both.relay.lead_to(both.first.port());
    let also_on_first = both.instance();
    assert_eq!(value(&also_on_first.get(PATH)), "first");
    assert_eq!(loads(&also_on_first, "fact"), 0, "nor in Redis");
    let seen = |unslow: &Unslow| {
        let stats = unslow.get("/stats.json").json();
        let instances = &stats["instances"];
        let known = instances["alone_because"].is_null();
        (known, instances["each"].as_array().map_or(0, Vec::len))
    };
    until("those of one database see each other", || {
        seen(&on_first) == (true, 2) && seen(&also_on_first) == (true, 2)
    });
    assert_eq!(seen(&on_second).1, 1);
}

#[test]
fn away_at_the_start_the_copies_of_the_one_database_that_was_ever_there_are_served() {
    let both = Namesakes::start();
    let unslow = both.instance();
    assert_eq!(value(&unslow.get(PATH)), "first");
    until("it is in Redis", || both.redis.entries().len() == 1);
    drop(unslow);
    both.lead_nowhere();
    let unslow = both.instance();
    let answer = unslow.get(PATH);
    assert_eq!(value(&answer), "first");
    assert_eq!(loads(&unslow, "fact"), 0);
    post(&unslow, "/q/fact/expire");
    // Its own word counts as soon as there is one.
    both.relay.behave(Manner::Pass);
    both.lead_to(&both.second);
    until("it is back, as another one", || {
        gives(&unslow, PATH, "second")
    });
}

#[test]
fn away_at_the_start_nothing_is_served_where_there_were_two_databases() {
    let both = Namesakes::start();
    let on_first = both.instance();
    assert_eq!(value(&on_first.get(PATH)), "first");
    until("it is in Redis", || both.redis.entries().len() == 1);
    drop(on_first);
    both.lead_to(&both.second);
    let on_second = both.instance();
    assert_eq!(value(&on_second.get(PATH)), "second");
    until("both are in Redis", || both.redis.entries().len() == 2);
    drop(on_second);
    both.lead_nowhere();
    let unslow = both.instance();
    assert_eq!(unslow.get(PATH).status, 503);
    let purged = unslow.request("POST", "/q/fact/purge", &[("Content-Length", "0")]);
    assert_eq!(purged.status, 503, "whose copies, nobody knows");
    both.relay.behave(Manner::Pass);
    until("it is back", || gives(&unslow, PATH, "second"));
    assert!(tier(&unslow.get(PATH)).contains("hit"));
}

#[test]
fn away_at_the_start_the_copies_of_todays_sessions_are_served_though_a_role_was_altered() {
    let both = Namesakes::start();
    let before = both.instance();
    assert_eq!(value(&before.get(PATH)), "first");
    until("it is in Redis", || both.redis.entries().len() == 1);
    let change = "alter role master set IntervalStyle = 'iso_8601'; update facts set value = 'new'";
    both.first.psql("postgres", change);
    let after = both.instance();
    assert_eq!(value(&after.get(PATH)), "new");
    until("both are in Redis", || both.redis.entries().len() == 2);
    drop((before, after));
    both.lead_nowhere();
    let unslow = both.instance();
    let answer = unslow.get(PATH);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(value(&answer), "new");
    post(&unslow, "/q/fact/purge");
}

#[test]
fn without_the_right_to_ask_the_name_decides_and_it_is_said() {
    let both = Namesakes::start();
    for server in [&both.first, &both.second] {
        server.psql(
            "postgres",
            "revoke execute on function pg_control_system() from public",
        );
    }
    let unslow = both.instance();
    assert_eq!(value(&unslow.get(PATH)), "first");
    let stats = unslow.get("/stats.json").json();
    assert_eq!(stats["database"]["says_which"], false, "{stats}");
    let page = unslow.get("/stats").text();
    assert!(page.contains("does not say which one it is"), "{page}");
    let output = one_off(&both.ini(), &["check", "--online"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("[redis] namespace"), "{said}");
    until("it is in Redis", || both.redis.entries().len() == 1);
    let other = both.instance();
    assert_eq!(value(&other.get(PATH)), "first");
    assert_eq!(loads(&other, "fact"), 0);
}

#[test]
fn a_copy_restored_from_a_backup_is_told_by_its_server() {
    let (server, redis) = (Postgres::start(), Redis::start());
    make_facts(&server, "postgres");
    let copy = server.standby();
    copy.promote();
    let both = Namesakes {
        relay: Relay::to(server.port()),
        second: copy,
        first: server,
        redis,
    };
    let one = both.instance();
    value(&one.get(PATH));
    both.relay.lead_to(both.second.port());
    let other = both.instance();
    value(&other.get("/q/fleeting.json"));
    until("it is said", || {
        let page = one.get("/stats").text();
        page.contains("that say they are one database")
    });
}
