//! An App and the one that follows it, with servers: what goes on, what is closed, and what is
//! refused. On the embedded demo, see `src/app/renew/tests.rs`.

use std::process::Command;
use std::sync::Arc;

use sqlx::{Connection, PgConnection};
use unslow::app::App;
use unslow::cache::{PurgeKind, PurgeReach, Reply};
use unslow::outcome::{Outcome, StaleReason, Tier};
use unslow::settings::Settings;

use crate::servers::{self, Postgres, Redis, until};

const HIT: Outcome = Outcome::Hit(Tier::Memory);

/// A database of its own, a Redis of its own, and a folder of queries.
struct Place {
    database: String,
    redis: Redis,
    folder: tempfile::TempDir,
}

impl Place {
    fn new(queries: &[(&str, &str)]) -> Place {
        let place = Place {
            database: server().database(),
            redis: Redis::start(),
            folder: tempfile::tempdir().unwrap(),
        };
        for (name, text) in queries {
            place.write(name, text);
        }
        place
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(format!("{name}.sql")), text).unwrap();
    }

    /// Returns settings with PostgreSQL and Redis, unless the flags say otherwise.
    fn settings(&self, flags: &[&str]) -> Settings {
        self.settings_as("secret", flags)
    }

    /// Returns [`settings`](Self::settings) with another password for PostgreSQL.
    fn settings_as(&self, password: &str, flags: &[&str]) -> Settings {
        let (postgres, redis) = (self.postgres(password), self.redis.url());
        let folder = self.folder.path().to_str().unwrap();
        let all = [
            ("--queries", folder),
            ("--home", "one"),
            ("--ttl", "1h"),
            ("--redis-url", &redis),
        ];
        let own = all.iter().filter(|(flag, _)| !flags.contains(flag));
        let own: Vec<_> = own.flat_map(|(flag, value)| [*flag, *value]).collect();
        let urls = [("DATABASE_URL", &*postgres)];
        let mut settings = Settings::from_flags_with(&[&own, flags].concat(), &urls).unwrap();
        if let Some(redis) = &mut settings.redis {
            // A busy machine cannot miss this.
            redis.timeout = std::time::Duration::from_secs(30);
        }
        settings
    }

    fn postgres(&self, password: &str) -> String {
        let (port, database) = (server().port(), &self.database);
        format!("postgres://master:{password}@127.0.0.1:{port}/{database}")
    }

    fn without_redis(&self) -> Settings {
        let mut settings = self.settings(&[]);
        settings.redis = None;
        settings
    }

    /// An App that Redis and the database have answered.
    async fn open(&self, flags: &[&str]) -> App {
        let app = App::open(self.settings(flags)).unwrap();
        let up = || app.db.health().up.zip(app.cache.redis_state().unwrap().up);
        until("both answer", || up() == Some((true, true))).await;
        app
    }

    /// Connections to the database.
    fn sessions(&self) -> usize {
        let sql = format!(
            "select count(*) from pg_stat_activity where datname = '{}'",
            self.database
        );
        server().psql("postgres", &sql).parse().unwrap()
    }

    fn sql(&self, sql: &str) -> String {
        server().psql(&self.database, sql)
    }
}

fn server() -> &'static Postgres {
    servers::postgres()
}

/// Asks for an answer again that a starved machine keeps from the database.
async fn ask(app: &App, query: &str) -> Reply {
    let query = app.find_query(query).unwrap();
    loop {
        match app
            .answer_query(query, query.read_arguments(&[]).unwrap())
            .await
        {
            Ok(reply) => return reply,
            Err(error) => assert_eq!(error.class(), "unavailable", "{error}"),
        }
    }
}

