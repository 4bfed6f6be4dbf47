//! Every body against the database, while a fault follows the other: three instances, each behind
//! relays of its own to one PostgreSQL and one Redis, for as many seconds as `SOAK_SECONDS` says
//! (ten minutes). It owns the faults and the verdict; `truth` owns the rows and their history,
//! `clients` the requests and the check of each answer.
//!
//! One instance writes its access log to a full disk the whole time.

mod clients;
mod truth;

use std::env;
use std::fs;
use std::time::{Duration, Instant};

use clients::Crowd;
use truth::{KEYS, Truth};

use crate::servers::{Manner, Postgres, Redis, Relay, wait_until as until};
use crate::unslow::Unslow;

/// The number of instances; the first one is never killed.
const SIZE: usize = 3;
/// The length of a fault.
const FAULT: Duration = Duration::from_millis(2500);

/// The servers, the ways to them, and the instances.
struct World {
    postgres: Postgres,
    standby: Postgres,
    redis: Redis,
    to_postgres: Vec<Relay>,
    to_redis: Vec<Relay>,
    truth: Truth,
    crowd: Crowd,
}

impl World {
    fn start() -> World {
        let postgres = Postgres::start();
        let truth = Truth::make(&postgres);
        let standby = postgres.standby();
        let redis = Redis::start();
        let relays = |port| (0..SIZE).map(|_| Relay::to(port)).collect::<Vec<_>>();
        let (to_postgres, to_redis) = (relays(postgres.port()), relays(redis.port()));
        let crowd = Crowd::default();
        let world = World {
            postgres,
            standby,
            redis,
            to_postgres,
            to_redis,
            truth,
            crowd,
        };
        for at in 0..SIZE {
            world.crowd.place(world.instance(at));
        }
        world
    }

    /// Starts one instance behind its relays. Its memory tier is full after the first round, so what grows
    /// later is no copy.
    fn instance(&self, at: usize) -> Unslow {
        let log = if at == SIZE - 1 {
            "access = /dev/full\n"
        } else {
            ""
        };
        let ini = format!(
            "[postgres]\nhost=127.0.0.1\nport={}\ndatabase=postgres\nuser=master\npassword=secret\n\
             [redis]\nurl=redis://127.0.0.1:{}\n[cache]\nmemory=4MiB\n[log]\n{log}",
            self.to_postgres[at].port(),
            self.to_redis[at].port(),
        );
        let files = [
            ("app.ini", ini.as_str()),
            ("queries/truth.sql", truth::HOT),
            ("queries/cold.sql", truth::COLD),
        ];
        Unslow::start_with(&["--config", "app.ini"], &files, &[])
    }

    /// Waits until every instance answers for every key and has loaded something new.
    fn heal(&mut self) {
        self.truth.go_on(self.postgres.port());
        self.crowd.until_answered(KEYS);
        for at in 0..SIZE {
            until("the database is used again", || self.crowd.loads_cold(at));
            until("Redis is said to be up", || self.crowd.has_redis(at));
        }
        self.crowd.blame_database();
    }
}

/// A fault by its name: how it is made, and how it is ended.
struct Fault {
    name: &'static str,
    /// Keys of which there is no copy may be refused meanwhile.
    of_database: bool,
    make: fn(&mut World),
    end: fn(&mut World),
}

const fn of_redis(name: &'static str, make: fn(&mut World), end: fn(&mut World)) -> Fault {
    Fault {
        name,
        of_database: false,
        make,
        end,
    }
}

const fn of_database(name: &'static str, make: fn(&mut World), end: fn(&mut World)) -> Fault {
    Fault {
        name,
        of_database: true,
        make,
        end,
    }
}

fn nothing(_: &mut World) {}

fn behave(relays: &[Relay], manner: Manner) {
    for relay in relays {
        relay.behave(manner);
    }
}

fn reset(relays: &[Relay]) {
    relays.iter().for_each(Relay::reset);
}

/// The standby takes over when it has everything, as an orderly failover has it; a new standby
/// follows it.
fn fail_over(world: &mut World) {
    world.truth.pause();
    let written = world
        .postgres
        .psql("postgres", "select pg_current_wal_lsn()");
    until("the standby has everything", || {
        let has = format!("select pg_last_wal_replay_lsn() >= '{written}'");
        world.standby.psql("postgres", &has) == "t"
    });
    world.postgres.kill();
    world.standby.promote();
    let next = world.standby.standby();
    world.postgres = std::mem::replace(&mut world.standby, next);
    for relay in &world.to_postgres {
        relay.lead_to(world.postgres.port());
        relay.reset();
    }
}

