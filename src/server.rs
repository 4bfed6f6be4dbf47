//! Serving: listeners, worker threads, and their graceful end. It owns the order in which things
//! start and stop, and no route.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_service::IntoServiceFactory as _;
use actix_web::dev::{Server, ServerHandle};
use actix_web::{App as Routes, HttpServer, middleware, web};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::error::StartupError;
use crate::logging::AccessLog;
use crate::settings::{Bind, Server as ServerSettings};
use crate::web::{Shortcut, Site, around, routes};

/// How often the end of the open connections is looked for while draining.
const DRAIN_STEP: Duration = Duration::from_millis(20);

/// Serves until TERM (graceful) or INT (quick). Prints each address once it can be used.
///
/// # Errors
/// An address that cannot be bound, or a system that gives no threads.
pub fn run(app: App, access_log: Option<AccessLog>) -> Result<(), StartupError> {
    let listeners = Listeners::bind(&app.settings.server)?;
    let app = Arc::new(app);
    let site = web::Data::new(Site::new(Arc::clone(&app), access_log));
    actix_web::rt::System::new().block_on(serve(&app, site, listeners))
}

async fn serve(app: &App, site: web::Data<Site>, listeners: Listeners) -> Result<(), StartupError> {
    let connections = Arc::new(AtomicUsize::new(0));
    let removed_at_the_end = listeners.unix_paths();
    let urls = listeners.urls();
    let failed = |error: io::Error| StartupError::new(format!("cannot serve: {error}"));
    let server =
        workers(&app.settings.server, site.clone(), listeners, &connections).map_err(failed)?;
    let end = end_on_signal(
        app.settings.server.clone(),
        site,
        server.handle(),
        connections,
    )
    .map_err(failed)?;
    let ending = actix_web::rt::spawn(end);
    announce(app, &urls);
    let result = server.await;
    ending.abort();
    for path in removed_at_the_end {
        // It may be gone already, which is what was wanted.
        let _ = std::fs::remove_file(path);
    }
    result.map_err(failed)
}

/// The worker threads, on all listeners.
fn workers(
    settings: &ServerSettings,
    site: web::Data<Site>,
    listeners: Listeners,
    connections: &Arc<AtomicUsize>,
) -> io::Result<Server> {
    let connections = Arc::clone(connections);
    let mut server = HttpServer::new(move || {
        let table = Routes::new()
            .app_data(site.clone())
            .wrap(middleware::from_fn(around))
            .configure(routes);
        Shortcut::before(site.clone(), table.into_factory())
    })
    .on_connect(move |_, extensions| {
        extensions.insert(OpenConnection::count(&connections));
    })
    .workers(settings.workers)
    .keep_alive(settings.keep_alive)
    .max_connections(settings.max_connections.div_ceil(settings.workers))
    .shutdown_timeout(settings.graceful_timeout.as_secs())
    .disable_signals();
    for listener in listeners.0 {
        server = match listener {
            Listener::Tcp(listener) => server.listen(listener)?,
            Listener::Unix(listener, _) => server.listen_uds(listener)?,
        };
    }
    Ok(server.run())
}

/// One open connection: counted as long as this lives.
struct OpenConnection(Arc<AtomicUsize>);

impl OpenConnection {
    fn count(connections: &Arc<AtomicUsize>) -> OpenConnection {
        connections.fetch_add(1, Ordering::Relaxed);
        OpenConnection(Arc::clone(connections))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits for TERM, INT or QUIT and ends the server accordingly. The handlers are in place when
/// this returns; the future ends with the server.
fn end_on_signal(
    settings: ServerSettings,
    site: web::Data<Site>,
    server: ServerHandle,
    connections: Arc<AtomicUsize>,
) -> io::Result<impl Future<Output = ()> + 'static> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let mut quit = signal(SignalKind::quit())?;
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {
                tracing::info!("TERM: draining");
                let drained = drain(&settings, &site, &server, &connections);
                tokio::select! {
                    () = drained => {}
                    _ = int.recv() => {}
                    _ = quit.recv() => {}
                    _ = term.recv() => {}
                }
                server.stop(true).await;
            }
            _ = int.recv() => server.stop(false).await,
            _ = quit.recv() => server.stop(false).await,
        }
    })
}

/// Lets every client leave before the listeners close. A worker that is stopped drops idle
/// keep-alive connections and those queued to it, and with them requests that are on their way.
/// So: go on serving for `drain_delay`, while `/readyz` sends balancers away and every response
/// closes its connection; accept no more; wait until the connections have ended, at the longest
/// for a keep-alive's own end.
async fn drain(
    settings: &ServerSettings,
    site: &Site,
    server: &ServerHandle,
    connections: &AtomicUsize,
) {
    site.drain();
    tokio::time::sleep(settings.drain_delay).await;
    server.pause().await;
    let patience = settings.keep_alive + Duration::from_secs(1);
    let paused = Instant::now();
    while connections.load(Ordering::Relaxed) > 0 && paused.elapsed() < patience {
        tokio::time::sleep(DRAIN_STEP).await;
    }
}

/// Says where it serves, on standard output, where a desktop user looks.
fn announce(app: &App, urls: &[String]) {
    for url in urls {
        println!("unslow {} serves {url}", env!("CARGO_PKG_VERSION"));
    }
    for note in app.catalog.notes() {
        tracing::warn!("{note}");
    }
    tracing::info!(queries = app.catalog.iter().count(), "started");
}

/// A bound address.
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Listener {
    fn url(&self) -> String {
        match self {
            Listener::Tcp(listener) => match listener.local_addr() {
                Ok(address) => format!("http://{address}"),
                Err(error) => format!("an address that cannot be read ({error})"),
            },
            Listener::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }
}

/// All addresses, bound: all or none.
struct Listeners(Vec<Listener>);

impl Listeners {
    fn bind(settings: &ServerSettings) -> Result<Listeners, StartupError> {
        let bind = |bind: &Bind| match bind {
            Bind::Tcp(address) => tcp(*address, settings.backlog).map(Listener::Tcp),
            Bind::Unix(path) => unix(path).map(|listener| Listener::Unix(listener, path.clone())),
            Bind::Fd(_) => Err(io::Error::from(io::ErrorKind::Unsupported)),
        };
        let listeners = settings
            .bind
            .iter()
            .map(|address| bind(address).map_err(|error| not_bound(address, &error)));
        listeners.collect::<Result<_, _>>().map(Listeners)
    }

    fn urls(&self) -> Vec<String> {
        self.0.iter().map(Listener::url).collect()
    }

    fn unix_paths(&self) -> Vec<PathBuf> {
        self.0
            .iter()
            .filter_map(|listener| match listener {
                Listener::Unix(_, path) => Some(path.clone()),
                Listener::Tcp(_) => None,
            })
            .collect()
    }
}

fn not_bound(bind: &Bind, error: &io::Error) -> StartupError {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "is it running already? Choose another address or port",
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 and other people's folders need the right to use them"
        }
        _ => "give an address of this machine: HOST:PORT or unix:PATH",
    };
    StartupError::new(format!("cannot listen on {bind}: {error}"))
        .at("--bind / [server] bind")
        .remedy(remedy)
}

/// Standard library listeners have a fixed backlog; this one's is a setting.
fn tcp(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // Else a restart would have to wait for the last connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Takes the place of a socket that nobody serves any more; of anything else it does not.
fn unix(path: &Path) -> io::Result<UnixListener> {
    let stale = std::fs::symlink_metadata(path)
        .is_ok_and(|metadata| metadata.file_type().is_socket())
        && std::os::unix::net::UnixStream::connect(path).is_err();
    if stale {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
