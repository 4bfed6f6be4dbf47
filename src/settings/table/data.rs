//! The settings of where the data is: the database, Redis, and what is kept of the answers.

use super::super::types::RedisSettings;
use super::setting::{SettingRow, SettingSecrecy, assign_option, new_row, set};
use crate::settings::values as v;
use crate::settings::{files, session, url};

const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

pub(super) const ROWS: [SettingRow; 28] = [
    new_row(
        "postgres",
        "url",
        "postgres://USER@HOST/DATABASE, or sqlite:FILE; a flag takes no password",
        |d, g| set(&mut d.sqlite, url::sqlite_file(g)),
    )
    .with_flag("database-url", "URL")
    .with_secrecy(SettingSecrecy::Url),
    new_row("postgres", "host", "Database host", |d, g| {
        assign_option(&mut d.postgres.host, v::read_host(g))
    })
    .with_flag("db-host", "HOST"),
    new_row("postgres", "port", "Database port", |d, g| {
        set(&mut d.postgres.port, v::read_integer(g, 1..=65_535))
    })
    .with_flag("db-port", "PORT")
    .or_default("5432"),
    new_row("postgres", "database", "Database name", |d, g| {
        assign_option(&mut d.postgres.database, Ok(v::read_text(g)))
    })
    .with_flag("db-name", "NAME"),
    new_row("postgres", "user", "Database user", |d, g| {
        assign_option(&mut d.postgres.user, Ok(v::read_text(g)))
    })
    .with_flag("db-user", "USER"),
    new_row(
        "postgres",
        "password",
        "Database password; never a flag, which ps would show",
        |d, g| assign_option(&mut d.postgres.password, Ok(v::read_secret(g))),
    )
    .with_secrecy(SettingSecrecy::Secret),
    new_row(
        "postgres",
        "password_file",
        "File with the database password",
        |d, g| assign_option(&mut d.postgres.password, files::secret_file(g)),
    )
    .with_flag("db-password-file", "FILE"),
    new_row(
        "postgres",
        "sslmode",
        "disable, prefer, require, verify-ca or verify-full",
        |d, g| set(&mut d.postgres.sslmode, v::read_sslmode(g)),
    )
    .with_flag("db-sslmode", "MODE")
    .or_default("prefer"),
    new_row(
        "postgres",
        "sslrootcert",
        "PEM file of the CAs to trust, besides the built-in ones",
        |d, g| set(&mut d.postgres.sslrootcert, v::read_authorities(g)),
    )
    .with_flag("db-sslrootcert", "FILE"),
    new_row(
        "postgres",
        "application_name",
        "Name of the connections in the server's lists",
        |d, g| set(&mut d.postgres.application_name, Ok(v::read_text(g))),
    )
    .or_default("unslow"),
    new_row(
        "postgres",
        "connect_timeout",
        "The most time, in seconds, to connect; never more than a request waits",
        |d, g| set(&mut d.postgres.connect_timeout, session::connect_timeout(g)),
    ),
    new_row(
        "postgres",
        "search_path",
        "Schemas in which names are looked up, with commas",
        |d, g| assign_option(&mut d.postgres.search_path, Ok(v::read_text(g))),
    ),
    new_row(
        "postgres",
        "options",
        "More settings of each session: -c NAME=VALUE …",
        |d, g| set(&mut d.postgres.options, session::read_options(g)),
    ),
    new_row(
        "database",
        "pool_size",
        "Connections to the database",
        |d, g| set(&mut d.limits.pool_size, v::read_integer(g, 1..=1000)),
    )
    .with_flag("pool-size", "N")
    .or_default("8"),
    new_row(
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
    .with_flag("statement-timeout", "TIME")
    .or_default("30s"),
    new_row(
        "database",
        "max_rows",
        "Rows of a result; what is beyond is left out",
        |d, g| {
            set(
                &mut d.limits.max_rows,
                v::read_integer(g, 1..=1_000_000_000),
            )
        },
    )
    .with_flag("max-rows", "N")
    .or_default("1000"),
    new_row(
        "database",
        "max_result",
        "Size of a result; a row may take a quarter, or 8 MiB",
        |d, g| set(&mut d.limits.max_result, v::read_size(g, KIB..=GIB)),
    )
    .with_flag("max-result", "SIZE")
    .or_default("64MiB"),
    new_row(
        "database",
        "timezone",
        "Time zone of the sessions on PostgreSQL",
        |d, g| set(&mut d.limits.timezone, v::time_zone(g)),
    )
    .or_default("UTC"),
    new_row(
        "redis",
        "url",
        "redis://, rediss:// (TLS) or redis+unix://",
        |d, g| assign_option(&mut d.redis.url, url::read_redis(g)),
    )
    .with_flag("redis-url", "URL")
    .with_secrecy(SettingSecrecy::Url),
    new_row(
        "redis",
        "password_file",
        "File with the Redis password",
        |d, g| assign_option(&mut d.redis.password, files::secret_file(g)),
    ),
    new_row(
        "redis",
        "ca_file",
        "PEM file of the CAs to trust for rediss://, instead of the built-in ones",
        |d, g| assign_option(&mut d.redis.ca_file, files::readable_file(g)),
    ),
    new_row(
        "redis",
        "namespace",
        "Begins every key and channel",
        |d, g| set(&mut d.redis.namespace, v::read_name(g, "_-.")),
    )
    .or_default(RedisSettings::NAMESPACE),
    new_row(
        "redis",
        "timeout",
        "The most time Redis may take from a request",
        |d, g| {
            let reason = "write the time Redis may take, such as 250ms; no url means no Redis";
            set(&mut d.redis.timeout, v::positive_duration(g, reason))
        },
    )
    .or_default("250ms"),
    new_row("cache", "ttl", "How long an answer is fresh", |d, g| {
        let reason =
            "a cache of nothing helps nobody; `cache: off` in a query file turns it off there";
        set(&mut d.cache.ttl, v::positive_duration(g, reason))
    })
    .with_flag("ttl", "TIME")
    .or_default("10s"),
    new_row(
        "cache",
        "stale_while_revalidate",
        "How long past it, while a refresh runs",
        |d, g| set(&mut d.cache.stale_while_revalidate, v::read_duration(g)),
    )
    .with_flag("stale-while-revalidate", "TIME")
    .or_default("30s"),
    new_row(
        "cache",
        "stale_if_error",
        "How long past it, while loading fails",
        |d, g| set(&mut d.cache.stale_if_error, v::read_duration(g)),
    )
    .with_flag("stale-if-error", "TIME")
    .or_default("1d"),
    new_row(
        "cache",
        "memory",
        "Size of the memory tier; 0 turns it off",
        |d, g| set(&mut d.cache.memory, v::read_size(g, 0..=TIB)),
    )
    .with_flag("memory", "SIZE")
    .or_default("64MiB"),
    new_row(
        "cache",
        "max_entry",
        "Largest answer that is kept",
        |d, g| set(&mut d.cache.max_entry, v::read_size(g, KIB..=GIB)),
    )
    .with_flag("max-entry", "SIZE")
    .or_default("4MiB"),
];
