//! This instance among those that share a Redis: it reports its numbers every few seconds, and
//! remembers what the others report, so that whoever asks waits for nobody. What a report holds is
//! `stats`', how it is kept `cache`'s. There is one writer per process, whatever number of Apps a
//! reload makes for a while: the newest that is there is reported from.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::keys::ring::KeyRing;
use super::standing::ProcessStatus;
use crate::cache::{Cache, InstanceList, REPORT_LIFE, ReportResult, SystemTag};
use crate::stats::{
    CounterTally, InstanceInfo, InstanceReport, InstanceTotals, OtherInstances, Stats,
    StatsSnapshot, UnusableReport, Window, wall_clock,
};

/// The time between two reports: so long, …
const EVERY: Duration = Duration::from_millis(4750);
/// … and up to so much longer, so that a fleet does not come in one moment.
const JITTER_MILLIS: u64 = 500;
/// A report of more bytes would not be read. It is stored compressed, in a quarter of them or less.
const LONGEST: usize = 2 << 20;
/// The time for which the end of the process may be held up by taking the report away.
const LEAVING: Duration = Duration::from_millis(500);

/// The instances, as this one knows them.
pub(super) struct FleetReporter {
    /// This process, without its generation.
    instance: InstanceInfo,
    standing: Arc<ProcessStatus>,
    sources: Mutex<Vec<Weak<ReportSource>>>,
    known: Mutex<LastSeen>,
    /// Held while a report is written, so that none is written after it was taken away.
    writing: AsyncMutex<WriteState>,
    task: Mutex<JoinSet<()>>,
}

/// The counters of one App, and the Redis where they are reported.
pub(super) struct ReportSource {
    pub(super) stats: Arc<Stats>,
    pub(super) keys: Arc<KeyRing>,
    pub(super) cache: Cache,
}

/// The reports of the other instances.
#[derive(Default)]
struct LastSeen {
    others: Arc<OtherInstances>,
    /// The moment when they were read.
    at: Option<Instant>,
    /// The reason why they could not be read the latest time.
    trouble: Option<&'static str>,
}

#[derive(Default)]
struct WriteState {
    /// The place where the latest report was written.
    to: Option<(Cache, SystemTag)>,
    /// There will be no more.
    left: bool,
}