fn replace_instance(world: &mut World) {
    world.crowd.kill(1);
    let fresh = world.instance(1);
    world.crowd.replace(1, fresh);
}

const FAULTS: [Fault; 18] = [
    of_redis("Redis hangs", |w| w.redis.stop(), |w| w.redis.cont()),
    of_redis(
        "Redis dies and comes back empty",
        |w| w.redis.kill(),
        |w| w.redis.start_again(),
    ),
    of_redis("FLUSHALL", |w| drop(w.redis.command("FLUSHALL")), nothing),
    of_redis(
        "SCRIPT FLUSH",
        |w| drop(w.redis.command("SCRIPT FLUSH")),
        nothing,
    ),
    of_redis(
        "Redis is full",
        |w| drop(w.redis.command("CONFIG SET maxmemory 1")),
        |w| drop(w.redis.command("CONFIG SET maxmemory 0")),
    ),
    of_redis(
        "Redis is a replica",
        |w| drop(w.redis.command("REPLICAOF 127.0.0.1 1")),
        |w| drop(w.redis.command("REPLICAOF NO ONE")),
    ),
    of_redis(
        "connections to Redis are reset",
        |w| reset(&w.to_redis),
        nothing,
    ),
    of_redis(
        "Redis trickles",
        |w| behave(&w.to_redis, Manner::Drip),
        |w| behave(&w.to_redis, Manner::Pass),
    ),
    of_redis(
        "one instance is cut off from Redis",
        |w| w.to_redis[0].behave(Manner::Hold),
        |w| w.to_redis[0].behave(Manner::Pass),
    ),
    of_redis("copies are expired", |w| w.crowd.expire(), nothing),
    of_redis("settings are read again", |w| w.crowd.reload(), nothing),
    of_redis("an instance is killed", replace_instance, nothing),
    of_database(
        "PostgreSQL hangs",
        |w| w.postgres.stop(),
        |w| w.postgres.cont(),
    ),
    of_database(
        "PostgreSQL dies and comes back",
        |w| {
            w.truth.pause();
            w.postgres.kill();
        },
        |w| w.postgres.start_again(),
    ),
    of_database(
        "connections to PostgreSQL are reset",
        |w| reset(&w.to_postgres),
        nothing,
    ),
    of_database(
        "PostgreSQL trickles",
        |w| behave(&w.to_postgres, Manner::Drip),
        |w| behave(&w.to_postgres, Manner::Pass),
    ),
    of_database(
        "one instance is cut off from PostgreSQL",
        |w| w.to_postgres[0].behave(Manner::Hold),
        |w| w.to_postgres[0].behave(Manner::Pass),
    ),
    of_database("a standby is promoted", fail_over, nothing),
];

/// Resident memory in KiB, and open descriptors.
fn held(pid: u32) -> (usize, usize) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let memory = line.unwrap().split_whitespace().next().unwrap();
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    (memory.parse().unwrap(), descriptors)
}

#[test]
#[ignore = "takes ten minutes: make soak"]
fn soak_no_fault_makes_an_answer_wrong_or_lost() {
    let seconds = env::var("SOAK_SECONDS").map_or(600, |text| text.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut world = World::start();
    world.truth.go_on(world.postgres.port());
    let pid = world.crowd.pid(0);
    let (crowd, log) = (world.crowd.clone(), world.truth.history());
    let before = std::thread::scope(|scope| {
        for client in 0..2 * SIZE {
            let (crowd, log) = (&crowd, &log);
            scope.spawn(move || crowd.ask_on(client % SIZE, client, log));
        }
        // Clients must end whatever becomes of it.
        let _over = crowd.over_when_dropped();
        world.heal();
        let mut before = None;
        while before.is_none() || Instant::now() < end {
            for fault in &FAULTS {
                println!("{}", fault.name);
                if fault.of_database {
                    world.crowd.excuse_database();
                }
                (fault.make)(&mut world);
                // A fault lasts for so many answers as well as for its time.
                world.crowd.go_on_for(FAULT);
                (fault.end)(&mut world);
                world.heal();
            }
            // The first round has warmed everything up.
            before.get_or_insert_with(|| held(pid));
        }
        before.expect("one round at least")
    });
    let counts = crowd.counts();
    println!("{counts:?}");
    assert_eq!(
        (counts.wrong, counts.lost),
        (0, 0),
        "{:?}",
        crowd.complaints()
    );
    assert!(counts.right > 1000, "{counts:?}");
    until("descriptors are as before", || held(pid).1 <= before.1 + 4);
    let after = held(pid);
    println!("KiB and descriptors after the first round {before:?}, at the end {after:?}");
    assert!(
        after.0 <= before.0 + before.0 / 4 + 8192,
        "{before:?} {after:?}"
    );
}
