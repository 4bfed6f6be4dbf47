//! `unslow compare`: asks a server for one query through the database and through each tier, and
//! prints how long whole requests took. Where no server runs it starts one for itself (`own`).
//! `runs` are the requests, `figures` what is made of them, `report` how that is printed.

mod figures;
mod own;
mod progress;
mod report;
mod runs;

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use percent_encoding::utf8_percent_encode;
use url::form_urlencoded::Serializer;

use self::own::OwnServer;
use self::progress::RunProgress;
use self::report::{ComparisonReport, ReportRow};
use self::runs::{InterruptFlag, RunTarget, WayRuns};
use super::client::ServerClient;
use super::client::kept::KeptConnection;
use super::failure::CommandFailure;
use super::purge::NAME;
use super::terminal::{print_bytes, print_line};
use crate::flags::CompareArgs;
use crate::settings::Settings;
use crate::text::words::escape_controls;

/// The number of runs on the database where none is given: the query may be slow.
const DATABASE_RUNS: usize = 3;
/// The least number of runs on each tier.
const TIER_RUNS: usize = 1000;

/// The time for which an answer that was just loaded may take to get into Redis.
const STORING: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub(super) fn run(settings: &Settings, wanted: &CompareArgs) -> Result<(), CommandFailure> {
    let interrupt = InterruptFlag::begin_watch();
    let (client, own) = reach_server(settings, wanted.url.as_deref())?;
    let name = utf8_percent_encode(&wanted.name, NAME);
    let asked = RunTarget {
        path: format!("/q/{name}/compare"),
        form: Serializer::new(String::new())
            .extend_pairs(&wanted.params)
            .finish(),
        client,
        interrupt,
        progress: RunProgress::begin_display(),
    };
    let report = compare_ways(&asked, wanted, own.is_some())?;
    drop(asked);
    drop(own);
    if wanted.json {
        print_bytes(format!("{:#}\n", report.to_json()).as_bytes())
    } else {
        print_bytes(report.to_markdown().as_bytes())
    }
}

/// The server that is named, or that of the settings; where that does not run, one of our own.
fn reach_server(
    settings: &Settings,
    url: Option<&str>,
) -> Result<(Arc<ServerClient>, Option<OwnServer>), CommandFailure> {
    if url.is_some_and(|url| url.starts_with("https://")) {
        let why = "https:// is not spoken here\n  run it where the server is, with --url \
                   http://HOST:PORT or unix:PATH of an address that is plain";
        return Err(CommandFailure::Usage(why.to_owned()));
    }
    let why = match ServerClient::new(settings, url).map(Arc::new) {
        Ok(client) => match KeptConnection::open(&client) {
            Ok(_) => return Ok((client, None)),
            Err(error) if url.is_none() && ServerClient::is_absent(&error) => {
                format!("no server runs at {}", client.server_name())
            }
            Err(error) => return Err(CommandFailure::Running(client.unreachable_words(&error))),
        },
        Err(failure) if url.is_none() && is_about_the_address(settings) => {
            let why = failure.message().unwrap_or_default();
            why.lines().next().unwrap_or_default().to_owned()
        }
        Err(failure) => return Err(failure),
    };
    print_line(&format!(
        "unslow: {why}: a server is started for this comparison alone"
    ));
    let own = OwnServer::start(settings)?;
    let client = ServerClient::new(settings, Some(&own.url))?;
    Ok((Arc::new(client), Some(own)))
}

/// Returns whether what keeps the server of these settings from being found is where it listens,
/// and not a token that no server would take.
fn is_about_the_address(settings: &Settings) -> bool {
    let token = settings.admin_token.as_ref();
    !token.is_some_and(|token| token.reveal().contains(char::is_control))
}

