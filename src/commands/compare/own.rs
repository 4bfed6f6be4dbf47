//! The server that a comparison starts for itself where none runs: the same that `unslow` is, on a
//! free port of this machine, for as long as the comparison takes. It does nothing by itself, so
//! that the database is asked nothing but the comparison's own questions.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::super::failure::CommandFailure;
use crate::app::App;
use crate::error::StartupError;
use crate::server::{ConnectionEntrance, Listeners, WorkerGeneration};
use crate::settings::{BindAddress, Settings};

/// A server of one's own. It ends when this is dropped.
pub(super) struct OwnServer {
    /// `http://127.0.0.1:PORT`
    pub(super) url: String,
    /// The channel that tells it to end, and its thread.
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl OwnServer {
    /// Starts it, and returns when it serves.
    pub(super) fn start(settings: &Settings) -> Result<OwnServer, CommandFailure> {
        let mut own = settings.clone();
        own.server.bind = vec![BindAddress::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))];
        own.stats_bind = Vec::new();
        own.tls = None;
        // A user who has the settings may know why a query fails.
        own.server.debug = true;
        let (end, ended) = oneshot::channel();
        let (tell, told) = channel();
        let thread = std::thread::Builder::new()
            .name("unslow-own".to_owned())
            .spawn(move || actix_web::rt::System::new().block_on(serve_until(own, tell, ended)))
            .map_err(|error| CommandFailure::Running(format!("no thread to serve in: {error}")))?;
        let running = Some((end, thread));
        match told.recv() {
            Ok(Ok(url)) => Ok(OwnServer { url, running }),
            Ok(Err(error)) => Err(CommandFailure::Settings(error)),
            Err(_) => Err(CommandFailure::Running(
                "the server does not start".to_owned(),
            )),
        }
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.running.take() {
            let _ = end.send(());
            // One that has panicked has ended too.
            drop(thread.join());
        }
    }
}

async fn serve_until(
    settings: Settings,
    tell: Sender<Result<String, StartupError>>,
    ended: oneshot::Receiver<()>,
) {
    match begin_server(settings).await {
        Ok((generation, listeners)) => {
            let url = listeners
                .visitor_urls()
                .into_iter()
                .next()
                .unwrap_or_default();
            drop(tell.send(Ok(url)));
            // Also where nobody is left to say it.
            drop(ended.await);
            generation.stop().await;
        }
        Err(error) => drop(tell.send(Err(error))),
    }
}

async fn begin_server(settings: Settings) -> Result<(WorkerGeneration, Listeners), StartupError> {
    let listeners = Listeners::open(&settings, Vec::new())?;
    let door = ConnectionEntrance::open(&settings)?;
    let workers = settings.server.workers;
    let app = Arc::new(App::open_idle(settings)?);
    let entrance = (&listeners, &door);
    let generation = WorkerGeneration::start(1, &app, None, entrance, workers).await?;
    Ok((generation, listeners))
}
