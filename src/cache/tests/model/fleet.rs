//! The fleet under test: three real caches on one fake Redis, a database that is a function, and
//! what each step does to them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::super::super::Cache;
use super::super::super::key::{Key, KeyBase};
use super::super::super::lookup::Policy;
use super::super::cache_on;
use super::super::fake::{Line, Mode, Server, Way};
use super::database::Database;
use super::record::{Event, Pen, Process, query_of};
use super::steps::{Case, INSTANCES, KEYS, Part, Step};
use crate::stats::Stats;

pub(super) const POLICY: Policy = Policy {
    ttl: Duration::from_secs(10),
    stale_while_revalidate: Duration::from_secs(20),
    stale_if_error: Duration::from_secs(50),
};
/// How long a client waits for a load.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);
const QUERIES: [&str; 2] = ["slow", "quick"];

pub(super) struct Fleet {
    pub(super) server: Server,
    pub(super) pen: Pen,
    pub(super) database: Arc<Database>,
    pub(super) instances: Vec<Instance>,
    pub(super) keys: Vec<Key>,
    case: Case,
    /// How far Redis's clock is from where it was, and was at most, in milliseconds.
    jumped: i64,
    furthest: i64,
    lost_numbers: bool,
}

/// A running process.
pub(super) struct Instance {
    pub(super) cache: Cache,
    line: Line,
    pub(super) stats: Arc<Stats>,
    pub(super) process: Process,
    pub(super) state: watch::Sender<State>,
    way: Way,
    slow: bool,
    /// What clients asked for.
    pub(super) clients: Vec<JoinHandle<()>>,
}

/// Whether a process gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Stopped,
    Ended,
}

impl Fleet {
    pub(super) fn new(case: &Case) -> Fleet {
        let key = |key: usize| {
            let base = KeyBase::new("unslow", QUERIES[query_of(key)], "select 1", "db");
            base.make_key(format!("{key}"))
        };
        let mut fleet = Fleet {
            server: Server::new(),
            pen: Pen::default(),
            database: Arc::default(),
            instances: Vec::new(),
            keys: (0..KEYS).map(key).collect(),
            case: case.clone(),
            jumped: 0,
            furthest: 0,
            lost_numbers: false,
        };
        for at in 0..INSTANCES {
            let instance = fleet.start(Process { at, life: 0 });
            fleet.instances.push(instance);
        }
        fleet
    }

    fn start(&self, process: Process) -> Instance {
        let Process { at, life } = process;
        let place = u64::try_from(at + INSTANCES * life).expect("a few");
        let line = self.server.line(self.case.seed.wrapping_add(place));
        let stats = Arc::new(Stats::new(QUERIES.into_iter()));
        let memory = at + 1 < INSTANCES || self.case.memory;
        let memory = if memory { 1 << 20 } else { 0 };
        Instance {
            cache: cache_on(&line, POLICY, memory, &stats),
            line,
            stats,
            process,
            state: watch::Sender::new(State::Running),
            way: Way::Open,
            slow: false,
            clients: Vec::new(),
        }
    }

    pub(super) async fn step(&mut self, step: &Step) {
        match *step {
            Step::Request {
                at,
                key,
                leaves_after,
            } => self.request(at, key, leaves_after),
            Step::Crowd { key } => {
                for at in 0..INSTANCES {
                    self.request(at, key, None);
                    self.request(at, key, None);
                }
            }
            Step::Advance(millis) => sleep(Duration::from_millis(millis)).await,
            Step::Loads { take, end } => self.database.will(take, end),
            Step::Purge { at, scope, kind } => self.purge(at, scope, kind),
            Step::Refresh { at, key, max_age } => {
                self.refresh(at, key, Duration::from_millis(max_age));
            }
            Step::Forgive(at) => {
                self.pen.event(Event::Forgive(at));
                self.instances[at].cache.clear_failures();
            }
            Step::Crash(at) => self.crash(at),
            Step::Stop(at) => self.set_state(at, State::Stopped),
            Step::Continue(at) => self.set_state(at, State::Running),
            Step::Way { at, way } => self.set_way(at, way),
            Step::Break(at) => {
                self.pen.trouble(at, true);
                self.instances[at].line.break_once();
                self.note_trouble(at);
            }
            Step::Slow { at, there, back } => {
                let [there, back] = [there, back].map(Duration::from_millis);
                let instance = &mut self.instances[at];
                instance.line.set_slow(there, back);
                instance.slow = there + back > Duration::ZERO;
                self.note_trouble(at);
            }
            Step::Heal => self.heal(),
            Step::Flush => {
                self.pen.event(Event::Flush);
                self.lose_numbers();
                self.server.flush();
            }
            Step::Evict { key, part } => self.evict(key, part),
            Step::Jump(millis) if millis < 0 && self.lost_numbers => {}
            Step::Jump(millis) => self.jump(millis),
            Step::Mode(mode) => {
                self.server.set_mode(mode);
                for at in 0..INSTANCES {
                    self.note_trouble(at);
                }
            }
        }
        // What was begun begins before the next step.
        tokio::task::yield_now().await;
    }

