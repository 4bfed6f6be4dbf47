//! A fleet for tests: three real processes on one Redis and one PostgreSQL, a gate that holds
//! loads for as long as a test wants, and what the database says of how often a statement ran.

use std::fmt::Write;
use std::sync::OnceLock;

use nix::sys::signal::Signal;

use crate::end_to_end::File;
use crate::faults::Session;
use crate::servers::redis::Options;
use crate::servers::{Postgres, Redis, wait_until as until};
use crate::unslow::{Answer, Unslow};

/// The value of the one row in the table `facts`, once the gate is open. What it reads is what
/// was there when it began, as with every statement.
pub(crate) const HELD: File<'_> = (
    "queries/held.sql",
    "-- ttl: 1h\nselect value, pg_advisory_xact_lock_shared(1)::text as gate from facts",
);

/// The same value at once, in as many entries as are asked for.
pub(crate) const FACT: File<'_> = (
    "queries/fact.sql",
    "-- ttl: 1h\n-- notify: facts\n-- param: n integer = 1\n\
     select value, :n as n, 'body of ' || :n as body from facts",
);

pub(crate) const SIZE: usize = 3;

/// The settings of every instance beside where its servers are. Tests of faults leave the deadline
/// of Redis as it is; the others must not miss it on a busy machine.
const PATIENT: &str = "timeout = 20s\n";

pub(crate) struct Fleet {
    /// `None`: killed.
    instances: Vec<Option<Unslow>>,
    pub(crate) redis: Redis,
    pub(crate) database: String,
    postgres: &'static Postgres,
}

/// A PostgreSQL that counts statements, for all tests with fleets.
fn counting_postgres() -> &'static Postgres {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    SHARED.get_or_init(|| {
        let library = "shared_preload_libraries=pg_stat_statements";
        let server = Postgres::with(&[library], false);
        server.psql("postgres", "create extension pg_stat_statements");
        server
    })
}

/// The table that the queries read, with the value `v1`.
pub(crate) fn make_facts(server: &Postgres, database: &str) {
    server.psql(
        database,
        "create table facts (value text not null); insert into facts values ('v1'); \
         alter table facts owner to master",
    );
}

/// The settings of an instance.
pub(crate) fn settings(server: &Postgres, database: &str, redis: &Redis, more: &str) -> String {
    let mut ini = crate::end_to_end::original(server, database, redis);
    let _ = write!(ini, "{more}");
    ini
}

