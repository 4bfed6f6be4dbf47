//! The things that SQLite can only be told through its C interface: the SQL function
//! `slow_version()`, which sleeps and can be interrupted, and the bound on one value. Functions
//! that only compute are in `sqlite_math`, those that make a text by a format in `sqlite_format`;
//! there is no other `unsafe` on the database's side.
#![allow(
    unsafe_code,
    reason = "sqlx has no way to add an SQL function or to set a limit"
)]

use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use libsqlite3_sys as ffi;
use sqlx::sqlite::LockedSqliteHandle;

/// The time for which `slow_version()` sleeps between two looks at the watch.
const STEP: Duration = Duration::from_millis(20);

/// The moment at which the running statement of one connection has to stop. SQLite's progress
/// handler and the sleeping function both look at it.
pub(super) struct StatementWatch {
    base: Instant,
    /// Milliseconds after `base`.
    deadline: AtomicU64,
    abandoned: AtomicBool,
    /// The bytes that SQLite may have in memory, for all connections of the process.
    most_memory: u64,
    /// It had more, and the statement was ended for that.
    is_full: AtomicBool,
    /// Given back when the connection is closed: SQLite's handlers have the watch until then.
    kept: Mutex<Option<Box<dyn Send>>>,
}

impl std::fmt::Debug for StatementWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Watch").field(&self.is_over()).finish()
    }
}

impl StatementWatch {
    pub(super) fn new(most_memory: u64) -> Arc<Self> {
        Arc::new(StatementWatch {
            base: Instant::now(),
            deadline: AtomicU64::new(u64::MAX),
            abandoned: AtomicBool::new(false),
            most_memory,
            is_full: AtomicBool::new(false),
            kept: Mutex::new(None),
        })
    }

    /// The next statement may take `limit` from now.
    pub(super) fn arm_limit(&self, limit: Duration) {
        let end = (self.base.elapsed() + limit).as_millis();
        self.deadline
            .store(u64::try_from(end).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.is_full.store(false, Ordering::Relaxed);
    }

    /// Nobody waits for the statement any more, for good: the connection is not used again. `kept`
    /// is dropped when it is closed, after its last step.
    pub(super) fn abandon_statement(&self, kept: impl Send + 'static) {
        let kept: Box<dyn Send> = Box::new(kept);
        // One thing at a time is put there, and nothing panics while it is.
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        self.abandoned.store(true, Ordering::Relaxed);
    }

    /// Returns whether the running statement has to stop, as SQLite's progress handler asks. A
    /// failing allocation would bound memory as well, and could become an empty value.
    pub(super) fn ends_statement(&self) -> bool {
        // SAFETY: it only reads a number, at any time and on any thread.
        let used = unsafe { ffi::sqlite3_memory_used() };
        let is_full = u64::try_from(used).is_ok_and(|used| used > self.most_memory);
        if is_full {
            self.is_full.store(true, Ordering::Relaxed);
        }
        is_full || self.is_over()
    }

    /// Returns whether SQLite had more in memory than it may while the statement ran.
    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Returns whether the time of the statement is over.
    pub(super) fn is_over(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
            || self.base.elapsed().as_millis() >= u128::from(self.deadline.load(Ordering::Relaxed))
    }
}

struct SleepFunction {
    delay: Duration,
    watch: Arc<StatementWatch>,
}

/// Adds `slow_version()` to a connection: it sleeps for `delay`, unless `watch` ends it, and
/// returns the version of SQLite. Says whether SQLite took it.
pub(super) fn add_slow_version(
    handle: &mut LockedSqliteHandle<'_>,
    delay: Duration,
    watch: Arc<StatementWatch>,
) -> bool {
    let sleeper = Box::into_raw(Box::new(SleepFunction { delay, watch }));
    // SAFETY: the handle is open and locked for this call. SQLite owns `sleeper` from here on and
    // gives it to `free_sleeper` exactly once: when the connection closes, when the function is
    // replaced, or when this very call fails.
    let code = unsafe {
        ffi::sqlite3_create_function_v2(
            handle.as_raw_handle().as_ptr(),
            c"slow_version".as_ptr(),
            0,
            ffi::SQLITE_UTF8,
            sleeper.cast::<c_void>(),
            Some(slow_version),
            None,
            None,
            Some(free_sleeper),
        )
    };
    code == ffi::SQLITE_OK
}

/// Bounds every text, blob and row of a connection, in bytes, so that one value cannot fill the
/// memory.
pub(super) fn limit_value(handle: &mut LockedSqliteHandle<'_>, bytes: c_int) {
    // SAFETY: the handle is open and locked for this call, which only stores a number in it.
    unsafe {
        ffi::sqlite3_limit(
            handle.as_raw_handle().as_ptr(),
            ffi::SQLITE_LIMIT_LENGTH,
            bytes,
        );
    }
}

unsafe extern "C" fn slow_version(
    context: *mut ffi::sqlite3_context,
    _count: c_int,
    _values: *mut *mut ffi::sqlite3_value,
) {
    // SAFETY: the user data is the `Sleeper` given at registration. SQLite frees it when no
    // statement runs any more, and nobody ever has it mutably.
    let sleeper = unsafe { &*ffi::sqlite3_user_data(context).cast::<SleepFunction>() };
    let end = Instant::now() + sleeper.delay;
    loop {
        if sleeper.watch.is_over() {
            // SAFETY: `context` is SQLite's own, valid during this call.
            unsafe { ffi::sqlite3_result_error_code(context, ffi::SQLITE_INTERRUPT) };
            return;
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        std::thread::sleep(left.min(STEP));
    }
    // SAFETY: the version is a constant C string inside SQLite.
    let version = unsafe { CStr::from_ptr(ffi::sqlite3_libversion()) };
    let text = format!("SQLite {}", version.to_string_lossy());
    let length = c_int::try_from(text.len()).unwrap_or(0);
    // SAFETY: SQLITE_TRANSIENT makes SQLite copy the text before the call returns.
    unsafe {
        ffi::sqlite3_result_text(
            context,
            text.as_ptr().cast(),
            length,
            ffi::SQLITE_TRANSIENT(),
        );
    }
}

unsafe extern "C" fn free_sleeper(sleeper: *mut c_void) {
    // SAFETY: made by `Box::into_raw` in `add_slow_version`; SQLite calls this once for it.
    drop(unsafe { Box::from_raw(sleeper.cast::<SleepFunction>()) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_is_over_at_its_deadline_or_when_it_is_abandoned() {
        let watch = StatementWatch::new(u64::MAX);
        assert!(!watch.is_over());
        watch.arm_limit(Duration::from_hours(1));
        assert!(!watch.is_over());
        watch.arm_limit(Duration::ZERO);
        assert!(watch.is_over());
        watch.arm_limit(Duration::from_hours(1));
        let kept = Arc::new(());
        watch.abandon_statement(Arc::clone(&kept));
        assert!(watch.is_over());
        assert_eq!(
            Arc::strong_count(&kept),
            2,
            "as long as SQLite has the watch"
        );
        drop(watch);
        assert_eq!(Arc::strong_count(&kept), 1);
    }
}
