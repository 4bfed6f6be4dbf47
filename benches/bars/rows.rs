//! The figures, one function each: what runs against what, and where the bar is.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::load::{self, Contender, in_turns, median, ratio, wrk};
use crate::others::{Other, gunicorn, nginx, varnish};
use crate::process::{Server, find, free_port, unslow_binary};
use crate::{Measured, Row, bare};

type Figure = fn() -> Measured<Vec<Row>>;

/// Every figure, with the word it is chosen by.
pub(crate) const ALL: [(&str, Figure); 7] = [
    ("json", json),
    ("page", page),
    ("redis", redis),
    ("engine", engine),
    ("refresh", refresh),
    ("memory", memory),
    ("start size", start_and_size),
];

const JSON: &str = "/q/version.json";
/// Copies that stay fresh while they are measured.
const FRESH: [&str; 4] = ["--ttl", "1h", "--demo-delay", "200ms"];
const NOT_INSTALLED: &str = "skipped: not installed";

/// One contender's median, and the bar it has to keep against another's.
struct Duel<'r> {
    figure: &'static str,
    bar: &'static str,
    at_most: f64,
    rival: &'static str,
    ours: &'r [f64],
    theirs: &'r [f64],
}

impl Duel<'_> {
    fn row(&self) -> Row {
        let ratio = ratio(self.ours, self.theirs);
        let (ours, theirs) = (median(self.ours), median(self.theirs));
        Row {
            figure: self.figure,
            bar: self.bar,
            measured: format!("{ours:.2} µs, {} {theirs:.2} µs: {ratio:.3} ×", self.rival),
            met: Some(ratio <= self.at_most),
        }
    }
}

fn skipped(figure: &'static str, bar: &'static str) -> Row {
    Row {
        figure,
        bar,
        measured: NOT_INSTALLED.to_owned(),
        met: None,
    }
}

fn json() -> Measured<Vec<Row>> {
    let unslow = Server::unslow(&FRESH)?;
    load::get_ok(unslow.port, JSON)?;
    let bare = bare::start(&unslow, JSON, None)?;
    let costs = in_turns(&[contender(&unslow, JSON), contender(&bare, JSON)])?;
    Ok(vec![
        Duel {
            figure: "Memory hit as JSON, against a bare actix handler that sends the same",
            bar: "≤ 1.10 ×",
            at_most: 1.10,
            rival: "bare",
            ours: &costs[0],
            theirs: &costs[1],
        }
        .row(),
    ])
}

fn contender<'s>(server: &'s Server, path: &'s str) -> Contender<'s> {
    Contender { server, path }
}

/// One run for all rivals that serve the page.
fn page() -> Measured<Vec<Row>> {
    let unslow = Server::unslow(&FRESH)?;
    load::get_ok(unslow.port, "/")?;
    let bare = bare::start(&unslow, "/", None)?;
    let redis = redis_server()?;
    let original = match &redis {
        Some(redis) => gunicorn(&url(&redis.server))?,
        None => None,
    };
    let others = [nginx(bare.port)?, varnish(bare.port)?, original];
    let mut contenders = vec![contender(&unslow, "/"), contender(&bare, "/")];
    let present = others.iter().flatten();
    contenders.extend(present.map(|other| contender(&other.server, "/")));
    let costs = in_turns(&contenders)?;
    let against = |figure, bar, at_most, rival| {
        let place = contenders
            .iter()
            .position(|other| other.server.name == rival);
        place.map_or(skipped(figure, bar), |place| {
            Duel {
                figure,
                bar,
                at_most,
                rival,
                ours: &costs[0],
                theirs: &costs[place],
            }
            .row()
        })
    };
    Ok(vec![
        against(
            "The page `/`, against a bare actix handler that sends the same",
            "≤ 1.30 ×",
            1.30,
            "bare",
        ),
        against(
            "The page, against nginx `proxy_cache`",
            "≤ 0.80 ×",
            0.80,
            "nginx",
        ),
        against("The page, against Varnish", "≤ 0.55 ×", 0.55, "varnish"),
        against(
            "The page, against the original page on gunicorn",
            "≤ 1/200",
            0.005,
            "gunicorn",
        ),
    ])
}

