//! The settings of what faces the visitors: server and queries.

use super::super::types::MOST_WORKERS;
use super::room;
use super::setting::{DefaultContext, SettingRow, put, set, setting};
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
fn cores(_: &DefaultContext) -> Option<String> {
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
fn unsent(_: &DefaultContext) -> Option<String> {
    Some(room::unsent())
}

pub(super) const ROWS: [SettingRow; 20] = [
    setting(
        "server",
        "bind",
        "Addresses to listen on: HOST:PORT, unix:PATH, fd://N",
        |d, g| set(&mut d.server.bind, bind::binds(g)),
    )
    .full_flag(SettingFlag {
        long: "bind",
        short: Some('b'),
        value: "ADDR",
        repeatable: true,
        ..NO_FLAG
    })
    .or("127.0.0.1:8000"),
    setting("server", "workers", "Worker threads, 1 to 512", |d, g| {
        set(&mut d.server.workers, v::integer(g, 1..=MOST_WORKERS))
    })
    .full_flag(SettingFlag {
        long: "workers",
        short: Some('w'),
        value: "N",
        ..NO_FLAG
    })
    .or_found("number of cores", cores),
    setting(
        "server",
        "keep_alive",
        "How long an idle connection stays open",
        |d, g| set(&mut d.server.keep_alive, v::duration(g)),
    )
    .flag("keep-alive", "TIME")
    .or("5s"),
    setting(
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
    .or("60s"),
    setting(
        "server",
        "graceful_timeout",
        "Time for running requests to end at a stop",
        |d, g| set(&mut d.server.graceful_timeout, v::duration(g)),
    )
    .flag("graceful-timeout", "TIME")
    .or("30s"),
    setting(
        "server",
        "drain_delay",
        "How long to go on serving after TERM, not ready",
        |d, g| set(&mut d.server.drain_delay, v::duration(g)),
    )
    .flag("drain-delay", "TIME")
    .or("0s"),
    setting(
        "server",
        "backlog",
        "Connections that may wait to be accepted",
        |d, g| set(&mut d.server.backlog, v::integer(g, 1..=65_535)),
    )
    .flag("backlog", "N")
    .or("2048"),
    setting(
        "server",
        "max_connections",
        "Connections open at once",
        |d, g| set(&mut d.server.max_connections, v::integer(g, 1..=1_000_000)),
    )
    .flag("max-connections", "N")
    .or("20000"),
    setting(
        "server",
        "max_unsent",
        "Memory for answers that wait to be sent",
        |d, g| set(&mut d.server.max_unsent, v::size(g, MIB..=1024 * GIB)),
    )
    .flag("max-unsent", "SIZE")
    .or_found("a quarter of the memory, 256MiB at most", unsent),
    setting("server", "page_rows", "Rows that a page shows", |d, g| {
        set(&mut d.server.page_rows, v::integer(g, 1..=100_000))
    })
    .flag("page-rows", "N")
    .or("200"),
    setting(
        "server",
        "limit_request_line",
        "Longest request line, in bytes",
        |d, g| {
            set(
                &mut d.server.limit_request_line,
                v::length(g, 256..=64 * KIB),
            )
        },
    )
    .flag("limit-request-line", "SIZE")
    .or("4094"),
    setting(
        "server",
        "limit_request_fields",
        "Most header fields of a request",
        |d, g| {
            set(
                &mut d.server.limit_request_fields,
                v::integer(g, 1..=32_768),
            )
        },
    )
    .flag("limit-request-fields", "N")
    .or("100"),
    setting(
        "server",
        "limit_request_field_size",
        "Longest header field, in bytes",
        |d, g| {
            set(
                &mut d.server.limit_request_field_size,
                v::length(g, 256..=MIB),
            )
        },
    )
    .full_flag(SettingFlag {
        long: "limit-request-field-size",
        value: "SIZE",
        aliases: &["limit-request-field_size"],
        ..NO_FLAG
    })
    .or("8190"),
    setting(
        "server",
        "limit_request_body",
        "Largest request body",
        |d, g| set(&mut d.server.limit_request_body, v::size(g, 0..=GIB)),
    )
    .flag("limit-request-body", "SIZE")
    .or("64KiB"),
    setting(
        "server",
        "forwarded_allow_ips",
        "Proxies whose X-Forwarded-* is believed",
        |d, g| set(&mut d.server.forwarded_allow_ips, v::networks(g)),
    )
    .flag("forwarded-allow-ips", "NETS")
    .or("127.0.0.1,::1"),
    setting(
        "server",
        "debug",
        "Pages show the causes of errors (never passwords)",
        |d, g| set(&mut d.server.debug, v::boolean(g)),
    )
    .flag("debug", BOOL)
    .or("false"),
    setting("server", "home", "The query shown at /", |d, g| {
        set(&mut d.server.home, v::name(g, "_-"))
    })
    .flag("home", "QUERY")
    .or("version"),
    setting(
        "server",
        "show_host",
        "Whether the page at / names the database host",
        |d, g| set(&mut d.server.show_host, v::boolean(g)),
    )
    .flag("show-host", BOOL)
    .or("true"),
    setting("queries", "dir", "Folder of your .sql files", |d, g| {
        put(&mut d.queries_dir, files::folder(g))
    })
    .flag("queries", "DIR")
    .or_found(
        "queries/ beside the ini file, without one in the working directory, where it exists",
        queries_nearby,
    ),
    setting(
        "demo",
        "delay",
        "How long the demo's slow_version() sleeps",
        |d, g| set(&mut d.demo_delay, v::duration(g)),
    )
    .flag("demo-delay", "TIME")
    .or("5s"),
];