/// Compares everything in its order: the tiers right after there is a copy to be read, the database
/// last.
fn compare_ways(
    asked: &RunTarget,
    wanted: &CompareArgs,
    is_own: bool,
) -> Result<ComparisonReport, CommandFailure> {
    let facts = asked.fetch_facts()?;
    let database_runs = wanted.runs.map_or(DATABASE_RUNS, |runs| runs as usize);
    let clients = wanted.clients as usize;
    let loads_at_once = facts["loads_at_once"].as_u64().unwrap_or(1);
    let loaders = clients.min(usize::try_from(loads_at_once).unwrap_or(1));
    let mut database = WayRuns::default();
    let mut rows = Vec::new();
    let mut bytes = 0;
    let is_cached = facts["cached"] == true;
    if is_cached {
        let fill = fill_tiers(asked, &mut database)?;
        let count = database_runs.max(TIER_RUNS);
        for tier in ["redis", "memory"] {
            let runs = tier_runs(asked, tier, count, clients, fill)?;
            bytes = bytes.max(runs.bytes);
            rows.push(report_row(
                tier,
                &runs,
                clients,
                tier_note(tier, &runs, count, fill),
            ));
        }
    }
    let left = database_runs.saturating_sub(database.samples.all.len());
    if left > 0 {
        let runs = asked.run_many("database", left, loaders)?;
        bytes = bytes.max(runs.bytes);
        database.samples.all.extend(runs.samples.all);
        database.samples.took += runs.samples.took;
    }
    bytes = bytes.max(database.bytes);
    let off = "the query says `cache: off`, so nothing of it is in a tier";
    let off = (!is_cached).then(|| off.to_owned());
    rows.insert(0, report_row("database", &database, loaders, off));
    let word = |member: &str| facts[member].as_str().map(escape_controls);
    Ok(ComparisonReport {
        query: word("query").unwrap_or_default(),
        parameters: wanted.params.iter().map(|(name, _)| name.clone()).collect(),
        database: (
            word("database").unwrap_or_default(),
            word("database_version"),
        ),
        version: word("unslow").unwrap_or_default(),
        bytes,
        clients,
        runs: wanted.runs,
        is_near: asked.client.is_near(),
        is_own,
        rows,
    })
}

/// The loads and reads that brought a copy into each tier.
#[derive(Debug, Clone, Copy, Default)]
struct TierFill {
    /// It has been stored just now, and may be on its way to Redis.
    is_on_its_way: bool,
    /// It was loaded, and no tier takes it.
    is_in_vain: bool,
}

/// Sees to it that there is a copy, where a tier has none. What the database does for it is a run
/// of the database like the others: it is a request that had to wait for it.
fn fill_tiers(asked: &RunTarget, database: &mut WayRuns) -> Result<TierFill, CommandFailure> {
    for tier in ["memory", "redis"] {
        if asked.run_once(tier)?.is_absent() {
            let runs = asked.run_once("cache")?;
            let fill = TierFill {
                is_on_its_way: runs.is_stored,
                is_in_vain: runs.has_loaded && !runs.is_stored,
            };
            if runs.has_loaded {
                *database = runs;
            }
            return Ok(fill);
        }
    }
    Ok(TierFill::default())
}

fn tier_runs(
    asked: &RunTarget,
    tier: &'static str,
    count: usize,
    clients: usize,
    fill: TierFill,
) -> Result<WayRuns, CommandFailure> {
    let begun = Instant::now();
    loop {
        let first = asked.run_once(tier)?;
        if first.nothing.is_none() {
            return asked.run_many(tier, count, clients);
        }
        let may_come = first.is_absent() && fill.is_on_its_way;
        if !may_come || begun.elapsed() > STORING {
            return Ok(first);
        }
        sleep(LOOK_AGAIN);
    }
}

fn report_row(
    from: &'static str,
    runs: &WayRuns,
    clients: usize,
    note: Option<String>,
) -> ReportRow {
    ReportRow {
        from,
        figures: runs.samples.compute_figures(),
        clients,
        note,
    }
}

/// Returns why a tier has no figures, or fewer than it was asked for.
fn tier_note(tier: &str, runs: &WayRuns, count: usize, fill: TierFill) -> Option<String> {
    let reason = runs.nothing.as_deref()?;
    let why = match (tier, reason) {
        ("memory", "off") => "there is no memory tier ([cache] memory is 0)",
        (_, "off") => "none is configured ([redis] url)",
        (_, "down") => "it does not answer",
        (_, "absent") if fill.is_in_vain => {
            "the answer is not stored: it is too large, or no tier took it"
        }
        (_, "absent") => "it has no copy",
        _ => "it gives no answer",
    };
    let done = runs.samples.all.len();
    Some(if done == 0 {
        why.to_owned()
    } else {
        format!("{why} any more, after {done} of {count} runs")
    })
}
