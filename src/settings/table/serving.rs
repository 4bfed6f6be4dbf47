//! The settings of what faces the visitors: server and queries.

use super::super::types::MOST_WORKERS;
use super::room;
use super::setting::{DefaultContext, SettingRow, assign_option, new_row, set};
use crate::flags::{BOOL, SettingFlag};
use crate::settings::values as v;
use crate::settings::{bind, files};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A flag to be completed with `..NO_FLAG`.
pub(super) const NO_FLAG: SettingFlag = SettingFlag {
    long: "",
    short: None,
    value: "",
    aliases: &[],
    repeatable: false,
};

#[allow(
    clippy::unnecessary_wraps,
    reason = "the table takes functions of one type"
)]
fn default_workers(_: &DefaultContext) -> Option<String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Some(cores.min(MOST_WORKERS).to_string())
}

fn queries_nearby(ground: &DefaultContext) -> Option<String> {
    let beside = ground
        .ini_folder
        .as_ref()
        .or(ground.working_folder.as_ref());
    let folder = beside?.join("queries");
    // A link that leads to no folder is a mistake, which the reader names.
    (folder.is_dir() || folder.is_symlink()).then(|| folder.to_string_lossy().into_owned())
}

#[allow(
    clippy::unnecessary_wraps,
    reason = "the table takes functions of one type"
)]
fn default_unsent(_: &DefaultContext) -> Option<String> {
    Some(room::default_unsent())
}

pub(super) const ROWS: [SettingRow; 20] = [
    new_row(
        "server",
        "bind",
        "Addresses to listen on: HOST:PORT, unix:PATH, fd://N",
        |d, g| set(&mut d.server.bind, bind::read_addresses(g)),
    )
    .full_flag(SettingFlag {
        long: "bind",
        short: Some('b'),
        value: "ADDR",
        repeatable: true,
        ..NO_FLAG
    })
    .or_default("127.0.0.1:8000"),
    new_row("server", "workers", "Worker threads, 1 to 512", |d, g| {
        set(&mut d.server.workers, v::read_integer(g, 1..=MOST_WORKERS))
    })
    .full_flag(SettingFlag {
        long: "workers",
        short: Some('w'),
        value: "N",
        ..NO_FLAG
    })
    .or_found("number of cores", default_workers),
    new_row(
        "server",
        "keep_alive",
        "How long an idle connection stays open",
        |d, g| set(&mut d.server.keep_alive, v::read_duration(g)),
    )
    .with_flag("keep-alive", "TIME")
    .or_default("5s"),
    new_row(
        "server",
        "request_timeout",
        "The most time one request may take",
        |d, g| {
            let reason = "write how long a request may take, such as 60s";
            set(
                &mut d.server.request_timeout,
                v::positive_duration(g, reason),
            )
        },
    )
    .full_flag(SettingFlag {
        long: "request-timeout",
        short: Some('t'),
        value: "TIME",
        aliases: &["timeout"],
        ..NO_FLAG
    })
    .or_default("60s"),
    new_row(
        "server",
        "graceful_timeout",
        "Time for running requests to end at a stop",
        |d, g| set(&mut d.server.graceful_timeout, v::read_duration(g)),
    )
    .with_flag("graceful-timeout", "TIME")
    .or_default("30s"),
    new_row(
        "server",
        "drain_delay",
        "How long to go on serving after TERM, not ready",
        |d, g| set(&mut d.server.drain_delay, v::read_duration(g)),
    )
    .with_flag("drain-delay", "TIME")
    .or_default("0s"),
    new_row(
        "server",
        "backlog",
        "Connections that may wait to be accepted",
        |d, g| set(&mut d.server.backlog, v::read_integer(g, 1..=65_535)),
    )
    .with_flag("backlog", "N")
    .or_default("2048"),
    new_row(
        "server",
        "max_connections",
        "Connections open at once",
        |d, g| {
            set(
                &mut d.server.max_connections,
                v::read_integer(g, 1..=1_000_000),
            )
        },
    )
    .with_flag("max-connections", "N")
    .or_default("20000"),
    new_row(
        "server",
        "max_unsent",
        "Memory for answers that wait to be sent",
        |d, g| set(&mut d.server.max_unsent, v::read_size(g, MIB..=1024 * GIB)),
    )
    .with_flag("max-unsent", "SIZE")
    .or_found("a quarter of the memory, 256MiB at most", default_unsent),
    new_row("server", "page_rows", "Rows that a page shows", |d, g| {
        set(&mut d.server.page_rows, v::read_integer(g, 1..=100_000))
    })
    .with_flag("page-rows", "N")
    .or_default("200"),
    new_row(
        "server",
        "limit_request_line",
        "Longest request line, in bytes",
        |d, g| {
            set(
                &mut d.server.limit_request_line,
                v::read_length(g, 256..=64 * KIB),
            )
        },
    )
    .with_flag("limit-request-line", "SIZE")
    .or_default("4094"),
    new_row(
        "server",
        "limit_request_fields",
        "Most header fields of a request",
        |d, g| {
            set(
                &mut d.server.limit_request_fields,
                v::read_integer(g, 1..=32_768),
            )
        },
    )
    .with_flag("limit-request-fields", "N")
    .or_default("100"),
    new_row(
        "server",
        "limit_request_field_size",
        "Longest header field, in bytes",
        |d, g| {
            set(
                &mut d.server.limit_request_field_size,
                v::read_length(g, 256..=MIB),
            )
        },
    )
    .full_flag(SettingFlag {
        long: "limit-request-field-size",
        value: "SIZE",
        aliases: &["limit-request-field_size"],
        ..NO_FLAG
    })
    .or_default("8190"),
    new_row(
        "server",
        "limit_request_body",
        "Largest request body",
        |d, g| set(&mut d.server.limit_request_body, v::read_size(g, 0..=GIB)),
    )
    .with_flag("limit-request-body", "SIZE")
    .or_default("64KiB"),
    new_row(
        "server",
        "forwarded_allow_ips",
        "Proxies whose X-Forwarded-* is believed",
        |d, g| set(&mut d.server.forwarded_allow_ips, v::read_networks(g)),
    )
    .with_flag("forwarded-allow-ips", "NETS")
    .or_default("127.0.0.1,::1"),
    new_row(
        "server",
        "debug",
        "Pages show the causes of errors (never passwords)",
        |d, g| set(&mut d.server.debug, v::read_boolean(g)),
    )
    .with_flag("debug", BOOL)
    .or_default("false"),
    new_row("server", "home", "The query shown at /", |d, g| {
        set(&mut d.server.home, v::read_name(g, "_-"))
    })
    .with_flag("home", "QUERY")
    .or_default("version"),
    new_row(
        "server",
        "show_host",
        "Whether the page at / names the database host",
        |d, g| set(&mut d.server.show_host, v::read_boolean(g)),
    )
    .with_flag("show-host", BOOL)
    .or_default("true"),
    new_row("queries", "dir", "Folder of your .sql files", |d, g| {
        assign_option(&mut d.queries_dir, files::read_folder(g))
    })
    .with_flag("queries", "DIR")
    .or_found(
        "queries/ beside the ini file, without one in the working directory, where it exists",
        queries_nearby,
    ),
    new_row(
        "demo",
        "delay",
        "How long the demo's slow_version() sleeps",
        |d, g| set(&mut d.demo_delay, v::read_duration(g)),
    )
    .with_flag("demo-delay", "TIME")
    .or_default("5s"),
];
