//! The question which database a PostgreSQL server is, asked in the round trip that begins a run,
//! so that it holds for this run: behind a pooler, and after a name has moved. What the answers
//! mean together is `system`'s.

use sha2::{Digest as _, Sha256};
use sqlx::postgres::PgRow;
use sqlx::{Error, Row};

use super::postgres_error::server_said;
use super::system::DatabaseSystem;

/// The number of [`COLUMNS`].
pub(super) const COLUMNS_COUNT: usize = 3;

/// The columns that ask: the identifier that `initdb` gave the cluster, which its replicas share;
/// the database within it; and which of the servers with this identifier answers.
pub(super) const COLUMNS: &str = ", \
     (SELECT system_identifier FROM pg_catalog.pg_control_system())::text, \
     (SELECT oid FROM pg_catalog.pg_database \
     WHERE datname = pg_catalog.current_database())::text, \
     pg_catalog.concat_ws(' ', pg_catalog.host(pg_catalog.inet_server_addr()), \
     pg_catalog.inet_server_port()::text, \
     EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time())::text)";

/// Bytes of the word for a server: enough to tell two apart, too few to guess an address from.
const SERVER_SHOWN: usize = 8;

/// An answer of one run.
#[derive(Debug, Clone)]
pub(super) struct SystemAnswer {
    pub(super) system: DatabaseSystem,
    /// A word for the server that answered; it says nothing of where that is.
    pub(super) server: Option<String>,
}

impl SystemAnswer {
    /// Returns the answer of a server that was not asked, because it does not say.
    pub(super) fn not_asked() -> SystemAnswer {
        SystemAnswer {
            system: DatabaseSystem::without_name(),
            server: None,
        }
    }

    /// Reads what [`COLUMNS`] brought, the first of which is this one.
    pub(super) fn from_row(row: &PgRow, first: usize) -> Result<SystemAnswer, Error> {
        let text = |at: usize| row.try_get::<Option<String>, _>(first + at);
        let system = match (text(0)?, text(1)?) {
            (Some(cluster), Some(database)) => {
                DatabaseSystem::with_name(&format!("postgres:{cluster}/{database}"))
            }
            _ => DatabaseSystem::without_name(),
        };
        let server = text(2)?.map(|server| server_word(&server));
        Ok(SystemAnswer { system, server })
    }
}

fn server_word(server: &str) -> String {
    let digest = Sha256::digest(server);
    let (shown, _) = digest
        .split_first_chunk::<SERVER_SHOWN>()
        .expect("a digest has 32 bytes");
    format!("{:016x}", u64::from_be_bytes(*shown))
}

/// Returns whether a server refuses to say which database it is: this user may not ask, or it is
/// one that knows no such question.
pub(super) fn does_not_say(error: &Error) -> bool {
    const CLASSES: [&str; 4] = ["42", "0A", "58", "XX"];
    server_said(error).is_some_and(|said| CLASSES.iter().any(|it| said.code().starts_with(it)))
}