fn loads(app: &App) -> u64 {
    let total = app.stats.take_snapshot(unslow::stats::Window::Start).total;
    total.loads - total.load_errors
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_under_way_answers_both_is_stored_and_keeps_its_pool_that_long() {
    const GATE: &str = "select pg_advisory_xact_lock_shared(3142)::text as gate, 1 as n";
    let place = Place::new(&[("one", "select 1 as n"), ("gated", GATE)]);
    let before = Arc::new(place.open(&["--pool-size", "3"]).await);
    let mut holder = PgConnection::connect(&place.postgres("secret"))
        .await
        .unwrap();
    let hold = sqlx::raw_sql("select pg_advisory_lock(3142)");
    hold.execute(&mut holder).await.unwrap();
    let asking = |app: &Arc<App>| {
        let app = Arc::clone(app);
        tokio::spawn(async move { ask(&app, "gated").await })
    };
    let first = asking(&before);
    until("it is loading", || server().running("(3142)::text") == 1).await;
    let after = before
        .reconfigure(place.settings(&["--pool-size", "5"]))
        .await;
    let after = Arc::new(after.unwrap());
    assert_eq!(after.db.pool_state().max, 5);
    let second = asking(&after);
    drop(before);
    first.abort();
    assert!(
        first.await.unwrap_err().is_cancelled(),
        "its client has gone"
    );
    assert_eq!(
        server().running("(3142)::text"),
        1,
        "it goes on all the same"
    );
    drop(holder);
    let reply = second.await.unwrap();
    assert!(
        matches!(reply.outcome, Outcome::Coalesced | HIT),
        "{:?}",
        reply.outcome
    );
    assert_eq!(ask(&after, "gated").await.outcome, HIT);
    assert_eq!(loads(&after), 1);
    until("it is in Redis", || place.redis.entries().len() == 1).await;
    // One was used to try the new pool.
    until("the old pool is closed", || place.sessions() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_answer_is_refused_and_the_one_before_serves_on() {
    let place = Place::new(&[("one", "select 1 as n")]);
    let before = place.open(&[]).await;
    ask(&before, "one").await;
    let error = before
        .reconfigure(place.settings_as("not-the-password", &[]))
        .await;
    let words = error.unwrap_err().to_string();
    assert!(words.contains("[postgres]"), "{words}");
    assert!(!words.contains("not-the-password"), "{words}");
    let silent = Redis::start();
    silent.stop();
    let error = before
        .reconfigure(place.settings(&["--redis-url", &silent.url()]))
        .await;
    let words = error.unwrap_err().to_string();
    assert!(words.contains("[redis] url"), "{words}");
    assert_eq!(ask(&before, "one").await.outcome, HIT);
    assert_eq!(place.sessions(), 1);
    silent.cont();
    until("nothing of it is left", || silent.clients() == 1).await;
    assert_eq!(silent.subscribers(), 0);
    let after = before
        .reconfigure(place.settings(&["--redis-url", &silent.url()]))
        .await;
    assert!(after.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_redis_or_none_leaves_the_copies_and_the_old_one_is_left() {
    let place = Place::new(&[("one", "select 1 as n")]);
    let before = place.open(&[]).await;
    ask(&before, "one").await;
    until("it is stored", || place.redis.entries().len() == 1).await;
    let alone = before.reconfigure(place.without_redis()).await.unwrap();
    drop(before);
    assert!(
        alone
            .stats
            .take_snapshot(unslow::stats::Window::Start)
            .redis
            .is_none()
    );
    assert_eq!(ask(&alone, "one").await.outcome, HIT);
    until("the old one is left", || {
        place.redis.clients() == 1 && place.redis.subscribers() == 0
    })
    .await;
    let other = Redis::start();
    let settings = place.settings(&["--redis-url", &other.url()]);
    let after = alone.reconfigure(settings).await.unwrap();
    drop(alone);
    // The new one knows nothing of it, as one that was emptied.
    let outcome = ask(&after, "one").await.outcome;
    assert_eq!(outcome, Outcome::Stale(StaleReason::Revalidating));
    until("it is stored there", || other.entries().len() == 1).await;
    assert_eq!(loads(&after), 2);
    until("it hears the new one", || other.subscribers() == 1).await;
    let query = after.find_query("one").unwrap();
    let reach = after
        .purge_query(query, None, PurgeKind::Hard)
        .await
        .unwrap();
    assert_eq!(reach.map(|done| done.reach), Some(PurgeReach::Fleet));
    assert_eq!(ask(&after, "one").await.outcome, Outcome::Miss);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_or_a_message_after_a_renewal_concerns_copies_of_before() {
    let place = Place::new(&[("one", "-- notify: facts\nselect 1 as n")]);
    let before = place.open(&[]).await;
    let heard = |app: &App| app.listening.as_ref().unwrap().state();
    until("it listens", || heard(&before).listening).await;
    ask(&before, "one").await;
    let after = before
        .reconfigure(place.settings(&["--ttl", "2h"]))
        .await
        .unwrap();
    let listening = |app: &App| Arc::clone(app.listening.as_ref().unwrap());
    assert!(
        Arc::ptr_eq(&listening(&before), &listening(&after)),
        "it goes on"
    );
    drop(before);
    assert_eq!(ask(&after, "one").await.outcome, HIT);
    place.sql("notify unslow, 'facts'");
    until("it is heard", || heard(&after).messages == 1).await;
    // Another tag, another listener, which takes everything for missed.
    place.write("one", "-- notify: others\nselect 1 as n");
    let last = after.reconfigure(place.settings(&[])).await.unwrap();
    assert!(!Arc::ptr_eq(&listening(&last), &listening(&after)));
    drop(after);
    until("it listens", || heard(&last).listening).await;
    let query = last.find_query("one").unwrap();
    let reach = last
        .purge_query(query, None, PurgeKind::Hard)
        .await
        .unwrap();
    assert_eq!(reach.map(|done| done.reach), Some(PurgeReach::Fleet));
    assert_eq!(ask(&last, "one").await.outcome, Outcome::Miss);
    until("the first listener is gone", || place.sessions() == 2).await;
}

/// Says that the test runs in a process of its own.
const ALONE: &str = "RENEWALS_ALONE";

/// The test runs in a process of its own, where nobody else has threads and descriptors.
#[test]
fn a_hundred_renewals_leave_no_thread_descriptor_or_connection_behind() {
    const SELF: &str = "renew::a_hundred_renewals_leave_no_thread_descriptor_or_connection_behind";
    if std::env::var_os(ALONE).is_some() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(renew_a_hundred_times());
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([SELF, "--exact", "--nocapture"])
        .env(ALONE, "1");
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let complained = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}{complained}");
    assert!(said.contains("1 passed"), "{said}");
}

/// The number of connections.
struct Connections {
    database: usize,
    /// The connections for commands, and those for messages.
    redis: (usize, usize),
}

async fn renew_a_hundred_times() {
    let refreshed = "-- warm: true\n-- refresh: 1h\n-- notify: facts\nselect 1 as n";
    let place = Place::new(&[("one", refreshed), ("two", "select 2 as n")]);
    let mut app = place.open(&[]).await;
    let counts = || {
        let count = |path: &str| std::fs::read_dir(path).unwrap().count();
        (
            (count("/proc/self/task"), count("/proc/self/fd")),
            Connections {
                database: place.sessions(),
                redis: (place.redis.clients(), place.redis.subscribers()),
            },
        )
    };
    let renew = async |app: &mut App, flags: &[&str]| {
        let next = app.reconfigure(place.settings(flags)).await.unwrap();
        drop(std::mem::replace(app, next));
        ask(app, "one").await;
        ask(app, "two").await;
    };
    renew(&mut app, &[]).await;
    // Redis has two for commands and the one that asks this, and one that listens. The database has
    // one that listens, and as many as there were loads at once.
    let few = |now: Connections| now.redis == (3, 1) && (2..=5).contains(&now.database);
    until("all is connected", || few(counts().1)).await;
    let (at_first, _) = counts();
    for number in 0..100 {
        let flags = match number % 5 {
            0 => &["--pool-size", "5"][..],
            1 => &["--max-entry", "1MiB"],
            2 => &["--ttl", "2h"],
            _ => &[],
        };
        renew(&mut app, flags).await;
        let refused = app.reconfigure(place.settings(&["--home", "none"])).await;
        assert!(refused.is_err());
    }
    until("all is as it was", || {
        let now = counts();
        few(now.1) && now.0.0 <= at_first.0 + 4 && now.0.1 <= at_first.1 + 4
    })
    .await;
    // Stale where a new listener has taken everything for missed.
    let outcome = ask(&app, "one").await.outcome;
    assert!(matches!(outcome, HIT | Outcome::Stale(_)), "{outcome:?}");
}