fn redis_server() -> Measured<Option<Other>> {
    let Some(program) = find("redis-server") else {
        return Ok(None);
    };
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    let mut command = Command::new(program);
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.args(["--save", "", "--dir"]).arg(folder.path());
    Other::start("redis", port, &mut command, folder).map(Some)
}

fn url(redis: &Server) -> String {
    format!("redis://127.0.0.1:{}", redis.port)
}

fn redis() -> Measured<Vec<Row>> {
    let (figure, bar) = (
        "Redis hit (no memory tier), against a bare actix handler with one GET on a shared connection",
        "≤ 1.25 ×",
    );
    let Some(redis) = redis_server()? else {
        return Ok(vec![skipped(figure, bar)]);
    };
    let url = url(&redis.server);
    let settings = [&FRESH[..], &["--memory", "0", "--redis-url", &url]].concat();
    let unslow = Server::unslow(&settings)?;
    // Stored after it was answered.
    let begin = Instant::now();
    while !is_redis_hit(&load::get_ok(unslow.port, JSON)?) {
        if begin.elapsed() > Duration::from_secs(20) {
            return Err("Redis never gave a hit".into());
        }
    }
    let bare = bare::start(&unslow, JSON, Some(&url))?;
    let costs = in_turns(&[contender(&unslow, JSON), contender(&bare, JSON)])?;
    Ok(vec![
        Duel {
            figure,
            bar,
            at_most: 1.25,
            rival: "bare",
            ours: &costs[0],
            theirs: &costs[1],
        }
        .row(),
    ])
}

fn is_redis_hit(answer: &load::Answer) -> bool {
    answer
        .headers
        .iter()
        .any(|(name, value)| name == "cache-status" && value.contains("detail=redis"))
}

/// Reads what `cargo bench --bench engine` left: `NAME VALUE` lines.
fn engine() -> Measured<Vec<Row>> {
    let left = fs::read_to_string(Path::new(env!("CARGO_TARGET_TMPDIR")).join("engine"));
    let left = left.unwrap_or_default();
    let value = |name: &str| -> Measured<Option<f64>> {
        let line = left.lines().find_map(|line| line.strip_prefix(name));
        Ok(line.map(|line| line.trim().parse()).transpose()?)
    };
    let (time, allocations) = (value("hit-nanoseconds ")?, value("hit-allocations ")?);
    let (one, thousand) = (value("hit-1 ")?, value("hit-1000 ")?);
    let million = value("hit-1000000 ")?;
    let missing = || "skipped: run `cargo bench --bench engine` first".to_owned();
    let (Some(one), Some(thousand), Some(million)) = (one, thousand, million) else {
        return Ok(vec![Row {
            figure: "`get_or_load` on a memory hit",
            bar: "≤ 500 ns",
            measured: missing(),
            met: None,
        }]);
    };
    Ok(vec![
        Row {
            figure: "`get_or_load` on a memory hit",
            bar: "≤ 500 ns, no allocation",
            measured: match (time, allocations) {
                (Some(time), Some(count)) => format!("{time:.0} ns, {count} allocations"),
                _ => missing(),
            },
            met: time.zip(allocations).map(|(t, n)| t <= 500.0 && n <= 0.0),
        },
        Row {
            figure: "The same among 1, 10³, 10⁶ keys, asked for in no order",
            bar: "grows by < 2 ×",
            measured: format!(
                "{one:.0}, {thousand:.0}, {million:.0} ns: {:.2} ×",
                million / one
            ),
            met: Some(million < 2.0 * one),
        },
    ])
}

