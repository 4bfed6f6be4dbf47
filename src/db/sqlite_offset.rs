//! The place in a statement that SQLite does not take: the driver has its words and code only.
#![allow(unsafe_code, reason = "sqlx does not ask for the offset of an error")]

use libsqlite3_sys as ffi;
use sqlx::sqlite::SqliteConnection;

/// Returns the byte of the statement that the connection has just failed to compile to which the
/// error points, where it points to one.
pub(super) async fn error_offset(connection: &mut SqliteConnection) -> Option<usize> {
    let mut handle = connection.lock_handle().await.ok()?;
    // SAFETY: the handle is open and locked for this call, which only reads a number.
    let byte = unsafe { ffi::sqlite3_error_offset(handle.as_raw_handle().as_ptr()) };
    usize::try_from(byte).ok()
}
