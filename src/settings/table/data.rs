//! The settings of where the data is: the database, Redis, and what is kept of the answers.

use super::super::types::RedisSettings;
use super::setting::{SettingRow, SettingSecrecy, put, set, setting};
use crate::settings::values as v;
use crate::settings::{files, session, url};

const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

pub(super) const ROWS: [SettingRow; 28] = [
    setting(
        "postgres",
        "url",
        "postgres://USER@HOST/DATABASE, or sqlite:FILE; a flag takes no password",
        |d, g| set(&mut d.sqlite, url::sqlite_file(g)),
    )
    .flag("database-url", "URL")
    .secrecy(SettingSecrecy::Url),
    setting("postgres", "host", "Database host", |d, g| {
        put(&mut d.postgres.host, v::host(g))
    })
    .flag("db-host", "HOST"),
    setting("postgres", "port", "Database port", |d, g| {
        set(&mut d.postgres.port, v::integer(g, 1..=65_535))
    })
    .flag("db-port", "PORT")
    .or("5432"),
    setting("postgres", "database", "Database name", |d, g| {
        put(&mut d.postgres.database, Ok(v::text(g)))
    })
    .flag("db-name", "NAME"),
    setting("postgres", "user", "Database user", |d, g| {
        put(&mut d.postgres.user, Ok(v::text(g)))
    })
    .flag("db-user", "USER"),
    setting(
        "postgres",
        "password",
        "Database password; never a flag, which ps would show",
        |d, g| put(&mut d.postgres.password, Ok(v::secret(g))),
    )
    .secrecy(SettingSecrecy::Secret),
    setting(
        "postgres",
        "password_file",
        "File with the database password",
        |d, g| put(&mut d.postgres.password, files::secret_file(g)),
    )
    .flag("db-password-file", "FILE"),
    setting(
        "postgres",
        "sslmode",
        "disable, prefer, require, verify-ca or verify-full",
        |d, g| set(&mut d.postgres.sslmode, v::sslmode(g)),
    )
    .flag("db-sslmode", "MODE")
    .or("prefer"),
    setting(
        "postgres",
        "sslrootcert",
        "PEM file of the CAs to trust, besides the built-in ones",
        |d, g| set(&mut d.postgres.sslrootcert, v::authorities(g)),
    )
    .flag("db-sslrootcert", "FILE"),
    setting(
        "postgres",
        "application_name",
        "Name of the connections in the server's lists",
        |d, g| set(&mut d.postgres.application_name, Ok(v::text(g))),
    )
    .or("unslow"),
    setting(
        "postgres",
        "connect_timeout",
        "The most time, in seconds, to connect; never more than a request waits",
        |d, g| set(&mut d.postgres.connect_timeout, session::connect_timeout(g)),
    ),
    setting(
        "postgres",
        "search_path",
        "Schemas in which names are looked up, with commas",
        |d, g| put(&mut d.postgres.search_path, Ok(v::text(g))),
    ),
    setting(
        "postgres",
        "options",
        "More settings of each session: -c NAME=VALUE …",
        |d, g| set(&mut d.postgres.options, session::options(g)),
    ),
    setting(
        "database",
        "pool_size",
        "Connections to the database",
        |d, g| set(&mut d.limits.pool_size, v::integer(g, 1..=1000)),
    )
    .flag("pool-size", "N")
    .or("8"),
    setting(
        "database",
        "statement_timeout",
        "The most time one statement may take",
        |d, g| {
            let reason = "without a limit one slow statement would hold a connection for good";
            set(
                &mut d.limits.statement_timeout,
                v::positive_duration(g, reason),
            )
        },
    )
    .flag("statement-timeout", "TIME")
    .or("30s"),
    setting(
        "database",
        "max_rows",
        "Rows of a result; what is beyond is left out",
        |d, g| set(&mut d.limits.max_rows, v::integer(g, 1..=1_000_000_000)),
    )
    .flag("max-rows", "N")
    .or("1000"),
    setting(
        "database",
        "max_result",
        "Size of a result; a row may take a quarter, or 8 MiB",
        |d, g| set(&mut d.limits.max_result, v::size(g, KIB..=GIB)),
    )
    .flag("max-result", "SIZE")
    .or("64MiB"),
    setting(
        "database",
        "timezone",
        "Time zone of the sessions on PostgreSQL",
        |d, g| set(&mut d.limits.timezone, v::time_zone(g)),
    )
    .or("UTC"),
    setting(
        "redis",
        "url",
        "redis://, rediss:// (TLS) or redis+unix://",
        |d, g| put(&mut d.redis.url, url::redis(g)),
    )
    .flag("redis-url", "URL")
    .secrecy(SettingSecrecy::Url),
    setting(
        "redis",
        "password_file",
        "File with the Redis password",
        |d, g| put(&mut d.redis.password, files::secret_file(g)),
    ),
    setting(
        "redis",
        "ca_file",
        "PEM file of the CAs to trust for rediss://, instead of the built-in ones",
        |d, g| put(&mut d.redis.ca_file, files::readable_file(g)),
    ),
    setting(
        "redis",
        "namespace",
        "Begins every key and channel",
        |d, g| set(&mut d.redis.namespace, v::name(g, "_-.")),
    )
    .or(RedisSettings::NAMESPACE),
    setting(
        "redis",
        "timeout",
        "The most time Redis may take from a request",
        |d, g| {
            let reason = "write the time Redis may take, such as 250ms; no url means no Redis";
            set(&mut d.redis.timeout, v::positive_duration(g, reason))
        },
    )
    .or("250ms"),
    setting("cache", "ttl", "How long an answer is fresh", |d, g| {
        let reason =
            "a cache of nothing helps nobody; `cache: off` in a query file turns it off there";
        set(&mut d.cache.ttl, v::positive_duration(g, reason))
    })
    .flag("ttl", "TIME")
    .or("10s"),
    setting(
        "cache",
        "stale_while_revalidate",
        "How long past it, while a refresh runs",
        |d, g| set(&mut d.cache.stale_while_revalidate, v::duration(g)),
    )
    .flag("stale-while-revalidate", "TIME")
    .or("30s"),
    setting(
        "cache",
        "stale_if_error",
        "How long past it, while loading fails",
        |d, g| set(&mut d.cache.stale_if_error, v::duration(g)),
    )
    .flag("stale-if-error", "TIME")
    .or("1d"),
    setting(
        "cache",
        "memory",
        "Size of the memory tier; 0 turns it off",
        |d, g| set(&mut d.cache.memory, v::size(g, 0..=TIB)),
    )
    .flag("memory", "SIZE")
    .or("64MiB"),
    setting(
        "cache",
        "max_entry",
        "Largest answer that is kept",
        |d, g| set(&mut d.cache.max_entry, v::size(g, KIB..=GIB)),
    )
    .flag("max-entry", "SIZE")
    .or("4MiB"),
];
