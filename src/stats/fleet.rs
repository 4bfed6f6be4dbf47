//! The instances that share a Redis: what each reports of itself, which reports of others are
//! believed, and their sums. Reports are counts, never ratios, so that they add up. How they travel
//! is the cache's business, and when the application's.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::instance::InstanceInfo;
use super::instance_sum::InstanceSum;
use super::numbers::SummaryNumbers;
use super::sent::{at_most_few, by_name};
use super::tally::CounterTally;
use super::window::Window;

/// So many queries are read of one, and of all together. A catalog has far fewer.
const MOST_QUERIES: usize = 2000;

/// The report of an instance to the others. No key, no parameter and no address is in it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceReport {
    /// The version of this layout.
    pub schema: u32,
    /// The instance.
    pub instance: InstanceInfo,
    /// The seconds for which it had counted.
    pub uptime_seconds: f64,
    /// Loads that ran at the time.
    pub loads_in_flight: u64,
    /// The state of its database.
    pub database_up: Option<bool>,
    /// A word for the server that it spoke to last; no address can be had from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_server: Option<String>,
    /// All queries together, for each window, with the seconds that it covers.
    #[serde(deserialize_with = "known_windows")]
    pub windows: BTreeMap<Window, (f64, CounterTally)>,
    /// Each query that has counted anything, since the start.
    #[serde(deserialize_with = "at_most_few::<_, _, MOST_QUERIES>")]
    pub queries: BTreeMap<String, CounterTally>,
    /// The number of them that are not here, for want of space.
    #[serde(skip_serializing_if = "is_zero")]
    pub queries_left_out: u64,
}

/// The reason why another's report cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnusableReport {
    /// It is none, or holds what no instance counts.
    Foreign,
    /// Its layout is of a later version than this program's.
    Newer,
}

impl InstanceReport {
    /// The layout that is written, and the latest that is read.
    pub const SCHEMA: u32 = 1;

    /// Writes it as JSON of at most so many bytes: where it would be more, or queries beyond what
    /// is read, those least asked for are left out, and counted.
    pub fn to_json(&mut self, at_most: usize) -> Vec<u8> {
        self.schema = InstanceReport::SCHEMA;
        loop {
            let json = serde_json::to_vec(self).unwrap_or_default();
            let few = json.len() <= at_most && self.queries.len() <= MOST_QUERIES;
            if few || self.queries.is_empty() {
                return json;
            }
            self.leave_out_half();
        }
    }

    fn leave_out_half(&mut self) {
        let requests = |tally: &CounterTally| SummaryNumbers::from_tally(tally, 0.0).requests;
        let all = std::mem::take(&mut self.queries);
        let mut by_requests: Vec<_> = all.into_iter().collect();
        by_requests.sort_by_key(|(_, tally)| std::cmp::Reverse(requests(tally)));
        let kept = by_requests.len() / 2;
        self.queries_left_out += whole_count(by_requests.len() - kept);
        by_requests.truncate(kept);
        self.queries = by_requests.into_iter().collect();
    }

    /// Returns what an instance has written. Anybody can write into Redis: what comes out can be
    /// added and shown without harm.
    ///
    /// # Errors
    /// See [`UnusableReport`].
    pub fn from_json(json: &[u8]) -> Result<InstanceReport, UnusableReport> {
        #[derive(Deserialize)]
        struct ReportLayout {
            schema: u32,
        }
        let layout: ReportLayout =
            serde_json::from_slice(json).map_err(|_| UnusableReport::Foreign)?;
        match layout.schema {
            0 => return Err(UnusableReport::Foreign),
            1..=InstanceReport::SCHEMA => {}
            _ => return Err(UnusableReport::Newer),
        }
        let report: InstanceReport =
            serde_json::from_slice(json).map_err(|_| UnusableReport::Foreign)?;
        report
            .is_sound()
            .then_some(report)
            .ok_or(UnusableReport::Foreign)
    }

    fn is_sound(&self) -> bool {
        let instance = &self.instance;
        let is_time = |seconds: f64| (0.0..1e12).contains(&seconds);
        is_shown(&instance.id, 64)
            && is_shown(&instance.name, 300)
            && is_shown(&instance.version, 64)
            && self
                .database_server
                .as_deref()
                .is_none_or(|word| is_shown(word, 64))
            && is_time(self.uptime_seconds)
            && u32::try_from(self.loads_in_flight).is_ok()
            && u32::try_from(self.queries_left_out).is_ok()
            && self.queries.keys().all(|name| is_query(name))
            && self.queries.values().all(CounterTally::is_sound)
            && self
                .windows
                .values()
                .all(|(over, tally)| is_time(*over) && tally.is_sound())
    }
}

/// Windows that only a later version knows are passed over.
fn known_windows<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<Window, (f64, CounterTally)>, D::Error> {
    let each: [Option<_>; Window::ALL.len()] = by_name(from, Window::ALL.map(Window::name))?;
    let each = Window::ALL.into_iter().zip(each);
    let known = each.filter_map(|(window, numbers)| Some((window, numbers?)));
    Ok(known.collect())
}