/// Two servers in turns: on one nothing runs out, on the other a load runs more often than not.
fn refresh() -> Measured<Vec<Row>> {
    let quiet = Server::unslow(&FRESH)?;
    let busy = Server::unslow(&["--ttl", "1s", "--demo-delay", "600ms"])?;
    let mut p99 = [Vec::new(), Vec::new()];
    for _ in 0..load::rounds() {
        for (server, p99) in [&quiet, &busy].into_iter().zip(&mut p99) {
            load::get_ok(server.port, JSON)?;
            let run = wrk(server.port, JSON, load::seconds().max(3), &[])?;
            p99.push(run.p99.as_secs_f64() * 1e3);
        }
    }
    let [quiet, busy] = p99;
    let ratio = ratio(&busy, &quiet);
    let (busy, quiet) = (median(&busy), median(&quiet));
    Ok(vec![Row {
        figure: "p99 of hits while refreshes run, against without",
        bar: "≤ 1.2 ×",
        measured: format!("{busy:.2} ms, without {quiet:.2} ms: {ratio:.2} ×"),
        met: Some(ratio <= 1.2),
    }])
}

const MIB: u64 = 1 << 20;

/// Idle, then with entries of about 4 KiB until the first had to leave.
fn memory() -> Measured<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let query = "-- param: n integer = 0\nselect :n as n, printf('%.*c', 4000, 'x') as filler\n";
    fs::write(folder.path().join("fill.sql"), query)?;
    // A counter of its own in every request.
    let script = folder.path().join("count.lua");
    let lua = "local n = 0\nfunction request() n = n + 1; \
               return wrk.format('GET', '/q/fill.json?n=' .. n) end\n";
    fs::write(&script, lua)?;
    let queries = folder.path().display().to_string();
    let unslow = Server::unslow(&[&FRESH[..], &["--queries", &queries]].concat())?;
    let idle = unslow.resident()?;
    // One client at a time has no more loads under way than the bounds on them let pass.
    let more = ["-c4", "-s", &script.display().to_string()];
    let (begin, mut bytes) = (Instant::now(), 0);
    while bytes < 63 * MIB {
        if begin.elapsed() > Duration::from_mins(3) {
            return Err(format!("the memory tier holds only {bytes} bytes").into());
        }
        wrk(unslow.port, "/", 10, &more)?;
        let stats = load::get_ok(unslow.port, "/stats.json")?;
        let stats: serde_json::Value = serde_json::from_slice(&stats.body)?;
        bytes = stats["memory"]["bytes"].as_u64().unwrap_or(0);
    }
    let full = unslow.resident()?;
    let most = 64 * MIB * 13 / 10 + idle;
    Ok(vec![
        Row {
            figure: "Resident memory, idle",
            bar: "≤ 25 MiB",
            measured: mib(idle),
            met: Some(idle <= 25 * MIB),
        },
        Row {
            figure: "Resident memory, memory tier full at 64 MiB",
            bar: "≤ 64 MiB × 1.3 + idle",
            measured: format!("{} (bar {})", mib(full), mib(most)),
            met: Some(full <= most),
        },
    ])
}

fn mib(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
    let mib = bytes as f64 / MIB as f64;
    format!("{mib:.1} MiB")
}

fn start_and_size() -> Measured<Vec<Row>> {
    let mut starts = Vec::new();
    for _ in 0..load::rounds() {
        let begin = Instant::now();
        let unslow = Server::unslow(&["--demo-delay", "0s"])?;
        load::get_ok(unslow.port, "/")?;
        starts.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    let start = median(&starts);
    let size = fs::metadata(unslow_binary())?.len();
    let is_static = cfg!(target_env = "musl");
    Ok(vec![
        Row {
            figure: "Start to first answer, embedded demo without its wait",
            bar: "≤ 100 ms",
            measured: format!("{start:.0} ms"),
            met: Some(start <= 100.0),
        },
        Row {
            figure: "Static binary",
            bar: "≤ 20 MiB",
            measured: if is_static {
                mib(size)
            } else {
                "skipped: this one is not static".to_owned()
            },
            met: is_static.then_some(size <= 20 * MIB),
        },
    ])
}
