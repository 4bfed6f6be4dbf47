//! The types that settings have once they are checked. What they are read from is not known here.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::log::LogSettings;
use super::network::Network;
use super::process::ProcessSettings;
use super::secret::Secret;
use super::ssl_mode::SslMode;

/// All settings, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[server]`
    pub server: ServerSettings,
    /// The rest of `[server]`: what concerns the process.
    pub process: ProcessSettings,
    /// `[tls]`; `None`: plain HTTP.
    pub tls: Option<TlsSettings>,
    /// `[postgres]`; the embedded SQLite demo where nothing is said.
    pub database: DatabaseTarget,
    /// `[database]`
    pub limits: DatabaseLimits,
    /// `[redis]`; `None` is memory tier only.
    pub redis: Option<RedisSettings>,
    /// `[queries] dir`, absolute. `None`: embedded queries only.
    pub queries_dir: Option<PathBuf>,
    /// `[cache]`
    pub cache: CacheSettings,
    /// `[demo] delay`
    pub demo_delay: Duration,
    /// `[log]`
    pub log: LogSettings,
    /// `[stats] allow`: networks besides loopback that may see `/stats` and purge.
    pub stats_allow: Vec<Network>,
    /// `[stats] bind`: where alone `/stats` and what else is for operators is to be found; empty:
    /// beside everything else.
    pub stats_bind: Vec<BindAddress>,
    /// `[admin] token_file`, read: the admin token.
    pub admin_token: Option<Secret>,
    /// `[access]`
    pub access: AccessSettings,
    /// The settings without effect, one sentence each, for the user who starts the program.
    pub notes: Vec<String>,
}

impl Settings {
    /// Every address that is listened on, whatever for.
    pub fn all_addresses(&self) -> impl Iterator<Item = &BindAddress> {
        let redirects = self.tls.iter().flat_map(|tls| &tls.redirect_bind);
        let main = self.server.bind.iter().chain(&self.stats_bind);
        main.chain(redirects)
    }
}

/// `[access]`: who may read the queries. Blank, everybody may.
#[derive(Debug, Clone, Default)]
pub struct AccessSettings {
    /// `token_file`, read.
    pub token: Option<Secret>,
    /// Networks that need no token.
    pub allow: Vec<Network>,
}

impl AccessSettings {
    /// Returns whether queries are protected, where they do not say otherwise.
    pub fn is_restricted(&self) -> bool {
        self.token.is_some() || !self.allow.is_empty()
    }
}

/// `[server]`
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The addresses to listen at; at least one.
    pub bind: Vec<BindAddress>,
    /// Worker threads; at least one.
    pub workers: usize,
    /// The time for which an idle connection stays open; zero: it is closed after each response.
    pub keep_alive: Duration,
    /// The most time one request may take; never zero.
    pub request_timeout: Duration,
    /// The time for which running requests may go on after a stop.
    pub graceful_timeout: Duration,
    /// The time for which to go on serving after TERM while `/readyz` already says 503.
    pub drain_delay: Duration,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// Connections open at once.
    pub max_connections: usize,
    /// Bytes of answers that wait to be sent, in the whole process.
    pub max_unsent: u64,
    /// Rows that a page shows.
    pub page_rows: usize,
    /// Longest request line, in bytes.
    pub limit_request_line: usize,
    /// Most header fields of a request.
    pub limit_request_fields: usize,
    /// Longest header field, in bytes.
    pub limit_request_field_size: usize,
    /// Largest request body, in bytes.
    pub limit_request_body: u64,
    /// Proxies whose forwarding headers are believed.
    pub forwarded_allow_ips: Vec<Network>,
    /// Names of hosts that requests over loopback may ask for, in small letters, besides this
    /// machine's own.
    pub allowed_hosts: Vec<String>,
    /// True where pages show the causes of errors.
    pub debug: bool,
    /// The name of the query shown at `/`; whether there is one is for the catalog to say.
    pub home: String,
    /// True where the page at `/` names the database host.
    pub show_host: bool,
    /// The origins whose pages may read the data of queries.
    pub cors_origins: CorsOrigins,
}

/// `[server] cors_origins`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Pages of every site.
    Any,
    /// Pages of these sites: each `scheme://host` or `scheme://host:port`, as browsers write it.
    /// None: only pages of our own.
    These(Vec<String>),
}