fn is_shown(text: &str, at_most: usize) -> bool {
    (1..=at_most).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Returns whether a query file may have this name.
fn is_query(name: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn whole_count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The reports of the other instances at one moment. Their queries are kept as sums alone.
#[derive(Debug, Clone, Default)]
pub struct OtherInstances {
    each: Vec<(f64, InstanceReport)>,
    queries: BTreeMap<String, InstanceSum>,
    left_out: u64,
}

impl OtherInstances {
    /// Adds a report that was written so long ago. A second one of the same instance is passed
    /// over.
    pub fn add(&mut self, mut report: InstanceReport, age_seconds: f64) {
        if self
            .each
            .iter()
            .any(|(_, of)| of.instance.id == report.instance.id)
        {
            return;
        }
        for (query, tally) in std::mem::take(&mut report.queries) {
            if self.queries.len() >= MOST_QUERIES && !self.queries.contains_key(&query) {
                report.queries_left_out += 1;
                continue;
            }
            let sum = self.queries.entry(query).or_default();
            sum.add(&tally, report.uptime_seconds);
        }
        self.each.push((age_seconds, report));
    }

    /// Notes that so many could not be used.
    pub fn leave_out(&mut self, more: u64) {
        self.left_out += more;
    }

    /// Returns who they are.
    pub fn instances(&self) -> impl Iterator<Item = &InstanceInfo> {
        self.each.iter().map(|(_, report)| &report.instance)
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.each.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.each.is_empty()
    }
}

/// All instances, as one of them knows it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceTotals {
    /// The reason why there is only this one here, in words ([`InstanceTotals::NO_REDIS`] and those
    /// beside it); `None`: there may be others, and all are here.
    pub alone_because: Option<String>,
    /// Each that reported of late, this one first, then by name.
    pub each: Vec<InstanceSnapshot>,
    /// Reports of others that could not be used: too large, of a later version's layout, or not
    /// written by an instance at all; and what is beyond the number that is read.
    pub left_out: u64,
    /// All of them together, over the window. What happened in a second is the sum of what happens
    /// in a second on each, over its own time: dividing by the longest time would show too little
    /// whenever one has just begun.
    pub total: SummaryNumbers,
    /// Each query on all of them together, since the start. Which loads run now, and how long the
    /// latest took, is not told.
    pub queries: BTreeMap<String, SummaryNumbers>,
}

/// One instance's numbers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceSnapshot {
    /// The instance.
    #[serde(flatten)]
    pub instance: InstanceInfo,
    /// True where it is the one that says all this.
    pub is_self: bool,
    /// The age of its report.
    pub age_seconds: f64,
    /// The seconds for which it has counted.
    pub uptime_seconds: f64,
    /// The state of its database.
    pub database_up: Option<bool>,
    /// A word for the server that it spoke to last; no address can be had from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_server: Option<String>,
    /// The number of its queries that are not in the sums of queries, for want of space.
    #[serde(skip_serializing_if = "is_zero")]
    pub queries_left_out: u64,
    /// Its numbers over the window.
    pub numbers: SummaryNumbers,
}

impl InstanceTotals {
    /// No Redis is configured.
    pub const NO_REDIS: &str = "no redis";
    /// It does not answer.
    pub const REDIS_AWAY: &str = "redis away";
    /// It answers, and takes no reports: this user may not, or it is full, or a replica.
    pub const REFUSED: &str = "refused by redis";
    /// Nobody has been asked yet.
    pub const NOT_ASKED: &str = "not asked yet";

    /// Returns this instance's own report, as it is now, with those that the others wrote `elapsed`
    /// seconds before the ages in `others` are to be shown.
    pub fn add_up(
        own: &InstanceReport,
        others: &OtherInstances,
        elapsed: f64,
        window: Window,
    ) -> InstanceTotals {
        let mut total = InstanceSum::default();
        let mut each = Vec::with_capacity(1 + others.len());
        let mut queries = others.queries.clone();
        for (query, tally) in &own.queries {
            let sum = queries.entry(query.clone()).or_default();
            sum.add(tally, own.uptime_seconds);
        }
        let all = others
            .each
            .iter()
            .map(|(age, report)| (age + elapsed, report));
        for (age, report) in std::iter::once((0.0, own)).chain(all) {
            let nothing = (0.0, CounterTally::default());
            let (over, tally) = report.windows.get(&window).unwrap_or(&nothing);
            let loads_in_flight = report.loads_in_flight;
            total.add(tally, *over);
            total.loads_in_flight += loads_in_flight;
            each.push(InstanceSnapshot {
                instance: report.instance.clone(),
                is_self: each.is_empty(),
                age_seconds: age,
                uptime_seconds: report.uptime_seconds,
                database_up: report.database_up,
                database_server: report.database_server.clone(),
                queries_left_out: report.queries_left_out,
                numbers: SummaryNumbers {
                    loads_in_flight,
                    ..SummaryNumbers::from_tally(tally, *over)
                },
            });
        }
        each[1..].sort_by(|a, b| {
            let name = |it: &InstanceSnapshot| (it.instance.name.clone(), it.instance.id.clone());
            name(a).cmp(&name(b))
        });
        InstanceTotals {
            alone_because: None,
            each,
            left_out: others.left_out,
            total: total.numbers(),
            queries: queries
                .into_iter()
                .map(|(query, sum)| (query, sum.numbers()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests;
