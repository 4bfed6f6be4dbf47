//! The page of statistics while servers hang, die, refuse and come back: it comes each time, says
//! what is wrong in words, and ceases to say so when it is over.

use crate::end_to_end::{original, start};
use crate::servers::{Postgres, Redis, wait_until as until};
use crate::unslow::Unslow;

const ECHO: (&str, &str) = (
    "queries/echo.sql",
    "-- param: n integer\n-- ttl: 1h\nselect :n as n",
);
/// Copies are due at once, and kept.
const SHORT: (&str, &str) = (
    "queries/short.sql",
    "-- ttl: 1ms\n-- stale-while-revalidate: 0s\n-- stale-if-error: 1h\nselect 1 as n",
);
/// Runs until the test lets it go.
const HELD: (&str, &str) = (
    "queries/held.sql",
    "select pg_advisory_xact_lock(4711)::text as truth_gate",
);

/// The page, for which nobody is waited.
fn page(unslow: &Unslow) -> String {
    let answer = unslow.get("/stats");
    assert_eq!(answer.status, 200, "{}", answer.text());
    // The same answer in another form, for those who have no browser.
    assert_eq!(unslow.get("/stats.txt").status, 200);
    assert_eq!(unslow.get("/metrics").status, 200);
    answer.text()
}

fn says(unslow: &Unslow, words: &str) -> bool {
    page(unslow).contains(words)
}

fn until_it_says(unslow: &Unslow, words: &str) {
    until(words, || says(unslow, words));
}

fn until_it_is_over(unslow: &Unslow, words: &str) {
    until("it is over", || !says(unslow, words));
}

/// Asks for keys that nobody has, so that every server is needed.
struct Asker(u32);

impl Asker {
    fn ask(&mut self, unslow: &Unslow) -> u16 {
        self.0 += 1;
        unslow.get(&format!("/q/echo.json?n={}", self.0)).status
    }

    /// Asks until the page says these words.
    fn until_it_says(&mut self, unslow: &Unslow, words: &str) {
        until(words, || {
            self.ask(unslow);
            says(unslow, words)
        });
    }
}

const REDIS_AWAY: &str = "Redis cannot be reached (";
const DATABASE_AWAY: &str = "The database cannot be reached (";

#[test]
fn whatever_redis_does_the_page_says_so_and_when_it_is_over() {
    let mut redis = Redis::start();
    let url = redis.url();
    let args = ["--queries", "queries", "--redis-url", &url];
    let unslow = Unslow::start_with(&args, &[ECHO], &[]);
    let mut visitor = Asker(0);
    visitor.until_it_says(&unslow, "<b>Reachable</b>");
    assert!(!says(&unslow, "Problem"));

    redis.stop();
    visitor.until_it_says(&unslow, &format!("{REDIS_AWAY}timeout)"));
    redis.cont();
    until_it_is_over(&unslow, REDIS_AWAY);

    redis.kill();
    visitor.until_it_says(&unslow, REDIS_AWAY);
    until_it_says(&unslow, "The other instances are not seen");
    redis.start_again();
    until_it_is_over(&unslow, REDIS_AWAY);
    until_it_is_over(&unslow, "The other instances are not seen");

    assert_eq!(redis.command("REPLICAOF 127.0.0.1 1"), "+OK");
    visitor.until_it_says(
        &unslow,
        "Redis answers, and does not do all that it is asked (read only)",
    );
    redis.command("REPLICAOF NO ONE");
    until("it takes something again", || {
        visitor.ask(&unslow);
        !says(&unslow, "Redis answers, and does not")
    });
    redis.command("CONFIG SET maxmemory-policy noeviction");
    redis.command("CONFIG SET maxmemory 1");
    visitor.until_it_says(&unslow, "out of memory");
    until_it_says(&unslow, "Redis takes nothing more when its");
    until_it_says(&unslow, "Redis takes no reports of instances");
    redis.command("CONFIG SET maxmemory 0");
    until_it_is_over(&unslow, "Redis takes nothing more");
    until_it_is_over(&unslow, "Redis takes no reports");

    redis.command("CONFIG SET requirepass other");
    redis.command("CLIENT KILL TYPE normal");
    visitor.until_it_says(&unslow, &format!("{REDIS_AWAY}auth)"));
}

