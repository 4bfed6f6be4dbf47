//! Requests: one by hand, or many by `wrk`, and what they cost the server that answered them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::Measured;
use crate::process::Server;

/// An answer with its head.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Asks for a path on a port of this machine.
pub(crate) fn get(port: u16, path: &str) -> Measured<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or("an answer without an end of its head")?;
    let head = String::from_utf8(bytes[..end].to_vec())?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(Answer {
        status: status.ok_or("an answer without a status")?.parse()?,
        headers: headers.collect(),
        body: bytes[end + 4..].to_vec(),
    })
}

/// [`get`], which must be a 200.
pub(crate) fn get_ok(port: u16, path: &str) -> Measured<Answer> {
    let answer = get(port, path)?;
    if answer.status == 200 {
        Ok(answer)
    } else {
        Err(format!("{path}: {}", answer.status).into())
    }
}

/// The result of a run of `wrk`.
pub(crate) struct Run {
    pub(crate) requests: u64,
    /// The latency that 99 of 100 requests kept to.
    pub(crate) p99: Duration,
}

/// `wrk` with one thread and 32 connections, and what more it is told.
pub(crate) fn wrk(port: u16, path: &str, seconds: u64, more: &[&str]) -> Measured<Run> {
    let output = Command::new("wrk")
        .args(["-t1", "-c32", "--latency", &format!("-d{seconds}s")])
        .args(more)
        .arg(format!("http://127.0.0.1:{port}{path}"))
        .output()
        .map_err(|error| format!("wrk: {error}; `.ci/install wrk` installs it"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // Else the rivals would race in refusing.
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(format!("not every request was answered:\n{text}").into());
    }
    let requests = text
        .lines()
        .find_map(|line| line.split_once(" requests in "));
    let p99 = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("99%"));
    match (requests, p99.and_then(duration)) {
        (Some((requests, _)), Some(p99)) => Ok(Run {
            requests: requests.trim().parse()?,
            p99,
        }),
        _ => Err(format!("wrk said something else:\n{text}").into()),
    }
}

/// `812.00us`, `1.20ms`, `1.05s`
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let units = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)];
    units.into_iter().find_map(|(unit, seconds)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(Duration::from_secs_f64(number * seconds))
    })
}

/// A server and the path it is asked for.
pub(crate) struct Contender<'a> {
    pub(crate) server: &'a Server,
    pub(crate) path: &'a str,
}

/// The processor time of each contender per request in each round, in microseconds.
pub(crate) type Rounds = Vec<Vec<f64>>;

/// Lets the contenders serve in turns: A B C A B C …
pub(crate) fn in_turns(contenders: &[Contender<'_>]) -> Measured<Rounds> {
    let mut costs = vec![Vec::new(); contenders.len()];
    for round in 0..=rounds() {
        for (contender, costs) in contenders.iter().zip(&mut costs) {
            let Contender { server, path } = contender;
            // The first one warms up.
            let seconds = if round == 0 { 1 } else { seconds() };
            let before = server.cpu()?;
            let run = wrk(server.port, path, seconds, &[])?;
            let spent = server.cpu()?.saturating_sub(before);
            #[expect(clippy::cast_precision_loss, reason = "three figures are shown")]
            let cost = spent.as_secs_f64() * 1e6 / run.requests as f64;
            if round > 0 {
                costs.push(cost);
                eprintln!("  {:<8} {path}: {cost:.2} µs", server.name);
            }
        }
    }
    Ok(costs)
}

/// The middle one.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The median of what the one took over what the other took, round by round.
pub(crate) fn ratio(of: &[f64], to: &[f64]) -> f64 {
    let ratios: Vec<f64> = of.iter().zip(to).map(|(of, to)| of / to).collect();
    median(&ratios)
}

/// Returns how long each contender serves in a round.
pub(crate) fn seconds() -> u64 {
    number("BENCH_SECONDS", 2)
}

/// Returns how many rounds count.
pub(crate) fn rounds() -> u64 {
    number("BENCH_ROUNDS", 7)
}

fn number(variable: &str, default: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(default)
}
