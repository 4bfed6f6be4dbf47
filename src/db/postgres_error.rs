//! The server's own part of an error of the driver.

use sqlx::Error;
use sqlx::postgres::PgDatabaseError;

/// Returns what the server said, if the error is its word.
pub(super) fn server_said(error: &Error) -> Option<&PgDatabaseError> {
    error
        .as_database_error()?
        .try_downcast_ref::<PgDatabaseError>()
}
