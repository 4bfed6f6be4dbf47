//! The settings of the process: who it is, what it leaves behind, and how long it may start.

use super::setting::{SettingRow, SettingSecrecy, put, set, setting};
use crate::flags::SettingFlag;
use crate::settings::values as v;
use crate::settings::{files, process};

/// Returns a flag with one letter.
const fn short(long: &'static str, short: char, value: &'static str) -> SettingFlag {
    SettingFlag {
        long,
        short: Some(short),
        value,
        aliases: &[],
        repeatable: false,
    }
}

pub(super) const ROWS: [SettingRow; 9] = [
    setting(
        "server",
        "pidfile",
        "File that holds the process id, and a lock; with -D there always is one",
        |d, g| put(&mut d.process.pidfile, Ok(files::path(g))),
    )
    .full_flag(SettingFlag {
        aliases: &["pidfile"],
        ..short("pid", 'p', "FILE")
    }),
    setting(
        "server",
        "user",
        "User to become, by name or number",
        |d, g| put(&mut d.process.user, process::account(g)),
    )
    .full_flag(short("user", 'u', "USER")),
    setting(
        "server",
        "group",
        "Group to become, instead of the user's own",
        |d, g| put(&mut d.process.group, process::account(g)),
    )
    .full_flag(short("group", 'g', "GROUP")),
    setting(
        "server",
        "umask",
        "Permissions that new files do not get, in octal",
        |d, g| set(&mut d.process.umask, process::mode(g)),
    )
    .full_flag(short("umask", 'm', "MODE"))
    .or("027"),
    setting("server", "chdir", "Folder to change to", |d, g| {
        put(&mut d.process.chdir, files::folder(g))
    })
    .flag("chdir", "DIR"),
    setting(
        "server",
        "env",
        "Variables to put into the environment: NAME=VALUE",
        |d, g| set(&mut d.process.env, process::pairs(g)),
    )
    .full_flag(SettingFlag {
        repeatable: true,
        ..short("env", 'e', "NAME=VALUE")
    })
    .secrecy(SettingSecrecy::Values)
    .one_a_line(),
    setting(
        "server",
        "socket_mode",
        "Permissions of unix sockets, in octal",
        |d, g| set(&mut d.process.socket_mode, process::mode(g)),
    )
    .or("0660"),
    setting(
        "server",
        "socket_group",
        "Group of unix sockets, instead of unslow's own",
        |d, g| put(&mut d.process.socket_group, process::account(g)),
    ),
    setting(
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
    .flag("start-timeout", "TIME")
    .or("60s"),
];
