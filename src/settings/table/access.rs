//! The settings of who may do what: operators, readers of the queries, pages of other sites.

use super::serving::NO_FLAG;
use super::setting::{SettingRow, assign_option, new_row, set};
use crate::flags::SettingFlag;
use crate::settings::values as v;
use crate::settings::{bind, files, origins};

pub(super) const ROWS: [SettingRow; 7] = [
    new_row(
        "server",
        "allowed_hosts",
        "Names that loopback listeners answer to, besides localhost and loopback addresses",
        |d, g| set(&mut d.server.allowed_hosts, origins::read_hosts(g)),
    ),
    new_row(
        "server",
        "cors_origins",
        "Sites whose pages may read the data of queries, or *",
        |d, g| set(&mut d.server.cors_origins, origins::read_origins(g)),
    )
    .full_flag(SettingFlag {
        long: "cors-origin",
        value: "ORIGIN",
        repeatable: true,
        ..NO_FLAG
    }),
    new_row(
        "admin",
        "token_file",
        "File with the admin token",
        |d, g| assign_option(&mut d.admin_token, files::secret_file(g)),
    )
    .with_flag("admin-token-file", "FILE"),
    new_row(
        "stats",
        "allow",
        "Networks that may see /stats and purge, besides this machine",
        |d, g| set(&mut d.stats_allow, v::read_networks(g)),
    )
    .with_flag("stats-allow", "NETS"),
    new_row(
        "stats",
        "bind",
        "Addresses for /stats, /metrics and purges alone, which are nowhere else then",
        |d, g| set(&mut d.stats_bind, bind::read_addresses(g)),
    )
    .full_flag(SettingFlag {
        long: "stats-bind",
        value: "ADDR",
        repeatable: true,
        ..NO_FLAG
    }),
    new_row(
        "access",
        "token_file",
        "File with the token that queries take; without it and allow, they are open",
        |d, g| assign_option(&mut d.access.token, files::secret_file(g)),
    )
    .with_flag("access-token-file", "FILE"),
    new_row(
        "access",
        "allow",
        "Networks that may read queries without a token",
        |d, g| set(&mut d.access.allow, v::read_networks(g)),
    )
    .with_flag("access-allow", "NETS"),
];
