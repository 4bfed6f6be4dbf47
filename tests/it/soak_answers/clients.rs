//! The clients: each asks one instance without end, for rows that change and for keys that nobody
//! asked for before, in all formats, and compares every answer with the history of the rows.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::FAULT;
use super::truth::{History, KEYS};
use crate::servers::wait_until as until;
use crate::unslow::{Answer, LOST, Unslow, parse};

/// The pause between two requests of one client.
const REST: Duration = Duration::from_millis(4);
/// The time that an age may be short of the truth: its whole seconds, and a load whose rows a fault
/// held back after the database had read them, since ages count from a load's end.
const SLACK: Duration = Duration::from_secs(2).saturating_add(FAULT);
/// The time after a fault of the database for which cold keys may still be refused.
const AFTER: Duration = Duration::from_secs(5);
/// The most complaints that are kept.
const COMPLAINTS: usize = 20;

/// The instances and all that clients have seen. The clones are one.
#[derive(Clone, Default)]
pub(super) struct Crowd(Arc<Seen>);

#[derive(Default)]
struct Seen {
    places: RwLock<Vec<Place>>,
    over: AtomicBool,
    right: AtomicU64,
    wrong: AtomicU64,
    lost: AtomicU64,
    refused: AtomicU64,
    next_cold: AtomicU64,
    excused: Mutex<Excuse>,
    complaints: Mutex<Vec<String>>,
}

struct Place {
    instance: Option<Arc<Unslow>>,
    address: String,
    /// Grows with each change, so that a request knows that its instance was killed meanwhile.
    changes: u64,
}

impl Place {
    fn with(instance: Unslow, changes: u64) -> Place {
        Place {
            address: instance.address().to_owned(),
            instance: Some(Arc::new(instance)),
            changes,
        }
    }
}

/// A reader of the row's number and version; `None` where they cannot be read.
type RowReader = fn(&Answer) -> Option<(i64, i64)>;

/// The time in which cold keys may be refused.
#[derive(Default)]
enum Excuse {
    #[default]
    Never,
    Now,
    Until(Instant),
}

/// The numbers of answers.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) right: u64,
    pub(super) wrong: u64,
    pub(super) lost: u64,
    /// Cold keys while the database was away.
    #[allow(dead_code, reason = "it is printed")]
    pub(super) refused: u64,
}

/// Ends the clients when it is dropped.
pub(super) struct Over(Crowd);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.0.over.store(true, Ordering::SeqCst);
    }
}

impl Crowd {
    pub(super) fn place(&self, instance: Unslow) {
        self.0
            .places
            .write()
            .unwrap()
            .push(Place::with(instance, 0));
    }

    /// Ends one instance as `kill -9` does.
    pub(super) fn kill(&self, at: usize) {
        let mut places = self.0.places.write().unwrap();
        places[at].changes += 1;
        if let Some(instance) = places[at].instance.take() {
            instance.signal(Signal::SIGKILL);
        }
    }

    /// Puts a new instance in the place of one that was killed.
    pub(super) fn replace(&self, at: usize, instance: Unslow) {
        let mut places = self.0.places.write().unwrap();
        let changes = places[at].changes + 1;
        places[at] = Place::with(instance, changes);
    }

    pub(super) fn pid(&self, at: usize) -> u32 {
        self.at(at).pid()
    }

    fn at(&self, at: usize) -> Arc<Unslow> {
        let places = self.0.places.read().unwrap();
        Arc::clone(places[at].instance.as_ref().expect("it is running"))
    }

    /// Has all instances read their settings again.
    pub(super) fn reload(&self) {
        for place in self.0.places.read().unwrap().iter() {
            place
                .instance
                .iter()
                .for_each(|it| it.signal(Signal::SIGHUP));
        }
    }

    /// Has every copy of the rows count as stale.
    pub(super) fn expire(&self) {
        self.at(0)
            .request("POST", "/q/truth/expire", &[("Content-Length", "0")]);
    }

    pub(super) fn excuse_database(&self) {
        *self.0.excused.lock().unwrap() = Excuse::Now;
    }

    /// Says that the database is well again.
    pub(super) fn blame_database(&self) {
        let mut excused = self.0.excused.lock().unwrap();
        if matches!(*excused, Excuse::Now) {
            *excused = Excuse::Until(Instant::now() + AFTER);
        }
    }

    fn is_excused(&self, asked: Instant) -> bool {
        match *self.0.excused.lock().unwrap() {
            Excuse::Never => false,
            Excuse::Now => true,
            Excuse::Until(end) => asked < end,
        }
    }

    pub(super) fn over_when_dropped(&self) -> Over {
        Over(self.clone())
    }

    /// Lets the clients go on for this time, and for some answers at least.
    pub(super) fn go_on_for(&self, time: Duration) {
        let (begun, right) = (Instant::now(), self.0.right.load(Ordering::SeqCst));
        until("clients are answered", || {
            begun.elapsed() >= time && self.0.right.load(Ordering::SeqCst) > right + 50
        });
    }

    /// Waits until every instance answers for each of the rows.
    pub(super) fn until_answered(&self, keys: i64) {
        let size = self.0.places.read().unwrap().len();
        for at in 0..size {
            for n in 0..keys {
                until("every row is answered for", || {
                    self.at(at).get(&format!("/q/truth.json?n={n}")).status == 200
                });
            }
        }
    }

    /// Returns whether one instance can load a key that nobody has asked for.
    pub(super) fn loads_cold(&self, at: usize) -> bool {
        let k = self.0.next_cold.fetch_add(1, Ordering::SeqCst);
        self.at(at).get(&format!("/q/cold.json?k={k}")).status == 200
    }

