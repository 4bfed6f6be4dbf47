//! The defences that a test may switch off, to see that the test which guards it fails then. In
//! a program built without the feature `undefended`, as every program for users is, they cannot
//! be switched off, and asking costs nothing.

use tokio::task::AbortHandle;

/// A defence by its name in `UNDEFENDED`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defence {
    /// One load per key in the whole fleet: the lease in Redis.
    Lease,
    /// A store that comes too late is refused: the comparisons of the store script.
    Fence,
    /// A failing Redis does not cost every request its deadline: the breaker.
    Breaker,
    /// A load outlives the request that began it.
    Detached,
    /// A failing load is not repeated at once.
    Backoff,
    /// Memory copies are compared with Redis from time to time.
    Recheck,
    /// Purges reach the memory of other instances by message.
    Messages,
    /// A bound on loads at once per query and database.
    Gate,
    /// A database that is away is asked once a second and not by every load.
    Prober,
    /// A connection comes back from a run as it went: it ends by ROLLBACK, and what outlives that
    /// is reset.
    Session,
    /// A copy past its TTL is served while a refresh runs, or because loading fails.
    Stale,
    /// Workers that are to end say so to their clients with each response.
    Parting,
    /// Workers that are to end accept no more before they do.
    Pause,
    /// Workers that are to end wait for their connections.
    Patience,
    /// A key says which parameter stands at each place of the statement.
    Key,
    /// A bound on the memory for answers that wait to be sent.
    Unsent,
    /// The process that a pidfile names is signalled only where the kernel says that it is ours.
    Pidfile,
    /// A key says which database its rows are of, by that database's own word.
    Identity,
    /// Root opens a log only where no other user can put a link in its place.
    LogFile,
    /// Requests behind others on their connection are not read before their turn.
    Pipeline,
}

impl Defence {
    /// Every one, with its name.
    pub const ALL: &[(Defence, &str)] = &[
        (Defence::Lease, "lease"),
        (Defence::Fence, "fence"),
        (Defence::Breaker, "breaker"),
        (Defence::Detached, "detached"),
        (Defence::Backoff, "backoff"),
        (Defence::Recheck, "recheck"),
        (Defence::Messages, "messages"),
        (Defence::Gate, "gate"),
        (Defence::Prober, "prober"),
        (Defence::Session, "session"),
        (Defence::Stale, "stale"),
        (Defence::Parting, "parting"),
        (Defence::Pause, "pause"),
        (Defence::Patience, "patience"),
        (Defence::Key, "key"),
        (Defence::Unsent, "unsent"),
        (Defence::Pidfile, "pidfile"),
        (Defence::Identity, "identity"),
        (Defence::LogFile, "logfile"),
        (Defence::Pipeline, "pipeline"),
    ];

    /// Returns whether a test has switched it off.
    #[cfg(feature = "undefended")]
    pub fn is_off(self) -> bool {
        use std::sync::OnceLock;
        static OFF: OnceLock<Option<String>> = OnceLock::new();
        let off = OFF.get_or_init(|| std::env::var("UNDEFENDED").ok());
        Defence::ALL
            .iter()
            .any(|(defence, name)| *defence == self && off.as_deref() == Some(name))
    }

    /// Returns whether a test has switched it off: never, in this build.
    #[cfg(not(feature = "undefended"))]
    pub const fn is_off(self) -> bool {
        false
    }
}

/// Ends a task when it is dropped.
#[derive(Debug)]
pub struct TiedTask(AbortHandle);

impl TiedTask {
    /// Ties a load to the request that began it, where [`Defence::Detached`] is off.
    pub fn unless_detached(load: AbortHandle) -> Option<TiedTask> {
        Defence::Detached.is_off().then(|| TiedTask(load))
    }
}

impl Drop for TiedTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