impl FleetReporter {
    /// Makes the reporter of this process. Reports begin with [`begin`](FleetReporter::begin_reports).
    pub(super) fn new(standing: &Arc<ProcessStatus>) -> Arc<FleetReporter> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "seconds since 1970"
        )]
        let started_at = wall_clock() as u64;
        Arc::new(FleetReporter {
            instance: InstanceInfo {
                id: uuid::Uuid::new_v4().simple().to_string(),
                name: format!("{}:{}", host_name(), std::process::id()),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                generation: 0,
                started_at,
            },
            standing: Arc::clone(standing),
            sources: Mutex::default(),
            known: Mutex::default(),
            writing: AsyncMutex::default(),
            task: Mutex::default(),
        })
    }

    /// Reports this source from now on, until it is dropped or a later one comes.
    pub(super) fn add_source(&self, source: &Arc<ReportSource>) {
        source.cache.introduce_instance(&self.instance.id);
        let mut sources = lock(&self.sources);
        sources.retain(|source| source.strong_count() > 0);
        sources.push(Arc::downgrade(source));
    }

    /// Begins to report, as soon as a generation of workers serves, until this is dropped.
    pub(super) fn begin_reports(self: &Arc<FleetReporter>, engine: &Handle) {
        let reporting = report_for_ever(Arc::downgrade(self), self.standing.watch_generations());
        lock(&self.task).spawn_on(reporting, engine);
    }

    /// Returns this instance.
    pub(super) fn instance(&self) -> InstanceInfo {
        InstanceInfo {
            generation: self.standing.status_now().generation,
            ..self.instance.clone()
        }
    }

    /// Returns everybody, with this instance as it is now. Waits for nothing.
    pub(super) fn collect_instances(
        &self,
        own: &InstanceReport,
        cache: &Cache,
        window: Window,
    ) -> InstanceTotals {
        let nobody = OtherInstances::default();
        let alone = |why: &str| InstanceTotals {
            alone_because: Some(why.to_owned()),
            ..InstanceTotals::add_up(own, &nobody, 0.0, window)
        };
        if cache.redis_state().is_none() {
            return alone(InstanceTotals::NO_REDIS);
        }
        let known = lock(&self.known);
        let age = known.at.map(|at| at.elapsed());
        let Some(age) = age.filter(|age| *age <= REPORT_LIFE) else {
            return alone(known.trouble.unwrap_or(InstanceTotals::NOT_ASKED));
        };
        let others = Arc::clone(&known.others);
        drop(known);
        InstanceTotals::add_up(own, &others, age.as_secs_f64(), window)
    }

    /// Returns the other instances that reported lately, by id and name.
    pub(super) fn known_instances(&self) -> Vec<(String, String)> {
        let known = lock(&self.known);
        let is_recent = known.at.is_some_and(|at| at.elapsed() <= REPORT_LIFE);
        let instances = is_recent.then(|| known.others.instances());
        let named = |it: &InstanceInfo| (it.id.clone(), it.name.clone());
        instances.into_iter().flatten().map(named).collect()
    }

    /// Takes the report away, and makes no more. Where Redis does not answer at once the report
    /// ends by itself.
    pub(super) async fn remove_report(&self) {
        let leaving = async {
            let mut writing = self.writing.lock().await;
            writing.left = true;
            if let Some((cache, system)) = writing.to.take() {
                cache.withdraw_report(&system, &self.instance.id).await;
            }
        };
        let _ = timeout(LEAVING, leaving).await;
    }

    fn newest_source(&self) -> Option<Arc<ReportSource>> {
        let sources = lock(&self.sources);
        sources.iter().rev().find_map(Weak::upgrade)
    }

    async fn report_once(&self) {
        let Some(source) = self.newest_source() else {
            return;
        };
        source.cache.ask_redis_info().await;
        let set = Arc::clone(source.keys.find().await);
        set.record_again().await;
        let tag = set.system_tag();
        match self.write_report(&source, tag).await {
            Some(ReportResult::Kept(roll)) => match read(&source.cache, tag, roll).await {
                Some(others) => self.set_others(others),
                None => self.set_unreachable(InstanceTotals::REDIS_AWAY),
            },
            Some(ReportResult::Refused) => self.set_unreachable(InstanceTotals::REFUSED),
            Some(ReportResult::Away) => self.set_unreachable(InstanceTotals::REDIS_AWAY),
            None => {}
        }
    }

    async fn write_report(&self, source: &ReportSource, tag: &SystemTag) -> Option<ReportResult> {
        let mut writing = self.writing.lock().await;
        if writing.left {
            return None;
        }
        let (id, cache) = (&self.instance.id, &source.cache);
        // Another Redis, or another place in the same one.
        let before = writing.to.take();
        if let Some((before, of)) = before.filter(|(it, of)| !it.is_same(cache) || of != tag) {
            before.withdraw_report(&of, id).await;
            // The others may be others there.
            *lock(&self.known) = LastSeen::default();
        }
        cache.redis_state()?;
        writing.to = Some((cache.clone(), tag.clone()));
        let mut report = source.make_report(self.instance());
        let json = report.to_json(LONGEST);
        Some(cache.store_report(tag, id, &json).await)
    }

    fn set_others(&self, others: OtherInstances) {
        *lock(&self.known) = LastSeen {
            others: Arc::new(others),
            at: Some(Instant::now()),
            trouble: None,
        };
    }

    fn set_unreachable(&self, trouble: &'static str) {
        let mut known = lock(&self.known);
        if known.trouble != Some(trouble) && trouble == InstanceTotals::REFUSED {
            tracing::info!("Redis takes no reports of instances: /stats shows this one alone");
        }
        known.trouble = Some(trouble);
        if known.at.is_none_or(|at| at.elapsed() > REPORT_LIFE) {
            known.others = Arc::default();
        }
    }
}

