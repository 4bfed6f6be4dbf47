//! Every setting once: its type, unit, default and check, and how ini, environment and flags are
//! merged into [`Settings`]. No other file knows a default.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// All settings, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[server]`
    pub server: Server,
    /// `[postgres]`; `None` is the embedded SQLite demo.
    pub database: DatabaseTarget,
    /// `[database]`
    pub limits: DatabaseLimits,
    /// `[redis]`; `None` is memory tier only.
    pub redis: Option<Redis>,
    /// `[queries] dir`, absolute. `None`: embedded queries only.
    pub queries_dir: Option<PathBuf>,
    /// `[cache]`
    pub cache: Cache,
    /// `[demo] delay`
    pub demo_delay: Duration,
    /// `[log]`
    pub log: Log,
    /// `[stats] allow`: networks besides loopback that may see `/stats`.
    pub stats_allow: Vec<Network>,
    /// `[admin] token_file`, read: the admin token.
    pub admin_token: Option<Secret>,
}

/// `[server]`
#[derive(Debug, Clone)]
pub struct Server {
    pub bind: Vec<Bind>,
    pub workers: usize,
    pub keep_alive: Duration,
    pub request_timeout: Duration,
    pub graceful_timeout: Duration,
    pub drain_delay: Duration,
    pub backlog: u32,
    pub max_connections: usize,
    pub limit_request_line: usize,
    pub limit_request_fields: usize,
    pub limit_request_field_size: usize,
    pub limit_request_body: u64,
    pub forwarded_allow_ips: Vec<Network>,
    pub debug: bool,
    pub home: String,
    pub show_host: bool,
}

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bind {
    /// `HOST:PORT`, resolved.
    Tcp(SocketAddr),
    /// `unix:PATH`
    Unix(PathBuf),
}

/// An address or a network in CIDR notation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network { /* helper's */ }

/// Which database the queries run on.
#[derive(Debug, Clone)]
pub enum DatabaseTarget {
    /// The SQLite in the binary, with generated demo data.
    Demo,
    /// A SQLite file, opened read-only.
    SqliteFile(PathBuf),
    /// A PostgreSQL server.
    Postgres(Postgres),
}

#[derive(Debug, Clone)]
pub struct Postgres {
    pub host: String,
    pub port: u16,
    pub database: String,
    pub user: String,
    pub password: Option<Secret>,
    pub sslmode: SslMode,
    pub sslrootcert: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode { Disable, Prefer, Require, VerifyCa, VerifyFull }

#[derive(Debug, Clone)]
pub struct DatabaseLimits {
    pub pool_size: u32,
    pub statement_timeout: Duration,
    pub max_rows: u64,
    /// bytes
    pub max_result: u64,
}

#[derive(Debug, Clone)]
pub struct Redis {
    /// Without the password where `password_file` gives it.
    pub url: Secret,
    pub password: Option<Secret>,
    pub ca_file: Option<PathBuf>,
    pub namespace: String,
    /// checkout and command together
    pub timeout: Duration,
}

#[derive(Debug, Clone)]
pub struct Cache {
    pub ttl: Duration,
    pub stale_while_revalidate: Duration,
    pub stale_if_error: Duration,
    /// bytes; 0: no memory tier
    pub memory: u64,
    /// bytes
    pub max_entry: u64,
}

#[derive(Debug, Clone)]
pub struct Log {
    /// Where the access log goes; `None`: nowhere.
    pub access: Option<LogTarget>,
    pub access_format: AccessFormat,
    pub error: LogTarget,
    pub level: tracing::Level,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget { Stdout, Stderr, File(PathBuf) }

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessFormat { Combined, Json }

/// A value that Debug and Display print as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(s: String) -> Self { Secret(s) }
    /// The value itself; only where it is handed to a driver or compared.
    pub fn reveal(&self) -> &str { &self.0 }
}
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("***") }
}
impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("***") }
}

/// `10s`, `1m30s`, `500ms`: the way durations are written in settings and messages.
pub fn duration_text(d: Duration) -> String { format!("{d:?}") }
