//! The identity of the database, by its own word, and the sessions that it gives: what the newest
//! connection was told, and which connections lead to another one. Asking is the business of the
//! database's own side.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// The time for which the word of a server counts.
const RECENT: Duration = Duration::from_secs(15);

/// A database's word of which one it is, and of the sessions that it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSystem {
    /// The identity that it keeps over restarts, and that its replicas share. Empty: this user may
    /// not ask, or the server knows no such question, and its configured name is all that tells it
    /// from another.
    name: Arc<str>,
    /// A digest of the settings in its sessions that decide the rows; empty where it says nothing
    /// of them.
    session: Arc<str>,
}

/// Stands between the two parts of [`DatabaseSystem::to_word`].
const PARTS: char = '\n';

impl DatabaseSystem {
    /// Makes the system of this identity.
    pub fn with_name(name: &str) -> DatabaseSystem {
        DatabaseSystem {
            name: name.into(),
            session: "".into(),
        }
    }

    /// Makes the system that does not say which one it is.
    pub fn without_name() -> DatabaseSystem {
        DatabaseSystem::with_name("")
    }

    /// Returns the same database with sessions of these settings.
    #[must_use]
    pub fn with_session(self, session: &str) -> DatabaseSystem {
        DatabaseSystem {
            session: session.into(),
            ..self
        }
    }

    /// Returns whether it says which one it is.
    pub fn is_named(&self) -> bool {
        !self.name.is_empty()
    }

    /// Returns its identity; empty where it has none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the digest of its sessions' settings; empty where it has none.
    pub fn session_digest(&self) -> &str {
        &self.session
    }

    /// Returns both as one text, which [`DatabaseSystem::from_word`] reads.
    pub fn to_word(&self) -> String {
        if self.session.is_empty() {
            return self.name().to_owned();
        }
        format!("{}{PARTS}{}", self.name, self.session)
    }

    /// Reads what [`DatabaseSystem::to_word`] has written.
    pub fn from_word(word: &str) -> DatabaseSystem {
        let (name, session) = word.split_once(PARTS).unwrap_or((word, ""));
        DatabaseSystem::with_name(name).with_session(session)
    }
}

/// The meaning of what one connection was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeenServer {
    /// It leads where all lead.
    Same,
    /// It leads to another database than the connections before it, or to sessions of other
    /// settings.
    Another,
    /// It still leads to a database that newer connections do not lead to.
    Outdated,
}

/// Remembers which database it is.
#[derive(Debug)]
pub(super) struct SystemCell {
    now: Mutex<SystemState>,
    /// Grows with each change of the system.
    version: watch::Sender<u64>,
    /// The same, to be read without a lock.
    quick: AtomicU64,
}

#[derive(Debug, Default)]
struct SystemState {
    system: Option<DatabaseSystem>,
    /// The server that was spoken to last, of those that have this identity.
    server: Option<(Arc<str>, Instant)>,
    /// The highest number of a connection that has told it.
    connection: u64,
}

impl Default for SystemCell {
    /// Makes the state before the first contact.
    fn default() -> SystemCell {
        SystemCell {
            now: Mutex::default(),
            version: watch::Sender::new(0),
            quick: AtomicU64::new(0),
        }
    }
}

impl SystemCell {
    /// Draws the number of a connection that is about to be made. A later one has a higher number.
    pub(super) fn draw_number() -> u64 {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        NUMBER.fetch_add(1, Ordering::SeqCst)
    }

    /// Takes in what the connection of this number was told, and compares it with what newer ones
    /// were.
    pub(super) fn note_seen(
        &self,
        connection: u64,
        system: &DatabaseSystem,
        server: Option<&str>,
    ) -> SeenServer {
        let mut now = self.lock();
        let is_same = now.system.as_ref() == Some(system);
        if !is_same && connection < now.connection {
            return SeenServer::Outdated;
        }
        let known = now.server.as_ref().map(|(server, _)| &**server);
        if is_same && connection < now.connection && known != server {
            // It may be a connection to the server of before a failover.
            return SeenServer::Same;
        }
        now.connection = now.connection.max(connection);
        now.server = server.map(|server| (server.into(), Instant::now()));
        if is_same {
            return SeenServer::Same;
        }
        let is_first = now.system.replace(system.clone()).is_none();
        // Within the lock, so that nobody finds the new version with the system of before.
        let version = self.quick.fetch_add(1, Ordering::SeqCst) + 1;
        self.version.send_replace(version);
        if is_first {
            SeenServer::Same
        } else {
            SeenServer::Another
        }
    }

    /// Returns which database it is; `None` before the first contact.
    pub(super) fn current_system(&self) -> Option<DatabaseSystem> {
        self.lock().system.clone()
    }

    /// Returns a word for the server that was spoken to a moment ago; `None` where that is longer
    /// ago, since it may have been replaced or started again meanwhile. It says nothing of where
    /// that is.
    pub(super) fn current_server(&self) -> Option<Arc<str>> {
        let (server, spoken_to) = self.lock().server.clone()?;
        (spoken_to.elapsed() < RECENT).then_some(server)
    }

    /// Returns a number that grows whenever the system changes; 0 before the first contact.
    pub(super) fn system_version(&self) -> u64 {
        self.quick.load(Ordering::Acquire)
    }

    /// Returns the same as something to wait for.
    pub(super) fn watch_changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, SystemState> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_connection_says_which_database_it_is_and_an_older_one_does_not() {
        let cell = SystemCell::default();
        let [a, b] = ["a", "b"].map(DatabaseSystem::with_name);
        assert_eq!((cell.current_system(), cell.system_version()), (None, 0));
        assert_eq!(cell.note_seen(2, &a, None), SeenServer::Same);
        assert_eq!(cell.note_seen(1, &b, None), SeenServer::Outdated);
        assert_eq!(cell.note_seen(1, &a, None), SeenServer::Same);
        assert_eq!(
            (cell.current_system(), cell.system_version()),
            (Some(a.clone()), 1)
        );
        // Behind a pooler the same connection may lead elsewhere.
        assert_eq!(cell.note_seen(2, &b, None), SeenServer::Another);
        assert_eq!(cell.note_seen(3, &a, None), SeenServer::Another);
        assert_eq!(cell.note_seen(2, &b, None), SeenServer::Outdated);
        assert_eq!((cell.current_system(), cell.system_version()), (Some(a), 3));
    }

    #[test]
    fn sessions_of_other_settings_count_as_another_system_of_the_same_name() {
        let cell = SystemCell::default();
        let [a, b] = ["a", "b"].map(|session| DatabaseSystem::with_name("s").with_session(session));
        assert_eq!(cell.note_seen(1, &a, None), SeenServer::Same);
        assert_eq!(cell.note_seen(2, &b, None), SeenServer::Another);
        assert_eq!(cell.note_seen(1, &a, None), SeenServer::Outdated);
        for system in [
            a,
            b,
            DatabaseSystem::with_name("s"),
            DatabaseSystem::without_name().with_session("a"),
        ] {
            assert_eq!(DatabaseSystem::from_word(&system.to_word()), system);
        }
        assert_eq!(DatabaseSystem::with_name("s").to_word(), "s");
    }

    #[test]
    fn a_connection_to_the_server_before_a_failover_does_not_hide_the_new_one() {
        let cell = SystemCell::default();
        let system = DatabaseSystem::without_name();
        for (connection, server) in [(1, "old"), (2, "new"), (1, "old")] {
            assert_eq!(
                cell.note_seen(connection, &system, Some(server)),
                SeenServer::Same
            );
        }
        assert_eq!(cell.current_server().as_deref(), Some("new"));
    }
}
