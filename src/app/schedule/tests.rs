//! A schedule with a database played by the test. Time is the runtime's and stands still, so
//! nothing here waits in earnest.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::query::{DatabaseKind, Value};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const LOAD: Duration = Duration::from_millis(100);

/// Copies as a fleet shares them, with one load per key at a time.
#[derive(Default)]
struct Fleet {
    copies: Mutex<HashMap<Arc<Arguments>, Instant>>,
    lease: tokio::sync::Mutex<()>,
    loads: Mutex<Vec<Instant>>,
    loading: AtomicUsize,
    at_once: AtomicUsize,
    fails: AtomicBool,
}

impl Fleet {
    fn age(&self, key: &Arguments) -> Option<Duration> {
        self.copies.lock().unwrap().get(key).map(Instant::elapsed)
    }

    fn recent(&self, key: &Arguments, max_age: Duration) -> Option<RefreshResult> {
        let age = self.age(key).filter(|age| *age < max_age)?;
        Some(RefreshResult::Recent { age })
    }

    async fn refresh(
        &self,
        key: Arc<Arguments>,
        max_age: Duration,
    ) -> Result<RefreshResult, RequestError> {
        if let Some(recent) = self.recent(&key, max_age) {
            return Ok(recent);
        }
        let lease = self.lease.lock().await;
        if self.recent(&key, max_age).is_some() {
            return Ok(RefreshResult::Loaded);
        }
        self.loads.lock().unwrap().push(Instant::now());
        let others = self.loading.fetch_add(1, Ordering::SeqCst);
        self.at_once.fetch_max(others + 1, Ordering::SeqCst);
        sleep(LOAD).await;
        self.loading.fetch_sub(1, Ordering::SeqCst);
        drop(lease);
        if self.fails.load(Ordering::SeqCst) {
            return Err(RequestError::Unavailable {
                detail: "played by the test".into(),
            });
        }
        self.copies.lock().unwrap().insert(key, Instant::now());
        Ok(RefreshResult::Loaded)
    }

    fn loads(&self) -> usize {
        self.loads.lock().unwrap().len()
    }
}

/// One instance's schedule, running.
fn instance(fleet: &Arc<Fleet>, interval: Duration) -> (QuerySchedule, JoinHandle<()>) {
    after(None, fleet, interval)
}

/// The one that follows it.
fn renewed(
    fleet: &Arc<Fleet>,
    before: &QuerySchedule,
    interval: Duration,
) -> (QuerySchedule, JoinHandle<()>) {
    after(Some(before), fleet, interval)
}

fn after(
    before: Option<&QuerySchedule>,
    fleet: &Arc<Fleet>,
    interval: Duration,
) -> (QuerySchedule, JoinHandle<()>) {
    by_clock(before, fleet, interval, Clock::of_runtime())
}

fn by_clock(
    before: Option<&QuerySchedule>,
    fleet: &Arc<Fleet>,
    interval: Duration,
    clock: Clock,
) -> (QuerySchedule, JoinHandle<()>) {
    let query = Query::parse(DatabaseKind::Sqlite, "q", "select 1").map(Arc::new);
    let query = query.expect("it is one");
    let (schedule, turns) = QuerySchedule::replace_schedule(before, &query, interval, clock);
    let fleet = Arc::clone(fleet);
    let task = tokio::spawn(turns.run(move |key, max_age| {
        let fleet = Arc::clone(&fleet);
        async move { fleet.refresh(key, max_age).await }
    }));
    (schedule, task)
}

fn key(n: i32) -> Arguments {
    Arguments(vec![Value::Integer(n)])
}

/// A reader who gets a copy of that age.
fn read(schedule: &QuerySchedule, n: i32, age: Duration) {
    if let Some(newcomer) = schedule.read(&key(n)) {
        newcomer.begin_schedule(age);
    }
}

/// Reads the key often for that long.
async fn use_for(schedules: &[&QuerySchedule], time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        for schedule in schedules {
            read(schedule, 1, Duration::ZERO);
        }
        sleep(10 * SECOND).await;
    }
}