#[test]
fn whatever_the_database_does_the_page_says_so_and_when_it_is_over() {
    let (mut server, mut redis) = (Postgres::start(), Redis::start());
    let database = server.database();
    let ini = original(&server, &database, &redis) + "[database]\nstatement_timeout=1s\n";
    let unslow = start(&ini, &[ECHO, SHORT, HELD]);
    let mut visitor = Asker(0);
    assert_eq!(unslow.get("/q/short.json").status, 200);
    assert_eq!(visitor.ask(&unslow), 200);
    until_it_says(&unslow, "<b>Reachable</b>");

    // A load is under way, and the page does not wait for it.
    server.stop();
    let asked = unslow.send("GET", "/q/held.json", &[]);
    until("a load is under way", || {
        unslow.numbers("held")["loads_in_flight"] == 1
    });
    page(&unslow);
    assert_eq!(unslow.numbers("held")["requests"], 0, "it is not answered");
    assert!(asked.answer().status >= 500);
    visitor.until_it_says(&unslow, DATABASE_AWAY);
    server.cont();
    until_it_is_over(&unslow, DATABASE_AWAY);

    server.kill();
    visitor.until_it_says(&unslow, DATABASE_AWAY);
    until("the stale copy is counted as what it is", || {
        assert_eq!(unslow.get("/q/short.json").status, 200);
        unslow.numbers("short")["stale_load_error"].as_u64() > Some(0)
    });
    assert_eq!(visitor.ask(&unslow), 503);
    until("so is who got nothing", || {
        says(&unslow, "got no value: echo")
    });
    assert!(says(&unslow, "failed: "), "loads that did");

    redis.kill();
    visitor.until_it_says(&unslow, REDIS_AWAY);
    assert!(says(&unslow, DATABASE_AWAY), "both are said");
    for secret in ["secret", &database, "127.0.0.1:"] {
        assert!(!says(&unslow, secret), "{secret} is shown");
    }
    server.start_again();
    redis.start_again();
    until_it_is_over(&unslow, DATABASE_AWAY);
    until_it_is_over(&unslow, REDIS_AWAY);
    assert_eq!(visitor.ask(&unslow), 200);
}

#[test]
fn loads_that_are_not_tried_while_the_database_is_away_are_no_loads() {
    let mut server = Postgres::start();
    let redis = Redis::start();
    let database = server.database();
    let unslow = start(&original(&server, &database, &redis), &[ECHO]);
    let mut visitor = Asker(0);
    assert_eq!(visitor.ask(&unslow), 200);
    server.kill();
    visitor.until_it_says(&unslow, DATABASE_AWAY);
    until("it is refused at once", || {
        visitor.ask(&unslow);
        unslow.numbers("echo")["loads_not_tried"].as_u64() > Some(0)
    });
    let before = unslow.numbers("echo");
    for _ in 0..20 {
        assert_eq!(visitor.ask(&unslow), 503);
    }
    let after = unslow.numbers("echo");
    for same in [
        "loads",
        "load_errors",
        "load",
        "load_seconds",
        "loads_in_flight",
    ] {
        assert_eq!(before[same], after[same], "{same}");
    }
    let grown = |name: &str| after[name].as_u64().unwrap() - before[name].as_u64().unwrap();
    assert_eq!((grown("loads_not_tried"), grown("error")), (20, 20));
    assert!(!says(&unslow, "no faster"));
}

#[test]
fn an_answer_that_is_never_kept_is_named_on_the_page_and_in_the_log() {
    const BIG: (&str, &str) = (
        "queries/big.sql",
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 300)\n\
         select i, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' as text from n",
    );
    let args = ["--queries", "queries", "--max-entry", "4KiB"];
    let unslow = Unslow::start_with(&args, &[BIG], &[]);
    for _ in 0..3 {
        assert_eq!(unslow.get("/q/big.json").status, 200);
    }
    until_it_says(&unslow, "An answer of big takes");
    assert!(says(&unslow, "[cache] max_entry"));
    let log = unslow.log();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("max_entry"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
    for word in ["WARN", "query=\"big\"", "limit=4096"] {
        assert!(lines[0].contains(word), "{word}: {}", lines[0]);
    }
}