    pub(super) fn heal(&mut self) {
        self.server.set_mode(Mode::Well);
        for at in 0..INSTANCES {
            self.instances[at]
                .line
                .set_slow(Duration::ZERO, Duration::ZERO);
            self.instances[at].slow = false;
            self.set_way(at, Way::Open);
            self.set_state(at, State::Running);
        }
    }

    fn crash(&mut self, at: usize) {
        let instance = &mut self.instances[at];
        let process = instance.process;
        self.pen.event(Event::Crash(process));
        instance.line.set_way(Way::Cut);
        instance.state.send_replace(State::Ended);
        for client in instance.clients.drain(..) {
            client.abort();
        }
        for request in &mut self.pen.write().requests {
            request.gone |= request.by == process && request.end.is_none();
        }
        let life = process.life + 1;
        self.instances[at] = self.start(Process { at, life });
        self.note_trouble(at);
    }

    fn set_state(&mut self, at: usize, state: State) {
        let instance = &self.instances[at];
        instance.state.send_replace(state);
        self.apply_way(at);
    }

    fn set_way(&mut self, at: usize, way: Way) {
        self.instances[at].way = way;
        self.apply_way(at);
    }

    fn apply_way(&mut self, at: usize) {
        let instance = &self.instances[at];
        // Who stands still sends nothing and hears nothing, and loses nothing.
        let stopped = *instance.state.borrow() == State::Stopped;
        instance
            .line
            .set_way(if stopped { Way::Held } else { instance.way });
        self.note_trouble(at);
    }

    fn note_trouble(&self, at: usize) {
        let instance = &self.instances[at];
        let stopped = *instance.state.borrow() == State::Stopped;
        let ill = self.server.mode() != Mode::Well;
        let trouble = stopped || ill || instance.slow || instance.way != Way::Open;
        self.pen.trouble(at, trouble);
    }

    fn jump(&mut self, millis: i64) {
        self.pen.event(Event::Jump(millis));
        self.jumped += millis;
        self.furthest = self.furthest.max(self.jumped);
        self.server.set_skew(self.jumped * 1000);
    }

    /// Redis forgets the numbers that it drew: its clock, from which they come, is then not behind,
    /// and is not set back.
    fn lose_numbers(&mut self) {
        self.lost_numbers = true;
        if self.jumped < self.furthest {
            self.jump(self.furthest - self.jumped);
        }
    }

    fn evict(&mut self, key: usize, part: Part) {
        if part == Part::Generations {
            self.lose_numbers();
        }
        self.pen.event(Event::Evict { key, part });
        let names = self.keys[key].redis_names();
        self.server.evict(match part {
            Part::Entry => &names.entry,
            Part::Generations => &names.generations,
            Part::Tombstone => &names.tombstone,
            Part::Lease => &names.lease,
            Part::Note => &names.note,
        });
    }

    /// The names in Redis of an entry and of its lease.
    pub(super) fn names(&self, key: usize) -> [String; 2] {
        let names = self.keys[key].redis_names();
        [names.entry, names.lease]
    }

    /// Flights that have not ended, of all running processes.
    pub(super) fn flights(&self) -> usize {
        let caches = self.instances.iter().map(|instance| &instance.cache);
        caches
            .map(|cache| cache.inner.flights.failure_count())
            .sum()
    }
}
