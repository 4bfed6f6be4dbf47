//! The rows that the answers are compared with, and their history: a writer changes them all the
//! time, and remembers when each version was begun and when it was committed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Row};
use tokio::runtime::Runtime;

use crate::servers::Postgres;

/// The number of rows, all of which are asked for again and again.
pub(super) const KEYS: i64 = 30;

/// The query of the rows that change.
pub(super) const HOT: &str = "-- ttl: 2s\n-- stale-while-revalidate: 2s\n-- param: n integer\n\
    select n, version, 'body of ' || n as body from truth where n = :n";
/// A query whose keys are asked for once each.
pub(super) const COLD: &str = "-- ttl: 2s\n-- param: k bigint\n\
    select :k as k, 'cold body of ' || :k as body";

/// The pause between two changes.
const PACE: Duration = Duration::from_millis(20);

/// The table and its writer, which ends when this is dropped.
pub(super) struct Truth {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    history: History,
    over: AtomicBool,
    /// Zero: the writer rests.
    port: AtomicU16,
    /// Held for as long as the writer is at work.
    at_work: Mutex<()>,
}

/// The versions that each row has had.
#[derive(Clone, Default)]
pub(super) struct History(Arc<Mutex<HashMap<i64, RowHistory>>>);

#[derive(Default)]
struct RowHistory {
    /// The highest version that was ever begun: it may have been committed.
    begun: i64,
    /// Versions and the moments by which each was committed.
    committed: Vec<(i64, Instant)>,
}

impl History {
    /// Says what is wrong with this version in an answer that was received now and is `age` old at
    /// most.
    pub(super) fn problem(&self, n: i64, version: i64, oldest: Instant) -> Option<String> {
        let rows = self.0.lock().unwrap();
        let row = rows.get(&n)?;
        if version > row.begun {
            return Some(format!("row {n} never had version {version}"));
        }
        let older = row.committed.iter().rev().find(|(_, by)| *by <= oldest);
        let least = older.map_or(0, |(version, _)| *version);
        let next = row.committed.iter().find(|(later, _)| *later > version);
        let late = next.map_or(Duration::ZERO, |(_, by)| {
            oldest.saturating_duration_since(*by)
        });
        (version < least).then(|| {
            format!(
                "row {n} had version {least} before the answer's age, not {version}: {late:?} late"
            )
        })
    }
}

impl Truth {
    /// Makes the table; nothing changes yet.
    pub(super) fn make(server: &Postgres) -> Truth {
        server.psql(
            "postgres",
            &format!(
                "create table truth (n bigint primary key, version bigint not null); \
                 insert into truth select n, 0 from generate_series(0, {}) n; \
                 grant select, update on truth to master",
                KEYS - 1
            ),
        );
        let shared = Arc::new(Shared::default());
        {
            let mut rows = shared.history.0.lock().unwrap();
            rows.extend((0..KEYS).map(|n| (n, RowHistory::default())));
        }
        let writing = Arc::clone(&shared);
        Truth {
            shared,
            writer: Some(std::thread::spawn(move || writing.write())),
        }
    }

    pub(super) fn history(&self) -> History {
        self.shared.history.clone()
    }

    /// Lets the writer change rows of the server on this port.
    pub(super) fn go_on(&self, port: u16) {
        self.shared.port.store(port, Ordering::SeqCst);
    }

    /// Lets the writer rest, and waits until it does.
    pub(super) fn pause(&self) {
        self.shared.port.store(0, Ordering::SeqCst);
        drop(self.shared.at_work.lock().unwrap());
    }
}

impl Drop for Truth {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Shared {
    fn write(&self) {
        let runtime = Runtime::new().unwrap();
        let mut connection: Option<(u16, PgConnection)> = None;
        for turn in 0.. {
            if self.over.load(Ordering::SeqCst) {
                return;
            }
            let working = self.at_work.lock().unwrap();
            let port = self.port.load(Ordering::SeqCst);
            if port != 0 {
                let n = turn % KEYS;
                let changed = runtime.block_on(self.change(port, &mut connection, n));
                if changed.is_none() {
                    connection = None;
                }
            }
            drop(working);
            std::thread::sleep(PACE);
        }
    }

    /// Raises the version of one row. `None`: the server is away, and the change may be made or not.
    async fn change(
        &self,
        port: u16,
        connection: &mut Option<(u16, PgConnection)>,
        n: i64,
    ) -> Option<()> {
        const LONGEST: Duration = Duration::from_secs(20);
        if connection.as_ref().is_none_or(|(known, _)| *known != port) {
            let options = PgConnectOptions::new_without_pgpass()
                .host("127.0.0.1")
                .port(port)
                .username("postgres")
                .database("postgres");
            let opened = tokio::time::timeout(LONGEST, options.connect())
                .await
                .ok()?;
            *connection = Some((port, opened.ok()?));
        }
        let (_, open) = connection.as_mut()?;
        let next = {
            let mut rows = self.history.0.lock().unwrap();
            let row = rows.entry(n).or_default();
            row.begun += 1;
            row.begun
        };
        let sql = "update truth set version = $2 where n = $1 returning version";
        let update = sqlx::query(sql).bind(n).bind(next).fetch_one(open);
        let row = tokio::time::timeout(LONGEST, update).await.ok()?.ok()?;
        let version: i64 = row.try_get(0).ok()?;
        let mut rows = self.history.0.lock().unwrap();
        let row = rows.entry(n).or_default();
        row.committed.push((version, Instant::now()));
        Some(())
    }
}
