//! A process that is reloaded again and again stays as small as it was: descriptors, threads,
//! connections, and in the long form memory.

use std::fs;

use crate::daemon_support::Daemon;
use crate::servers::{self, Redis, wait_until};

/// The resources that a process holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    descriptors: usize,
    threads: usize,
    sessions: usize,
    redis: usize,
    subscribers: usize,
}

impl Held {
    /// Returns whether nothing of it is more.
    fn is_within(self, other: Held) -> bool {
        self.descriptors <= other.descriptors
            && self.threads <= other.threads
            && self.sessions <= other.sessions
            && self.redis <= other.redis
            && self.subscribers <= other.subscribers
    }
}

/// Resident memory in KiB.
fn memory(pid: i32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.unwrap().split_whitespace().next();
    number.unwrap().parse().unwrap()
}

fn reload_again_and_again(times: usize, measured: bool) {
    let (postgres, redis) = (servers::postgres(), Redis::start());
    let database = postgres.database();
    let ini = |round: usize| {
        // Every third has pools of its own, every second other times, and a listener more.
        let url = format!(
            "postgres://master:secret@127.0.0.1:{}/{database}",
            postgres.port()
        );
        format!(
            "home = one\nkeep_alive = 1s\n[log]\nlevel = warn\naccess = access.log\n\
             [postgres]\nurl = {url}\n[redis]\nurl = {}\ntimeout = 30s\n\
             [database]\npool_size = {}\n[cache]\nttl = {}h\n",
            redis.url(),
            4 + round % 3,
            1 + round % 2,
        )
    };
    let daemon = Daemon::prepare(&ini(0));
    fs::create_dir(daemon.path("queries")).unwrap();
    let query = "-- notify: facts\n-- warm: true\nselect 1 as n";
    fs::write(daemon.path("queries/one.sql"), query).unwrap();
    daemon.begin();
    let pid = daemon.pid();
    let sessions = format!("select count(*) from pg_stat_activity where datname = '{database}'");
    let held = || {
        let count = |what: &str| fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
        Held {
            descriptors: count("fd"),
            threads: count("task"),
            sessions: postgres.psql("postgres", &sessions).parse().unwrap(),
            redis: redis.clients(),
            subscribers: redis.subscribers(),
        }
    };
    let round = |number: usize| {
        daemon.configure(&ini(number));
        daemon.reload();
        assert_eq!(daemon.get("/q/one.json").0, 200);
        // One that changes nothing leaves nothing either.
        daemon.configure(&format!("nonsense\n{}", ini(number)));
        assert!(!daemon.run(&["reload"]).status.success());
    };
    let warm_up = if measured { 30 } else { 3 };
    (1..=warm_up).for_each(round);
    // Until nothing of an earlier generation is left.
    let (mut first, mut looks) = (held(), 0);
    wait_until("it has settled", || {
        let before = std::mem::replace(&mut first, held());
        looks = if first == before { looks + 1 } else { 0 };
        looks >= 20 && first.subscribers == 1
    });
    let memory_first = memory(pid);
    (warm_up + 1..=warm_up + times).for_each(round);
    wait_until("it holds no more than before", || held().is_within(first));
    println!("{times} reloads: {first:?}, then {:?}", held());
    if measured {
        let now = memory(pid);
        println!("{memory_first} KiB, then {now} KiB");
        assert!(now <= memory_first + memory_first / 10);
    }
    assert_eq!(daemon.pid(), pid);
}

#[test]
fn twenty_reloads_leave_no_thread_descriptor_or_connection_behind() {
    reload_again_and_again(20, false);
}

#[test]
#[ignore = "takes minutes: make soak"]
fn soak_a_hundred_reloads_leave_no_thread_descriptor_connection_or_memory_behind() {
    reload_again_and_again(100, true);
}
