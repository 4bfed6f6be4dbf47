//! The settings of who may do what: operators, readers of the queries, pages of other sites.

use super::serving::NO_FLAG;
use super::setting::{SettingRow, put, set, setting};
use crate::flags::SettingFlag;
use crate::settings::values as v;
use crate::settings::{bind, files, origins};

pub(super) const ROWS: [SettingRow; 7] = [
    setting(
        "server",
        "allowed_hosts",
        "Names that loopback listeners answer to, besides localhost and loopback addresses",
        |d, g| set(&mut d.server.allowed_hosts, origins::hosts(g)),
    ),
    setting(
        "server",
        "cors_origins",
        "Sites whose pages may read the data of queries, or *",
        |d, g| set(&mut d.server.cors_origins, origins::origins(g)),
    )
    .full_flag(SettingFlag {
        long: "cors-origin",
        value: "ORIGIN",
        repeatable: true,
        ..NO_FLAG
    }),
    setting(
        "admin",
        "token_file",
        "File with the admin token",
        |d, g| put(&mut d.admin_token, files::secret_file(g)),
    )
    .flag("admin-token-file", "FILE"),
    setting(
        "stats",
        "allow",
        "Networks that may see /stats and purge, besides this machine",
        |d, g| set(&mut d.stats_allow, v::networks(g)),
    )
    .flag("stats-allow", "NETS"),
    setting(
        "stats",
        "bind",
        "Addresses for /stats, /metrics and purges alone, which are nowhere else then",
        |d, g| set(&mut d.stats_bind, bind::binds(g)),
    )
    .full_flag(SettingFlag {
        long: "stats-bind",
        value: "ADDR",
        repeatable: true,
        ..NO_FLAG
    }),
    setting(
        "access",
        "token_file",
        "File with the token that queries take; without it and allow, they are open",
        |d, g| put(&mut d.access.token, files::secret_file(g)),
    )
    .flag("access-token-file", "FILE"),
    setting(
        "access",
        "allow",
        "Networks that may read queries without a token",
        |d, g| set(&mut d.access.allow, v::networks(g)),
    )
    .flag("access-allow", "NETS"),
];
