//! The steps that a case is made of, and how they are drawn. Each case draws which kinds of
//! trouble it has at all: where everything may happen, nearly everything is allowed.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::super::purge_request::PurgeKind;
use super::super::fake::{Mode, Way};

/// Instances of the fleet.
pub(super) const INSTANCES: usize = 3;
/// Entries: two of a query whose loads are slow, one of a query whose loads are quick.
pub(super) const KEYS: usize = 3;

/// One thing that happens. Times are in milliseconds.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A client of one instance, who may leave.
    Request {
        at: usize,
        key: usize,
        leaves_after: Option<u64>,
    },
    /// Two clients of every instance at once.
    Crowd {
        key: usize,
    },
    Advance(u64),
    /// From now on, loads take so long and end so.
    Loads {
        take: u64,
        end: Ending,
    },
    Purge {
        at: usize,
        scope: Purged,
        kind: PurgeKind,
    },
    Refresh {
        at: usize,
        key: usize,
        max_age: u64,
    },
    /// The instance is told that the database is back.
    Forgive(usize),
    /// The instance ends without a word; a new one takes its place.
    Crash(usize),
    /// The instance stands still, with everything it was doing.
    Stop(usize),
    Continue(usize),
    /// What comes through between the instance and Redis.
    Way {
        at: usize,
        way: Way,
    },
    /// Its connections break once.
    Break(usize),
    Slow {
        at: usize,
        there: u64,
        back: u64,
    },
    /// All instances run and are connected well; Redis is well.
    Heal,
    /// Redis comes back empty.
    Flush,
    Evict {
        key: usize,
        part: Part,
    },
    /// Redis's clock jumps, back or forward.
    Jump(i64),
    Mode(Mode),
}

/// How loads end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Well,
    /// The database reports an error of the statement.
    Failed,
    /// The database is away.
    Away,
    Panic,
    /// They reach their deadline.
    Deadline,
}

/// What a purge concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purged {
    Entry(usize),
    /// The query of this entry.
    QueryOf(usize),
}

/// What Redis holds about an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Entry,
    Generations,
    Tombstone,
    Lease,
    Note,
}

/// A case.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) steps: Vec<Step>,
    /// Whether the last instance has a memory tier; the others have.
    pub(super) memory: bool,
    /// What times on connections are drawn from.
    pub(super) seed: u64,
}

/// The kinds of trouble that a case may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    Instances,
    Network,
    Storage,
    Clock,
    All,
}

/// Any case of at most so many steps.
pub(super) fn case(longest: usize) -> impl Strategy<Value = Case> {
    let trouble = select(vec![
        Trouble::None,
        Trouble::Instances,
        Trouble::Network,
        Trouble::Storage,
        Trouble::Clock,
        Trouble::All,
    ]);
    (trouble, any::<bool>(), any::<u64>()).prop_flat_map(move |(trouble, memory, seed)| {
        prop::collection::vec(step(trouble), 3..longest).prop_map(move |steps| Case {
            steps,
            memory,
            seed,
        })
    })
}

fn step(trouble: Trouble) -> BoxedStrategy<Step> {
    let (common, trouble) = (common(), of_trouble(trouble));
    match trouble {
        None => common,
        Some(trouble) => prop_oneof![4 => common, 1 => trouble].boxed(),
    }
}

fn common() -> BoxedStrategy<Step> {
    let leaves_after =
        prop_oneof![4 => Just(None), 1 => select(vec![0, 1, 300, 2000]).prop_map(Some)];
    let request =
        (instance(), key(), leaves_after).prop_map(|(at, key, leaves_after)| Step::Request {
            at,
            key,
            leaves_after,
        });
    let loads = (load_time(), ending()).prop_map(|(take, end)| Step::Loads { take, end });
    let scope = prop_oneof![
        key().prop_map(Purged::Entry),
        key().prop_map(Purged::QueryOf)
    ];
    let kind = select(vec![PurgeKind::Soft, PurgeKind::Hard]);
    let purge =
        (instance(), scope, kind).prop_map(|(at, scope, kind)| Step::Purge { at, scope, kind });
    let refresh = (instance(), key(), select(vec![0, 0, 1000, 20_000]))
        .prop_map(|(at, key, max_age)| Step::Refresh { at, key, max_age });
    prop_oneof![
        10 => request,
        6 => key().prop_map(|key| Step::Crowd { key }),
        14 => time().prop_map(Step::Advance),
        3 => loads,
        4 => purge,
        1 => refresh,
        1 => instance().prop_map(Step::Forgive),
    ]
    .boxed()
}

fn of_trouble(trouble: Trouble) -> Option<BoxedStrategy<Step>> {
    let instances = prop_oneof![
        2 => instance().prop_map(Step::Crash),
        2 => instance().prop_map(Step::Stop),
        2 => instance().prop_map(Step::Continue),
    ];
    let way = (instance(), select(vec![Way::Open, Way::Held, Way::Refused]))
        .prop_map(|(at, way)| Step::Way { at, way });
    let delay = || select(vec![0, 20, 120, 400, 3000]);
    let slow =
        (instance(), delay(), delay()).prop_map(|(at, there, back)| Step::Slow { at, there, back });
    let mode = select(vec![Mode::Well, Mode::Full, Mode::Replica, Mode::Loading]);
    let network = prop_oneof![
        3 => way,
        1 => instance().prop_map(Step::Break),
        2 => slow,
        1 => mode.prop_map(Step::Mode),
        3 => Just(Step::Heal),
    ];
    let part = select(vec![
        Part::Entry,
        Part::Generations,
        Part::Tombstone,
        Part::Lease,
        Part::Note,
    ]);
    let storage = prop_oneof![
        1 => Just(Step::Flush),
        3 => (key(), part).prop_map(|(key, part)| Step::Evict { key, part }),
    ];
    let jump = select(vec![
        -3_600_000, -30_000, -3000, -500, 500, 3000, 30_000, 3_600_000,
    ]);
    let clock = jump.prop_map(Step::Jump);
    Some(match trouble {
        Trouble::None => return None,
        Trouble::Instances => instances.boxed(),
        Trouble::Network => network.boxed(),
        Trouble::Storage => storage.boxed(),
        Trouble::Clock => clock.boxed(),
        Trouble::All => prop_oneof![3 => instances, 4 => network, 2 => storage, 1 => clock].boxed(),
    })
}

fn instance() -> impl Strategy<Value = usize> {
    0..INSTANCES
}

/// Mostly the first, so that things meet.
fn key() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(0), 1 => 1..KEYS]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => select(vec![1, 50, 200, 1000]),
        3 => select(vec![2600, 5000, 9999]),
        1 => select(vec![12_000, 31_000, 65_000]),
        2 => 0..4000_u64,
    ]
}

/// Of slow loads; those of the quick query are a tenth of it.
fn load_time() -> impl Strategy<Value = u64> {
    select(vec![300, 700, 1500, 3000, 4500])
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        5 => Just(Ending::Well),
        1 => Just(Ending::Failed),
        1 => Just(Ending::Away),
        1 => Just(Ending::Panic),
        1 => Just(Ending::Deadline),
    ]
}
