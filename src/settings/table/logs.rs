//! The settings of the logs.

use super::super::log::LogTarget;
use super::serving::NO_FLAG;
use super::setting::{SettingRow, assign_option, new_row, set};
use crate::flags::SettingFlag;
use crate::settings::log;

pub(super) const ROWS: [SettingRow; 6] = [
    new_row(
        "log",
        "access",
        "Access log: a file, or - for standard output",
        |d, g| {
            assign_option(
                &mut d.log.access,
                Ok(log::read_target(g, LogTarget::Stdout)),
            )
        },
    )
    .full_flag(SettingFlag {
        long: "access-log",
        value: "FILE",
        aliases: &["access-logfile"],
        ..NO_FLAG
    }),
    new_row(
        "log",
        "access_format",
        "Form of the access log: combined, json, or gunicorn's identifiers",
        |d, g| set(&mut d.log.access_format, log::access_format(g)),
    )
    .full_flag(SettingFlag {
        long: "access-log-format",
        value: "FORM",
        aliases: &["access-logformat"],
        ..NO_FLAG
    })
    .or_default("combined"),
    new_row(
        "log",
        "error",
        "Error log: a file, or - for standard error",
        |d, g| set(&mut d.log.error, Ok(log::read_target(g, LogTarget::Stderr))),
    )
    .full_flag(SettingFlag {
        long: "error-log",
        value: "FILE",
        aliases: &["error-logfile", "log-file"],
        ..NO_FLAG
    })
    .or_default("-"),
    new_row(
        "log",
        "level",
        "What is logged: error, warn, info, debug or trace",
        |d, g| set(&mut d.log.level, log::read_level(g)),
    )
    .with_flag("log-level", "LEVEL")
    .or_default("info"),
    new_row(
        "log",
        "syslog",
        "syslog that gets both logs too: udp://HOST:PORT or unix:PATH",
        |d, g| assign_option(&mut d.log.syslog, log::read_syslog(g)),
    )
    .full_flag(SettingFlag {
        long: "syslog",
        value: "ADDR",
        aliases: &["log-syslog-to"],
        ..NO_FLAG
    }),
    new_row(
        "log",
        "syslog_facility",
        "What syslog is told that unslow is: daemon, user, local0 to local7, …",
        |d, g| set(&mut d.log.syslog_facility, log::read_facility(g)),
    )
    .full_flag(SettingFlag {
        long: "syslog-facility",
        value: "NAME",
        aliases: &["log-syslog-facility"],
        ..NO_FLAG
    })
    .or_default("daemon"),
];