    pub(super) fn has_redis(&self, at: usize) -> bool {
        self.at(at).get("/stats.json").json()["redis"]["up"] == true
    }

    pub(super) fn counts(&self) -> Counts {
        let number = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Counts {
            right: number(&self.0.right),
            wrong: number(&self.0.wrong),
            lost: number(&self.0.lost),
            refused: number(&self.0.refused),
        }
    }

    pub(super) fn complaints(&self) -> Vec<String> {
        self.0.complaints.lock().unwrap().clone()
    }

    /// Asks one instance until all is over.
    pub(super) fn ask_on(&self, at: usize, client: usize, history: &History) {
        for turn in client.. {
            if self.0.over.load(Ordering::SeqCst) {
                return;
            }
            if turn % 8 == 0 {
                self.ask_cold(at);
            } else {
                self.ask_hot(at, turn, history);
            }
            std::thread::sleep(REST);
        }
    }

    fn ask_hot(&self, at: usize, turn: usize, history: &History) {
        let n = i64::try_from(turn).unwrap() * 7 % KEYS;
        if turn % 4 == 3 {
            return self.ask_page(at, n);
        }
        let (suffix, read): (_, RowReader) = match turn % 4 {
            0 => ("json", from_json),
            1 => ("csv", from_csv),
            _ => ("ndjson", from_ndjson),
        };
        let path = format!("/q/truth.{suffix}?n={n}");
        let Some(answer) = self.ask(at, &path, |_| false) else {
            return;
        };
        let age = answer.headers.get("age").map_or("0", String::as_str);
        let age = Duration::from_secs(age.parse().unwrap_or(0));
        let problem = match read(&answer) {
            Some((row, _)) if row != n => Some(format!("row {row} in the answer for {n}")),
            Some((_, version)) => Instant::now()
                .checked_sub(age + SLACK)
                .and_then(|oldest| history.problem(n, version, oldest)),
            None => Some(format!("an unreadable answer for {n}: {}", answer.text())),
        };
        self.conclude(problem.map(|problem| format!("{problem}; {:?}", answer.headers)));
    }

    /// A page has no age in its head; what it shows has to belong to its key.
    fn ask_page(&self, at: usize, n: i64) {
        if let Some(answer) = self.ask(at, &format!("/q/truth?n={n}"), |_| false) {
            let right = answer.text().contains(&format!(">body of {n}<"));
            self.conclude((!right).then(|| format!("the page for {n} is {}", answer.text())));
        }
    }

    fn ask_cold(&self, at: usize) {
        let k = self.0.next_cold.fetch_add(1, Ordering::SeqCst);
        let may_refuse =
            |answer: &Answer| answer.status == 503 && answer.headers.contains_key("retry-after");
        if let Some(answer) = self.ask(at, &format!("/q/cold.json?k={k}"), may_refuse) {
            let row = &answer.json()["rows"][0];
            let right = row["k"] == k && row["body"] == format!("cold body of {k}");
            self.conclude((!right).then(|| format!("the answer for {k} is {}", answer.text())));
        }
    }

    fn conclude(&self, problem: Option<String>) {
        match problem {
            None => self.0.right.fetch_add(1, Ordering::SeqCst),
            Some(problem) => {
                self.complain(problem);
                self.0.wrong.fetch_add(1, Ordering::SeqCst)
            }
        };
    }

    fn complain(&self, complaint: String) {
        println!("{complaint}");
        let mut complaints = self.0.complaints.lock().unwrap();
        if complaints.len() < COMPLAINTS {
            complaints.push(complaint);
        }
    }

    /// An answer of 200; `None`, and counted, for any other end.
    fn ask(&self, at: usize, path: &str, may_refuse: fn(&Answer) -> bool) -> Option<Answer> {
        let place = |()| {
            let places = self.0.places.read().unwrap();
            (
                places[at].address.clone(),
                places[at].changes,
                places[at].instance.is_some(),
            )
        };
        let (address, changes, is_running) = place(());
        if !is_running {
            return None;
        }
        let asked = Instant::now();
        let end = match get(&address, path) {
            Ok(answer) if answer.status == 200 => return Some(answer),
            Ok(answer) if may_refuse(&answer) && self.is_excused(asked) => {
                self.0.refused.fetch_add(1, Ordering::SeqCst);
                return None;
            }
            Ok(answer) => format!("{} {}", answer.status, answer.text()),
            Err(error) => error.to_string(),
        };
        // Killed in the middle of its answer.
        if place(()).1 == changes {
            self.0.lost.fetch_add(1, Ordering::SeqCst);
            self.complain(format!("{path} at instance {at}: {end}"));
        }
        None
    }
}

fn get(address: &str, path: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LOST))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?;
    if !received.windows(4).any(|window| window == b"\r\n\r\n") {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(parse(&received))
}

fn numbers(row: &serde_json::Value) -> Option<(i64, i64)> {
    let (n, version) = (row["n"].as_i64()?, row["version"].as_i64()?);
    (row["body"] == format!("body of {n}")).then_some((n, version))
}

fn from_json(answer: &Answer) -> Option<(i64, i64)> {
    let json: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    numbers(&json["rows"][0])
}

fn from_ndjson(answer: &Answer) -> Option<(i64, i64)> {
    numbers(&serde_json::from_slice(&answer.body).ok()?)
}

fn from_csv(answer: &Answer) -> Option<(i64, i64)> {
    let text = answer.text();
    let mut cells = text.lines().nth(1)?.split(',');
    let n: i64 = cells.next()?.parse().ok()?;
    let version = cells.next()?.parse().ok()?;
    (cells.next()? == format!("body of {n}")).then_some((n, version))
}
