//! Feeds systemd's watchdog as long as every worker is heard of: by a task of its own on the main
//! thread, so that what takes the master long (a reload that waits for a database, the end of the
//! last requests) is no reason to be restarted, and a main thread that hangs is one.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::notify::Notifier;
use crate::server::WorkerHeartbeats;

/// A worker that has not been heard of for so long is blocked.
pub(super) const SILENT: Duration = Duration::from_secs(10);

/// The workers that are looked at; `None` where nobody serves, which is no trouble then.
type WatchedWorkers = Rc<RefCell<Option<Arc<WorkerHeartbeats>>>>;

/// Dropped, it feeds no more.
#[derive(Debug)]
pub(super) struct Watchdog {
    watched: WatchedWorkers,
    task: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Begins to feed it, on the current actix system, where systemd asks for that.
    pub(super) fn begin_feeding(notifier: Rc<Notifier>) -> Watchdog {
        let watched = WatchedWorkers::default();
        let task = notifier.watchdog_interval().map(|interval| {
            let watched = Rc::clone(&watched);
            actix_web::rt::spawn(async move {
                let mut turn = tokio::time::interval(interval);
                turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                loop {
                    turn.tick().await;
                    if all_are_heard_of(&watched) {
                        notifier.feed_watchdog();
                    }
                }
            })
        });
        Watchdog { watched, task }
    }

    /// These are the workers that serve from now on.
    pub(super) fn looks_at(&self, heartbeats: Option<&Arc<WorkerHeartbeats>>) {
        *self.watched.borrow_mut() = heartbeats.cloned();
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

fn all_are_heard_of(watched: &WatchedWorkers) -> bool {
    let watched = watched.borrow();
    watched
        .as_ref()
        .is_none_or(|hearts| hearts.silent_workers(SILENT) == 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn it_is_fed_while_every_worker_is_heard_of_and_when_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&path).unwrap();
        systemd.set_nonblocking(true).unwrap();
        let meals = || {
            let mut buffer = [0; 64];
            let mut meals = 0;
            while let Ok(length) = systemd.recv(&mut buffer) {
                assert_eq!(&buffer[..length], b"WATCHDOG=1\n");
                meals += 1;
            }
            meals
        };
        let notifier = Rc::new(Notifier::with_socket(path.as_os_str(), "2000"));
        let turn = notifier.watchdog_interval().unwrap();
        actix_web::rt::System::new().block_on(async {
            let watchdog = Watchdog::begin_feeding(notifier);
            let some = async || {
                while meals() == 0 {
                    tokio::time::sleep(turn).await;
                }
            };
            some().await;
            let hearts = Arc::new(WorkerHeartbeats::default());
            watchdog.looks_at(Some(&hearts));
            some().await;
            hearts.join_silent(SILENT + turn);
            meals();
            // Its turns go on, as those of this timer do, and are not used.
            for _ in 0..20 {
                tokio::time::sleep(turn).await;
            }
            assert_eq!(meals(), 0, "a worker is blocked");
            watchdog.looks_at(None);
            some().await;
        });
    }
}
