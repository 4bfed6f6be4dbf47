//! HTTP on the connections of one generation: what each listener's connections go through, from
//! the accepted socket, with TLS where it is asked for, to the route table. Who listens where,
//! and when it ends, is not decided here.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive};
use actix_server::{GracefulShutdownSignal, Server, ServerBuilder};
use actix_service::{
    IntoServiceFactory as _, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config,
};
use actix_web::dev::AppConfig;
use actix_web::{App as Routes, middleware, web};
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use super::door::{ConnectionCounter, ConnectionEntrance};
use super::heartbeat::WorkerHeartbeats;
use super::limits;
use super::patience::ClientPatience;
use super::pipeline::PipelineGate;
use super::refusing::RefusalStream;
use super::sockets::system::{self, Listening, Socket};
use super::tls::CertifiedPair;
use super::wire::{ConnectionWire, TimedSocket};
use crate::app::UnsentBudget;
use crate::settings::ServerSettings;
use crate::web::{
    ConnectionState, FastPath, ListenerInfo, ListenerProtocol, Site, all_routes, wrap_routes,
};

/// The most time for a TLS handshake and for each request's head, where `request_timeout` is not
/// shorter anyway.
const HEAD: Duration = Duration::from_secs(10);

/// The time for which a connection is still read after a response that its request's body outlives.
const LINGER: Duration = Duration::from_secs(1);

/// A server in the making: the workers of one generation.
pub(super) struct Http {
    builder: ServerBuilder,
    factory: Factory,
}

/// The way of an accepted socket to HTTP.
#[derive(Clone)]
struct SocketAcceptor {
    door: ConnectionCounter,
    tls: Option<Arc<ServerConfig>>,
    patience: ClientPatience,
    unsent: Arc<UnsentBudget>,
}

impl Http {
    /// Makes a server without listeners, whose connections are counted in `connections`.
    pub(super) fn new(
        settings: &ServerSettings,
        workers: usize,
        site: web::Data<Site>,
        heartbeats: &Arc<WorkerHeartbeats>,
        (door, connections): (&ConnectionEntrance, &Arc<AtomicUsize>),
    ) -> Http {
        let builder = Server::build()
            .workers(workers)
            .max_concurrent_connections(limits::per_worker(door.max_connections(), workers))
            .shutdown_timeout(settings.graceful_timeout.as_secs())
            .disable_signals();
        let arrival = SocketAcceptor {
            door: door.make_counter(connections),
            tls: door.certified_pair().map(CertifiedPair::server_config),
            patience: ClientPatience {
                head: settings.request_timeout.min(HEAD),
                stall: settings.request_timeout,
                idle: settings.keep_alive,
            },
            unsent: Arc::clone(site.unsent_budget()),
        };
        let factory = Factory {
            arrival,
            site,
            heartbeats: Arc::clone(heartbeats),
            keep_alive: if settings.keep_alive.is_zero() {
                KeepAlive::Disabled
            } else {
                // The wire ends idle connections, once nothing is left that could be read.
                KeepAlive::Os
            },
            ending: builder.graceful_shutdown_signal(),
        };
        Http { builder, factory }
    }

    /// Serves what comes in at this socket.
    pub(super) fn serve_socket(
        mut self,
        socket: Listening,
        reception: ListenerInfo,
    ) -> io::Result<Http> {
        let factory = self.factory.clone();
        self.builder = match socket {
            Listening::Tcp(socket) => self.builder.listen("tcp", socket, move || {
                factory.make_service(reception, system::over_tcp)
            })?,
            #[cfg(unix)]
            Listening::Unix(socket) => self.builder.listen_uds("unix", socket, move || {
                factory.make_service(reception, system::over_unix)
            })?,
        };
        Ok(self)
    }

    /// Starts the workers.
    pub(super) fn run(self) -> Server {
        self.builder.run()
    }
}

/// Makes the service of one listener, once for each worker.
#[derive(Clone)]
struct Factory {
    arrival: SocketAcceptor,
    site: web::Data<Site>,
    heartbeats: Arc<WorkerHeartbeats>,
    keep_alive: KeepAlive,
    ending: GracefulShutdownSignal,
}

impl Factory {
    fn make_service<S: 'static>(
        &self,
        reception: ListenerInfo,
        open: fn(S) -> (Socket, Option<SocketAddr>),
    ) -> impl ServiceFactory<S, Config = (), Response = (), Error = DispatchError, InitError: Debug>
    + use<S> {
        self.heartbeats.begin_heartbeat();
        let (arrival, ending) = (self.arrival.clone(), self.ending.clone());
        let table = Routes::new()
            .app_data(self.site.clone())
            .wrap(middleware::from_fn(wrap_routes))
            .configure(all_routes);
        let application = FastPath::before_table(self.site.clone(), table.into_factory())
            .map_err(|error: actix_web::Error| error.error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let signal = ending.clone();
                async move { signal.notified().await }
            })
            .keep_alive(self.keep_alive)
            // The wire times every head: the library's timer would not look for what came in while
            // the process was stopped.
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(LINGER)
            .on_connect_ext(|refusing: &RefusalStream, extensions| {
                extensions.insert(refusing.pipeline_gate().connection().clone());
            })
            .h1(map_config(application, |()| AppConfig::default()));
        let site = self.site.clone();
        fn_service(move |stream: S| {
            let (arrival, site) = (arrival.clone(), site.clone());
            async move {
                let (wire, peer) = arrival.accept_connection(open(stream), reception).await?;
                Ok((RefusalStream::new(PipelineGate::new(wire), site), peer))
            }
        })
        .and_then(http)
    }
}

impl SocketAcceptor {
    async fn accept_connection(
        self,
        (socket, peer): (Socket, Option<SocketAddr>),
        reception: ListenerInfo,
    ) -> Result<(ConnectionWire, Option<SocketAddr>), DispatchError> {
        let visitor = self
            .door
            .try_enter()
            .ok_or(io::ErrorKind::ConnectionRefused);
        let visitor = visitor.map_err(|kind| DispatchError::Io(kind.into()))?;
        let connection = ConnectionState::new(reception, peer);
        let unsent = self.unsent.empty_buffer();
        let timed = TimedSocket::new(socket, connection, self.patience, (visitor, unsent));
        let wire = match self
            .tls
            .filter(|_| reception.manner == ListenerProtocol::Tls)
        {
            None => ConnectionWire::Plain(timed),
            Some(config) => {
                let handshake = TlsAcceptor::from(config).accept(timed);
                let stream = tokio::time::timeout(self.patience.head, handshake)
                    .await
                    .map_err(|_| DispatchError::SlowRequestTimeout)??;
                let wire = ConnectionWire::Tls(Box::new(stream));
                wire.connection().forget_received();
                wire.connection().note_received();
                wire
            }
        };
        Ok((wire, peer))
    }
}
