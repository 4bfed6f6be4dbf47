//! One generation of workers: the threads that serve one state of the settings, from the moment
//! when all of them accept connections to the one when the last connection has ended. What outlives
//! a generation (cache, pools, loads) is the application's.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::web;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::door::ConnectionEntrance;
use super::heartbeat::WorkerHeartbeats;
use super::http::Http;
use super::listeners::Listeners;
use crate::app::App;
use crate::defence::Defence;
use crate::error::StartupError;
use crate::logging::AccessLog;
use crate::settings::ServerSettings;
use crate::web::Site;

/// The interval at which the end of the open connections is looked for while draining.
const DRAIN_STEP: Duration = Duration::from_millis(20);
/// The time for which the accept loop may need to hear that it is to pause.
const PAUSING: Duration = Duration::from_millis(100);
/// The time for which a connection may be on its way from the accept loop to the worker that serves
/// it.
const SETTLING: Duration = Duration::from_millis(500);
/// The time beyond its keep-alive that a connection may need to end.
const KEEP_ALIVE_MARGIN: Duration = Duration::from_secs(1);
/// The time beyond their graceful timeout that workers may need to end. One that is blocked never
/// does.
const STOP_MARGIN: Duration = Duration::from_secs(5);
/// The time for which a quick end may take.
const QUICK: Duration = Duration::from_secs(2);

/// Workers that serve. Dropped without an end, they go on until the process ends.
#[derive(Debug)]
pub struct WorkerGeneration {
    number: u64,
    workers: usize,
    site: web::Data<Site>,
    settings: ServerSettings,
    server: ServerHandle,
    connections: Arc<AtomicUsize>,
    heartbeats: Arc<WorkerHeartbeats>,
    ended: JoinHandle<io::Result<()>>,
}

impl WorkerGeneration {
    /// Starts so many workers on all listeners, and returns when all of them serve. Must be called
    /// in an actix system.
    ///
    /// # Errors
    /// The system gives no threads or descriptors; nothing of it is left then.
    pub async fn start(
        number: u64,
        app: &Arc<App>,
        access_log: Option<AccessLog>,
        (listeners, door): (&Listeners, &ConnectionEntrance),
        workers: usize,
    ) -> Result<WorkerGeneration, StartupError> {
        let failed = |error: io::Error| {
            StartupError::new(format!("cannot serve: {error}"))
                .with_remedy("raise the limits on descriptors and processes (ulimit -n, ulimit -u)")
        };
        let settings = app.settings.server.clone();
        let site = web::Data::new(Site::new(Arc::clone(app), access_log));
        let connections = Arc::new(AtomicUsize::new(0));
        let heartbeats = Arc::new(WorkerHeartbeats::default());
        let counted = (door, &connections);
        let mut http = Http::new(&settings, workers, site.clone(), &heartbeats, counted);
        for (socket, reception) in listeners.served_sockets().map_err(failed)? {
            http = http.serve_socket(socket, reception).map_err(failed)?;
        }
        let server = http.run();
        let handle = server.handle();
        let mut ended = actix_web::rt::spawn(server);
        // The server obeys its first command when every worker has made its services.
        tokio::select! {
            () = handle.resume() => {}
            result = &mut ended => {
                let result = result.unwrap_or_else(|error| Err(io::Error::other(error)));
                let silent = io::Error::other("the workers ended as soon as they had started");
                return Err(failed(result.err().unwrap_or(silent)));
            }
        }
        Ok(WorkerGeneration {
            number,
            workers,
            site,
            settings,
            server: handle,
            connections,
            heartbeats,
            ended,
        })
    }

    /// Returns which one it is, counted from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns how many threads it has.
    pub fn worker_count(&self) -> usize {
        self.workers
    }

    /// Returns how its workers are.
    pub fn heartbeats(&self) -> &Arc<WorkerHeartbeats> {
        &self.heartbeats
    }

    /// Returns whether its workers have ended without having been asked to.
    pub fn has_ended(&self) -> bool {
        self.ended.is_finished()
    }

    /// Lets `/readyz` say 503 from now on, so that balancers go elsewhere.
    pub fn say_not_ready(&self) {
        self.site.fail_readiness();
    }

    /// Accepts no more connections, and has every response close its own: from when this returns,
    /// whoever comes finds another generation, if there is one.
    pub async fn close(&self) {
        if !Defence::Parting.is_off() {
            self.site.close_connections();
        }
        if !Defence::Pause.is_off() {
            self.server.pause().await;
            // It is acknowledged a moment before it is one.
            tokio::time::sleep(PAUSING).await;
        }
    }

    /// Ends it without losing a request, once it is [closed](Self::close): the workers end when the
    /// last connection has, or those that are idle have had their keep-alive. Requests that still
    /// run then have the graceful timeout.
    ///
    /// A worker that is stopped drops idle connections and those queued to it, and with them
    /// requests that are on their way; hence the order. Not to be dropped half-way: the workers
    /// would go on without accepting.
    pub async fn retire_workers(self) {
        if !Defence::Patience.is_off() {
            // A connection that was accepted last is counted a moment later.
            tokio::time::sleep(SETTLING).await;
        }
        if !Defence::Patience.is_off() {
            self.connections_end().await;
        }
        let patience = self.settings.graceful_timeout + STOP_MARGIN;
        let stopped = tokio::time::timeout(patience, self.server.stop(true)).await;
        if stopped.is_err() {
            let generation = self.number;
            tracing::error!(
                generation,
                "workers do not end: their threads are left behind"
            );
        }
    }

    /// Waits until no connection is open, at the longest for a keep-alive's own end.
    async fn connections_end(&self) {
        let patience = self.settings.keep_alive + KEEP_ALIVE_MARGIN;
        let begun = Instant::now();
        while self.connections.load(Ordering::Relaxed) > 0 && begun.elapsed() < patience {
            tokio::time::sleep(DRAIN_STEP).await;
        }
    }

    /// Ends it now; running requests are cut off.
    pub async fn stop(&self) {
        // Nobody waits for longer: the process ends behind it.
        let _ = timeout(QUICK, self.server.stop(false)).await;
    }
}