impl ReportSource {
    fn make_report(&self, instance: InstanceInfo) -> InstanceReport {
        let start = self.stats.take_snapshot(Window::Start);
        let mut report = self.report_since_start(instance, &start);
        report.add_window(&start);
        for window in [Window::Minute, Window::FiveMinutes, Window::Hour] {
            let (seconds, total) = self.stats.window_total(window);
            report.windows.insert(window, (seconds, total));
        }
        report
    }

    /// Makes the report since the start, without windows.
    pub(super) fn report_since_start(
        &self,
        instance: InstanceInfo,
        start: &StatsSnapshot,
    ) -> InstanceReport {
        let counted = start.queries.iter().filter(|query| !query.tally.is_empty());
        let queries = counted.map(|query| (query.query.clone(), query.tally.clone()));
        InstanceReport {
            instance,
            uptime_seconds: start.uptime_seconds,
            loads_in_flight: start.total.loads_in_flight,
            database_up: self.keys.db().health().up,
            database_server: self.keys.db().server_word().map(|word| word.to_string()),
            queries: queries.collect(),
            ..InstanceReport::default()
        }
    }
}

impl InstanceReport {
    /// Adds the totals of one window.
    pub(super) fn add_window(&mut self, snapshot: &StatsSnapshot) {
        let total: CounterTally = snapshot.queries.iter().map(|query| &query.tally).sum();
        self.windows
            .insert(snapshot.window, (snapshot.window_seconds, total));
    }
}

/// Returns what the others say; `None`: Redis stopped to answer.
async fn read(cache: &Cache, system: &SystemTag, roll: InstanceList) -> Option<OtherInstances> {
    let mut others = OtherInstances::default();
    others.leave_out(roll.beyond);
    let (ids, ages): (Vec<_>, Vec<_>) = roll.others.into_iter().unzip();
    let take = |id: &str, report: Option<bytes::Bytes>| {
        let report = report.ok_or(UnusableReport::Foreign);
        let report = report.and_then(|json| InstanceReport::from_json(&json));
        let place = ids.iter().position(|known| known == id);
        match (report, place) {
            // Under another's name it would hide that one.
            (Ok(report), Some(place)) if report.instance.id == id => {
                others.add(report, ages[place].as_secs_f64());
            }
            _ => others.leave_out(1),
        }
    };
    let are_read = cache.read_reports(system, &ids, take).await;
    are_read.then_some(others)
}

async fn report_for_ever(
    fleet: Weak<FleetReporter>,
    mut generations: tokio::sync::watch::Receiver<u64>,
) {
    loop {
        let serves = *generations.borrow_and_update() > 0;
        let Some(fleet) = fleet.upgrade().filter(|_| serves) else {
            // Before anything serves there is nothing to say, and a command never does.
            if generations.changed().await.is_err() {
                return;
            }
            continue;
        };
        fleet.report_once().await;
        drop(fleet);
        let jitter = RandomState::new().hash_one(0) % JITTER_MILLIS;
        tokio::select! {
            () = sleep(EVERY + Duration::from_millis(jitter)) => {}
            // So that the others hear of a new generation at once.
            changed = generations.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

fn host_name() -> String {
    #[cfg(unix)]
    let name = nix::unistd::gethostname().ok();
    #[cfg(not(unix))]
    let name = std::env::var_os("COMPUTERNAME");
    let name = name.map(|name| name.to_string_lossy().into_owned());
    let mut name = name.unwrap_or_default();
    name.retain(|c| !c.is_control());
    if name.is_empty() {
        "localhost".to_owned()
    } else {
        name
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for FleetReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fleet").field(&self.instance).finish()
    }
}

impl fmt::Debug for ReportSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
