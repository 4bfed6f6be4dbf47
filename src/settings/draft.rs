//! Settings while they are being read: the places that the table's readers write to, and how the
//! parts of the database and of Redis come together at the end.

use std::path::PathBuf;
use std::time::Duration;

use super::log::{AccessFormat, LogSettings, LogTarget, SyslogFacility};
use super::network::Network;
use super::process::ProcessSettings;
use super::secret::Secret;
use super::ssl_mode::SslMode;
use super::types::{
    AccessSettings, BindAddress, CacheSettings, CorsOrigins, DatabaseLimits, DatabaseTarget,
    PostgresSettings, RedisSettings, ServerSettings, Settings, TlsSettings,
};
use super::url;

/// The settings in parts. What a blank one holds is no default: the table's defaults are written
/// over every field that must have a value.
#[derive(Debug)]
pub(super) struct SettingsBuilder {
    pub(super) server: ServerSettings,
    pub(super) process: ProcessSettings,
    pub(super) tls: TlsParts,
    pub(super) sqlite: Option<PathBuf>,
    pub(super) postgres: PostgresParts,
    pub(super) limits: DatabaseLimits,
    pub(super) redis: RedisParts,
    pub(super) queries_dir: Option<PathBuf>,
    pub(super) cache: CacheSettings,
    pub(super) demo_delay: Duration,
    pub(super) log: LogSettings,
    pub(super) stats_allow: Vec<Network>,
    pub(super) stats_bind: Vec<BindAddress>,
    pub(super) admin_token: Option<Secret>,
    pub(super) access: AccessSettings,
}

#[derive(Debug)]
pub(super) struct PostgresParts {
    pub(super) host: Option<String>,
    pub(super) port: u16,
    pub(super) database: Option<String>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) sslmode: SslMode,
    pub(super) sslrootcert: Option<PathBuf>,
    pub(super) application_name: String,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) search_path: Option<String>,
    pub(super) options: Vec<(String, String)>,
}

#[derive(Debug)]
pub(super) struct RedisParts {
    pub(super) url: Option<Secret>,
    pub(super) password: Option<Secret>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) namespace: String,
    pub(super) timeout: Duration,
}

impl SettingsBuilder {
    pub(super) fn without_values() -> SettingsBuilder {
        SettingsBuilder {
            server: ServerSettings {
                bind: Vec::new(),
                workers: 0,
                keep_alive: Duration::ZERO,
                request_timeout: Duration::ZERO,
                graceful_timeout: Duration::ZERO,
                drain_delay: Duration::ZERO,
                backlog: 0,
                max_connections: 0,
                max_unsent: 0,
                page_rows: 0,
                limit_request_line: 0,
                limit_request_fields: 0,
                limit_request_field_size: 0,
                limit_request_body: 0,
                forwarded_allow_ips: Vec::new(),
                allowed_hosts: Vec::new(),
                debug: false,
                home: String::new(),
                show_host: false,
                cors_origins: CorsOrigins::These(Vec::new()),
            },
            process: ProcessSettings::without_values(),
            tls: TlsParts::BLANK,
            sqlite: None,
            postgres: PostgresParts {
                host: None,
                port: 0,
                database: None,
                user: None,
                password: None,
                sslmode: SslMode::VerifyFull,
                sslrootcert: None,
                application_name: String::new(),
                connect_timeout: None,
                search_path: None,
                options: Vec::new(),
            },
            limits: DatabaseLimits {
                pool_size: 0,
                statement_timeout: Duration::ZERO,
                max_rows: 0,
                max_result: 0,
                timezone: String::new(),
            },
            redis: RedisParts {
                url: None,
                password: None,
                ca_file: None,
                namespace: String::new(),
                timeout: Duration::ZERO,
            },
            queries_dir: None,
            cache: CacheSettings {
                ttl: Duration::ZERO,
                stale_while_revalidate: Duration::ZERO,
                stale_if_error: Duration::ZERO,
                memory: 0,
                max_entry: 0,
            },
            demo_delay: Duration::ZERO,
            log: LogSettings {
                access: None,
                access_format: AccessFormat::Combined,
                error: LogTarget::Stderr,
                level: tracing::Level::ERROR,
                syslog: None,
                syslog_facility: SyslogFacility(0),
            },
            stats_allow: Vec::new(),
            stats_bind: Vec::new(),
            admin_token: None,
            access: AccessSettings::default(),
        }
    }

    /// Brings the parts together. `postgres` says that something was set which only PostgreSQL
    /// has. The error is the key of `[postgres]` that is missing.
    pub(super) fn finish(
        self,
        postgres: bool,
        tls: Option<TlsSettings>,
    ) -> Result<Settings, &'static str> {
        let database = match (self.sqlite, postgres) {
            (Some(file), _) => DatabaseTarget::SqliteFile(file),
            (None, true) => DatabaseTarget::Postgres(self.postgres.finish()?),
            (None, false) => DatabaseTarget::Demo,
        };
        Ok(Settings {
            server: self.server,
            process: self.process,
            tls,
            database,
            limits: self.limits,
            redis: self.redis.finish(),
            queries_dir: self.queries_dir,
            cache: self.cache,
            demo_delay: self.demo_delay,
            log: self.log,
            stats_allow: self.stats_allow,
            stats_bind: self.stats_bind,
            admin_token: self.admin_token,
            access: self.access,
            notes: Vec::new(),
        })
    }
}

impl PostgresParts {
    fn finish(self) -> Result<PostgresSettings, &'static str> {
        Ok(PostgresSettings {
            host: self.host.ok_or("host")?,
            port: self.port,
            database: self.database.ok_or("database")?,
            user: self.user.ok_or("user")?,
            password: self.password,
            sslmode: self.sslmode,
            sslrootcert: self.sslrootcert,
            application_name: self.application_name,
            connect_timeout: self.connect_timeout,
            search_path: self.search_path,
            options: self.options,
        })
    }
}

impl RedisParts {
    fn finish(self) -> Option<RedisSettings> {
        let url = self.url?;
        Some(RedisSettings {
            url: if self.password.is_some() {
                url::without_password(&url)
            } else {
                url
            },
            password: self.password,
            ca_file: self.ca_file,
            namespace: self.namespace,
            timeout: self.timeout,
        })
    }
}

/// The parts of `[tls]` that have been read.
#[derive(Debug)]
pub(super) struct TlsParts {
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) redirect_bind: Vec<BindAddress>,
}

impl TlsParts {
    pub(super) const BLANK: TlsParts = TlsParts {
        cert: None,
        key: None,
        redirect_bind: Vec::new(),
    };
}
