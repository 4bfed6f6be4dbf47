//! The database that the configured name leads to, as it says of itself, for those who keep what
//! they read of it. The memory of that is `system`'s.

use std::sync::Arc;

use tokio::sync::watch;

use super::database::{Database, DatabaseSide};
use super::system::{DatabaseSystem, SystemCell};
use crate::query::{DatabaseKind, Query};

impl Database {
    /// Returns the settings of its sessions that decide what rows come out.
    pub fn session_digest(&self) -> &str {
        match &self.kind {
            DatabaseSide::Postgres(database) => database.session(),
            DatabaseSide::Sqlite(_) => "",
        }
    }

    /// Prepares for a query that is going to be run: the settings that it reads tell sessions
    /// apart.
    pub fn expect_query(&self, query: &Query) {
        if let DatabaseSide::Postgres(database) = &self.kind {
            let statement = query.statement_for(DatabaseKind::Postgres);
            database.connector().expect_statement(&statement.sql);
        }
    }

    /// Returns which database it is, from the latest contact; `None` before the first. Asks
    /// nothing.
    pub fn database_system(&self) -> Option<DatabaseSystem> {
        self.system_cell().current_system()
    }

    /// Returns a number that grows whenever [`system`](Database::database_system) changes; 0 before the
    /// first contact. Takes no lock.
    pub fn system_version(&self) -> u64 {
        self.system_cell().system_version()
    }

    /// Returns the same as something to wait for. The receiver's end is the database's.
    pub fn system_changes(&self) -> watch::Receiver<u64> {
        self.system_cell().watch_changes()
    }

    /// Returns a word for the server that was spoken to last, of those that are one database: it
    /// changes when that server restarts, and tells nothing of where it is.
    pub fn server_word(&self) -> Option<Arc<str>> {
        self.system_cell().current_server()
    }

    fn system_cell(&self) -> &SystemCell {
        match &self.kind {
            DatabaseSide::Postgres(database) => database.system(),
            DatabaseSide::Sqlite(database) => database.system(),
        }
    }

    /// Asks the database which one it is, where it has not said so yet; `None` where it is away.
    /// Takes no longer than connecting may. Of many that ask at once, one does. Must be called on
    /// the engine runtime. Cancel-safe.
    pub async fn find_system(&self) -> Option<DatabaseSystem> {
        match &self.kind {
            DatabaseSide::Postgres(database) => {
                if self.database_system().is_none() && self.refuse_while_away().is_ok() {
                    database.connect_eagerly().await;
                }
            }
            DatabaseSide::Sqlite(database) => drop(database.look_for_system()),
        }
        self.database_system()
    }
}