impl Fleet {
    /// Starts a fleet on an empty Redis and a new database with `facts`.
    pub(crate) fn start(queries: &[File<'_>]) -> Fleet {
        Fleet::with(queries, PATIENT)
    }

    /// Starts a fleet with the end of `[redis]`, and more sections.
    pub(crate) fn with(queries: &[File<'_>], more: &str) -> Fleet {
        Fleet::on(queries, more, Redis::with(&Options::default()))
    }

    fn on(queries: &[File<'_>], more: &str, redis: Redis) -> Fleet {
        let postgres = counting_postgres();
        let database = postgres.database();
        make_facts(postgres, &database);
        let ini = settings(postgres, &database, &redis, more);
        let listens = queries.iter().any(|(_, text)| text.contains("-- notify:"));
        let start = || {
            let unslow = crate::end_to_end::start(&ini, queries);
            // A copy that is stored before that counts as changed.
            crate::servers::wait_until("it listens", || {
                !listens || unslow.log().contains("listening to the database")
            });
            unslow
        };
        Fleet {
            instances: (0..SIZE).map(|_| Some(start())).collect(),
            redis,
            database,
            postgres,
        }
    }

    /// Returns the settings that every instance was started with.
    pub(crate) fn settings(&self) -> String {
        settings(self.postgres, &self.database, &self.redis, "")
    }

    /// One of the instances.
    pub(crate) fn at(&self, number: usize) -> &Unslow {
        self.instances[number].as_ref().expect("it is running")
    }

    /// Those that run.
    pub(crate) fn each(&self) -> impl Iterator<Item = &Unslow> {
        self.instances.iter().flatten()
    }

    /// The server, for a test that restarts it while others look at the fleet.
    pub(crate) fn take_redis(&mut self) -> Redis {
        std::mem::replace(&mut self.redis, Redis::start())
    }

    /// One of the instances, which from now on counts as one that does not run.
    pub(crate) fn take(&mut self, number: usize) -> Unslow {
        self.instances[number].take().expect("it is running")
    }

    /// Ends one as `kill -9` does.
    pub(crate) fn kill(&mut self, number: usize) {
        let instance = self.take(number);
        instance.signal(Signal::SIGKILL);
        instance.wait();
    }

    pub(crate) fn psql(&self, sql: &str) -> String {
        self.postgres.psql(&self.database, sql)
    }

    /// Changes what the queries read.
    pub(crate) fn change(&self, value: &str) {
        self.psql(&format!("update facts set value = '{value}'"));
    }

    /// Returns how many statements of loads are running at this moment.
    pub(crate) fn running(&self) -> usize {
        let sql = format!(
            "select count(*) from pg_stat_activity where datname = '{}' and state = 'active' \
             and query like '%_unslow_row_%'",
            self.database
        );
        self.postgres.psql("postgres", &sql).parse().unwrap()
    }

    /// Returns how often a statement with this text has run to its end.
    pub(crate) fn calls(&self, text: &str) -> u64 {
        let sql = format!(
            "select coalesce(sum(calls), 0) from pg_stat_statements \
             join pg_database on pg_database.oid = dbid where datname = '{}' \
             and query like '%_unslow_row_%' and query like '%{text}%'",
            self.database
        );
        self.postgres.psql("postgres", &sql).parse().unwrap()
    }

    /// Holds every load of [`HELD`] until it is opened.
    pub(crate) fn gate(&self) -> Gate {
        let mut session = Session::open(self.postgres, &self.database).expect("a connection");
        session.run("select pg_advisory_lock(1)");
        Gate(session)
    }

    /// Waits until every instance gives this value, and holds that none goes back to another one
    /// when it has given it.
    #[track_caller]
    pub(crate) fn until_all_give(&self, path: &str, value: &str) {
        for instance in self.each() {
            until(&format!("{path} gives {value}"), || {
                self::value(&instance.get(path)) == value
            });
        }
        self.assert_all_give(path, value);
    }

    /// Asserts that every instance gives this value, however often it is asked.
    #[track_caller]
    pub(crate) fn assert_all_give(&self, path: &str, value: &str) {
        for round in 0..20 {
            for instance in self.each() {
                assert_eq!(self::value(&instance.get(path)), value, "round {round}");
            }
        }
    }

    /// The names in Redis that belong to a query: its entries and what is kept about them.
    pub(crate) fn names(&self, query: &str) -> Vec<String> {
        let answer = self
            .redis
            .ask(&["KEYS", &format!("unslow:v2:*:{{{query}}}:*")]);
        answer
            .lines()
            .filter(|line| line.starts_with("unslow:"))
            .map(str::to_owned)
            .collect()
    }

    /// The name of a query's generations in Redis.
    pub(crate) fn counter(&self, query: &str) -> String {
        let names = self.names(query);
        let counter = names.into_iter().find(|name| name.ends_with(":gen"));
        counter.expect("something of it was stored")
    }

    /// The entries of a query in Redis.
    pub(crate) fn entries(&self, query: &str) -> Vec<String> {
        let mut names = self.names(query);
        names.retain(|name| {
            let digest = name.rsplit(':').next().unwrap();
            digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        names
    }
}

/// Holds loads while it is closed.
pub(crate) struct Gate(Session);

impl Gate {
    pub(crate) fn open(mut self) {
        self.0.run("select pg_advisory_unlock(1)");
    }
}

/// The value of an answer's one row; the answer must be one.
#[track_caller]
pub(crate) fn value(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = answer.json();
    json["rows"][0]["value"]
        .as_str()
        .expect("a value")
        .to_owned()
}

/// A number from the Redis part of `/stats.json`, by its path there.
pub(crate) fn counted(unslow: &Unslow, path: &str) -> u64 {
    let stats = unslow.get("/stats.json").json();
    let number = stats.pointer(path).and_then(serde_json::Value::as_u64);
    number.unwrap_or_else(|| panic!("no {path} in {stats}"))
}

/// POST to one instance; it must say that it was done.
#[track_caller]
pub(crate) fn post(unslow: &Unslow, path: &str) {
    let answer = unslow.request("POST", path, &[("Content-Length", "0")]);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
}