/// `[tls]`
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// PEM file of the certificate and its chain, absolute; not read yet.
    pub cert: PathBuf,
    /// PEM file of its private key, absolute; not read yet.
    pub key: PathBuf,
    /// The addresses to listen at in plain HTTP, to send visitors on.
    pub redirect_bind: Vec<BindAddress>,
}

/// The most worker threads; more only cost memory.
pub const MOST_WORKERS: usize = 512;

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindAddress {
    /// `HOST:PORT`, resolved.
    Tcp(SocketAddr),
    /// `unix:PATH`, absolute.
    Unix(PathBuf),
    /// `fd://N`: a listener that whoever started us had open already; 3 or more.
    Fd(i32),
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindAddress::Tcp(address) => write!(f, "{address}"),
            BindAddress::Unix(path) => write!(f, "unix:{}", path.display()),
            BindAddress::Fd(number) => write!(f, "fd://{number}"),
        }
    }
}

/// The database that the queries run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseTarget {
    /// The SQLite in the binary, with generated demo data.
    Demo,
    /// A SQLite file, opened read-only.
    SqliteFile(PathBuf),
    /// A PostgreSQL server.
    Postgres(PostgresSettings),
}

/// `[postgres]`, whether it was given in parts or as a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    /// A host name, an address without brackets, or the absolute folder of a Unix socket.
    pub host: String,
    /// The port; also part of a socket's name.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The user.
    pub user: String,
    /// The password, exactly as it was written.
    pub password: Option<Secret>,
    /// The security of the connection.
    pub sslmode: SslMode,
    /// PEM file of the CAs to trust instead of the built-in ones; it was readable at the start.
    pub sslrootcert: Option<PathBuf>,
    /// The name under which the server lists the connections.
    pub application_name: String,
    /// The most time that connecting may take, where it is to be less than a run would wait.
    pub connect_timeout: Option<Duration>,
    /// The schemas in which names are looked up; `None`: as the server has it for this user.
    pub search_path: Option<String>,
    /// More settings of each session, by name and value.
    pub options: Vec<(String, String)>,
}

impl PostgresSettings {
    /// Returns the settings of a session that were named, the later ones over the earlier ones.
    /// They decide which rows come out.
    pub fn session_options(&self) -> impl Iterator<Item = (&str, &str)> {
        let path = self.search_path.as_deref();
        let path = path.map(|path| ("search_path", path));
        let options = self.options.iter();
        let options = options.map(|(name, value)| (name.as_str(), value.as_str()));
        options.chain(path)
    }
}

/// `[database]`: what every query is held to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseLimits {
    /// Connections at once; at least one.
    pub pool_size: u32,
    /// The most time one statement may take; never zero.
    pub statement_timeout: Duration,
    /// Rows of a result; what is beyond is left out.
    pub max_rows: u64,
    /// Size of a result in bytes; a larger one is an error.
    pub max_result: u64,
    /// The time zone of PostgreSQL's sessions; SQLite has none.
    pub timezone: String,
}

/// `[redis]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// A URL that the redis crate reads (`redis`, `rediss` or `redis+unix`), without a password
    /// where `password` has it.
    pub url: Secret,
    /// The content of `password_file`.
    pub password: Option<Secret>,
    /// PEM file of the CAs to trust for TLS; it was readable at the start.
    pub ca_file: Option<PathBuf>,
    /// Begins every key and channel.
    pub namespace: String,
    /// The most time for checkout and command together; never zero.
    pub timeout: Duration,
}

impl RedisSettings {
    /// The `namespace` where nothing is said.
    pub const NAMESPACE: &str = "unslow";
}

/// `[cache]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// The time for which an answer is fresh; never zero.
    pub ttl: Duration,
    /// The time past `ttl` for which a stale copy may be served while a refresh runs; zero: never.
    pub stale_while_revalidate: Duration,
    /// The time past `ttl` for which a stale copy may be served because loading fails; zero: never.
    pub stale_if_error: Duration,
    /// Size of the memory tier in bytes; 0: no memory tier.
    pub memory: u64,
    /// Largest answer that is stored, in bytes.
    pub max_entry: u64,
}
