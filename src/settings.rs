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

/// Reads `500ms`, `10s`, `5m`, `2h`, `1d` or `1m30s`; of bare numbers only `0`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 5] =
        [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let scale = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
        let number = number.parse::<u64>().map_err(|_| "a number is missing or too large")?;
        let scale = scale.ok_or("a unit is missing: ms, s, m, h or d")?;
        total = number
            .checked_mul(scale)
            .and_then(|n| total.checked_add(n))
            .ok_or("it is too large")?;
        rest = after;
    }
    Ok(Duration::from_millis(total))
}
