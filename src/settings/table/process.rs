//! The settings of the process: who it is, what it leaves behind, and how long it may start.

use super::setting::{SettingRow, SettingSecrecy, assign_option, new_row, set};
use crate::flags::SettingFlag;
use crate::settings::values as v;
use crate::settings::{files, process};

/// Returns a flag with one letter.
const fn short_flag(long: &'static str, short: char, value: &'static str) -> SettingFlag {
    SettingFlag {
        long,
        short: Some(short),
        value,
        aliases: &[],
        repeatable: false,
    }
}

pub(super) const ROWS: [SettingRow; 9] = [
    new_row(
        "server",
        "pidfile",
        "File that holds the process id, and a lock; with -D there always is one",
        |d, g| assign_option(&mut d.process.pidfile, Ok(files::read_path(g))),
    )
    .full_flag(SettingFlag {
        aliases: &["pidfile"],
        ..short_flag("pid", 'p', "FILE")
    }),
    new_row(
        "server",
        "user",
        "User to become, by name or number",
        |d, g| assign_option(&mut d.process.user, process::read_account(g)),
    )
    .full_flag(short_flag("user", 'u', "USER")),
    new_row(
        "server",
        "group",
        "Group to become, instead of the user's own",
        |d, g| assign_option(&mut d.process.group, process::read_account(g)),
    )
    .full_flag(short_flag("group", 'g', "GROUP")),
    new_row(
        "server",
        "umask",
        "Permissions that new files do not get, in octal",
        |d, g| set(&mut d.process.umask, process::read_mode(g)),
    )
    .full_flag(short_flag("umask", 'm', "MODE"))
    .or_default("027"),
    new_row("server", "chdir", "Folder to change to", |d, g| {
        assign_option(&mut d.process.chdir, files::read_folder(g))
    })
    .with_flag("chdir", "DIR"),
    new_row(
        "server",
        "env",
        "Variables to put into the environment: NAME=VALUE",
        |d, g| set(&mut d.process.env, process::read_pairs(g)),
    )
    .full_flag(SettingFlag {
        repeatable: true,
        ..short_flag("env", 'e', "NAME=VALUE")
    })
    .with_secrecy(SettingSecrecy::Values)
    .one_a_line(),
    new_row(
        "server",
        "socket_mode",
        "Permissions of unix sockets, in octal",
        |d, g| set(&mut d.process.socket_mode, process::read_mode(g)),
    )
    .or_default("0660"),
    new_row(
        "server",
        "socket_group",
        "Group of unix sockets, instead of unslow's own",
        |d, g| assign_option(&mut d.process.socket_group, process::read_account(g)),
    ),
    new_row(
        "server",
        "start_timeout",
        "How long a start or an upgrade may take",
        |d, g| {
            let reason = "write how long a start may take, such as 60s";
            set(
                &mut d.process.start_timeout,
                v::positive_duration(g, reason),
            )
        },
    )
    .with_flag("start-timeout", "TIME")
    .or_default("60s"),
];