/// How often at least and at most something is due in `time`: the first turn may be late by a
/// whole interval, and jitter may take a tenth of each.
#[track_caller]
fn assert_about_once(loads: usize, interval: Duration, time: Duration) {
    let turns = usize::try_from(time.as_secs() / interval.as_secs()).unwrap();
    assert!(
        (turns - 1..=turns * 10 / 9 + 1).contains(&loads),
        "{loads} loads for {turns} intervals"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_in_use_is_loaded_once_an_interval_and_another_is_not() {
    let fleet = Arc::new(Fleet::default());
    let (schedule, _task) = instance(&fleet, MINUTE);
    sleep(HOUR).await;
    assert_eq!(fleet.loads(), 0, "nobody has read anything");
    use_for(&[&schedule], HOUR).await;
    assert_about_once(fleet.loads(), MINUTE, HOUR);
    assert!(fleet.age(&key(1)) < Some(MINUTE + SECOND));
    assert!(fleet.age(&key(2)).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_read_is_left_alone_until_it_is_read_again() {
    for (interval, limit) in [(MINUTE, 10 * MINUTE), (20 * MINUTE, 40 * MINUTE)] {
        let fleet = Arc::new(Fleet::default());
        let (schedule, _task) = instance(&fleet, interval);
        for round in 1..=2 {
            let before = fleet.loads();
            read(&schedule, 1, Duration::ZERO);
            let began = Instant::now();
            sleep(limit + 2 * interval).await;
            let loads = fleet.loads();
            assert!(loads > before, "round {round}");
            let last = *fleet.loads.lock().unwrap().last().unwrap();
            assert!(last - began < limit, "round {round}");
            assert!(last - began + 2 * interval > limit, "round {round}");
            sleep(10 * limit).await;
            assert_eq!(fleet.loads(), loads, "round {round}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fleet_loads_once_an_interval_whenever_its_instances_began() {
    let fleet = Arc::new(Fleet::default());
    let instances: Vec<_> = (0..5).map(|_| instance(&fleet, MINUTE)).collect();
    let schedules: Vec<_> = instances.iter().map(|(schedule, _)| schedule).collect();
    for joined in 1..=5 {
        use_for(&schedules[..joined], 13 * SECOND).await;
    }
    let before = fleet.loads();
    use_for(&schedules, HOUR).await;
    assert_about_once(fleet.loads() - before, MINUTE, HOUR);
    assert!(fleet.age(&key(1)) < Some(MINUTE + SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_turn_is_counted_from_the_age_of_the_copy_and_a_readers_load_postpones_it() {
    let fleet = Arc::new(Fleet::default());
    let (schedule, _task) = instance(&fleet, HOUR);
    read(&schedule, 1, 58 * MINUTE);
    sleep(3 * MINUTE).await;
    assert_eq!(fleet.loads(), 1);
    for _ in 0..10 {
        sleep(30 * MINUTE).await;
        read(&schedule, 1, Duration::ZERO);
        let copy = (Arc::new(key(1)), Instant::now());
        fleet.copies.lock().unwrap().extend([copy]);
    }
    assert_eq!(fleet.loads(), 1, "what readers load is recent enough");
    sleep(HOUR + SECOND).await;
    assert_eq!(fleet.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn many_keys_are_loaded_one_at_a_time_and_not_in_step() {
    let fleet = Arc::new(Fleet::default());
    let (schedule, _task) = instance(&fleet, HOUR);
    for n in 0..200 {
        read(&schedule, n, Duration::ZERO);
    }
    sleep(HOUR + MINUTE).await;
    assert_eq!(fleet.loads(), 200);
    assert_eq!(fleet.at_once.load(Ordering::SeqCst), 1);
    let loads = fleet.loads.lock().unwrap();
    let first = *loads.iter().min().unwrap();
    let minutes: BTreeSet<_> = loads
        .iter()
        .map(|at| (*at - first).as_secs() / 60)
        .collect();
    // 200 keys over six minutes of jitter.
    assert!(minutes.len() > 3, "{minutes:?}");
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_before_its_next_turn_and_ever_more_seldom() {
    let fleet = Arc::new(Fleet::default());
    let (schedule, _task) = instance(&fleet, 2 * HOUR);
    fleet.fails.store(true, Ordering::SeqCst);
    read(&schedule, 1, 2 * HOUR);
    sleep(30 * MINUTE).await;
    let gaps = |fleet: &Fleet| -> Vec<u64> {
        let loads = fleet.loads.lock().unwrap();
        loads
            .windows(2)
            .map(|two| (two[1] - two[0]).as_secs())
            .collect()
    };
    assert_eq!(gaps(&fleet), [30, 60, 120, 240, 480]);
    fleet.fails.store(false, Ordering::SeqCst);
    sleep(30 * MINUTE).await;
    assert_eq!(fleet.loads(), 7);
    read(&schedule, 1, Duration::ZERO);
    sleep(HOUR).await;
    assert_eq!(fleet.loads(), 7, "its next turn is an interval away");
    // Of a short interval it is the interval that is kept.
    let fleet = Arc::new(Fleet::default());
    let (schedule, _task) = instance(&fleet, 5 * SECOND);
    fleet.fails.store(true, Ordering::SeqCst);
    read(&schedule, 1, 5 * SECOND);
    sleep(MINUTE).await;
    assert!(gaps(&fleet).iter().all(|gap| *gap == 5));
}

#[tokio::test(start_paused = true)]
async fn only_so_many_keys_are_scheduled_and_those_that_end_make_room() {
    let fleet = Arc::new(Fleet::default());
    let (schedule, _task) = instance(&fleet, HOUR);
    let early: Vec<_> = (0..=1000)
        .map(|n| schedule.read(&key(n)).unwrap())
        .collect();
    for newcomer in early {
        newcomer.begin_schedule(Duration::ZERO);
    }
    assert_eq!(schedule.keys.read_keys().len(), MOST_KEYS);
    assert!(schedule.read(&key(2000)).is_none());
    sleep(4 * HOUR).await;
    assert_eq!(schedule.keys.read_keys().len(), 0);
    assert!(schedule.read(&key(2000)).is_some());
}

#[tokio::test(start_paused = true)]
async fn two_first_readers_are_one_schedule() {
    let fleet = Arc::new(Fleet::default());
    let (schedule, _task) = instance(&fleet, HOUR);
    let (one, two) = (schedule.read(&key(1)), schedule.read(&key(1)));
    one.unwrap().begin_schedule(Duration::ZERO);
    two.unwrap().begin_schedule(30 * MINUTE);
    assert!(schedule.read(&key(1)).is_none());
    sleep(40 * MINUTE).await;
    assert_eq!(fleet.loads(), 0, "the first one counts");
    sleep(30 * MINUTE).await;
    assert_eq!(fleet.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_is_dropped_ends_its_task() {
    let fleet = Arc::new(Fleet::default());
    let (schedule, task) = instance(&fleet, MINUTE);
    read(&schedule, 1, Duration::ZERO);
    drop(schedule);
    task.await.unwrap();
    assert_eq!(fleet.loads(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_goes_on_for_the_keys_of_the_one_before_and_by_the_age_of_their_copies() {
    let fleet = Arc::new(Fleet::default());
    let (before, task) = instance(&fleet, HOUR);
    read(&before, 1, HOUR);
    sleep(MINUTE).await;
    assert_eq!(fleet.loads(), 1);
    let began = Instant::now();
    let (mut latest, mut latest_task) = (before, task);
    // Often enough that no turn would ever come if each began anew.
    for _ in 0..9 {
        let (schedule, next) = renewed(&fleet, &latest, HOUR);
        drop(std::mem::replace(&mut latest, schedule));
        std::mem::replace(&mut latest_task, next).await.unwrap();
        sleep(10 * MINUTE).await;
        assert!(latest.read(&key(1)).is_none(), "still scheduled");
    }
    let times = fleet.loads.lock().unwrap().clone();
    assert_eq!(times.len(), 2, "once in these 90 minutes");
    let after = times[1] - began;
    assert!(after > 50 * MINUTE && after < 70 * MINUTE, "{after:?}");
    sleep(10 * HOUR).await;
    assert_eq!(latest.keys.read_keys().len(), 0, "nobody reads it any more");
}

#[tokio::test(start_paused = true)]
async fn what_came_due_while_the_machine_slept_is_loaded_within_seconds_of_its_waking() {
    let (fleet, clock) = (Arc::new(Fleet::default()), Clock::by_hand());
    let (schedule, _task) = by_clock(None, &fleet, 3 * MINUTE, clock.clone());
    read(&schedule, 1, Duration::ZERO);
    // The clock that counts the sleep stands still, and so nothing comes due.
    sleep(HOUR).await;
    assert_eq!(fleet.loads(), 0);
    clock.advance(3 * MINUTE);
    sleep(LOOK + SECOND).await;
    assert_eq!(fleet.loads(), 1);
    // A key that nobody has read since before a long sleep is in use no longer.
    clock.advance(8 * HOUR);
    sleep(LOOK + SECOND).await;
    assert_eq!(fleet.loads(), 1);
    assert!(
        schedule.read(&key(1)).is_some(),
        "it is scheduled no longer"
    );
}
