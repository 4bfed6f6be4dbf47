//! Opening SQLite: the embedded demo, which lives in memory and is filled when it is first asked
//! for, or a file, read-only. Every connection gets `slow_version()`, a watch that ends its
//! statements, and bounds.

use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Error};
use tokio::sync::OnceCell;

use super::budget::row_bound;
use super::sqlite_file::{self, FileId, FrozenFile};
use super::sqlite_function::{StatementWatch, add_slow_version, limit_value};
use super::sqlite_system::system_at;
use super::system::DatabaseSystem;
use super::{sqlite_format, sqlite_math};
use crate::defence::Defence;

const DEMO: &str = include_str!("../../sql/sqlite/demo.sql");
/// The time for which a file that somebody writes to is waited for.
const BUSY: Duration = Duration::from_secs(1);
/// The number of steps of SQLite's machine between two looks at the watch: some rows, each of which
/// may take as much memory as one value may have.
const WATCH_EVERY: i32 = 100;
/// The bytes of SQLite's own that it may have in memory beside what statements work on.
const OWN_MEMORY: u64 = 64 << 20;
/// Rows that the driver reads ahead of us. Each may hold values as large as one may be.
const READ_AHEAD: usize = 2;

/// Tells the demos of one process apart.
static DEMOS: AtomicUsize = AtomicUsize::new(0);

/// The place where the connections lead.
pub(super) struct SqliteSource {
    place: SqlitePlace,
    delay: Duration,
    max_result: u64,
}

enum SqlitePlace {
    Demo(OnceCell<DemoDatabase>),
    File(PathBuf),
}

/// The filled demo. It is in memory as long as this connection is open.
struct DemoDatabase {
    name: String,
    _keeper: SqliteConnection,
}

/// A connection, and the watch its statements obey.
pub(super) struct ReaderConnection {
    pub(super) raw: SqliteConnection,
    pub(super) watch: Arc<StatementWatch>,
    /// The file that it has open; `None` for the demo.
    file: Option<FileId>,
    /// The state of that file, where it is read as one that nobody writes to.
    frozen: Option<FrozenFile>,
}

impl SqliteSource {
    /// Opens the demo for `None`. `delay` is `slow_version()`'s, `max_result` the most bytes of a
    /// result.
    pub(super) fn new(file: Option<&Path>, delay: Duration, max_result: u64) -> Self {
        let place = file.map_or_else(
            || SqlitePlace::Demo(OnceCell::new()),
            |file| SqlitePlace::File(file.to_owned()),
        );
        SqliteSource {
            place,
            delay,
            max_result,
        }
    }

    /// Makes a new connection. Whoever comes while the demo is being filled waits for that.
    pub(super) async fn open(&self) -> Result<ReaderConnection, Error> {
        // Looked at before the file is opened: if it is replaced in between, the connection counts
        // as one of the old file, and is not used again.
        let file = self.file_id();
        let mut frozen = None;
        let options = match &self.place {
            SqlitePlace::File(file) => {
                frozen = sqlite_file::frozen_state(file);
                let options = connect_options().filename(file).read_only(true);
                options.immutable(frozen.is_some())
            }
            SqlitePlace::Demo(demo) => {
                let demo = demo.get_or_try_init(fill_apart).await?;
                in_memory(&demo.name)
            }
        };
        let mut raw = options.pragma("query_only", "on").connect().await?;
        let most_memory = self.max_result.saturating_mul(4).saturating_add(OWN_MEMORY);
        let watch = StatementWatch::new(most_memory);
        let mut handle = raw.lock_handle().await?;
        let seen = Arc::clone(&watch);
        handle.set_progress_handler(WATCH_EVERY, move || !seen.ends_statement());
        let max_value = c_int::try_from(row_bound(self.max_result)).unwrap_or(c_int::MAX);
        limit_value(&mut handle, max_value);
        if !add_slow_version(&mut handle, self.delay, Arc::clone(&watch)) {
            return Err(Error::Protocol("SQLite did not take slow_version()".into()));
        }
        if !sqlite_math::add_functions(&mut handle) {
            let why = "SQLite did not take the mathematical functions";
            return Err(Error::Protocol(why.into()));
        }
        if !sqlite_format::add_functions(&mut handle, max_value) {
            return Err(Error::Protocol("SQLite did not take printf()".into()));
        }
        drop(handle);
        Ok(ReaderConnection {
            raw,
            watch,
            file,
            frozen,
        })
    }

    /// Returns whether a connection leads to what has the file's name now, and sees it as it is
    /// now. A file that was replaced or removed lives on for those who have it open.
    pub(super) fn is_current(&self, connection: &ReaderConnection) -> bool {
        connection.file == self.file_id() && self.is_unchanged(connection)
    }

    /// Returns whether a connection that takes its file for one that nobody writes to was right so
    /// far.
    pub(super) fn is_unchanged(&self, connection: &ReaderConnection) -> bool {
        match (&self.place, &connection.frozen) {
            (SqlitePlace::File(file), Some(frozen)) => {
                sqlite_file::file_state(file).as_ref() == Some(frozen)
            }
            _ => true,
        }
    }

    /// Returns the file, for messages; `None` for the demo.
    pub(super) fn file(&self) -> Option<&Path> {
        match &self.place {
            SqlitePlace::File(file) => Some(file),
            SqlitePlace::Demo(_) => None,
        }
    }

    /// Returns which database it is; `None` for a file that is not there.
    pub(super) fn file_system(&self) -> Option<DatabaseSystem> {
        match &self.place {
            // Each demo has the same rows.
            SqlitePlace::Demo(_) => Some(DatabaseSystem::with_name("sqlite")),
            SqlitePlace::File(_) if Defence::Identity.is_off() => {
                Some(DatabaseSystem::without_name())
            }
            SqlitePlace::File(file) => system_at(file),
        }
    }

    fn file_id(&self) -> Option<FileId> {
        let SqlitePlace::File(file) = &self.place else {
            return None;
        };
        std::fs::metadata(file).ok().as_ref().map(sqlite_file::id)
    }
}

fn connect_options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        // A statement's columns would outlive a change of its tables.
        .statement_cache_capacity(0)
        .busy_timeout(BUSY)
        .row_buffer_size(READ_AHEAD)
        .disable_statement_logging()
}

/// SQLite's `memdb`: all connections with this name see one database, and each has its own page
/// cache, so that readers do not wait for each other (with a shared cache they would).
fn in_memory(name: &str) -> SqliteConnectOptions {
    connect_options().filename(name).vfs("memdb")
}

/// Fills the demo in a task of its own: a caller that goes away does not leave half of it.
async fn fill_apart() -> Result<DemoDatabase, Error> {
    tokio::spawn(fill_demo())
        .await
        .unwrap_or(Err(Error::WorkerCrashed))
}

async fn fill_demo() -> Result<DemoDatabase, Error> {
    let name = format!("/unslow-demo-{}", DEMOS.fetch_add(1, Ordering::Relaxed));
    let mut keeper = in_memory(&name).create_if_missing(true).connect().await?;
    sqlx::raw_sql("begin").execute(&mut keeper).await?;
    sqlx::raw_sql(DEMO).execute(&mut keeper).await?;
    sqlx::raw_sql("commit").execute(&mut keeper).await?;
    Ok(DemoDatabase {
        name,
        _keeper: keeper,
    })
}
